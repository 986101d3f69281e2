// `mmiostrider instrument`: rewrites a driver's module, so that its accesses call the core instead of faulting.
import { writeFileSync } from "node:fs";
import type { Command } from "commander";
import { finishedFile } from "../../base/finished-output.js";
import { countOf } from "../../base/units.js";
import { instrumentedModule } from "../../capture/instrumented-module.js";
import { readProfile } from "../../capture/profile.js";
import { compressLike } from "../../machine/decompress.js";
import type { AccessKind } from "../../rewrite/instrument-order.js";
import { parseAccesses } from "../shared/option-values.js";

interface InstrumentOptions {
  output: string;
  accesses?: AccessKind[];
  only?: string[];
  profile?: string;
}

export function addInstrument(program: Command): void {
  program
    .command("instrument")
    .summary("rewrite a driver's module, so that its accesses need no fault")
    .description(
      "Rewrites the file of a driver's module: its plain loads and stores look if their address is one of a recorded device, and " +
        "call the core then; so do its calls of ioread32(), memcpy_fromio() and the like, and its instructions on I/O ports. While " +
        "it is recorded, such an access needs no fault. All others " +
        "fault as before, and are recorded, too.",
    )
    .argument("<module>", "the module's file, packed with xz, zstd or gzip or not")
    .requiredOption("-o, --output <file>", "the new module, packed as its name says: .ko.xz, .ko.zst or .ko.gz")
    .option(
      "--accesses <kinds>",
      "rewrite the instructions of these accesses: mmio (plain loads and stores, and calls), ports (in, out and their strings) (default: mmio,ports)",
      parseAccesses,
    )
    .option("--only <function...>", "rewrite these functions only, with the parts that the compiler split off")
    .option("--profile <trace>", "rewrite the instructions only that made accesses in this trace; all others fault")
    .addHelpText(
      "after",
      `
Neither a compiler nor sources of the driver are needed. The core is built for the module's kernel, if it isn't yet: the new module
calls the core, so it can be loaded only with it, which record does, and the core stays loaded as long as the new module. It has no
signature, and taints the kernel. The sites in its traces are places in the new module. In stack traces, mms_stubs is where a
section's calls of the core are. Live patches of its functions work; but the kernel doesn't see that a task which was interrupted in
such a call is in the function that is replaced, so a patch that changes several functions at once may meet the old one of them there.

Examples:
  mmiostrider instrument /lib/modules/$(uname -r)/kernel/drivers/net/ethernet/intel/e1000/e1000.ko -o /tmp/e1000.ko
  mmiostrider record --driver e1000 -o e1000.mmt -- insmod /tmp/e1000.ko
  mmiostrider instrument e1000.ko.xz -o /tmp/e1000.ko --only e1000_clean e1000_intr
  mmiostrider instrument ne2k-pci.ko -o /tmp/ne2k-pci.ko --accesses ports
  mmiostrider instrument e1000.ko -o /tmp/e1000.ko --profile e1000.mmt

Exit codes: 0 rewritten, 1 failed or refused (then nothing is left behind), 2 wrong usage.`,
    )
    .action(instrument);
}

async function instrument(file: string, { output, accesses, only = [], profile }: InstrumentOptions): Promise<void> {
  const onBuild = (release: string) => process.stderr.write(`Building the core for ${release}\n`);
  const { bytes, checks } = await instrumentedModule(file, {
    accesses,
    only,
    profile: profile === undefined ? undefined : await readProfile(profile),
    onBuild,
  });
  await finishedFile(output, async (temporary) => writeFileSync(temporary, compressLike(output, Buffer.from(bytes))));
  process.stderr.write(`${countOf(checks, "instruction")} of ${file} may call the core in ${output}\n`);
}
