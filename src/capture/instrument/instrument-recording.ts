// A recording by engine `instrument`: engine emulate's, around which the drivers' modules are swapped for rewritten ones.
import { release } from "node:os";
import { UserError } from "../../base/errors.js";
import { areSignaturesEnforced } from "../../machine/kernel-modules.js";
import { isLockedDown, lockdownAdvice } from "../../machine/lockdown.js";
import { defaultSysfs } from "../../machine/pci.js";
import { runningModulesFolder } from "../driver-devices.js";
import { requireNoRecording } from "../emulate/core-load.js";
import { EmulateRecording } from "../emulate/emulate-recording.js";
import { readProfile } from "../profile.js";
import type { Recording, RecordingRequest } from "../recording.js";
import { ModuleSwap, requireUncovered } from "./module-swap.js";
import { planSwap } from "./swap-plan.js";

/** The swap of this process's recording. */
let swap: ModuleSwap | undefined;

/** Swaps the modules and begins to record. Throws UserError; then nothing has changed. Needs root. */
export async function startRecording(request: RecordingRequest): Promise<Recording> {
  const { sign, accesses, profile: profileFile } = request.engineOptions;
  if (sign === undefined && (areSignaturesEnforced() || isLockedDown())) {
    throw new UserError("this kernel loads only signed modules, and rewriting a driver takes its signature away", {
      advice:
        lockdownAdvice() ?? "--sign-key signs rewritten drivers, and the core; --engine singlestep needs no module",
    });
  }
  await requireNoRecording();
  const plan = planSwap(request, { sysfs: defaultSysfs, modulesFolder: runningModulesFolder() });
  requireUncovered(plan);
  const profile = profileFile === undefined ? undefined : await readProfile(profileFile);
  const own = new ModuleSwap(plan, { release: release(), sign, accesses, profile, onNotice: request.onNotice });
  const recording = await EmulateRecording.start(request, { engine: "instrument", exchange: own });
  swap = own;
  return recording;
}

/** Swaps the modules back. Returns a sentence about what isn't as before, or undefined. */
export async function giveDriversBack(): Promise<string | undefined> {
  const sentences = (await swap?.giveBack()) ?? [];
  swap = undefined;
  return sentences.length === 0 ? undefined : sentences.join("; ");
}
