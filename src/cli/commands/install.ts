// `mmiostrider install`: the tools from outside npm, through the system's packages.
import type { Command } from "commander";
import { installTools } from "../../lab/debian.js";
import { labTools, testTools } from "../../lab/needs.js";

const explanation = `
Installs what record and the lab call, where it is missing: QEMU, kmod, gcc, make, libelf. Needs root and apt; says what
to install where it can't. Kernels for the lab are fetched when it first boots one, and are not installed.

Example:
  mmiostrider install`;

export function addInstall(program: Command): void {
  program
    .command("install")
    .description("install the tools that record and the lab need, with apt")
    .option("--tests", "what the project's tests call, too")
    .addHelpText("after", explanation)
    .action((options: { tests?: true }) =>
      installTools(options.tests === true ? [...labTools, ...testTools] : labTools, (line) =>
        process.stderr.write(`${line}\n`),
      ),
    );
}
