// Finds the modules of the drivers of PCI devices, and the modules that those use: the core tells by them which return address on
// the stack is the driver's. Only reads.

import { canonicalModuleName } from "../machine/kernel-modules.js";
import { modaliasOf } from "../machine/pci.js";
import type { PciFunction } from "../trace/header.js";
import { aliasMatches, type DriverPlaces, moduleOfDriver, readAliases, readDependencies } from "./driver-devices.js";

export interface DriverModules {
  /** The devices' drivers are part of the kernel itself: nothing tells their return addresses from its own. */
  builtIn: boolean;
  /** The drivers' own modules. */
  drivers: string[];
  /** The modules that those use, directly or through others. */
  libraries: string[];
}

/** Finds the modules of the functions' drivers: of those that are bound, and else of those that could be. */
export function modulesOfDevices(functions: readonly PciFunction[], places: DriverPlaces): DriverModules {
  const drivers = new Set(functions.flatMap((found) => modulesOf(found, places)));
  const libraries = new Set<string>();
  for (const { module, uses } of readDependencies(places.modulesFolder)) {
    if (drivers.has(module)) for (const used of uses) libraries.add(used);
  }
  for (const driver of drivers) libraries.delete(driver);
  const builtIn = functions.length > 0 && drivers.size === 0;
  return { builtIn, drivers: [...drivers].sort(), libraries: [...libraries].sort() };
}

function modulesOf({ address, driver }: PciFunction, { sysfs, modulesFolder }: DriverPlaces): string[] {
  if (driver !== null) {
    const module = moduleOfDriver(driver, sysfs);
    return module === undefined ? [] : [canonicalModuleName(module)];
  }
  const modalias = modaliasOf(address, sysfs);
  if (modalias === undefined) return [];
  const fitting = readAliases(modulesFolder).filter(({ pattern }) => aliasMatches(pattern, modalias));
  return [...new Set(fitting.map(({ module }) => module))];
}
