// Address spaces: memory; I/O ports, whose addresses are ports' numbers; and PCI functions' configuration space. One number names an
// address in any of them: the others lie above all physical addresses that machines have. core/record.h defines the same.

/** The spaces in which devices have addresses: memory, I/O ports, PCI configuration space. */
export const addressSpaces = ["memory", "ports", "configuration"] as const;
/** One of `addressSpaces`. */
export type AddressSpace = (typeof addressSpaces)[number];

/** `MMS_PORT_SPACE` */
export const portSpace = 3n << 50n;
const portCount = 1n << 16n;
/** `MMS_CONFIGURATION_SPACE` */
export const configurationSpace = 7n << 49n;
const configurationEnd = 1n << 52n;

/** The bytes that a function's configuration space has at most: with PCI Express. */
export const configuration_bytes = 1n << 12n;

/** Returns the space of an address in a record. */
export function spaceOf(address: bigint): AddressSpace {
  if (address < portSpace) return "memory";
  if (address >= configurationSpace) return address < configurationEnd ? "configuration" : "memory";
  return address < portSpace + portCount ? "ports" : "memory";
}

function firstOf(space: AddressSpace): bigint {
  return space === "ports" ? portSpace : space === "configuration" ? configurationSpace : 0n;
}

/**
 * Returns a record's address as a number of its space: a physical address, a port's number, or in configuration space
 * `domain << 28 | bus << 20 | device << 15 | function << 12 | offset`.
 */
export function withinSpace(address: bigint): bigint {
  return address - firstOf(spaceOf(address));
}

/** Makes a record's address of a number in a space. */
export function inSpace(space: AddressSpace, address: bigint): bigint {
  return firstOf(space) + address;
}

/** Returns the record's address of the first byte of a function's configuration space; undefined if `function_` isn't like `0000:00:03.0`. */
export function configurationOf(function_: string): bigint | undefined {
  const match = /^([0-9a-f]{4,}):([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])$/i.exec(function_);
  if (match === null) return undefined;
  const [domain, bus, device, number] = match.slice(1).map((digits) => BigInt(`0x${digits}`)) as [
    bigint,
    bigint,
    bigint,
    bigint,
  ];
  return configurationSpace + (domain << 28n) + (bus << 20n) + (device << 15n) + (number << 12n);
}

/** Formats an address of configuration space: `0000:00:03.0 CONFIG+0x004`. */
export function configurationText(address: bigint): string {
  const number = withinSpace(address);
  const hex = (value: bigint, digits: number) => value.toString(16).padStart(digits, "0");
  const [domain, bus, device] = [number >> 28n, (number >> 20n) & 0xffn, (number >> 15n) & 0x1fn];
  const where = `${hex(domain, 4)}:${hex(bus, 2)}:${hex(device, 2)}.${(number >> 12n) & 7n}`;
  return `${where} CONFIG+0x${hex(number & (configuration_bytes - 1n), 3)}`;
}
