// Compares a trace with the ground truth, access by access: what the devices received by QEMU's own account.
//
// The rules, without tolerance:
// - Where the header names a fence, what the log has before its beginning and after its end is left out.
// - Only addresses count that a recorded mapping covers at some time.
// - While no mapping covers an address, nothing there can be recorded. The log has no time in common with the trace, so
//   "while" goes by order: an access that only the log has *may* have happened so exactly when, between the two accesses
//   of the trace that it lies between, there is a moment at which no mapping covers it. But an access that the recorder
//   missed just behind a MAP or before an UNMAP looks the same; so within a fence such accesses count as missing, unless
//   the caller asks to leave them out. Without a fence (firmware!) they are left out. The result says how many.
// - QEMU logs nothing of memory that lies behind a BAR (a framebuffer, ivshmem's). Where it logged no access to any address
//   of a mapping, in the whole log, the trace's accesses there are left out unless the caller expects all. The result says
//   how many.
// - The log shows accesses after QEMU has fitted them to the device: what is wider than the widest access of a region is
//   split ascending into that width; what is narrower than its narrowest shows that width, and then only the accessed
//   bytes are compared. The CPU itself splits what is wider than eight bytes.
// - A strict trace must have the log's order across all regions. A relaxed one promises it only for each CPU, and is
//   compared CPU by CPU.
// - A trace with lost or escaped records is never identical; nor is one that was cut, unless the caller knows that the
//   recorder was killed: then it is compared as far as it goes.
import type { TraceReader } from "../trace/reader.js";
import { TraceState } from "../trace/state.js";
import { type Alignment, align, type Difference } from "./alignment.js";
import { fenceWindow, type Window } from "./fence-window.js";
import { collectAccesses, joinRanges, push, type TracedAccesses, type TracedPart } from "./traced-accesses.js";
import { type AddressRange, readTruthLog, type TruthAccesses, type TruthLog } from "./truth-log.js";

/** Differences that are looked for at most. */
const differencesMax = 1_000;

export interface RegionResult {
  /** QEMU's name of the region, or "" where the log has nothing there. */
  name: string;
  /** PCI function, driver and BAR, or the physical range. */
  device: string;
  trace: number;
  truth: number;
  differences: number;
}

export interface AccessText {
  kind: "read" | "write";
  width_bytes: number;
  address: string;
  value: string;
  cpu: number;
  /** Event number in the trace, or line in the log. */
  place: number;
}

export interface ReportedDifference {
  kind: Difference["kind"];
  region: string;
  device: string;
  trace: AccessText | null;
  truth: AccessText | null;
  /** What both have just before. */
  before: AccessText[];
}

export interface VerifyResult {
  identical: boolean;
  /** Why not, a sentence each. */
  reasons: string[];
  regions: RegionResult[];
  differences: ReportedDifference[];
  /** More differences than these were not looked for. */
  moreDifferences: boolean;
  compared: number;
  /** Trace accesses that were split, or compared by their own bytes only, as QEMU fits them to the region. */
  split: number;
  widened: number;
  /** Accesses of the log that the rules leave out. */
  leftOut: { outsideFence: number; noMappingAlive: number };
  /** Accesses of the trace to mappings of which the log has nothing at all. */
  unlogged: { accesses: number; ranges: AddressRange[] };
  /** Accesses that agree, but not in which CPU made them. */
  otherCpu: number;
  lost: number;
  escaped: number;
  fence: string | null;
  order: "all regions" | "each CPU";
}

export interface VerifyOptions {
  /** Leaves out accesses that may have happened while no mapping covered them; by default only where there is no fence. */
  leaveOutUnmapped?: boolean;
  /** Accesses to mappings of which QEMU logged nothing at all count as well. */
  expectAll?: boolean;
  /** The recorder was killed: the trace's end is where it says no more. */
  cut?: boolean;
}

/**
 * Compares. Throws UserError and FormatError where trace or log can't be read, or the fence
 * isn't in the log.
 */
export async function verify(
  reader: TraceReader,
  truthPath: string,
  options: VerifyOptions = {},
): Promise<VerifyResult> {
  const traced = await collectAccesses(reader);
  const log = readTruthLog(truthPath, joinRanges(traced.mapped));
  const leaveOutUnmapped = options.leaveOutUnmapped ?? reader.header.fence === null;
  const { cut = false, expectAll = false } = options;
  return new Comparison(reader, traced, log, truthPath, { leaveOutUnmapped, cut, expectAll }).run();
}

class Comparison {
  private readonly reader: TraceReader;
  private readonly traced: TracedAccesses;
  private readonly truth: TruthAccesses;
  private readonly window: Window;
  private readonly state: TraceState;
  private readonly extents: { range: AddressRange; region: number; narrowest: number; widest: number }[];
  private readonly traceRegion: number[] = [];
  private readonly unlogged: VerifyResult["unlogged"] = { accesses: 0, ranges: [] };
  private split = 0;
  private widened = 0;
  private otherCpu = 0;
  private readonly options: Required<VerifyOptions>;

  constructor(
    reader: TraceReader,
    traced: TracedAccesses,
    log: TruthLog,
    truthPath: string,
    options: Required<VerifyOptions>,
  ) {
    this.reader = reader;
    this.options = options;
    this.truth = log.accesses;
    const { fence } = reader.header;
    const { count } = this.truth;
    this.window =
      fence === null
        ? { from: 0, to: count }
        : fenceWindow(log.postWrites, fence, truthPath, options.cut ? count : undefined);
    this.state = new TraceState(reader.header);
    // A driver that is unbound by the end is still the one that the accesses are by.
    for (const { update } of reader.updates) {
      const pciFunctions = update.pciFunctions?.filter(({ driver }) => driver !== null) ?? [];
      this.state.update({ pciFunctions });
    }
    this.extents = this.findExtents();
    if (!options.expectAll) this.unlogged.ranges = unloggedRanges(traced.mapped, log.accesses);
    this.traced = this.fit(traced);
  }

  /** Where each region's accesses lie, the smallest first, and how wide they are. */
  private findExtents() {
    const { truth, window } = this;
    const found = new Map<number, { range: AddressRange; region: number; narrowest: number; widest: number }>();
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
    const size = ({ first, last }: AddressRange) => last - first;
    return [...found.values()].sort((a, b) => size(a.range) - size(b.range));
  }

  private extentOf(address: number) {
    return this.extents.find(({ range }) => range.first <= address && address <= range.last);
  }

  /** The trace's accesses as QEMU hands them to the region; also finds each one's region. */
  private fit(traced: TracedAccesses): TracedAccesses {
    const fitted: TracedAccesses = {
      ...traced,
      count: 0,
      write: [],
      width_bytes: [],
      address: [],
      valueLow: [],
      valueHigh: [],
      cpu: [],
      event: [],
      coverage: [],
    };
    let change = 0;
    for (let at = 0; at <= traced.count; at += 1) {
      for (; change < traced.coverage.length && traced.coverage[change]!.at === at; change += 1) {
        fitted.coverage.push({ ...traced.coverage[change]!, at: fitted.count });
      }
      if (at === traced.count) break;
      const part = tracedPart(traced, at);
      if (this.unlogged.ranges.some(({ first, last }) => first <= part.address && part.address <= last)) {
        this.unlogged.accesses += 1;
        continue;
      }
      const extent = this.extentOf(part.address);
      const region = extent?.region ?? -1;
      const widest = extent?.widest ?? part.width_bytes;
      if (part.width_bytes > widest) this.split += 1;
      for (const piece of piecesOf(part, Math.min(widest, part.width_bytes))) {
        push(fitted, piece);
        this.traceRegion.push(region);
        if (extent !== undefined && piece.width_bytes < extent.narrowest) this.widened += 1;
      }
    }
    return fitted;
  }

  run(): VerifyResult {
    const relaxed = this.reader.header.options.relaxed || this.traced.unordered;
    const groups = relaxed ? this.groupsByCpu() : [{ first: all(0, this.traced.count), second: this.allTruth() }];
    const found: { difference: Difference; first: number; second: number }[] = [];
    let more = false;
    let skipped = 0;
    for (const group of groups) {
      const alignment = this.alignGroup(group.first, group.second, (a, b) => {
        if (this.traced.cpu[a] !== this.truth.cpu[b]) this.otherCpu += 1;
      });
      more ||= alignment.more;
      skipped += alignment.skipped;
      for (const difference of alignment.differences) {
        found.push({
          difference,
          first: group.first[difference.first] ?? this.traced.count,
          second: group.second[difference.second] ?? this.window.to,
        });
      }
    }
    const regions = this.regionTable(found);
    const reasons = this.reasons(found.length, more, relaxed);
    return {
      identical: reasons.length === 0,
      reasons,
      regions,
      differences: found.map(({ difference, first, second }) => this.tell(difference.kind, first, second)),
      moreDifferences: more,
      compared: this.traced.count,
      split: this.split,
      widened: this.widened,
      leftOut: {
        outsideFence: this.truth.count - (this.window.to - this.window.from),
        noMappingAlive: skipped,
      },
      unlogged: this.unlogged,
      otherCpu: this.otherCpu,
      lost: Number(this.traced.lost),
      escaped: this.traced.escaped,
      fence: this.reader.header.fence,
      order: relaxed ? "each CPU" : "all regions",
    };
  }

  private allTruth(): number[] {
    return all(this.window.from, this.window.to);
  }

  private groupsByCpu(): { first: number[]; second: number[] }[] {
    const groups = new Map<number, { first: number[]; second: number[] }>();
    const group = (cpu: number) => {
      const known = groups.get(cpu) ?? { first: [], second: [] };
      groups.set(cpu, known);
      return known;
    };
    for (let at = 0; at < this.traced.count; at += 1) group(this.traced.cpu[at]!).first.push(at);
    for (const at of this.allTruth()) group(this.truth.cpu[at]!).second.push(at);
    return [...groups.values()];
  }

  private alignGroup(first: number[], second: number[], matched = (_a: number, _b: number) => {}): Alignment {
    // Places where the living mappings change, and which are alive there, by place in `first`.
    const changes = new Map<number, AddressRange[][]>();
    let current: AddressRange[] = [];
    let change = 0;
    for (let place = 0; place <= first.length; place += 1) {
      const at = first[place] ?? this.traced.count;
      const here = [current];
      for (; change < this.traced.coverage.length && this.traced.coverage[change]!.at <= at; change += 1) {
        current = this.traced.coverage[change]!.living;
        here.push(current);
      }
      if (here.length > 1 || place === first.length) changes.set(place, here);
    }
    const { truth } = this;
    return align(
      {
        firstCount: first.length,
        secondCount: second.length,
        same: (a, b) => this.same(first[a]!, second[b]!),
        matched: (a, b) => matched(first[a]!, second[b]!),
        maySkip: (a) => this.options.leaveOutUnmapped && changes.has(a),
        skippable: (a, b) => {
          const address = truth.address[second[b]!]!;
          const covers = (range: AddressRange) => range.first <= address && address <= range.last;
          return changes.get(a)?.some((living) => !living.some(covers)) ?? false;
        },
        firstIsCut: this.options.cut,
      },
      differencesMax,
    );
  }

  private same(a: number, b: number): boolean {
    const { traced, truth } = this;
    if (traced.address[a] !== truth.address[b] || traced.write[a] !== truth.write[b]) return false;
    const width_bytes = traced.width_bytes[a]!;
    const truthWidth_bytes = truth.width_bytes[b]!;
    let low = truth.valueLow[b]!;
    let high = truth.valueHigh[b]!;
    if (width_bytes !== truthWidth_bytes) {
      const narrowest = this.extentOf(traced.address[a]!)?.narrowest ?? 0;
      if (width_bytes >= narrowest || truthWidth_bytes !== narrowest) return false;
      if (width_bytes < 4) low &= (1 << (8 * width_bytes)) - 1;
      if (width_bytes <= 4) high = 0;
      else high &= width_bytes < 8 ? (1 << (8 * (width_bytes - 4))) - 1 : -1;
    }
    return traced.valueLow[a] === low >>> 0 && traced.valueHigh[a] === high >>> 0;
  }

  private regionTable(found: { difference: Difference; first: number; second: number }[]): RegionResult[] {
    const table = new Map<number, RegionResult>();
    const row = (region: number, address: number) => {
      const known = table.get(region);
      if (known !== undefined) return known;
      const made = {
        name: this.truth.regions[region]?.name ?? "",
        device: this.device(address),
        trace: 0,
        truth: 0,
        differences: 0,
      };
      table.set(region, made);
      return made;
    };
    for (let at = this.window.from; at < this.window.to; at += 1) {
      row(this.truth.region[at]!, this.truth.address[at]!).truth += 1;
    }
    for (let at = 0; at < this.traced.count; at += 1) row(this.traceRegion[at]!, this.traced.address[at]!).trace += 1;
    for (const { difference, first, second } of found) {
      if (difference.kind === "missing") row(this.truth.region[second]!, this.truth.address[second]!).differences += 1;
      else row(this.traceRegion[first]!, this.traced.address[first]!).differences += 1;
    }
    return [...table.values()];
  }

  private reasons(differences: number, more: boolean, relaxed: boolean): string[] {
    const reasons: string[] = [];
    const { reader, traced } = this;
    const { summary } = reader;
    if (reader.damage !== null && !this.options.cut) reasons.push(`the trace is cut at byte ${reader.damage.offset}`);
    if (traced.lost > 0n || (summary?.lost ?? 0) > 0) {
      reasons.push(`${Math.max(Number(traced.lost), summary?.lost ?? 0)} records were lost while recording`);
    }
    if (traced.escaped > 0 || (summary?.escaped ?? 0) > 0) {
      reasons.push(`${Math.max(traced.escaped, summary?.escaped ?? 0)} instructions escaped emulation`);
    }
    if (traced.mapped.length === 0) reasons.push("the trace has no mapping, so that nothing can be compared");
    if (differences === 0) return reasons;
    const onlyOrder = !relaxed && !more && this.regionsAgree();
    reasons.push(
      onlyOrder
        ? "each region's accesses are identical, but their order across regions is not"
        : `${more ? "at least " : ""}${differences} accesses differ`,
    );
    return reasons;
  }

  /** Whether every region by itself has the same accesses in the same order. */
  private regionsAgree(): boolean {
    const first = new Map<number, number[]>();
    const second = new Map<number, number[]>();
    const add = (map: Map<number, number[]>, region: number, at: number) => {
      const list = map.get(region);
      if (list === undefined) map.set(region, [at]);
      else list.push(at);
    };
    for (let at = 0; at < this.traced.count; at += 1) add(first, this.traceRegion[at]!, at);
    for (const at of this.allTruth()) add(second, this.truth.region[at]!, at);
    return [...new Set([...first.keys(), ...second.keys()])].every(
      (region) => this.alignGroup(first.get(region) ?? [], second.get(region) ?? []).differences.length === 0,
    );
  }

  private device(address: number): string {
    const place = this.state.placeOf(BigInt(address));
    if (place !== undefined) {
      const { address: bdf, driver } = place.function;
      return `${bdf} ${driver === null ? "" : `${driver} `}BAR${place.bar}`;
    }
    const range = joinRanges(this.traced.mapped).find(({ first, last }) => first <= address && address <= last);
    return range === undefined
      ? `0x${address.toString(16)}`
      : `0x${range.first.toString(16)}-0x${range.last.toString(16)}`;
  }

  private tell(kind: Difference["kind"], first: number, second: number): ReportedDifference {
    const { traced, truth, window } = this;
    const hasTrace = kind !== "missing";
    const hasTruth = kind !== "extra";
    const address = hasTrace ? traced.address[first]! : truth.address[second]!;
    const region = hasTruth ? truth.region[second]! : this.traceRegion[first]!;
    const before = [];
    for (let at = Math.max(window.from, second - 2); at < second; at += 1) before.push(this.truthText(at));
    return {
      kind,
      region: truth.regions[region]?.name ?? "",
      device: this.device(address),
      trace: hasTrace ? this.traceText(first) : null,
      truth: hasTruth ? this.truthText(second) : null,
      before,
    };
  }

  private traceText(at: number): AccessText {
    const { traced } = this;
    return accessText(tracedPart(traced, at), traced.event[at]!);
  }

  private truthText(at: number): AccessText {
    const { truth } = this;
    const part = {
      write: truth.write[at]!,
      width_bytes: truth.width_bytes[at]!,
      address: truth.address[at]!,
      valueLow: truth.valueLow[at]!,
      valueHigh: truth.valueHigh[at]!,
      cpu: truth.cpu[at]!,
    };
    return accessText(part, truth.line[at]!);
  }
}

/** The mapped ranges, joined, of which the log has no access, but for what other mappings have of them. */
function unloggedRanges(mapped: readonly AddressRange[], truth: TruthAccesses): AddressRange[] {
  const distinct = [...new Map(mapped.map((range) => [`${range.first}-${range.last}`, range])).values()];
  const logged = new Set<AddressRange>();
  for (let at = 0; at < truth.count && logged.size < distinct.length; at += 1) {
    const address = truth.address[at]!;
    for (const range of distinct) if (range.first <= address && address <= range.last) logged.add(range);
  }
  return joinRanges(distinct.filter((range) => !logged.has(range))).filter(
    ({ first, last }) => ![...logged].some((range) => range.first <= last && first <= range.last),
  );
}

function accessText(part: Omit<TracedPart, "event">, place: number): AccessText {
  const value = (BigInt(part.valueHigh) << 32n) | BigInt(part.valueLow);
  return {
    kind: part.write === 1 ? "write" : "read",
    width_bytes: part.width_bytes,
    address: `0x${part.address.toString(16)}`,
    value: `0x${value.toString(16)}`,
    cpu: part.cpu,
    place,
  };
}

function all(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}

function tracedPart(traced: TracedAccesses, at: number): TracedPart {
  return {
    write: traced.write[at]!,
    width_bytes: traced.width_bytes[at]!,
    address: traced.address[at]!,
    valueLow: traced.valueLow[at]!,
    valueHigh: traced.valueHigh[at]!,
    cpu: traced.cpu[at]!,
    event: traced.event[at]!,
  };
}

/** An access in pieces of `piece_bytes`, ascending, as QEMU makes them for a device that takes no wider ones. */
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
