// Compares a trace with the ground truth, access by access: the accesses that the devices received, according to QEMU.
//
// The rules, without tolerance:
// - If the header names a fence, the log's accesses before its beginning and after its end are left out.
// - Only addresses that a recorded mapping covers at some time count.
// - While no mapping covers an address, nothing there can be recorded. Log and trace have no common time, so order decides:
//   an access that is only in the log lies between two accesses of the trace. If between those two there is a moment at which
//   no mapping covers its address, the access *may* have happened then. But an access that the recorder missed just after a
//   MAP or before an UNMAP looks the same. So within a fence such accesses count as missing, unless the caller asks to leave
//   them out; then each region is compared separately. Without a fence (firmware!) they are left out. The result has their
//   number. Some of them had a mapping at another moment of that time, and may be missing: with these the result is identical
//   only if the caller asks to leave them out.
// - The log shows accesses after QEMU has fitted them to the device: an access wider than a region's widest is split,
//   ascending, into that width; one narrower than its narrowest shows that width, and then only the accessed bytes are
//   compared. The CPU itself splits accesses wider than eight bytes.
// - QEMU doesn't log regions that it backs with memory. If the whole log has no access in a BAR, the trace's accesses there
//   can't be compared: they are left out, and counted, unless the caller expects all to be in the log.
// - A memory BAR that QEMU builds as a view of the function's ports is in its log at the ports (port-aliases.ts).
// - Copies that QEMU's 53c8xx makes itself don't count as accesses, if the log announces them (device-moves.ts).
// - A strict trace must have the log's order across all regions. A relaxed one promises it only for each CPU, and is
//   compared CPU by CPU. So is one with accesses of an NMI that came between the claim of a record's place and the access
//   itself (UNORDERED): the interrupted access stands before them, but the device may have seen it after them.
// - A trace with lost or escaped records is never identical, nor one with other gaps. Nor is one that was cut, unless the caller
//   knows that the recorder was killed: then it is compared up to its end.
// - A part that was cut out of a trace has mappings that lived before its first event; the log's accesses before it are missing.
// - A log that is cut within a line, or has lines with an access that aren't understood, proves no sameness.
// - Nothing compared with nothing isn't identical: the log must have accesses, and some of them in the trace's mappings.

import { joinRanges } from "../../base/address-range.js";
import { countOf } from "../../base/units.js";
import { holeSentence } from "../../trace/file/incomplete.js";
import type { TraceReader } from "../../trace/file/reader.js";
import type { ByteSource } from "../../trace/file/source.js";
import { barName, isLacking } from "../../trace/header.js";
import { TraceState } from "../../trace/state.js";
import { type Alignment, align, type Difference, type Movable } from "../diff/alignment.js";
import { fenceWindow, type Window } from "./fence-window.js";
import { type Extent, extentOf, type FittedAccesses, findExtents, fitAccesses, LoggedPlaces } from "./fit-accesses.js";
import { notificationHints } from "./notification-hint.js";
import { findPortAliases } from "./port-aliases.js";
import { addressInTrace, collectAccesses, type TracedAccesses } from "./traced-accesses.js";
import { type NumberRange, readTruthLog, type TruthAccesses, type TruthLog } from "./truth-log.js";
import {
  type AccessText,
  type RegionResult,
  type ReportedDifference,
  tracedText,
  truthText,
  type VerifyOptions,
  type VerifyResult,
} from "./verify-result.js";

/** Limit of differences: then the comparison stops. */
const differencesMax = 1_000;

/**
 * Compares the trace with the log that QEMU wrote at the same time, `truth`. Throws UserError and FormatError where trace or log can't be read, or the fence
 * isn't in the log.
 */
export async function verify(
  reader: TraceReader,
  truth: ByteSource,
  options: VerifyOptions = {},
): Promise<VerifyResult> {
  const { progress = () => {} } = options;
  // For the progress, reading the trace and reading the log are a half each: comparing takes the least.
  const traced = await collectAccesses(reader, (part) => progress(part / 2, 1));
  const mapped = joinRanges(traced.mapped);
  const hear = (part: number) => progress((1 + part) / 2, 1);
  let log = await readTruthLog(truth, mapped, [], hear);
  const aliases = findPortAliases(reader.header.pciFunctions, mapped, log.accesses);
  if (aliases.length > 0) log = await readTruthLog(truth, mapped, aliases, hear);
  return new Comparison(reader, traced, log, truth.name, options).run();
}

/** Accesses compared in order, as places in the trace's and the log's; `extent`: of their region, if it is one. */
interface Group {
  first: number[];
  second: number[];
  extent?: NumberRange;
}

/** A region's row while its accesses are counted. */
type RegionCounts = { -readonly [Name in keyof RegionResult]: RegionResult[Name] };
type DifferenceCounts = Record<Difference["kind"], number>;

/** An access of the log: it has its like in the trace, may be missing there, or lies behind a cut trace's end. */
const Fate = { inBoth: 1, maybeMissing: 2, behindEnd: 3 } as const;

/** The log's last line, of which only a part is there. */
interface CutLine {
  line: number;
  /** The access in it may be one of the trace's. */
  isMissed: boolean;
}

class Comparison {
  private readonly reader: TraceReader;
  private readonly traced: TracedAccesses;
  private readonly truth: TruthAccesses;
  private readonly window: Window;
  private readonly state: TraceState;
  private readonly extents: Extent[];
  private readonly fitted: FittedAccesses;
  private otherCpu = 0;
  private readonly lacksCpus: boolean;
  private readonly log: TruthLog;
  private readonly logName: string;
  /** `Fate` of each access of the log, by place. */
  private readonly fates: Uint8Array;
  private readonly leaveOutUnmapped: boolean;
  /** The caller asks for it: then an access that may be missing is no reason against sameness. */
  private readonly mayLack: boolean;
  private readonly cut: boolean;

  constructor(reader: TraceReader, traced: TracedAccesses, log: TruthLog, logName: string, options: VerifyOptions) {
    this.reader = reader;
    this.lacksCpus = isLacking(reader.header, "cpu");
    this.leaveOutUnmapped = options.leaveOutUnmapped ?? reader.header.fence === null;
    this.mayLack = options.leaveOutUnmapped === true;
    this.cut = options.cut ?? false;
    this.log = log;
    this.logName = logName;
    this.truth = log.accesses;
    this.fates = new Uint8Array(this.truth.count);
    const { fence } = reader.header;
    const { count } = this.truth;
    this.window =
      fence === null
        ? { from: 0, to: count, fromLine: 0, toLine: Infinity }
        : fenceWindow(log.postWrites, fence, logName, this.cut ? count : undefined);
    this.state = new TraceState(reader.header);
    // A driver that is unbound before the end has still made the accesses.
    for (const { update } of reader.updates) {
      const pciFunctions = update.pciFunctions?.filter(({ driver }) => driver !== null) ?? [];
      this.state.update({ pciFunctions });
    }
    this.extents = findExtents(this.truth, this.window);
    const places = options.expectAll === true ? undefined : new LoggedPlaces(this.state, traced.mapped, this.truth);
    this.fitted = fitAccesses(traced, this.extents, places);
    this.traced = this.fitted.accesses;
  }

  run(): VerifyResult {
    const relaxed = this.reader.header.options.relaxed || this.traced.unordered.includes(1);
    // If accesses are left out, only a region's own accesses tell the place at which its recording continues.
    const byRegion = this.leaveOutUnmapped && this.window.to - this.window.from < this.truth.count;
    const groups = this.groups(relaxed, byRegion);
    const found: { difference: Difference; first: number; second: number }[] = [];
    let more = false;
    let skipped = 0;
    let maybeMissing = 0;
    let behindEnd = 0;
    for (const group of groups) {
      const alignment = this.alignGroup(group, this.fates, (a, b) => {
        if (this.traced.cpu[a] !== this.truth.cpu[b]) this.otherCpu += 1;
      });
      more ||= alignment.more;
      skipped += alignment.skipped;
      maybeMissing += alignment.maybeMissing;
      behindEnd += alignment.behindEnd;
      for (const difference of alignment.differences) {
        found.push({
          difference,
          first: group.first[difference.first] ?? this.traced.count,
          second: group.second[difference.second] ?? this.window.to,
        });
      }
    }
    const regions = this.regionTable(found);
    const kinds = countsOf(regions);
    const cutLine = this.cutLine(found);
    const gaps = [...this.traceGaps(), ...this.logFaults(cutLine)];
    const onlyOrder = found.length > 0 && !relaxed && !more && this.regionsAgree();
    const reasons = [...gaps, ...this.reasons(kinds, more, onlyOrder, maybeMissing)];
    const differences = found.map(({ difference, first, second }) => this.tell(difference.kind, first, second));
    return {
      identical: reasons.length === 0,
      reasons,
      whole: gaps.length === 0,
      onlyOrder,
      regions,
      hints: notificationHints(differences, this.reader.header.pciFunctions),
      differences,
      moreDifferences: more,
      compared: this.traced.count,
      split: this.fitted.split,
      widened: this.fitted.widened,
      leftOut: {
        outsideMappings: this.log.outsideMappings,
        outsideFence: this.truth.count - (this.window.to - this.window.from),
        noMappingAlive: skipped,
        maybeMissing,
        behindEnd,
        notLogged: this.fitted.notLogged,
        cutLine: cutLine?.isMissed === false ? cutLine.line : null,
      },
      otherCpu: this.lacksCpus ? null : this.otherCpu,
      lost: Number(this.traced.lost),
      escaped: this.traced.escaped,
      fence: this.reader.header.fence,
      order: relaxed ? "each CPU" : byRegion ? "each region" : "all regions",
    };
  }

  private allTruth(): number[] {
    return all(this.window.from, this.window.to);
  }

  /** Makes the groups that are compared separately, in order: all accesses, each CPU's, each region's, or each CPU's to each region. */
  private groups(byCpu: boolean, byRegion: boolean): Group[] {
    if (!byCpu && !byRegion) return [{ first: all(0, this.traced.count), second: this.allTruth() }];
    const groups = new Map<string, Group>();
    const group = (cpu: number, region: number) => {
      const name = `${byCpu ? cpu : ""} ${byRegion ? region : ""}`;
      const extent = byRegion ? this.extents.find((found) => found.region === region)?.range : undefined;
      const known = groups.get(name) ?? { first: [], second: [], ...(extent === undefined ? {} : { extent }) };
      groups.set(name, known);
      return known;
    };
    for (let at = 0; at < this.traced.count; at += 1)
      group(this.traced.cpu[at]!, this.fitted.region[at]!).first.push(at);
    for (const at of this.allTruth()) group(this.truth.cpu[at]!, this.truth.region[at]!).second.push(at);
    return [...groups.values()];
  }

  /** `fates` gets the fates of the group's accesses of the log. */
  private alignGroup(
    { first, second, extent }: Group,
    fates: Uint8Array = new Uint8Array(this.truth.count),
    matched = (_a: number, _b: number) => {},
  ): Alignment & { maybeMissing: number; behindEnd: number } {
    // For a region only changes of the mappings that cover it matter.
    const covers = (living: readonly NumberRange[]) =>
      extent === undefined || living.some((range) => range.first <= extent.last && extent.first <= range.last);
    // Changes of the living mappings, by place in `first`.
    const changes = new Map<number, (readonly NumberRange[])[]>();
    const livingAt: (readonly NumberRange[])[] = [];
    let current: readonly NumberRange[] = this.traced.atStart;
    let change = 0;
    for (let place = 0; place <= first.length; place += 1) {
      const at = first[place] ?? this.traced.count;
      const here = [current];
      for (; change < this.traced.coverage.length && this.traced.coverage[change]!.at <= at; change += 1) {
        const before = current;
        current = this.traced.coverage[change]!.living;
        if (extent === undefined || covers(before) !== covers(current)) here.push(current);
      }
      livingAt.push(current);
      if (here.length > 1 || place === first.length) changes.set(place, here);
    }
    const { truth } = this;
    const addressIn = (ranges: readonly NumberRange[], b: number) => {
      const address = truth.address[second[b]!]!;
      return ranges.some((range) => range.first <= address && address <= range.last);
    };
    let maybeMissing = 0;
    let skippedBehindEnd = 0;
    let behindEnd = 0;
    const alignment = align(
      {
        firstCount: first.length,
        secondCount: second.length,
        same: (a, b) => this.same(first[a]!, second[b]!),
        matched: (a, b) => {
          fates[second[b]!] = Fate.inBoth;
          matched(first[a]!, second[b]!);
        },
        maySkip: (a) => this.leaveOutUnmapped && changes.has(a),
        skippable: (a, b) => changes.get(a)?.some((living) => !addressIn(living, b)) ?? false,
        leftOut: (a, b) => {
          if (this.cut && a === first.length) {
            fates[second[b]!] = Fate.behindEnd;
            skippedBehindEnd += 1;
          } else if (changes.get(a)!.some((living) => addressIn(living, b))) {
            fates[second[b]!] = Fate.maybeMissing;
            maybeMissing += 1;
          }
        },
        mustSkip: (a, b) => this.leaveOutUnmapped && !changes.has(a) && !addressIn(livingAt[a]!, b),
        mayBeLater: (a) => this.mayBeLater(first, a),
        firstIsCut: this.cut,
        behindEnd: (count) => {
          for (let b = second.length - count; b < second.length; b += 1) fates[second[b]!] = Fate.behindEnd;
          behindEnd += count;
        },
      },
      differencesMax,
    );
    return {
      ...alignment,
      skipped: alignment.skipped - skippedBehindEnd,
      maybeMissing,
      behindEnd: behindEnd + skippedBehindEnd,
    };
  }

  /** Returns an access around place `a` of `first`, and those of the NMIs that interrupted it. */
  private mayBeLater(first: readonly number[], a: number): Movable | undefined {
    const { event, unordered } = this.traced;
    const isUnordered = (place: number) => place < first.length && unordered[first[place]!] === 1;
    let last = a;
    while (last > 0 && isUnordered(last)) last -= 1;
    const middle = last + 1;
    let end = middle;
    while (isUnordered(end)) end += 1;
    if (end === middle || isUnordered(last)) return undefined;
    let from = last;
    while (from > 0 && event[first[from - 1]!] === event[first[last]!]) from -= 1;
    return { from, middle, end };
  }

  private same(a: number, b: number): boolean {
    const { traced, truth } = this;
    if (traced.address[a] !== truth.address[b] || traced.write[a] !== truth.write[b]) return false;
    const width_bytes = traced.width_bytes[a]!;
    const truthWidth_bytes = truth.width_bytes[b]!;
    if (width_bytes !== truthWidth_bytes) {
      const narrowest = extentOf(this.extents, traced.address[a]!)?.narrowest ?? 0;
      if (width_bytes >= narrowest || truthWidth_bytes !== narrowest) return false;
    }
    // Only the accessed bytes of the log's value count: if nothing answers, it is all ones at any width.
    let low = truth.valueLow[b]!;
    if (width_bytes < 4) low &= (1 << (8 * width_bytes)) - 1;
    // no access that a log has is of five to seven bytes
    const high = width_bytes > 4 ? truth.valueHigh[b]! : 0;
    return traced.valueLow[a] === low >>> 0 && traced.valueHigh[a] === high >>> 0;
  }

  private regionTable(found: { difference: Difference; first: number; second: number }[]): RegionResult[] {
    const table = new Map<number | string, RegionCounts>();
    const row = (region: number, address: number) => {
      // Places that the log has nothing of are no region: each device's are counted apart.
      const key = region < 0 ? this.device(address) : region;
      const known = table.get(key);
      if (known !== undefined) return known;
      const made = {
        name: this.truth.regions[region]?.name ?? "",
        device: this.device(address),
        ...{ trace: 0, truth: 0, differences: 0, changed: 0, missing: 0, extra: 0, maybeMissing: 0, behindEnd: 0 },
      };
      table.set(key, made);
      return made;
    };
    for (let at = this.window.from; at < this.window.to; at += 1) {
      const counts = row(this.truth.region[at]!, this.truth.address[at]!);
      counts.truth += 1;
      if (this.fates[at] === Fate.maybeMissing) counts.maybeMissing += 1;
      else if (this.fates[at] === Fate.behindEnd) counts.behindEnd += 1;
    }
    for (let at = 0; at < this.traced.count; at += 1) row(this.fitted.region[at]!, this.traced.address[at]!).trace += 1;
    for (const { difference, first, second } of found) {
      const { kind } = difference;
      const counts =
        kind === "missing"
          ? row(this.truth.region[second]!, this.truth.address[second]!)
          : row(this.fitted.region[first]!, this.traced.address[first]!);
      counts.differences += 1;
      counts[kind] += 1;
    }
    return [...table.values()];
  }

  /** Says what the trace is known to lack. */
  private traceGaps(): string[] {
    const reasons: string[] = [];
    const { reader, traced } = this;
    const { summary } = reader;
    if (reader.damage !== null && !this.cut) reasons.push(`the trace is cut at byte ${reader.damage.offset}`);
    reasons.push(...(reader.source.incomplete ?? []), ...reader.holes.map(holeSentence));
    // records in a damaged place are among the trace's lost records, too
    const unreadable = reader.holes.reduce((sum, { records }) => sum + records, 0);
    const lost = Math.max(Number(traced.lost) - unreadable, summary?.lost ?? 0);
    if (lost > 0) {
      reasons.push(`${countOf(lost, "record was", "records were")} lost while recording`);
    }
    if (traced.escaped > 0 || (summary?.escaped ?? 0) > 0) {
      reasons.push(`${countOf(Math.max(traced.escaped, summary?.escaped ?? 0), "instruction")} escaped emulation`);
    }
    if (reasons.length === 0) {
      reasons.push(...(summary?.incomplete ?? []).map((what) => `the trace is incomplete: ${what}`));
    }
    return reasons;
  }

  /** Says why the accesses that were compared aren't identical. */
  private reasons(kinds: DifferenceCounts, more: boolean, onlyOrder: boolean, maybeMissing: number): string[] {
    const reasons: string[] = [];
    const { traced } = this;
    const differences = kinds.changed + kinds.missing + kinds.extra;
    if (traced.mapped.length === 0) reasons.push(this.noMapping());
    else if (differences === 0 && !this.fates.includes(Fate.inBoth)) reasons.push(this.nothingCompared());
    else if (maybeMissing > 0 && !this.mayLack) reasons.push(maybeMissingSentence(maybeMissing));
    if (differences === 0) return reasons;
    reasons.push(
      onlyOrder
        ? "each region's accesses are identical, but their order across regions is not"
        : `${more ? "at least " : ""}${differencesText(kinds)}`,
    );
    return reasons;
  }

  /** Says why the trace has nothing to compare. */
  private noMapping(): string {
    const { engine, producer } = this.reader.header;
    const what =
      engine === "import"
        ? `the log that the trace comes from (${producer}) tells no mappings`
        : "the trace has no mapping";
    return `${what}, so that nothing can be compared`;
  }

  /**
   * Returns the number of a last line of the log that is cut, where the recording goes on to it; undefined if there is none, or the fence
   * ends before it. If the recorder or QEMU was killed, half a line is missed only if the trace goes on behind the log.
   */
  private cutLine(found: readonly { difference: Difference; second: number }[]): CutLine | undefined {
    const { log, window } = this;
    if (!log.isCut || window.toLine !== Infinity) return undefined;
    const isBehind = found.some(({ difference: { kind }, second }) => kind === "extra" && second >= window.to);
    return { line: log.lines + 1, isMissed: !this.cut || isBehind };
  }

  /** Says what of the log's part for the recording couldn't be read. */
  private logFaults(cutLine: CutLine | undefined): string[] {
    const { log, logName, window } = this;
    const faults: string[] = [];
    const unclear = log.unclearLines.filter((line) => window.fromLine <= line && line <= window.toLine);
    if (unclear.length > 0) {
      const lines = countOf(unclear.length, "line");
      const are =
        unclear.length === 1
          ? "has an access behind something else, or a damaged one, and isn't"
          : "have accesses behind something else, or damaged ones, and aren't";
      faults.push(`${lines} of ${logName} ${are} understood; the first is line ${unclear[0]}`);
    }
    if (cutLine?.isMissed === true) faults.push(`${logName} is cut within its last line, ${cutLine.line}`);
    return faults;
  }

  /** Says why no access of the trace could be compared with one of the log. */
  private nothingCompared(): string {
    const { accessLines } = this.log;
    if (accessLines === 0) return `nothing was compared: ${this.logName} has no memory_region_ops line`;
    if (this.truth.count === 0) {
      return `nothing was compared: ${this.logName} has ${countOf(accessLines, "access", "accesses")}, but none in a mapping of the trace`;
    }
    return "nothing was compared: the trace and the log's part for it have no access in common";
  }

  /** Returns true if every region alone has the same accesses in the same order. */
  private regionsAgree(): boolean {
    return this.groups(false, true).every((group) => this.alignGroup(group).differences.length === 0);
  }

  private device(address: number): string {
    const place = this.state.placeOf(addressInTrace(address));
    if (place !== undefined) {
      const { address: bdf, driver } = place.function;
      return `${bdf} ${driver === null ? "" : `${driver} `}${barName(place.bar)}`;
    }
    const range = joinRanges(this.traced.mapped).find(({ first, last }) => first <= address && address <= last);
    return range === undefined
      ? `0x${address.toString(16)}`
      : `0x${range.first.toString(16)}-0x${range.last.toString(16)}`;
  }

  private tracedText(at: number): AccessText {
    const text = tracedText(this.traced, at);
    return this.lacksCpus ? { ...text, cpu: null } : text;
  }

  private tell(kind: Difference["kind"], first: number, second: number): ReportedDifference {
    const { traced, truth, window } = this;
    const hasTrace = kind !== "missing";
    const hasTruth = kind !== "extra";
    const address = hasTrace ? traced.address[first]! : truth.address[second]!;
    const region = hasTruth ? truth.region[second]! : this.fitted.region[first]!;
    const before = [];
    for (let at = Math.max(window.from, second - 2); at < second; at += 1) {
      if (this.fates[at] === Fate.inBoth) before.push(truthText(truth, at));
    }
    return {
      kind,
      region: truth.regions[region]?.name ?? "",
      device: this.device(address),
      trace: hasTrace ? this.tracedText(first) : null,
      truth: hasTruth ? truthText(truth, second) : null,
      before,
    };
  }
}

/** The reason against sameness without a fence: at these accesses' place in the order a mapping of their address began or ended. */
function maybeMissingSentence(count: number): string {
  const accesses = countOf(count, "access of the log", "accesses of the log");
  return `${accesses} may be missing: the trace has a mapping there that began or ended about then`;
}

function countsOf(regions: readonly RegionResult[]): DifferenceCounts {
  const sum = (kind: Difference["kind"]) => regions.reduce((all, region) => all + region[kind], 0);
  return { changed: sum("changed"), missing: sum("missing"), extra: sum("extra") };
}

/** Describes the differences by their kinds: `2 accesses differ, 98 are missing in the trace`. */
function differencesText({ changed, missing, extra }: DifferenceCounts): string {
  const kinds: [count: number, one: string, more: string][] = [
    [changed, "differs", "differ"],
    [missing, "is missing in the trace", "are missing in the trace"],
    [extra, "is only in the trace", "are only in the trace"],
  ];
  return kinds
    .filter(([count]) => count > 0)
    .map(([count, one, more], at) =>
      at === 0 ? countOf(count, `access ${one}`, `accesses ${more}`) : countOf(count, one, more),
    )
    .join(", ");
}

function all(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}
