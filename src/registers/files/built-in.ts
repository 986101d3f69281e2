// The built-in register databases and their PCI functions.
import { join } from "node:path";
import { type Layout, type Observer, RegisterDatabase } from "../database.js";
import { observeXhci } from "../observers.js";
import { layoutFromConfig, layoutOfConfig, mergeLayouts } from "../pci-config.js";
import { e1000Devices, e1000eDevices, intel, redHat, virtioDevices, virtioVariant } from "../pci-ids.js";
import { builtInDirectory, loadSchema } from "./load.js";

export interface BuiltIn {
  /** Its name for `--registers` and `registers list`. */
  readonly name: string;
  readonly title: string;
  readonly file: string;
  readonly layout: Layout;
  readonly variants: ReadonlyMap<string, string>;
  /** PCI functions by vendor and device … */
  readonly devices: readonly (readonly [vendor: number, devices: readonly number[]])[];
  /** … or, for devices of a standard, by the 24 bits of class, subclass and programming interface. */
  readonly classCode: number | undefined;
  readonly observer: Observer | undefined;
  /** The variant that a device's number decides: enum and value. */
  readonly variantOf: ((device: number) => readonly [varset: string, variant: string] | undefined) | undefined;
}

const common = { variants: new Map(), devices: [], classCode: undefined, observer: undefined, variantOf: undefined };

function atStart(...domains: [bar: number, domain: string][]): Layout {
  return new Map(domains.map(([bar, domain]) => [bar, [{ domain, start: 0 }]]));
}

/** The database of all functions' configuration space, and its place behind their BARs. */
const configurationName = "pci-config";
const configurationIndex = 7;

export const builtIns: readonly BuiltIn[] = [
  {
    ...common,
    ...{ name: "e1000", title: "Intel 8254x gigabit Ethernet", file: "e1000.xml", layout: atStart([0, "E1000"]) },
    variants: new Map([["gbe-family", "PCI"]]),
    devices: [[intel, e1000Devices]],
  },
  {
    ...common,
    ...{ name: "e1000e", title: "Intel 8257x and later gigabit Ethernet", file: "e1000e.xml" },
    layout: atStart([0, "E1000"], [1, "ICH_FLASH"], [3, "MSIX"]),
    variants: new Map([["gbe-family", "PCIE"]]),
    devices: [[intel, e1000eDevices]],
  },
  {
    ...common,
    ...{ name: "nvme", title: "NVM Express", file: "nvme.xml", layout: atStart([0, "NVME"]), classCode: 0x010802 },
  },
  {
    ...common,
    ...{ name: "ahci", title: "Serial ATA AHCI", file: "ahci.xml", layout: atStart([5, "AHCI"]), classCode: 0x010601 },
  },
  {
    ...common,
    ...{ name: "xhci", title: "USB xHCI", file: "xhci.xml", layout: atStart([0, "XHCI_CAP"]), classCode: 0x0c0330 },
    observer: observeXhci,
  },
  {
    ...common,
    ...{ name: "virtio-pci", title: "Virtual I/O device", file: "virtio-pci.xml" },
    layout: new Map([
      [1, [{ domain: "MSIX", start: 0 }]],
      [
        4,
        [
          { domain: "VIRTIO_COMMON", start: 0x0000 },
          { domain: "VIRTIO_ISR", start: 0x1000 },
          { domain: "VIRTIO_DEVICE", start: 0x2000 },
          { domain: "VIRTIO_NOTIFY", start: 0x3000 },
        ],
      ],
    ]),
    devices: [[redHat, virtioDevices]],
    variantOf: virtioVariant,
  },
  {
    ...common,
    ...{ name: "bochs", title: "Bochs and QEMU display", file: "bochs-display.xml", layout: atStart([2, "BOCHS"]) },
    devices: [
      [0x1234, [0x1111]],
      [0x4321, [0x1111]],
    ],
  },
  {
    ...common,
    ...{ name: configurationName, title: "PCI configuration space", file: "pci-config.xml" },
    layout: layoutOfConfig(new Uint8Array(), configurationIndex),
  },
];

const loaded = new Map<string, RegisterDatabase>();

/** Returns the built-in database called `name`, or undefined. */
export function builtInDatabase(name: string): RegisterDatabase | undefined {
  const entry = builtIns.find((builtIn) => builtIn.name === name);
  if (entry === undefined) return undefined;
  let database = loaded.get(name);
  if (database === undefined) {
    const schema = loadSchema(join(builtInDirectory, entry.file));
    database = new RegisterDatabase(entry.name, schema, entry.layout, entry.variants, entry.observer);
    loaded.set(name, database);
  }
  return database;
}

/**
 * Returns the built-in database for the PCI function with these numbers, or undefined.
 *
 * `classCode` (24 bits: class, subclass, programming interface) finds standard devices of any maker. `config`, the known
 * part of the function's configuration space, gives the places of blocks that may be anywhere in the BARs: virtio's
 * structures, the MSI-X table.
 */
export function findDatabase(
  vendor: number,
  device: number,
  classCode?: number,
  config?: Uint8Array,
): RegisterDatabase | undefined {
  const byDevice = builtIns.find((entry) =>
    entry.devices.some(([maker, devices]) => maker === vendor && devices.includes(device)),
  );
  const entry = byDevice ?? builtIns.find((item) => classCode !== undefined && item.classCode === classCode);
  if (entry === undefined) return undefined;
  const variant = entry.variantOf?.(device);
  const key = `${entry.name} ${variant?.join(" ") ?? ""}`;
  let database = loaded.get(key) ?? builtInDatabase(entry.name);
  if (database === undefined) return undefined;
  if (variant !== undefined && !loaded.has(key)) database = database.withVariant(...variant);
  loaded.set(key, database);
  if (config === undefined) return database;
  const { schema, layout } = database;
  const told = layoutFromConfig(config, vendor === redHat, (domain) => schema.domains.has(domain));
  return told.size === 0 ? database : database.withLayout(mergeLayouts(layout, told));
}

/** A PCI function's numbers from a trace's header, each a text that begins with 0x. */
export interface FunctionNumbers {
  vendor: string;
  device: string;
  class: string;
  /** The known part of the configuration space: two digits a byte, without 0x. */
  config?: string;
}

/** Returns the built-in database for a PCI function; undefined if there is none. */
export function builtInFor(found: FunctionNumbers): RegisterDatabase | undefined {
  const { vendor, device, class: classCode } = found;
  return findDatabase(Number(vendor), Number(device), Number(classCode), configOf(found));
}

/** Returns the built-in database for a PCI function's configuration space, with the capabilities that it is known to have. */
export function configurationDatabaseFor(found: FunctionNumbers): RegisterDatabase | undefined {
  const database = builtInDatabase(configurationName);
  const config = configOf(found);
  return config === undefined ? database : database?.withLayout(layoutOfConfig(config, configurationIndex));
}

function configOf({ config }: FunctionNumbers): Uint8Array | undefined {
  if (config === undefined) return undefined;
  return Uint8Array.from(config.match(/../g) ?? [], (text) => Number.parseInt(text, 16));
}
