// `mmiostrider instrument`: rewrites a driver's module, so that its accesses call the core instead of faulting.
import { readFileSync, writeFileSync } from "node:fs";
import type { Command } from "commander";
import { messageOf, UserError } from "../../base/errors.js";
import { finishedFile } from "../../base/finished-output.js";
import { countOf } from "../../base/units.js";
import { buildCore, exportedVersion } from "../../capture/emulate/core-build.js";
import { decompress } from "../../machine/decompress.js";
import { parseModuleFile, readModuleFile } from "../../machine/module-file.js";
import { instrumentModule } from "../../rewrite/instrument-module.js";

interface InstrumentOptions {
  output: string;
  only?: string[];
}

/** The core's function that rewritten modules call: core/kernel/rewritten.c. */
const coreFunction = "mms_rewritten_access";

export function addInstrument(program: Command): void {
  program
    .command("instrument")
    .summary("rewrite a driver's module, so that its accesses need no fault")
    .description(
      "Rewrites the file of a driver's module: its plain loads and stores look if their address is one of a recorded device, and " +
        "call the core then. While it is recorded, such an access needs no fault. All others fault as before, and are recorded, too.",
    )
    .argument("<module>", "the module's file, packed with xz, zstd or gzip or not")
    .requiredOption("-o, --output <file>", "the new module")
    .option("--only <function...>", "rewrite these functions only, with the parts that the compiler split off")
    .addHelpText(
      "after",
      `
Neither a compiler nor sources of the driver are needed. The core is built for the module's kernel, if it isn't yet: the new module
calls the core, so it can be loaded only with it, which record does. It has no signature, and taints the kernel. The sites in its
traces are places in the new module.

Examples:
  mmiostrider instrument /lib/modules/$(uname -r)/kernel/drivers/net/ethernet/intel/e1000/e1000.ko -o /tmp/e1000.ko
  mmiostrider record --driver e1000 -o e1000.mmt -- insmod /tmp/e1000.ko
  mmiostrider instrument e1000.ko.xz -o /tmp/e1000.ko --only e1000_clean e1000_intr

Exit codes: 0 rewritten, 1 failed or refused (then nothing is left behind), 2 wrong usage.`,
    )
    .action(instrument);
}

async function instrument(file: string, { output, only = [] }: InstrumentOptions): Promise<void> {
  const content = contentOf(file);
  const { release, vermagic } = parseModuleFile(content, file);
  const crc = await versionOfCore(file, release, vermagic);
  const { bytes, checks } = await instrumentModule({ file, content, crc, only });
  await finishedFile(output, async (temporary) => writeFileSync(temporary, bytes));
  process.stderr.write(`${countOf(checks, "instruction")} of ${file} checked in ${output}\n`);
}

function contentOf(file: string): Buffer {
  let content: Buffer;
  try {
    content = readFileSync(file);
  } catch (error) {
    throw new UserError(`reading the kernel module ${file} failed: ${messageOf(error)}`);
  }
  return /\.(?:xz|zst|gz)$/.test(file) ? decompress(file, content) : content;
}

/** Returns the checksum of the core's function, built for the same kernel. Throws UserError where the module is for another one. */
async function versionOfCore(file: string, release: string, vermagic: string): Promise<number | undefined> {
  const onBuild = () => process.stderr.write(`Building the core for ${release}\n`);
  const { path } = await buildCore({ release, onBuild });
  const ours = readModuleFile(path).vermagic;
  if (ours !== vermagic) {
    throw new UserError(
      `${file} is of another build of the kernel: its vermagic is "${vermagic}", the core's "${ours}"`,
    );
  }
  return exportedVersion(path, coreFunction);
}
