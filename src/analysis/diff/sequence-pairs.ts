// Pairs the accesses of two traces in sequences that can be compared with each other. Each access of either trace is in exactly one
// pair: nothing is left out.
//
//   both traces know the device and its BAR           by BAR and offset, whatever the addresses
//   else, both have mapped this range, or one of      by offset in the range; ranges of one size are paired in the order in
//   this size, at any time                            which they were mapped; mappings that overlap are one range
//   else                                              by physical address, virtual one, or port
//
// Made-up addresses are compared with nothing: an access to a device that only one of the traces knows is then only in that one.
import { barName } from "../../trace/header.js";
import { spaceOf, withinSpace } from "../../trace/space.js";
import { addressText } from "../../trace/text.js";
import { isVirtual } from "../../trace/virtual-range.js";
import type { CollectedAccess, CollectedAccesses, KnownDevice, MappedArea } from "./access-sequence.js";

/** An access, or a read that was repeated at once. */
export interface SequenceEntry {
  readonly kind: "read" | "write";
  /** Null where no BAR is compared. */
  readonly bar: number | null;
  /** In bytes from the start of the BAR or the mapping; the address, or the port, where addresses are compared. */
  readonly offset: bigint;
  /** As an access's. */
  readonly address: bigint;
  readonly width_bytes: number;
  /** The value; for a repeated read, the last one. */
  readonly value: bigint;
  /** Number of reads in this entry. */
  readonly count: number;
  /** Number of its event in the trace, or of its first event. */
  readonly event: number;
  /** Seconds since recording began; null where a log of another format has no time. */
  readonly time_s: number | null;
  /** The register's name, or its place: `BAR0+0x10`, `+0x10` in a mapping, or its address or port. */
  readonly register: string;
  /** The site's symbol or address, or "". */
  readonly site: string;
}

/** The thing that both places of a pair are counted from. */
export type ComparedBy = "bar" | "mapping" | "address";

/** Sequences of the first and the second trace that can be compared; one may be empty. */
export interface SequencePair {
  by: ComparedBy;
  /** PCI address, `mapping 0xfebc0000+0x20000`, or the kind of addresses: in the first trace, else in the second. */
  device: string;
  /** The other trace's name of the same, if that is another one. */
  otherDevice: string | null;
  driver: string | null;
  /** Key of the kind of device, for masks; the same for all functions of one kind. */
  kind: string;
  first: SequenceEntry[];
  second: SequenceEntry[];
}

/** Pairs all accesses of both: the devices first, in the first trace's order, then mappings, then addresses. */
export function pairSequences(first: CollectedAccesses, second: CollectedAccesses): SequencePair[] {
  const devices = pairDevices(first, second);
  const pairOf = (side: "one" | "other") => {
    const byAddress = new Map(devices.map((pair) => [pair[side].device, pair]));
    return ({ place }: CollectedAccess) => {
      const pair = place && byAddress.get(place.device);
      return pair?.bars.has(place!.bar) === true ? pair : undefined;
    };
  };
  const inFirst = groupBy(first.accesses, pairOf("one"));
  const inSecond = groupBy(second.accesses, pairOf("other"));
  const made = devices.map((pair): SequencePair => {
    const { one, other } = pair;
    return {
      by: "bar",
      device: one.device,
      otherDevice: other.device === one.device ? null : other.device,
      driver: one.driver ?? other.driver,
      kind: `${one.vendor} ${one.deviceId}`,
      first: byBar(inFirst.get(pair) ?? []),
      second: byBar(inSecond.get(pair) ?? []),
    };
  });
  const restOf = (all: CollectedAccesses, groups: Map<DevicePair | undefined, CollectedAccess[]>) => {
    const rest = groups.get(undefined) ?? [];
    const accesses = all.madeUpAddresses ? rest.filter(({ place }) => place === undefined) : rest;
    return { ...all, accesses };
  };
  made.push(...unpairedDevices(first, inFirst.get(undefined) ?? [], "first"));
  made.push(...unpairedDevices(second, inSecond.get(undefined) ?? [], "second"));
  made.push(...pairRest(restOf(first, inFirst), restOf(second, inSecond)));
  return made.filter((pair) => pair.first.length + pair.second.length > 0);
}

/** Makes the pairs of devices that only one trace knows, for a trace whose addresses are made up. */
function unpairedDevices(
  { devices, madeUpAddresses }: CollectedAccesses,
  rest: readonly CollectedAccess[],
  side: "first" | "second",
): SequencePair[] {
  if (!madeUpAddresses) return [];
  const known = rest.filter(({ place }) => place !== undefined);
  return [...groupBy(known, ({ place }) => place!.device)].map(([name, accesses]): SequencePair => {
    const { device, driver, vendor, deviceId } = devices.get(name)!;
    const kind = `${vendor} ${deviceId}`;
    return { by: "bar", device, otherDevice: null, driver, kind, first: [], second: [], [side]: byBar(accesses) };
  });
}

function groupBy<T, Key>(all: readonly T[], keyOf: (one: T) => Key): Map<Key, T[]> {
  const groups = new Map<Key, T[]>();
  for (const one of all) {
    const key = keyOf(one);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [one]);
    else group.push(one);
  }
  return groups;
}

interface DevicePair {
  one: KnownDevice;
  other: KnownDevice;
  /** Numbers of the BARs that both have. */
  bars: ReadonlySet<number>;
}

/**
 * Pairs the devices that both traces know by their ids, if one of them has accessed the device; of several with the same ids, the
 * accessed ones come first, and of these the one at the same address.
 */
function pairDevices(first: CollectedAccesses, second: CollectedAccesses): DevicePair[] {
  const left = new Set(second.devices.keys());
  const pairs: DevicePair[] = [];
  const takeFrom = (one: KnownDevice, wanted: (address: string) => boolean) => {
    const alike = [...left]
      .filter(wanted)
      .map((address) => second.devices.get(address)!)
      .filter(({ vendor, deviceId }) => vendor === one.vendor && deviceId === one.deviceId);
    const other = alike.find(({ device }) => device === one.device) ?? alike[0];
    if (other === undefined) return false;
    left.delete(other.device);
    pairs.push({ one, other, bars: new Set(one.bars.filter((bar) => other.bars.includes(bar))) });
    return true;
  };
  const isAccessed = (address: string) => second.accessed.has(address);
  const all = [...first.devices.values()];
  const [accessed, others] = [true, false].map((is) => all.filter(({ device }) => first.accessed.has(device) === is));
  const alone = accessed!.filter((one) => !takeFrom(one, isAccessed));
  for (const one of alone) takeFrom(one, () => true);
  for (const one of others!) takeFrom(one, isAccessed);
  const order = new Map(all.map(({ device }, place) => [device, place]));
  return pairs.sort((a, b) => order.get(a.one.device)! - order.get(b.one.device)!);
}

/** Pairs the accesses that aren't compared by BAR. */
function pairRest(first: CollectedAccesses, second: CollectedAccesses): SequencePair[] {
  const pairs = pairAreas(first, second);
  const pairOf = (side: 0 | 1) => {
    const byArea = new Map(pairs.map((pair) => [pair[side], pair]));
    return ({ area }: CollectedAccess) => area && byArea.get(area);
  };
  const inFirst = groupBy(first.accesses, pairOf(0));
  const inSecond = groupBy(second.accesses, pairOf(1));
  const made = pairs.map((pair): SequencePair => {
    const [own, others] = [areaName(pair[0]), areaName(pair[1])];
    return {
      by: "mapping",
      device: own,
      otherDevice: others === own ? null : others,
      driver: null,
      kind: "",
      first: byArea(inFirst.get(pair) ?? []),
      second: byArea(inSecond.get(pair) ?? []),
    };
  });
  const [ofFirst, ofSecond] = [inFirst, inSecond].map((groups) => groupBy(groups.get(undefined) ?? [], addressKind));
  for (const device of [...new Set([...ofFirst!.keys(), ...ofSecond!.keys()])].sort()) {
    const [first, second] = [ofFirst!, ofSecond!].map((groups) => byAddress(groups.get(device) ?? []));
    made.push({ by: "address", device, otherDevice: null, driver: null, kind: "", first: first!, second: second! });
  }
  return made;
}

/** Returns the name of the addresses that an access's is one of. */
function addressKind({ address }: CollectedAccess): string {
  const space = spaceOf(address);
  if (space !== "memory") return space === "configuration" ? "configuration space" : space;
  return isVirtual(address) ? "virtual addresses" : "physical addresses";
}

type AreaPair = readonly [MappedArea, MappedArea];

/** Pairs mappings: of the same range, else of the same size, in order. An area inside a device fits no other kind of device. */
function pairAreas(first: CollectedAccesses, second: CollectedAccesses): AreaPair[] {
  const kindsOfFirst = areaKinds(first);
  const kindsOfSecond = areaKinds(second);
  const left = groupBy(second.areas, ({ length_bytes }) => length_bytes);
  const pairs: AreaPair[] = [];
  /** Returns the areas without a partner. */
  const pairBy = (areas: readonly MappedArea[], alike: (one: MappedArea, other: MappedArea) => boolean) =>
    areas.filter((one) => {
      const kind = kindsOfFirst.get(one);
      const candidates = left.get(one.length_bytes) ?? [];
      const place = candidates.findIndex((other) => {
        const otherKind = kindsOfSecond.get(other);
        return alike(one, other) && (kind === undefined || otherKind === undefined || kind === otherKind);
      });
      if (place < 0) return true;
      pairs.push([one, candidates[place]!]);
      candidates.splice(place, 1);
      return false;
    });
  const alone = pairBy(first.areas, (one, other) => one.address === other.address);
  pairBy(alone, () => true);
  const order = new Map(first.areas.map((area, place) => [area, place]));
  return pairs.sort(([a], [b]) => order.get(a)! - order.get(b)!);
}

/** Returns the kinds of device of those areas that accesses show to be inside a device. */
function areaKinds({ accesses, devices }: CollectedAccesses): Map<MappedArea, string> {
  const kinds = new Map<MappedArea, string>();
  for (const { area, place } of accesses) {
    const device = place && devices.get(place.device);
    if (area !== undefined && device !== undefined)
      kinds.set(area, `${device.vendor} ${device.deviceId} ${place!.bar}`);
  }
  return kinds;
}

function areaName({ address, length_bytes }: MappedArea): string {
  return `mapping ${addressText(address)}+0x${length_bytes.toString(16)}`;
}

function byBar(accesses: readonly CollectedAccess[]): SequenceEntry[] {
  return entriesOf(accesses, ({ place }) => ({ bar: place!.bar, offset: place!.offset }));
}

function byArea(accesses: readonly CollectedAccess[]): SequenceEntry[] {
  return entriesOf(accesses, ({ address, area }) => ({ bar: null, offset: address - area!.address }), "+");
}

function byAddress(accesses: readonly CollectedAccess[]): SequenceEntry[] {
  return entriesOf(accesses, ({ address }) => ({ bar: null, offset: withinSpace(address) }));
}

/** Makes the entries of a sequence; joins repeated reads that only accesses of other sequences have parted. */
function entriesOf(
  accesses: readonly CollectedAccess[],
  placed: (access: CollectedAccess) => { bar: number | null; offset: bigint },
  before = "",
): SequenceEntry[] {
  const entries: (SequenceEntry & { value: bigint; count: number })[] = [];
  let last: CollectedAccess | undefined;
  for (const access of accesses) {
    const { kind, width_bytes, address, name, value, count, event, time_s, site } = access;
    const repeats = last?.kind === "read" && kind === "read" && last.address === address;
    if (repeats && last!.width_bytes === width_bytes) {
      const entry = entries.at(-1)!;
      entry.count += count;
      entry.value = value;
      continue;
    }
    last = access;
    const { bar, offset } = placed(access);
    const place = `${before}0x${offset.toString(16)}`;
    const register = name ?? (bar === null ? place : `${barName(bar)}+${place}`);
    entries.push({ kind, bar, offset, address, width_bytes, value, count, event, time_s, register, site });
  }
  return entries;
}
