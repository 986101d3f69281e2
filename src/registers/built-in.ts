// The built-in register databases and which PCI functions they are for.
import { join } from "node:path";
import { RegisterDatabase } from "./database.js";
import { builtInDirectory, loadSchema } from "./load.js";

export interface BuiltIn {
  /** What `--registers` and `registers list` call it. */
  readonly name: string;
  readonly title: string;
  readonly file: string;
  /** Domain names by BAR. */
  readonly bars: ReadonlyMap<number, string>;
  readonly variants: ReadonlyMap<string, string>;
  /** PCI functions by vendor and device … */
  readonly devices: readonly (readonly [vendor: number, devices: readonly number[]])[];
  /** … or, for devices of a standard, by the 24 bits of class, subclass and programming interface. */
  readonly classCode: number | undefined;
}

const intel = 0x8086;

const e1000Devices = [
  0x1000, 0x1001, 0x1004, 0x1008, 0x1009, 0x100c, 0x100d, 0x100e, 0x100f, 0x1010, 0x1011, 0x1012, 0x1013, 0x1014,
  0x1015, 0x1016, 0x1017, 0x1018, 0x1019, 0x101a, 0x101d, 0x101e, 0x1026, 0x1027, 0x1028, 0x1075, 0x1076, 0x1077,
  0x1078, 0x1079, 0x107a, 0x107b, 0x107c, 0x108a, 0x1099, 0x10b5, 0x2e6e,
];

export const builtIns: readonly BuiltIn[] = [
  {
    name: "e1000",
    title: "Intel 8254x gigabit Ethernet",
    file: "e1000.xml",
    bars: new Map([[0, "E1000"]]),
    variants: new Map([["gbe-family", "PCI"]]),
    devices: [[intel, e1000Devices]],
    classCode: undefined,
  },
];

const loaded = new Map<string, RegisterDatabase>();

/** The built-in database called `name`, or undefined. */
export function builtInDatabase(name: string): RegisterDatabase | undefined {
  const entry = builtIns.find((builtIn) => builtIn.name === name);
  if (entry === undefined) return undefined;
  let database = loaded.get(name);
  if (database === undefined) {
    const schema = loadSchema(join(builtInDirectory, entry.file));
    database = new RegisterDatabase(entry.name, schema, entry.bars, entry.variants);
    loaded.set(name, database);
  }
  return database;
}

/**
 * The built-in database for the PCI function with these numbers, or undefined when there is none.
 *
 * `classCode` (24 bits: class, subclass, programming interface) finds what is built to a standard, whoever made it.
 */
export function findDatabase(vendor: number, device: number, classCode?: number): RegisterDatabase | undefined {
  const byDevice = builtIns.find((entry) =>
    entry.devices.some(([maker, devices]) => maker === vendor && devices.includes(device)),
  );
  const entry = byDevice ?? builtIns.find((item) => classCode !== undefined && item.classCode === classCode);
  return entry === undefined ? undefined : builtInDatabase(entry.name);
}
