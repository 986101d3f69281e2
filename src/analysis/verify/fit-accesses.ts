// Converts a trace's accesses to the form of QEMU's log: split into the widest accesses that the device takes, each with its
// region; and leaves out those that QEMU can't log.
import { joinRanges } from "../../base/address-range.js";
import type { TraceState } from "../../trace/state.js";
import type { Window } from "./fence-window.js";
import { addressInTrace, push, type TracedAccesses, type TracedPart } from "./traced-accesses.js";
import type { NumberRange, TruthAccesses } from "./truth-log.js";

/** The places and widths of a region's accesses. */
export interface Extent {
  range: NumberRange;
  region: number;
  narrowest: number;
  widest: number;
}

export interface FittedAccesses {
  accesses: TracedAccesses;
  /** Each access's region number in the log; -1 if the log has none. */
  region: number[];
  /** Number of accesses that were split, and of those compared only by their own bytes. */
  split: number;
  widened: number;
  /** Number of accesses left out because the log has nothing at all at their place. */
  notLogged: number;
}

/** Finds the extents of all regions in the window, the smallest first. */
export function findExtents(truth: TruthAccesses, window: Window): Extent[] {
  const found = new Map<number, Extent>();
  for (let at = window.from; at < window.to; at += 1) {
    const region = truth.region[at]!;
    const width_bytes = truth.width_bytes[at]!;
    const first = truth.address[at]!;
    const last = first + width_bytes - 1;
    const known = found.get(region);
    if (known === undefined) {
      found.set(region, { range: { first, last }, region, narrowest: width_bytes, widest: width_bytes });
      continue;
    }
    known.range.first = Math.min(known.range.first, first);
    known.range.last = Math.max(known.range.last, last);
    known.narrowest = Math.min(known.narrowest, width_bytes);
    known.widest = Math.max(known.widest, width_bytes);
  }
  const size = ({ first, last }: NumberRange) => last - first;
  return [...found.values()].sort((a, b) => size(a.range) - size(b.range));
}

/** Finds the smallest extent that holds the address. */
export function extentOf(extents: readonly Extent[], address: number): Extent | undefined {
  return extents.find(({ range }) => range.first <= address && address <= range.last);
}

/**
 * Knows the places that QEMU doesn't log: a BAR, or a mapping outside all BARs, without any access in the whole log, from
 * before the recording to after it. QEMU never logs a region that it backs with memory (a framebuffer, ivshmem's).
 */
export class LoggedPlaces {
  private readonly state: TraceState;
  private readonly mapped: NumberRange[];
  private readonly logged = new Set<string>();

  constructor(state: TraceState, mapped: readonly NumberRange[], truth: TruthAccesses) {
    this.state = state;
    this.mapped = joinRanges(mapped);
    for (let at = 0; at < truth.count; at += 1) this.logged.add(this.place(truth.address[at]!));
  }

  has(address: number): boolean {
    return this.logged.has(this.place(address));
  }

  private place(address: number): string {
    const found = this.state.placeOf(addressInTrace(address));
    if (found !== undefined) return `${found.function.address} ${found.bar}`;
    return String(this.mapped.find(({ first, last }) => first <= address && address <= last)?.first);
  }
}

/** Fits the accesses to the extents; `places` decides which to leave out; undefined leaves out none. */
export function fitAccesses(
  traced: TracedAccesses,
  extents: readonly Extent[],
  places: LoggedPlaces | undefined,
): FittedAccesses {
  const accesses: TracedAccesses = {
    ...traced,
    count: 0,
    write: [],
    width_bytes: [],
    address: [],
    valueLow: [],
    valueHigh: [],
    cpu: [],
    event: [],
    unordered: [],
    coverage: [],
  };
  const fitted: FittedAccesses = { accesses, region: [], split: 0, widened: 0, notLogged: 0 };
  let change = 0;
  for (let at = 0; at <= traced.count; at += 1) {
    for (; change < traced.coverage.length && traced.coverage[change]!.at === at; change += 1) {
      accesses.coverage.push({ ...traced.coverage[change]!, at: accesses.count });
    }
    if (at === traced.count) break;
    const part = tracedPart(traced, at);
    const extent = extentOf(extents, part.address);
    if (extent === undefined && places?.has(part.address) === false) {
      fitted.notLogged += 1;
      continue;
    }
    const widest = extent?.widest ?? part.width_bytes;
    if (part.width_bytes > widest) fitted.split += 1;
    for (const piece of piecesOf(part, Math.min(widest, part.width_bytes))) {
      push(accesses, piece);
      fitted.region.push(extent?.region ?? -1);
      if (extent !== undefined && piece.width_bytes < extent.narrowest) fitted.widened += 1;
    }
  }
  return fitted;
}

/** Returns the access at place `at`. */
export function tracedPart(traced: TracedAccesses, at: number): TracedPart {
  return {
    write: traced.write[at]!,
    width_bytes: traced.width_bytes[at]!,
    address: traced.address[at]!,
    valueLow: traced.valueLow[at]!,
    valueHigh: traced.valueHigh[at]!,
    cpu: traced.cpu[at]!,
    event: traced.event[at]!,
    unordered: traced.unordered[at]!,
  };
}

/** Splits an access into ascending pieces of `piece_bytes`, as QEMU does for a device that takes no wider ones. */
function piecesOf(part: TracedPart, piece_bytes: number): TracedPart[] {
  if (piece_bytes === part.width_bytes) return [part];
  const value = (BigInt(part.valueHigh) << 32n) | BigInt(part.valueLow);
  const pieces = [];
  for (let offset = 0; offset < part.width_bytes; offset += piece_bytes) {
    const width_bytes = Math.min(piece_bytes, part.width_bytes - offset);
    const bits = BigInt.asUintN(8 * width_bytes, value >> BigInt(8 * offset));
    pieces.push({
      ...part,
      width_bytes,
      address: part.address + offset,
      valueLow: Number(bits & 0xffffffffn),
      valueHigh: Number(bits >> 32n),
    });
  }
  return pieces;
}
