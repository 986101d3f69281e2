// `mmiostrider install`: installs the tools from outside npm, through the system's packages.
import type { Command } from "commander";
import { installTools } from "../../lab/debian.js";
import { labTools, testTools } from "../../lab/needs.js";

const explanation = `
Installs missing tools that record and the lab call: QEMU, kmod, gcc, make, libelf. Needs root and apt; otherwise it lists
the packages to install. A kernel for the lab is downloaded before its first boot, and isn't installed.

Example:
  mmiostrider install`;

export function addInstall(program: Command): void {
  program
    .command("install")
    .description("install the tools that record and the lab need, with apt")
    .option("--tests", "also install the tools of the project's tests")
    .addHelpText("after", explanation)
    .action((options: { tests?: true }) =>
      installTools(options.tests === true ? [...labTools, ...testTools] : labTools, (line) =>
        process.stderr.write(`${line}\n`),
      ),
    );
}
