// Compares two runs of a driver, for example a working and a broken one: aligns them by the registers that they touch, and
// lists different values, missing accesses and new ones.

import { globTest } from "../filter/comparisons.js";
import type { DeviceSequence, SequenceEntry } from "./access-sequence.js";
import { alignSequences, type Pairs } from "./sequence-alignment.js";

/** `written`, `read`: both have it, with different values. `missing`: only the first has it. `extra`: only the second has it. */
export type DifferenceKind = "written" | "read" | "missing" | "extra";

/** A difference between two traces. */
export interface TraceDifference {
  readonly kind: DifferenceKind;
  /** PCI address in the first, or in the second if only that has the device. */
  readonly device: string;
  /** The first trace's entry; null for `extra`. */
  readonly first: SequenceEntry | null;
  /** The second trace's entry; null for `missing`. */
  readonly second: SequenceEntry | null;
}

/** The comparison of one device. */
export interface DeviceComparison {
  /** PCI address in the first, or in the second if only that has the device. */
  readonly device: string;
  readonly driver: string | null;
  /** Both have accessed it. */
  readonly both: boolean;
  /** Entries that both have. */
  readonly aligned: number;
  /** Of these, writes with different values. */
  readonly written: number;
  /** Of these, reads with different values. */
  readonly read: number;
  /** Entries that only the first has. */
  readonly missing: number;
  /** Entries that only the second has. */
  readonly extra: number;
}

/** The result of comparing two traces. */
export interface DiffResult {
  /** Nothing is missing, extra or written differently. */
  readonly same: boolean;
  readonly devices: readonly DeviceComparison[];
  /** In the order of the first trace, device by device; at most 10,000. */
  readonly differences: readonly TraceDifference[];
  /** There are differences beyond these; the devices' counts have them. */
  readonly more: boolean;
}

/** A result as far as devices have been compared. */
interface PartialResult {
  devices: DeviceComparison[];
  differences: TraceDifference[];
  more: boolean;
}

const differencesMax = 10_000;

/** Bits of registers that are not compared. */
export interface ValueMask {
  /** The register's name or `BAR0+0x10`; `*` and `?` as in filters. */
  readonly register: string;
  /** Bits that may differ. */
  readonly bits: bigint;
}

const allBits = (1n << 128n) - 1n;
/** If more bits than these vary, the register holds addresses, times or the like, and none of its bits are compared. */
const variedBitsMax = 8;

export class Masks {
  private readonly masks: { fits: (text: string) => boolean; bits: bigint }[] = [];
  /** By device's ids, register's place and direction. */
  private readonly learned = new Map<string, bigint>();

  add({ register, bits }: ValueMask): void {
    this.masks.push({ fits: globTest(register), bits });
  }

  /** Learns from two traces that should be the same: bits that differ between them are not compared any more. */
  learn(first: readonly DeviceSequence[], second: readonly DeviceSequence[]): void {
    for (const { one, other } of matchDevices(first, second)) {
      if (one === undefined || other === undefined) continue;
      for (const pair of alignEntries(one, other)) {
        const entry = one.entries[pair.first]!;
        const differing = entry.value ^ other.entries[pair.second]!.value;
        if (differing === 0n) continue;
        const key = keyOf(one, entry);
        const bits = (this.learned.get(key) ?? 0n) | differing;
        this.learned.set(key, bitCount(bits) > variedBitsMax ? allBits : bits);
      }
    }
  }

  /** Returns the bits of this entry that are not compared. */
  bitsOf(device: DeviceSequence, entry: SequenceEntry): bigint {
    let bits = this.learned.get(keyOf(device, entry)) ?? 0n;
    for (const mask of this.masks) if (mask.fits(entry.register)) bits |= mask.bits;
    return bits;
  }
}

const keyOf = (device: DeviceSequence, { kind, bar, offset }: SequenceEntry) =>
  `${device.vendor} ${device.deviceId} ${kind} ${bar} ${offset}`;

function bitCount(bits: bigint): number {
  return bits.toString(2).replaceAll("0", "").length;
}

/** Compares two traces device by device. */
export function diffTraces(
  first: readonly DeviceSequence[],
  second: readonly DeviceSequence[],
  masks: Masks = new Masks(),
): DiffResult {
  const result: PartialResult = { devices: [], differences: [], more: false };
  for (const { one, other } of matchDevices(first, second)) compareDevice(one, other, masks, result);
  return { same: result.devices.every(({ written, missing, extra }) => written + missing + extra === 0), ...result };
}

/** Matches the devices of both by their ids; of several with the same ids, the one at the same address comes first. */
function matchDevices(first: readonly DeviceSequence[], second: readonly DeviceSequence[]) {
  const rest = new Set(second);
  const matches: { one: DeviceSequence | undefined; other: DeviceSequence | undefined }[] = [];
  for (const one of first) {
    const alike = [...rest].filter(({ vendor, deviceId }) => vendor === one.vendor && deviceId === one.deviceId);
    const other = alike.find(({ device }) => device === one.device) ?? alike[0];
    if (other !== undefined) rest.delete(other);
    matches.push({ one, other });
  }
  for (const other of rest) matches.push({ one: undefined, other });
  return matches;
}

function alignEntries(one: DeviceSequence, other: DeviceSequence): Pairs {
  const numbers = new Map<string, number>();
  const numbersOf = ({ entries }: DeviceSequence) =>
    Int32Array.from(entries, ({ kind, bar, offset, width_bytes }) => {
      const key = `${kind} ${bar} ${offset} ${width_bytes}`;
      let number = numbers.get(key);
      if (number === undefined) {
        number = numbers.size;
        numbers.set(key, number);
      }
      return number;
    });
  return alignSequences(numbersOf(one), numbersOf(other));
}

function compareDevice(
  one: DeviceSequence | undefined,
  other: DeviceSequence | undefined,
  masks: Masks,
  result: PartialResult,
): void {
  const { device } = (one ?? other)!;
  const counts = { aligned: 0, written: 0, read: 0, missing: 0, extra: 0 };
  const differ = (kind: DifferenceKind, entry: SequenceEntry | null, second: SequenceEntry | null) => {
    counts[kind] += 1;
    if (result.differences.length < differencesMax) result.differences.push({ kind, device, first: entry, second });
    else result.more = true;
  };
  const before = one?.entries ?? [];
  const after = other?.entries ?? [];
  const pairs = one === undefined || other === undefined ? [] : alignEntries(one, other);
  let at = 0;
  let otherAt = 0;
  for (const pair of [...pairs, { first: before.length, second: after.length }]) {
    for (; at < pair.first; at += 1) differ("missing", before[at]!, null);
    for (; otherAt < pair.second; otherAt += 1) differ("extra", null, after[otherAt]!);
    if (at === before.length) break;
    const [entry, second] = [before[at]!, after[otherAt]!];
    counts.aligned += 1;
    if (((entry.value ^ second.value) & ~masks.bitsOf(one!, entry)) !== 0n) {
      differ(entry.kind === "write" ? "written" : "read", entry, second);
    }
    at += 1;
    otherAt += 1;
  }
  const both = one !== undefined && other !== undefined;
  result.devices.push({ device, driver: one?.driver ?? other?.driver ?? null, both, ...counts });
}
