// Loads and unloads the core. core-build.ts builds it, control-device.ts speaks with it.
import { existsSync } from "node:fs";
import { release } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../../base/errors.js";
import { runTool } from "../../base/run-tool.js";
import { requireTrusted } from "../../base/trusted-path.js";
import { areModulesDisabled, isModuleLoaded, loadedBuildId, moduleUseCount } from "../../machine/kernel-modules.js";
import { lockdownAdvice } from "../../machine/lockdown.js";
import { readModuleFile } from "../../machine/module-file.js";
import type { SigningKey } from "../recording.js";
import { ControlDevice, controlDevice, isCoreThere, requirePlaceForDevice } from "./control-device.js";
import { buildCore, checkModule } from "./core-build.js";
import { withSignedModule } from "./module-signing.js";

/** The core's name among the kernel's modules. */
export const coreName = "mmiostrider";
/** Wait for the device's node: devtmpfs makes it before insmod returns, udev may take a while. */
const nodeWait_ms = 2_000;
const nodePoll_ms = 20;
/** Wait for a core that another process is unloading. */
const unloadWait_ms = 2_000;

/**
 * Loads the core unless it is loaded, and opens it as its recorder.
 *
 * `file` is the module to load; the default is the cached core, or one built for the running kernel.
 * Uses a loaded core of the same build; replaces one of another build if nothing needs it.
 * Throws UserError; then a core that wasn't loaded before isn't loaded.
 */
export async function loadCore(options: {
  file?: string | undefined;
  /** Signs the module before it is loaded. */
  sign?: SigningKey | undefined;
  onBuild?: (headersDirectory: string) => void;
}): Promise<ControlDevice> {
  // before minutes are spent on building
  await requireNoRecording();
  if (!existsSync("/proc/modules")) {
    throw new UserError("this kernel can't load modules (it was built without CONFIG_MODULES), and the core is one", {
      advice: "`mmiostrider lab` records in a virtual machine instead",
    });
  }
  const file = options.file ?? (await buildCore({ release: release(), ...pick(options.onBuild) })).path;
  requireTrusted(file, `loading the core ${file}`);
  checkModule(file, release());

  const wanted = readModuleFile(file).buildId;
  if (isModuleLoaded(coreName) && (wanted === null || loadedBuildId(coreName) !== wanted)) await replaceable();
  const loadedByUs = !isModuleLoaded(coreName) && (await insertSigned(file, options.sign));
  try {
    await waitForNode();
    return ControlDevice.open();
  } catch (error) {
    if (loadedByUs) await unloadCore();
    throw error;
  }
}

/** Throws UserError if a recording is running, or something lies in the place of the core's device. */
export async function requireNoRecording(): Promise<void> {
  requirePlaceForDevice();
  if (isCoreThere()) await ControlDevice.open().close();
}

function pick(onBuild: ((headersDirectory: string) => void) | undefined) {
  return onBuild === undefined ? {} : { onBuild };
}

/** Unloads a core of another build. Throws UserError if it is in use. */
async function replaceable(): Promise<void> {
  if ((await unloadCore()) === "unloaded") return;
  throw new UserError("another build of the core is loaded and in use: drivers still hold its decoys", {
    advice: `unload those drivers (\`cat ${controlDevice}\` lists the mappings), then \`rmmod ${coreName}\`; or reboot`,
  });
}

function insertSigned(file: string, sign: SigningKey | undefined): Promise<boolean> {
  if (sign === undefined) return insert(file);
  return withSignedModule(file, sign, `/lib/modules/${release()}/build`, insert);
}

/** Loads the module's file; returns true if it did, false if another process was faster. Throws UserError. */
async function insert(file: string): Promise<boolean> {
  const result = await runTool("insmod", [file]);
  if (result.code === 0) return true;
  if (result.missing) {
    throw new UserError("loading the core failed: insmod isn't installed", {
      advice: "on Debian: apt-get install kmod",
    });
  }
  const said = result.stderr.trim().split("\n").at(-1) ?? "";
  if (/File exists/.test(said)) return false;
  throw new UserError(`loading the core (${file}) failed: ${result.timedOut ? "insmod didn't return" : said}`, {
    advice: adviceFor(said),
  });
}

function adviceFor(said: string): string {
  const locked = lockdownAdvice();
  if (/Key was rejected|Required key/.test(said)) {
    return (
      locked ??
      "this kernel takes only modules signed with a key that it trusts (Secure Boot?): --sign-key signs the core, --engine singlestep needs no module"
    );
  }
  if (/Operation not permitted/.test(said)) {
    if (areModulesDisabled()) {
      return "loading is switched off until the next boot (kernel.modules_disabled); --engine singlestep needs no module";
    }
    return (
      locked ??
      "the kernel forbids it: is this a container, or root without CAP_SYS_MODULE? --engine singlestep needs no module"
    );
  }
  return "the kernel's log (dmesg) may say more; `mmiostrider doctor` checks what the core needs";
}

async function waitForNode(): Promise<void> {
  for (let waited_ms = 0; !isCoreThere(); waited_ms += nodePoll_ms) {
    if (waited_ms >= nodeWait_ms) {
      requirePlaceForDevice();
      throw new UserError(`the core is loaded, but ${controlDevice} didn't appear`, {
        advice: "is /dev a devtmpfs? in a container, the host's /dev has it",
      });
    }
    await sleep(nodePoll_ms);
  }
}

/** Unloads the core. If drivers still hold decoys, or another recorder uses it, it stays loaded: `in use`. */
export async function unloadCore(): Promise<"unloaded" | "in use"> {
  for (let waited_ms = 0; ; waited_ms += nodePoll_ms) {
    const result = await runTool("rmmod", [coreName]);
    if (result.code === 0 || !isModuleLoaded(coreName)) return "unloaded";
    // A process that just read its status may not have closed it yet.
    if ((moduleUseCount(coreName) ?? 0) !== 0 || waited_ms >= unloadWait_ms) return "in use";
    await sleep(nodePoll_ms);
  }
}
