// Compares two runs of a driver, for example a working and a broken one: aligns them by the registers that they touch, and
// lists different values, missing accesses and new ones.

import { InvalidValueError } from "../../base/errors.js";
import { globTest } from "../filter/comparisons.js";
import type { CollectedAccesses } from "./access-sequence.js";
import { alignSequences, type Pairs } from "./sequence-alignment.js";
import { type ComparedBy, pairSequences, type SequenceEntry, type SequencePair } from "./sequence-pairs.js";

/** `written`, `read`: both have it, with different values. `missing`: only the first has it. `extra`: only the second has it. */
export type DifferenceKind = "written" | "read" | "missing" | "extra";

/** A difference between two traces. */
export interface TraceDifference {
  readonly kind: DifferenceKind;
  /** The device, as in its `DeviceComparison`. */
  readonly device: string;
  /** The first trace's entry; null for `extra`. */
  readonly first: SequenceEntry | null;
  /** The second trace's entry; null for `missing`. */
  readonly second: SequenceEntry | null;
}

/** The comparison of one device, of one mapping that is in no device that both traces know, or of all other accesses. */
export interface DeviceComparison {
  /**
   * `bar`: both traces know the device. `mapping`: not so, but both have a mapping of this range, or of this size. `address`: not
   * even that.
   */
  readonly by: ComparedBy;
  /** PCI address in the first trace; `mapping 0xfebc0000+0x20000`; `physical addresses`, `virtual addresses` or `ports`. */
  readonly device: string;
  /** The same in the second trace, if it isn't the same there. */
  readonly otherDevice: string | null;
  readonly driver: string | null;
  /** Both have accessed it. */
  readonly both: boolean;
  /** Entries that both have. */
  readonly aligned: number;
  /** Of these, writes with different values. */
  readonly written: number;
  /** Of these, reads with different values. */
  readonly read: number;
  /** Of these, values that differ only in bits that aren't compared. */
  readonly masked: number;
  /** Entries that only the first has. */
  readonly missing: number;
  /** Entries that only the second has. */
  readonly extra: number;
}

/** The result of comparing two traces. */
export interface DiffResult {
  /** Something was compared, and nothing is missing, extra or written differently. */
  readonly same: boolean;
  /** Number of entries of both together; 0 if neither trace has an access to compare. */
  readonly compared: number;
  readonly devices: readonly DeviceComparison[];
  /** In the order of the first trace, device by device; at most 10,000 of reads, and as many others. */
  readonly differences: readonly TraceDifference[];
  /** There are differences beyond these; the devices' counts have them. */
  readonly more: boolean;
}

/** A result as far as devices have been compared. */
interface PartialResult {
  devices: DeviceComparison[];
  differences: TraceDifference[];
  more: boolean;
  /** Differences that may still be listed: reads apart, which must not crowd out the others. */
  room: { reads: number; others: number };
}

/** Limit of differences listed of reads, and of the others. */
export const differencesMax = 10_000;

/** Bits of registers that are not compared. */
export interface ValueMask {
  /** The register's name, `BAR0+0x10`, or one of these behind the device's name and a blank; `*` and `?` as in filters. */
  readonly register: string;
  /** Bits that may differ. */
  readonly bits: bigint;
}

const allBits = (1n << 128n) - 1n;
/** If more bits than these vary, the register holds addresses, times or the like, and none of its bits are compared. */
const variedBitsMax = 8;

export class Masks {
  private readonly masks: { mask: ValueMask; fits: (text: string) => boolean }[] = [];
  private readonly used = new Set<ValueMask>();
  /** The bits of masks by device and register. */
  private readonly bitsByName = new Map<string, bigint>();
  /** By kind of device, register's place and direction. */
  private readonly learned = new Map<string, bigint>();

  add(mask: ValueMask): void {
    this.masks.push({ mask, fits: globTest(mask.register) });
    this.bitsByName.clear();
  }

  /**
   * Learns from two traces that should be the same: bits that differ between them are not compared any more.
   * Throws InvalidValueError if they have no access in common.
   */
  learn(first: CollectedAccesses, second: CollectedAccesses): void {
    let aligned = 0;
    for (const pair of pairSequences(first, second)) {
      for (const { first: at, second: otherAt } of alignEntries(pair)) {
        aligned += 1;
        const entry = pair.first[at]!;
        const differing = entry.value ^ pair.second[otherAt]!.value;
        if (differing === 0n) continue;
        const key = keyOf(pair, entry);
        const bits = (this.learned.get(key) ?? 0n) | differing;
        this.learned.set(key, bitCount(bits) > variedBitsMax ? allBits : bits);
      }
    }
    if (aligned > 0) return;
    const message = `${second.name} has no access in common with ${first.name}: nothing can be learned from it`;
    throw new InvalidValueError(second.name, message);
  }

  /** Returns the bits of two aligned entries that are not compared. */
  bitsOf(pair: SequencePair, entry: SequenceEntry, other: SequenceEntry): bigint {
    return (this.learned.get(keyOf(pair, entry)) ?? 0n) | this.see(pair, entry) | this.see(pair, other);
  }

  /** Returns the bits of the masks that fit the entry's register, and remembers that they fit one. */
  see({ device }: SequencePair, { register }: SequenceEntry): bigint {
    if (this.masks.length === 0) return 0n;
    const listed = `${device} ${register}`;
    let bits = this.bitsByName.get(listed);
    if (bits !== undefined) return bits;
    bits = 0n;
    for (const { mask, fits } of this.masks) {
      if (!fits(register) && !fits(listed)) continue;
      bits |= mask.bits;
      this.used.add(mask);
    }
    this.bitsByName.set(listed, bits);
    return bits;
  }

  /** The masks that fitted no register of the traces that were compared. */
  get unused(): ValueMask[] {
    return this.masks.map(({ mask }) => mask).filter((mask) => !this.used.has(mask));
  }
}

function keyOf({ by, kind: device }: SequencePair, { kind, bar, offset, address }: SequenceEntry): string {
  return by === "bar" ? `${device} ${kind} ${bar} ${offset}` : `${kind} ${address}`;
}

function bitCount(bits: bigint): number {
  return bits.toString(2).replaceAll("0", "").length;
}

/**
 * Compares two traces device by device; accesses in no device that both know, by mapping or by address.
 * Throws InvalidValueError for a mask that fits no register of either.
 */
export function diffTraces(
  first: CollectedAccesses,
  second: CollectedAccesses,
  masks: Masks = new Masks(),
): DiffResult {
  const room = { reads: differencesMax, others: differencesMax };
  const result: PartialResult = { devices: [], differences: [], more: false, room };
  let compared = 0;
  for (const pair of pairSequences(first, second)) {
    compared += pair.first.length + pair.second.length;
    comparePair(pair, masks, result);
  }
  const [unused] = masks.unused;
  if (compared > 0 && unused !== undefined) {
    const { register } = unused;
    throw new InvalidValueError(register, `neither trace has a compared access to a register called ${register}`, {
      advice:
        "masks name registers as the list of differences does: TDBAL, 'RD*', BAR0+0x10, 'mapping 0xfebc0000+0x20000 +0x10'",
    });
  }
  const isSame = ({ written, missing, extra }: DeviceComparison) => written + missing + extra === 0;
  const { devices, differences, more } = result;
  return { same: compared > 0 && devices.every(isSame), compared, devices, differences, more };
}

function alignEntries({ first, second }: SequencePair): Pairs {
  const numbers = new Map<string, number>();
  const numbersOf = (entries: readonly SequenceEntry[]) =>
    Int32Array.from(entries, ({ kind, bar, offset, width_bytes }) => {
      const key = `${kind} ${bar} ${offset} ${width_bytes}`;
      let number = numbers.get(key);
      if (number === undefined) {
        number = numbers.size;
        numbers.set(key, number);
      }
      return number;
    });
  return alignSequences(numbersOf(first), numbersOf(second));
}

function comparePair(pair: SequencePair, masks: Masks, result: PartialResult): void {
  const { by, device, otherDevice, driver, first, second } = pair;
  const counts = { aligned: 0, written: 0, read: 0, masked: 0, missing: 0, extra: 0 };
  const differ = (kind: DifferenceKind, entry: SequenceEntry | null, other: SequenceEntry | null) => {
    counts[kind] += 1;
    const list = kind === "read" ? "reads" : "others";
    if (result.room[list] > 0) result.differences.push({ kind, device, first: entry, second: other });
    else result.more = true;
    result.room[list] -= 1;
  };
  for (const entry of first) masks.see(pair, entry);
  for (const entry of second) masks.see(pair, entry);
  let at = 0;
  let otherAt = 0;
  for (const { first: next, second: otherNext } of [
    ...alignEntries(pair),
    { first: first.length, second: second.length },
  ]) {
    for (; at < next; at += 1) differ("missing", first[at]!, null);
    for (; otherAt < otherNext; otherAt += 1) differ("extra", null, second[otherAt]!);
    if (at === first.length) break;
    const [entry, other] = [first[at]!, second[otherAt]!];
    counts.aligned += 1;
    const differing = entry.value ^ other.value;
    if ((differing & ~masks.bitsOf(pair, entry, other)) !== 0n) {
      differ(entry.kind === "write" ? "written" : "read", entry, other);
    } else if (differing !== 0n) counts.masked += 1;
    at += 1;
    otherAt += 1;
  }
  const both = first.length > 0 && second.length > 0;
  result.devices.push({ by, device, otherDevice, driver, both, ...counts });
}
