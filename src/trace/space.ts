// Address spaces: memory, and I/O ports, whose addresses are ports' numbers. One number names an address in either of them: ports lie
// above all physical addresses that machines have. core/record.h defines the same.

export const addressSpaces = ["memory", "ports"] as const;
export type AddressSpace = (typeof addressSpaces)[number];

/** `MMS_PORT_SPACE` */
const portSpace = 3n << 50n;
const portCount = 1n << 16n;

/** Returns the space of an address in a record. */
export function spaceOf(address: bigint): AddressSpace {
  return address >= portSpace && address < portSpace + portCount ? "ports" : "memory";
}

/** Returns a record's address as a number of its space: a port's, or a physical address. */
export function withinSpace(address: bigint): bigint {
  return spaceOf(address) === "ports" ? address - portSpace : address;
}

/** Makes a record's address of a number in a space. */
export function inSpace(space: AddressSpace, address: bigint): bigint {
  return space === "ports" ? portSpace + address : address;
}
