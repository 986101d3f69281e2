// Finds the PCI devices of a driver that the user names: by the driver's name, by its module's, or by that of a module which the
// driver's module uses. Only reads.
import { existsSync, readdirSync, readlinkSync, realpathSync } from "node:fs";
import { release } from "node:os";
import { basename, join } from "node:path";
import { InvalidValueError, UserError } from "../base/errors.js";
import { nearest } from "../base/nearest.js";
import { runTool } from "../base/run-tool.js";
import { readKernelFile } from "../machine/kernel-files.js";
import { canonicalModuleName } from "../machine/kernel-modules.js";
import { boundDriver, fullPciAddress, listPciFunctions, modaliasOf, type SysfsRoot } from "../machine/pci.js";

/** The places to look at; tests have their own. */
export interface DriverPlaces {
  sysfs: SysfsRoot;
  /** The folder with modules.dep and modules.alias. */
  modulesFolder: string;
}

export interface DriverDevices {
  addresses: string[];
  /** Remarks for the user, a sentence each. */
  remarks: string[];
}

interface Device {
  address: string;
  /** The driver that it is bound to, or null. */
  driver: string | null;
  modalias: string | undefined;
}

export interface ModuleAlias {
  module: string;
  /** A shell pattern of modaliases. */
  pattern: string;
}

export function runningModulesFolder(): string {
  return `/lib/modules/${release()}`;
}

/** Finds the devices bound to a driver, and the free ones that its module can drive. Throws UserError if there are none. */
export async function devicesOfDriver(name: string, places: DriverPlaces): Promise<DriverDevices> {
  if (!/^[\w.+-]+$/.test(name)) throw new InvalidValueError(name, `"${name}" isn't a driver's name`);
  const devices = listDevices(places.sysfs);
  const found = await devicesOf(name, devices, places);
  if (found.addresses.length > 0) return found;
  if (found.known) {
    const message = `no PCI device here is bound to ${name}, or free and of a kind that it drives`;
    throw new UserError(message, { advice: found.remarks[0] ?? "`lspci -Dk` lists the devices and their drivers" });
  }
  const users = modulesUsing(name, devices, places);
  if (users.length !== 1) throw unknownDriver(name, users, devices, places);
  const theirs = await devicesOf(users[0]!, devices, places);
  if (theirs.addresses.length === 0) throw unknownDriver(name, [], devices, places);
  const remark = `${name} has no PCI driver of its own; recording the devices of ${users[0]}, which uses it`;
  return { addresses: theirs.addresses, remarks: [remark, ...theirs.remarks] };
}

function listDevices(sysfs: SysfsRoot): Device[] {
  return listPciFunctions(sysfs).map((address) => ({
    address,
    driver: boundDriver(address, sysfs),
    modalias: modaliasOf(address, sysfs),
  }));
}

/** `known`: there is such a PCI driver, or a module with one. */
async function devicesOf(
  name: string,
  devices: readonly Device[],
  places: DriverPlaces,
): Promise<DriverDevices & { known: boolean }> {
  const { sysfs } = places;
  const registered = existsSync(join(sysfs, "bus/pci/drivers", name));
  const ownDrivers = registered
    ? [name]
    : driversOfModule(name, sysfs).flatMap(({ bus, driver }) => (bus === "pci" ? [driver] : []));
  const isIts = (driver: string | null) =>
    driver !== null &&
    (ownDrivers.includes(driver) || (!registered && canonicalModuleName(driver) === canonicalModuleName(name)));
  const addresses = devices.filter((device) => isIts(device.driver)).map((device) => device.address);

  const aliases = await aliasesOfModule(registered ? (moduleOfDriver(name, sysfs) ?? name) : name, places);
  const remarks: string[] = [];
  for (const { address, driver, modalias } of devices) {
    if (isIts(driver)) continue;
    if (modalias === undefined || !aliases.some((alias) => aliasMatches(alias, modalias))) continue;
    if (driver === null) addresses.push(address);
    else remarks.push(`${address} isn't recorded: ${driver} has it, though ${name} could drive it`);
  }
  return { addresses, remarks, known: registered || ownDrivers.length > 0 || aliases.length > 0 };
}

/** Returns the module of a driver that is there; undefined if it is built into the kernel. */
export function moduleOfDriver(driver: string, sysfs: SysfsRoot): string | undefined {
  try {
    return basename(readlinkSync(join(sysfs, "bus/pci/drivers", driver, "module")));
  } catch {
    return undefined;
  }
}

/** Returns the addresses of the PCI functions that a loaded module's drivers have now. */
export function functionsOfModule(module: string, sysfs: SysfsRoot): string[] {
  const drivers = driversOfModule(module, sysfs).flatMap(({ bus, driver }) => (bus === "pci" ? [driver] : []));
  return listPciFunctions(sysfs).filter((address) => drivers.includes(boundDriver(address, sysfs) ?? ""));
}

/** Returns the drivers that a loaded module has registered: sysfs has a link `BUS:DRIVER` for each. */
function driversOfModule(module: string, sysfs: SysfsRoot): { bus: string; driver: string }[] {
  const folder = join(sysfs, "module", canonicalModuleName(module), "drivers");
  if (!existsSync(folder)) return [];
  return readdirSync(folder).map((link) => {
    const colon = link.indexOf(":");
    return { bus: link.slice(0, colon), driver: link.slice(colon + 1) };
  });
}

/** Returns the `pci:` aliases of a module; none if there is no such module. */
async function aliasesOfModule(module: string, { modulesFolder }: DriverPlaces): Promise<string[]> {
  const listed = readAliases(modulesFolder).filter((alias) => alias.module === canonicalModuleName(module));
  if (listed.length > 0) return listed.map(({ pattern }) => pattern);
  // depmod doesn't list modules that are built in, but they have the information
  const result = await runTool("modinfo", ["-F", "alias", module]);
  if (result.missing) {
    throw new UserError("finding a driver's devices failed: modinfo isn't installed", {
      advice: "on Debian: apt-get install kmod; or name the device itself",
    });
  }
  return result.stdout.split("\n").filter((line) => line.startsWith("pci:"));
}

/** Reads depmod's list of modules for PCI devices. */
export function readAliases(modulesFolder: string): ModuleAlias[] {
  const lines = readKernelFile(join(modulesFolder, "modules.alias"))?.split("\n") ?? [];
  return lines.flatMap((line) => {
    const [, pattern, module] = /^alias (pci:\S+) (\S+)$/.exec(line) ?? [];
    return pattern === undefined ? [] : [{ pattern, module: canonicalModuleName(module!) }];
  });
}

/** Returns true if a module's alias, a shell pattern as in modules.alias, covers a device's modalias. */
export function aliasMatches(alias: string, modalias: string): boolean {
  const pattern = alias
    .replace(/[.+^${}()|\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${pattern}$`).test(modalias);
}

/** A module in depmod's list. */
export interface ListedModule {
  module: string;
  /** Its file's path, relative to the folder of the list unless depmod has it otherwise. */
  file: string;
  /** The modules that it uses, itself or through others. */
  uses: string[];
}

/** Reads depmod's list of modules. */
export function readDependencies(modulesFolder: string): ListedModule[] {
  const nameOf = (path: string) => canonicalModuleName(basename(path).replace(/\.ko(\.\w+)?$/, ""));
  const lines = readKernelFile(join(modulesFolder, "modules.dep"))?.split("\n") ?? [];
  return lines.flatMap((line) => {
    const [module, used] = line.split(":");
    if (module === undefined || used === undefined) return [];
    const uses = used.split(" ").flatMap((path) => (path === "" ? [] : [nameOf(path)]));
    return [{ module: nameOf(module), file: module, uses }];
  });
}

// ---- Names that aren't a PCI driver's ----

/** Returns the modules with a PCI driver for a device here, in alphabetical order. */
function modulesForDevices(devices: readonly Device[], { modulesFolder }: DriverPlaces): string[] {
  const modaliases = devices.flatMap(({ modalias }) => (modalias === undefined ? [] : [modalias]));
  const fits = ({ pattern }: ModuleAlias) => modaliases.some((modalias) => aliasMatches(pattern, modalias));
  return [
    ...new Set(
      readAliases(modulesFolder)
        .filter(fits)
        .map(({ module }) => module),
    ),
  ].sort();
}

/** Returns those modules with a PCI driver for a device here that use the module `name`. */
function modulesUsing(name: string, devices: readonly Device[], places: DriverPlaces): string[] {
  const users = readDependencies(places.modulesFolder).filter(({ uses }) => uses.includes(canonicalModuleName(name)));
  return modulesForDevices(devices, places).filter((module) => users.some((user) => user.module === module));
}

function unknownDriver(
  name: string,
  users: readonly string[],
  devices: readonly Device[],
  places: DriverPlaces,
): UserError {
  if (users.length > 1) {
    return new UserError(`${name} isn't a PCI driver, and several modules with one use it: ${users.join(", ")}`, {
      advice: "name the one that is meant, or the device itself",
    });
  }
  const elsewhere = driversOfModule(name, places.sysfs).find(({ bus }) => bus !== "pci");
  if (elsewhere !== undefined) return otherBus(name, elsewhere, places.sysfs);
  const here = new Set([
    ...devices.flatMap(({ driver }) => (driver === null ? [] : [driver])),
    ...modulesForDevices(devices, places),
  ]);
  const names = [...here].sort();
  const meant = nearest(name, names);
  return new UserError(`there is no PCI driver or module "${name}" on this machine`, {
    advice:
      names.length === 0
        ? "where the module is called otherwise than its driver, give the module's name; or name the device itself"
        : `${meant === undefined ? "" : `perhaps ${meant} is meant; `}the drivers for this machine's PCI devices are: ${names.join(", ")}`,
  });
}

/** A driver of another bus, as virtio_net is: its devices lie on a PCI device that another driver has. */
function otherBus(name: string, { bus, driver }: { bus: string; driver: string }, sysfs: SysfsRoot): UserError {
  const folder = join(sysfs, "bus", bus, "drivers", driver);
  const links = existsSync(folder) ? readdirSync(folder) : [];
  const carriers = links.flatMap((link) => {
    if (!existsSync(join(sysfs, "bus", bus, "devices", link))) return [];
    const address = realpathSync(join(folder, link))
      .split("/")
      .findLast((part) => fullPciAddress(part) === part);
    return address === undefined ? [] : [`${address} (driver ${boundDriver(address, sysfs) ?? "none"})`];
  });
  return new UserError(`${name} isn't a PCI driver: it drives devices on the bus ${bus}`, {
    advice:
      carriers.length === 0
        ? "name the PCI device that carries that bus, or its driver"
        : `its devices lie on the PCI device ${[...new Set(carriers)].join(", ")}: name that device, or its driver`,
  });
}
