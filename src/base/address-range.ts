// A range of addresses, and the few operations on ranges that are needed everywhere.

/**
 * Physical addresses, both included. Addresses are `bigint` in interfaces. Ranges compared with columns of millions of addresses
 * have numbers, which hold x86-64's 52 bits exactly.
 */
export interface AddressRange<Address extends number | bigint = bigint> {
  first: Address;
  last: Address;
}

/** Returns true if the ranges have an address in common. */
export function rangesOverlap<Address extends number | bigint>(
  one: AddressRange<Address>,
  other: AddressRange<Address>,
): boolean {
  return one.first <= other.last && other.first <= one.last;
}

/** Joins ranges that overlap or touch: returns the same addresses in the fewest ranges, sorted. */
export function joinRanges<Address extends number | bigint>(
  ranges: readonly AddressRange<Address>[],
): AddressRange<Address>[] {
  const sorted = [...ranges].sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));
  const joined: AddressRange<Address>[] = [];
  for (const range of sorted) {
    const before = joined.at(-1);
    if (before === undefined || Number(range.first) - Number(before.last) > 1) joined.push({ ...range });
    else if (range.last > before.last) before.last = range.last;
  }
  return joined;
}

/** Formats `0xFIRST-0xLAST`, for the core and for messages. */
export function formatRange(range: AddressRange): string {
  return `0x${range.first.toString(16)}-0x${range.last.toString(16)}`;
}
