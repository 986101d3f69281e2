// Chooses the modules that are swapped for rewritten ones, and refuses what can't be swapped, before anything is changed. Only reads.
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { InvalidValueError, UserError } from "../../base/errors.js";
import { countOf } from "../../base/units.js";
import { decompress } from "../../machine/decompress.js";
import { isModuleLoaded, loadedBuildId, moduleHolders, moduleUseCount } from "../../machine/kernel-modules.js";
import { parseModuleFile } from "../../machine/module-file.js";
import { type DriverPlaces, functionsOfModule, readDependencies } from "../driver-devices.js";
import type { RecordingScope } from "../recording-scope.js";

/** A module that is to be swapped for a rewritten one. */
export interface SwappedModule {
  name: string;
  /** Its file, below /lib/modules, without symbolic links on the way. */
  file: string;
  isDriver: boolean;
  /** It was loaded before, and is to be loaded again. */
  loaded: boolean;
}

/** A module that stays as it is: accesses by it fault as ever. */
export interface LeftModule {
  name: string;
  /** The reason, for a bracket behind the name. */
  why: string;
}

export interface SwapPlan {
  /** Each behind those that it uses. */
  modules: SwappedModule[];
  left: LeftModule[];
}

export interface SwapRequest {
  scope: Pick<RecordingScope, "functions" | "modules" | "asked">;
  /** The functions are taken from their drivers before, and given back while recording. */
  rebind: boolean;
}

/**
 * Returns false for the kernel's own modules in crypto/, block/, fs/, lib/, net/ and the like, whose code never touches a device for a
 * driver. `listed`: the file's path in depmod's list. Modules that aren't the kernel's own lie outside of its kernel/.
 */
export function mayTouchDevices(listed: string): boolean {
  return !listed.startsWith("kernel/") || /^kernel\/(?:drivers|sound)\//.test(listed);
}

/** Chooses the modules. Throws InvalidValueError if none can be meant, UserError if one of the drivers' can't be swapped. */
export function planSwap({ scope, rebind }: SwapRequest, places: DriverPlaces): SwapPlan {
  requireModules(scope);
  const listed = new Map(readDependencies(places.modulesFolder).map((one) => [one.module, one]));
  const candidates = new Map<string, SwappedModule>();
  for (const name of [...scope.modules.drivers, ...scope.modules.libraries]) {
    const found = listed.get(name);
    const isDriver = scope.modules.drivers.includes(name);
    const path = found === undefined ? undefined : fileOf(found.file, places.modulesFolder);
    if (path === undefined) {
      if (!isDriver) continue;
      throw new UserError(`the module ${name} has no file in ${places.modulesFolder} that could be swapped`, {
        advice: "`mmiostrider instrument` rewrites any module's file, to be loaded by hand while recording",
      });
    }
    if (!isDriver && !mayTouchDevices(found!.file)) continue;
    candidates.set(name, { name, file: path, isDriver, loaded: isModuleLoaded(name, places.sysfs) });
  }
  const recorded = rebind ? scope.functions.map(({ address }) => address) : [];
  const left: LeftModule[] = [];
  // a module that stays holds those that it uses, so they stay, too
  for (let again = true; again; ) {
    again = false;
    for (const module of [...candidates.values()]) {
      if (!module.loaded) continue;
      const why = whyNot(module, [...candidates.keys()], recorded, places);
      if (why === undefined) continue;
      if (module.isDriver)
        throw new UserError(`the loaded module ${module.name} can't be swapped: ${why.sentence}`, why);
      candidates.delete(module.name);
      left.push({ name: module.name, why: why.words });
      again = true;
    }
  }
  const depth = ({ name }: SwappedModule) => listed.get(name)!.uses.length;
  return { modules: [...candidates.values()].sort((a, b) => depth(a) - depth(b)), left };
}

function requireModules({ functions, modules, asked }: SwapRequest["scope"]): void {
  if (modules.drivers.length > 0) return;
  if (functions.length === 0) {
    throw new InvalidValueError(asked.join(", "), "engine instrument rewrites drivers, and none is named", {
      advice: "name a driver or a device; engine emulate records everything else, too",
    });
  }
  const drivers = functions.flatMap(({ driver }) => driver ?? []);
  if (drivers.length === 0) throw new UserError("no module drives the device: there is nothing to rewrite");
  throw new UserError(`the driver ${drivers[0]} is built into this kernel: there is no module to rewrite`, {
    advice: "engine emulate records it",
  });
}

function fileOf(listed: string, modulesFolder: string): string | undefined {
  const path = isAbsolute(listed) ? listed : join(modulesFolder, listed);
  return existsSync(path) ? realpathSync(path) : undefined;
}

interface Obstacle {
  /** For a library, which stays. */
  words: string;
  /** For a driver, which is refused. */
  sentence: string;
  advice?: string;
}

/** Finds the reason why a loaded module can't be unloaded when those in `swapped` are, too. */
function whyNot(
  { name, file, isDriver }: SwappedModule,
  swapped: readonly string[],
  recorded: readonly string[],
  { sysfs }: DriverPlaces,
): Obstacle | undefined {
  const bytes = readFileSync(file);
  const ownId = parseModuleFile(/\.ko$/.test(file) ? bytes : decompress(file, bytes), file).buildId;
  if (loadedBuildId(name, sysfs) !== ownId) {
    return {
      words: "loaded from another file",
      sentence: `it isn't the one in ${file}`,
      advice: `unload it first; then it is loaded from there`,
    };
  }
  const bound = functionsOfModule(name, sysfs);
  const others = bound.filter((address) => !recorded.includes(address));
  if (others.length > 0) {
    const sentence = `it drives ${others.join(", ")}`;
    const advice =
      recorded.length > 0
        ? "record all of its devices: --driver takes them"
        : "--rebind takes its devices from it first, and gives them back while recording";
    return { words: `drives ${others.join(", ")}`, sentence, ...(isDriver ? { advice } : {}) };
  }
  const holders = moduleHolders(name, sysfs);
  const outside = holders.filter((holder) => !swapped.includes(holder));
  if (outside.length > 0) {
    return { words: `used by ${outside.join(", ")}`, sentence: `${outside.join(", ")} ${uses(outside)} it` };
  }
  const open = (moduleUseCount(name, sysfs) ?? 0) - holders.length;
  if (open <= 0) return undefined;
  return {
    words: "in use",
    sentence: `it has ${countOf(open, "user")}, such as open devices, mounted file systems, a console`,
    advice: "end what uses it; or load the driver only while recording",
  };
}

function uses(names: readonly string[]): string {
  return names.length === 1 ? "uses" : "use";
}
