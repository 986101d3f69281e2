// The lab's needs on this machine, and their state, for `doctor`.
import { messageOf, UserError } from "../base/errors.js";
import { runTool, type ToolResult } from "../base/run-tool.js";
import { type Check, good, missing, unknown, without } from "../machine/check.js";
import { type KvmAnswer, probeKvmWithAnyKernel } from "./kvm-probe.js";
import { qemuProgram } from "./virtual-machine.js";

/** Checks the lab's needs; starts a guest for a moment to find out if it runs on KVM. */
export async function labNeeds(): Promise<Check[]> {
  return [await qemuCheck(), kvmCheck(await probeKvmWithAnyKernel())];
}

async function qemuCheck(): Promise<Check> {
  let result: ToolResult;
  try {
    result = await runTool(qemuProgram, ["--version"]);
  } catch (error) {
    return missing("QEMU", messageOf(error), error instanceof UserError ? error.advice : undefined);
  }
  if (result.missing) {
    return missing("QEMU", "not installed", "on Debian: apt-get install --no-install-recommends qemu-system-x86");
  }
  const version = /version (\S+)/.exec(result.stdout)?.[1];
  return version === undefined ? missing("QEMU", "doesn't say its version") : good("QEMU", version);
}

function kvmCheck(kvm: KvmAnswer | undefined): Check {
  if (kvm === undefined)
    return unknown("KVM", "no kernel here to try it with; the first `mmiostrider lab` fetches one");
  if (kvm.works) return good("KVM", kvm.why);
  return without("KVM", `${kvm.why}; the CPU is emulated, which takes longer`);
}
