// Reads the kernel's rwmmio trace events (CONFIG_TRACE_MMIO_ACCESS), as printed by ftrace's `trace` and `trace_pipe` and by
// trace-cmd's report, into ring records. Format: include/trace/events/rwmmio.h.
//
// A read is its `rwmmio_post_read` line, which has the value; a write its `rwmmio_write` line. `rwmmio_read` and
// `rwmmio_post_write` are the other half of the same accesses. Where the log lacks one half, a write is read from its other one, and a
// read without a value is counted as missing.
//
// The events have the kernel's virtual address. With /proc/vmallocinfo of the same boot it becomes the physical one; else it
// stays unchanged. They have names of code, not addresses: each name gets a made-up one.

import { findLatin1, latin1 } from "../../base/bytes.js";
import type { FormatError } from "../../base/errors.js";
import { countOf } from "../../base/units.js";
import { EntryCount, isFtraceComment, lossOfLine } from "../ftrace-lines.js";
import { type LackableFact, rwmmioProducer, type TraceHeader } from "../header.js";
import { callerAddress, RecordFlag, RecordKind } from "../record.js";
import type { VirtualRange } from "../virtual-range.js";
import { importedHeader, TextImport } from "./log-import.js";
import { Word } from "./record-buffer.js";
import { UnknownLines } from "./unknown-lines.js";

const sitesMax = 16_384;
/** Accesses begun and not ended at the same time: more than any machine has, unless one half of them isn't traced. */
const begunMax = 65_536;
const siteNameMax_chars = 160;
/** High half of the made-up addresses: a record has only the low half of a caller's. */
const siteHigh = Number(callerAddress(1) >> 32n);
const two32 = 2 ** 32;
const colon = 0x3a;
const blank = 0x20;
const eventName = ": rwmmio_";
/** Between the names of a caller and an accessor. */
const arrow = " -> ";
const lacks: readonly LackableFact[] = ["flags", "mapping"];

export class RwmmioImport extends TextImport {
  protected readonly unknown = new UnknownLines("rwmmio", {
    remains: /rwmmio_(?:post_)?(?:read|write)|\bwidth=\d+ (?:val=\S+ )?addr=/,
  });
  private readonly ranges: readonly VirtualRange[];
  private readonly sites = new Map<string, number>();
  private lastRange: VirtualRange | undefined;
  private readonly entries = new EntryCount();
  /** Accesses whose first half was read and whose second wasn't, by kind, task and address. */
  private readonly begun = new Map<string, number>();
  /** Reads that found no room there. */
  private valueless = 0;
  /** Writes found no room there: most have no second half. */
  private lacksEnds = false;
  private unmapped = 0;
  /** Made at the first event, or at the end. */
  private known: TraceHeader | undefined;

  /** `ranges`: sorted, or none. */
  constructor(name: string, ranges: readonly VirtualRange[] = []) {
    super(name);
    this.ranges = ranges;
  }

  get header(): TraceHeader | undefined {
    return this.known;
  }

  override finish(): void {
    super.finish();
    this.known ??= importedHeader(rwmmioProducer, { lacks: [...lacks, "caller"] });
    const { totals, unmapped, ranges } = this;
    if (totals.accesses > 0 && ranges.length === 0) {
      this.noteForGood("the addresses are the kernel's virtual ones; --vmallocinfo makes physical ones of them");
    } else if (unmapped > 0) {
      this.noteForGood(
        `${countOf(unmapped, "access lies", "accesses lie")} in no mapping of --vmallocinfo's, with a virtual address`,
      );
    }
    this.endLines();
    this.entries.end(totals.lines + 1);
    this.incomplete.push(...this.entries.missing);
    let { valueless } = this;
    for (const [key, count] of this.begun) if (key.startsWith("R")) valueless += count;
    if (valueless > 0) {
      this.incomplete.push(
        `${countOf(valueless, "read has", "reads have")} no value in the log: no rwmmio_post_read follows`,
      );
    }
  }

  /** Leaves the line out: it ends in a number, which may lack digits. */
  protected takeLastLine(): void {
    this.incomplete.push(`the log is cut within its last line, ${this.totals.lines}`);
  }

  protected takeLine(bytes: Uint8Array, from: number, lineEnd: number): void {
    const end = this.withoutReturn(bytes, from, lineEnd);
    const nameFrom = findLatin1(bytes, from, end, eventName);
    if (nameFrom < 0) {
      this.takeOther(bytes, from, end);
      return;
    }
    const { fields } = this;
    fields.begin(bytes, nameFrom + eventName.length, end);
    const event = fields.upTo(colon);
    this.hasOwnLine = true;
    const isRead = event === "read" || event === "post_read";
    if (!isRead && event !== "write" && event !== "post_write") throw this.wrong();
    if (bytes[fields.at + 1] !== blank) throw this.wrong();
    const task = this.task(latin1(bytes, from, nameFrom));
    const text = latin1(bytes, fields.at + 1, end);
    this.known ??= this.headerOf(task.hasContext, text);
    // a process may go to another CPU meanwhile; each CPU's idle one is number 0
    const who = task.pid === 0 ? `idle ${task.cpu}` : task.pid;
    const key = `${isRead ? "R" : "W"} ${who} ${text.slice(text.lastIndexOf(" addr="))}`;
    if (event === "read") {
      if (!/ width=\d{1,3} addr=(?:0x)?[0-9a-f]{1,16}$/.test(text)) throw this.wrong();
      this.begin(key);
    } else if (event === "post_read") {
      this.end(key);
      this.takeAccess(true, task, text);
    } else if (event === "write") {
      this.begin(key);
      this.takeAccess(false, task, text);
    } else if (!this.end(key)) this.takeAccess(false, task, text);
  }

  /** Takes an access's first half. */
  private begin(key: string): void {
    if (!this.begun.has(key) && this.begun.size >= begunMax) {
      if (key.startsWith("R")) this.valueless += 1;
      else this.lacksEnds = true;
      return;
    }
    this.begun.set(key, (this.begun.get(key) ?? 0) + 1);
  }

  /** Takes its second half; returns false if the first one isn't in the log. */
  private end(key: string): boolean {
    const count = this.begun.get(key);
    if (count === undefined) return this.lacksEnds;
    if (count === 1) this.begun.delete(key);
    else this.begun.set(key, count - 1);
    return true;
  }

  /** Takes comments, blank lines, other events, and ftrace's lines with the number of dropped events. */
  private takeOther(bytes: Uint8Array, from: number, end: number): void {
    if (from === end) return;
    const text = latin1(bytes, from, end);
    const report = lossOfLine(text);
    if (report !== undefined || isFtraceComment(text)) this.entries.take(text, this.totals.lines);
    if (report !== undefined) {
      this.hasOwnLine = true;
      this.addLoss(report);
    } else if (!isFtraceComment(text)) this.takeForeignLine(bytes, from, end);
  }

  /** Parses `COMMAND-PID [CPU] d.h1. SECONDS.MICROSECONDS`; the letters after the CPU may be missing (trace-cmd). */
  private task(text: string): { pid: number; cpu: number; time_us: number; flags: number; hasContext: boolean } {
    const found = /-(\d{1,10}) +(?:\([-\d ]+\) +)?\[(\d{1,5})\] +(?:([^ ]{4,5}) +)?(\d{1,10})\.(\d{6})$/.exec(text);
    if (found === null) throw this.wrong();
    const [, pid, cpu, letters, seconds, fraction] = found;
    // The third letter is the CPU's context (Documentation/trace/ftrace.rst, irq-info).
    const where = letters?.[2] ?? ".";
    const flags =
      where === "Z" || where === "z"
        ? RecordFlag.nmi
        : where === "h"
          ? RecordFlag.hardirq
          : where === "s"
            ? RecordFlag.softirq
            : where === "H"
              ? RecordFlag.hardirq | RecordFlag.softirq
              : 0;
    return {
      pid: Number(pid) >>> 0,
      cpu: Number(cpu) & 0xffff,
      time_us: Number(seconds) * 1_000_000 + Number(fraction),
      flags,
      hasContext: letters !== undefined,
    };
  }

  /** Makes the header by the first event: a kernel writes all of them alike. */
  private headerOf(hasContext: boolean, event: string): TraceHeader {
    const more: LackableFact[] = [
      ...(hasContext ? [] : ["context" as const]),
      ...(event.includes(arrow) ? [] : ["caller" as const]),
    ];
    return importedHeader(rwmmioProducer, { lacks: [...lacks, ...more] });
  }

  /** Takes ` CALLER width=32 val=0x… addr=0x…`, or ` CALLER0 -> CALLER width=…` of newer kernels. */
  private takeAccess(isRead: boolean, task: ReturnType<RwmmioImport["task"]>, text: string): void {
    const widthAt = text.lastIndexOf(" width=");
    if (widthAt < 1) throw this.wrong();
    const body = / width=(\d{1,3}) val=(?:0x)?([0-9a-f]{1,16}) addr=(?:0x)?([0-9a-f]{1,16})$/.exec(text.slice(widthAt));
    if (body === null) throw this.wrong();
    const width_bits = Number(body[1]);
    if (![8, 16, 32, 64].includes(width_bits)) throw this.broken(`an access of ${width_bits} bits, which no CPU makes`);
    const names = text.slice(1, widthAt).trim().split(arrow);
    // The last one called readl() or the like, the one before is its caller.
    const site = this.site(names.at(-1)!, task.time_us);
    const callerName = names.at(-2);
    const caller = callerName === undefined ? 0 : this.site(callerName, task.time_us);
    const { low: addressLow, high: addressHigh } = halves(this.physical(BigInt(`0x${body[3]}`)));
    const { low, high } = halves(BigInt(`0x${body[2]}`));
    const place = this.records.next();
    const { words } = this.records;
    words[place + Word.caller] = caller;
    words[place + Word.tsc] = task.time_us >>> 0;
    words[place + Word.tsc + 1] = task.time_us / two32;
    words[place + Word.address] = addressLow;
    words[place + Word.address + 1] = addressHigh;
    words[place + Word.value] = low;
    words[place + Word.value + 1] = high;
    words[place + Word.site] = site;
    words[place + Word.site + 1] = siteHigh;
    words[place + Word.pid] = task.pid;
    words[place + Word.packed] =
      task.cpu | ((isRead ? RecordKind.read : RecordKind.write) << 16) | ((width_bits / 8) << 24);
    words[place + Word.flags] = task.flags;
    this.totals.accesses += 1;
  }

  /** Returns the low half of the name's address. */
  private site(name: string, time_us: number): number {
    let site = this.sites.get(name);
    if (site === undefined) {
      if (this.sites.size === sitesMax) throw this.broken(`more than ${sitesMax} callers`);
      if (name.length > siteNameMax_chars || !/^[\w.$+/[\]():<>,*&~ -]+$/.test(name)) {
        throw this.broken(`"${name.slice(0, 40).replaceAll(/[^ -~]/g, "·")}" can't be a function's name`);
      }
      site = this.sites.size + 1;
      this.sites.set(name, site);
      this.records.addText({ kind: RecordKind.symbol, site: callerAddress(site), tsc: BigInt(time_us) }, name);
    }
    return site;
  }

  private physical(virtual: bigint): bigint {
    let range = this.lastRange;
    if (range === undefined || virtual < range.start || virtual >= range.end) {
      range = this.ranges.find(({ start, end }) => start <= virtual && virtual < end);
      if (range === undefined) {
        this.unmapped += 1;
        return virtual;
      }
      this.lastRange = range;
    }
    return range.physical + (virtual - range.start);
  }

  private wrong(): FormatError {
    return this.broken("this isn't how ftrace writes an rwmmio event");
  }
}

function halves(value: bigint): { low: number; high: number } {
  return { low: Number(value & 0xffff_ffffn), high: Number(value >> 32n) };
}
