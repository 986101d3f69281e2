// Address spaces: memory, I/O ports, whose addresses are ports' numbers, and the configuration space of PCI functions. One number names
// an address in any of them: those beside memory lie above all physical addresses that machines have. core/record.h defines the same.

export const addressSpaces = ["memory", "ports", "configuration"] as const;
export type AddressSpace = (typeof addressSpaces)[number];

/** Each space's addresses in records; everything else is memory. */
const ranges = {
  /** `MMS_PORT_SPACE` */
  ports: { first: 1n << 50n, length: 1n << 16n },
  /** `MMS_CONFIG_SPACE` */
  configuration: { first: 1n << 51n, length: 1n << 44n },
} as const;

/** Returns the space of an address in a record. */
export function spaceOf(address: bigint): AddressSpace {
  if (address < ranges.ports.first) return "memory";
  for (const space of ["ports", "configuration"] as const) {
    const { first, length } = ranges[space];
    if (address >= first && address < first + length) return space;
  }
  return "memory";
}

/** Returns a record's address as a number of its space: a port's, or a physical address. */
export function withinSpace(address: bigint): bigint {
  const space = spaceOf(address);
  return space === "memory" ? address : address - ranges[space].first;
}

/** Makes a record's address of a number in a space. */
export function inSpace(space: AddressSpace, address: bigint): bigint {
  return space === "memory" ? address : ranges[space].first + address;
}

/** Returns the beginning of a function's configuration space as records have it: 4 KiB for each function, as ECAM lays them out. */
export function configurationAddress(pciAddress: string): bigint {
  const [, domain, bus, device, number] =
    /^([0-9a-f]{4,8}):([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])$/.exec(pciAddress) ?? [];
  if (domain === undefined) throw new RangeError(`not a PCI address: ${pciAddress}`);
  const of = (digits: string | undefined) => BigInt(`0x${digits}`);
  return inSpace("configuration", (of(domain) << 28n) | (of(bus) << 20n) | (of(device) << 15n) | (of(number) << 12n));
}

/** Bytes of a function's configuration space. */
export const configuration_bytes = 4096n;
