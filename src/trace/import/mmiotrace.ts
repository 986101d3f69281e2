// Reads the text of the kernel's mmiotrace into ring records. export/mmiotrace.ts is the counterpart: it gives back the kernel's
// text byte by byte.
//
// Imported time stamps are microseconds: the trace's clock has a frequency of 1 MHz, and 0 is the start of the text's times.

import { concatBytes, latin1, latin1Bytes, utf8Bytes } from "../../base/bytes.js";
import { countOf } from "../../base/units.js";
import { EntryCount, isFtraceComment, isLostMark, lossOfLine, ReportedLosses } from "../ftrace-lines.js";
import type { PciFunction, TraceHeader } from "../header.js";
import { mmiotraceHead, mmiotraceLacks, mmiotraceProducer, pciFunctionOfLine } from "../mmiotrace-head.js";
import { RecordFlag, RecordKind } from "../record.js";
import { TraceState } from "../state.js";
import { importedHeader, livingMappingsMax, TextImport } from "./log-import.js";
import { UnknownLines } from "./unknown-lines.js";

/** Limit of the lines before the first event, which are kept until then. */
const headMax_bytes = 8 << 20;
/** PCI functions of one machine. */
const functionsMax = 16_384;
/** The kernel writes 0 for an instruction whose width it doesn't know. */
const lineWidths_bytes: ReadonlySet<number> = new Set([0, 1, 2, 4, 8]);
const two32 = 2 ** 32;

const letter = (text: string) => text.charCodeAt(0);
const [R, W, M, U] = [letter("R"), letter("W"), letter("M"), letter("U")] as const;
const blank = 0x20;
const tab = 0x09;
const zero = 0x30;

export class MmiotraceImport extends TextImport {
  protected readonly unknown = new UnknownLines("mmiotrace", { remains });
  private headLines: string[] | undefined = [];
  private head_bytes = 0;
  private known: TraceHeader | undefined;
  private functions = 0;
  /** The log's first line ends in a carriage return, as those of an editor on Windows do: then all are expected to. */
  private endsInReturns = false;
  private readonly mayBeEmpty: boolean;
  private readonly reported = new ReportedLosses();
  private readonly entries = new EntryCount();
  private readonly mappings = new Map<number, { address: bigint; length: bigint; virtual: bigint }>();
  /** The mapping of the last access through a living one; it may have gone since. */
  private lastLiving = -1;
  /** Accesses through mappings that the log doesn't show living. */
  private unseen = 0;

  /** `mayBeEmpty`: a text without any line of mmiotrace's is no error. */
  constructor(name: string, { mayBeEmpty = false } = {}) {
    super(name);
    this.mayBeEmpty = mayBeEmpty;
  }

  get header(): TraceHeader | undefined {
    return this.known;
  }

  override finish(): void {
    super.finish();
    this.endHead();
    this.hasOwnLine ||= this.totals.accesses > 0;
    this.entries.end(this.totals.lines + 1);
    this.incomplete.push(...this.entries.missing);
    if (this.unseen > 0) {
      this.noteForGood(
        `${countOf(this.unseen, "access uses a mapping", "accesses use mappings")} that the log doesn't show being made: it may have begun later`,
      );
    }
    if (this.totals.unusualLines > 0) {
      this.notes.push(
        `${countOf(this.totals.unusualLines, "line isn't", "lines aren't")} written as the kernel writes them; ` +
          "in a new log they are in the kernel's way",
      );
    }
    this.endLines({ mayBeEmpty: this.mayBeEmpty });
  }

  protected override unknownLinesSentence(lines: number): string {
    return `${countOf(lines, "line says", "lines say")} nothing known; kept as marks`;
  }

  /** Counts a line that isn't mmiotrace's; `number`: its place in the log. */
  private countUnknown(text: string, number: number): void {
    if (!this.unknown.take(text, number)) this.totals.unknownLines += 1;
  }

  protected takeLine(bytes: Uint8Array, from: number, lineEnd: number): void {
    if (this.totals.lines === 1) this.endsInReturns = this.withoutReturn(bytes, from, lineEnd) < lineEnd;
    if (!this.endsInReturns) {
      this.takeContent(bytes, from, lineEnd);
      return;
    }
    const { totals } = this;
    const { unusualLines } = totals;
    const end = this.withoutReturn(bytes, from, lineEnd);
    this.takeContent(bytes, from, end);
    if (end === lineEnd) totals.unusualLines = unusualLines + 1;
  }

  private takeContent(bytes: Uint8Array, from: number, end: number): void {
    if (this.takeAccess(bytes, from, end)) return;
    if (this.headLines !== undefined && this.takeHeadLine(bytes, from, end)) return;
    this.takeOther(bytes, from, end);
  }

  /** Takes a whole last line; leaves out half a line, and reports it. */
  protected takeLastLine(bytes: Uint8Array, from: number, end: number): void {
    const text = latin1(bytes, from, end);
    if (wholeLines.some((whole) => whole.test(text))) {
      this.takeLine(bytes, from, end);
      return;
    }
    this.incomplete.push(`the log is cut within its last line, ${this.totals.lines}: ${this.shown(bytes, from, end)}`);
    this.endHead();
  }

  /** Takes `R width time map 0xPHYS 0xVALUE 0xPC 0` as the kernel writes it; does nothing and returns false for other lines. */
  private takeAccess(bytes: Uint8Array, from: number, end: number): boolean {
    const first = bytes[from]!;
    if ((first !== R && first !== W) || bytes[from + 1] !== blank || bytes[end - 1] !== zero) return false;
    const { fields } = this;
    fields.begin(bytes, from + 2, end);
    const width = fields.decimal();
    fields.gap();
    const time_us = fields.time_us();
    fields.gap();
    const mapping = fields.signed();
    fields.gap();
    fields.hex();
    const addressLow = fields.low;
    const addressHigh = fields.high;
    fields.gap();
    fields.hex();
    const valueLow = fields.low;
    const valueHigh = fields.high;
    fields.gap();
    fields.hex();
    fields.gap();
    if (!fields.sound || !fields.canonical || fields.at !== end - 1 || !lineWidths_bytes.has(width)) return false;
    if (mapping >= 2 ** 31 || mapping < -(2 ** 31)) return false;
    if (this.headLines !== undefined) this.endHead();
    const at = this.records.next();
    const { words } = this.records;
    words[at + 2] = time_us >>> 0;
    words[at + 3] = time_us / two32;
    words[at + 4] = addressLow;
    words[at + 5] = addressHigh;
    words[at + 6] = valueLow;
    words[at + 7] = valueHigh;
    words[at + 10] = fields.low;
    words[at + 11] = fields.high;
    words[at + 13] = mapping;
    words[at + 14] = ((first === R ? RecordKind.read : RecordKind.write) << 16) | (width << 24);
    this.totals.accesses += 1;
    this.countUnseen(mapping);
    return true;
  }

  /** Counts an access through a mapping that the log doesn't show living; a negative number stands for none. */
  private countUnseen(mapping: number): void {
    if (mapping === this.lastLiving || mapping < 0) return;
    if (this.mappings.has(mapping)) this.lastLiving = mapping;
    else this.unseen += 1;
  }

  /** Keeps a line before the first event, for the header. Returns true if it was such a line. */
  private takeHeadLine(bytes: Uint8Array, from: number, end: number): boolean {
    const text = latin1(bytes, from, end);
    if (isEvent(text) && !isLostMark(text.replace(/\r$/, ""))) {
      this.endHead();
      return false;
    }
    this.head_bytes += text.length + 1;
    if (this.head_bytes > headMax_bytes) throw this.broken(`no event in the first ${headMax_bytes} bytes`);
    if (text.startsWith("PCIDEV ")) this.countPciLine(text);
    this.headLines!.push(text);
    return true;
  }

  /** Makes the header; the lines after its last line are ordinary. */
  private endHead(): void {
    const lines = this.headLines;
    if (lines === undefined) return;
    this.headLines = undefined;
    const isHead = (line: string) => /^(VERSION|PCIDEV|LSPCI)( |$)/.test(line) || isFtraceComment(line);
    const count = lines.findLastIndex(isHead) + 1;
    const head = lines.slice(0, count);
    const pciFunctions = head.filter((line) => line.startsWith("PCIDEV ")).map((line) => this.parsePciLine(line));
    const header = importedHeader(mmiotraceProducer, { pciFunctions, lacks: mmiotraceLacks });
    const lineEnd = this.endsInReturns ? "\r\n" : "\n";
    const text = head.map((line) => `${line}${lineEnd}`).join("");
    const canonical = mmiotraceHead(new TraceState(header).pciFunctions);
    this.known = text === canonical ? header : { ...header, importedHead: text };
    if (this.endsInReturns) this.known = { ...this.known, importedLineEnd: lineEnd };
    const lineNow = this.totals.lines;
    this.totals.lines -= lines.length - count;
    for (const [index, line] of head.entries()) {
      this.takeNoEntry(line, index + 1);
      if (isOwnHead.test(line)) this.hasOwnLine = true;
      if (!this.takeLossIn(line) && line !== "" && !isHead(line)) this.countUnknown(line, index + 1);
    }
    for (const line of lines.slice(count)) {
      const bytes = latin1Bytes(line);
      this.takeOther(bytes, 0, bytes.length);
    }
    this.totals.lines = lineNow;
  }

  private countPciLine(line: string): PciFunction {
    this.functions += 1;
    if (this.functions > functionsMax) throw this.broken(`more than ${functionsMax} PCI devices`);
    return this.parsePciLine(line);
  }

  private parsePciLine(line: string): PciFunction {
    const found = pciFunctionOfLine(line);
    if (found === undefined) throw this.broken("this isn't how mmiotrace writes a PCIDEV line");
    return found;
  }

  private takeOther(bytes: Uint8Array, from: number, end: number): void {
    const first = bytes[from];
    const isWord = first === M || first === U || first === R || first === W || first === letter("P");
    const text = isWord ? latin1(bytes, from, Math.min(end, from + "UNKNOWN ".length)) : "";
    if (isEvent(text)) this.hasOwnLine = true;
    if (text.startsWith("MAP ")) this.takeMap(bytes, from, end);
    else if (text.startsWith("UNMAP ")) this.takeUnmap(bytes, from, end);
    else if (text.startsWith("UNKNOWN ")) this.takeUnknown(bytes, from, end);
    else if (text.startsWith("MARK ")) this.takeMark(bytes, from, end);
    else if (/^[RW][ \t]/.test(text)) this.takeUnusualAccess(bytes, from, end);
    else this.takeUnknownLine(bytes, from, end);
  }

  /** Takes an access that no kernel writes like that: other blanks, capitals, missing fields at the end. */
  private takeUnusualAccess(bytes: Uint8Array, from: number, end: number): void {
    const { fields } = this;
    fields.begin(bytes, from + 1, this.withoutReturn(bytes, from, end));
    fields.gap();
    const width = fields.decimal();
    fields.gap();
    const time_us = BigInt(this.time_us());
    fields.gap();
    const mapping = this.mappingId();
    fields.gap();
    fields.hex();
    const address = fields.big;
    fields.gap();
    fields.hex();
    const value = fields.big;
    const site = this.tail();
    this.check("an access");
    if (!lineWidths_bytes.has(width)) throw this.broken(`an access of ${width} bytes, which mmiotrace can't record`);
    const kind = bytes[from] === R ? RecordKind.read : RecordKind.write;
    this.records.add({ kind, tsc: time_us, mapping: mapping >>> 0, address, value: [value, 0n], width, site });
    this.countUnseen(mapping);
    this.totals.accesses += 1;
    this.totals.unusualLines += 1;
  }

  private takeMap(bytes: Uint8Array, from: number, end: number): void {
    const { fields } = this;
    fields.begin(bytes, from + "MAP".length, this.withoutReturn(bytes, from, end));
    fields.gap();
    const time_us = BigInt(this.time_us());
    fields.gap();
    const id = this.mappingId();
    fields.gap();
    fields.hex();
    const address = fields.big;
    fields.gap();
    fields.hex();
    const virtual = fields.big;
    fields.gap();
    fields.hex();
    const length = fields.big;
    const site = this.tail();
    this.check("a mapping", end);
    if (site !== 0n) this.totals.unusualLines += 1;
    if (this.mappings.size >= livingMappingsMax) {
      throw this.broken(`more than ${livingMappingsMax} mappings at the same time`);
    }
    this.mappings.set(id, { address, length, virtual });
    this.records.add({
      kind: RecordKind.map,
      tsc: time_us,
      mapping: id >>> 0,
      address,
      value: [length, virtual],
      site,
    });
    this.totals.mappings += 1;
  }

  private takeUnmap(bytes: Uint8Array, from: number, end: number): void {
    const { fields } = this;
    fields.begin(bytes, from + "UNMAP".length, this.withoutReturn(bytes, from, end));
    fields.gap();
    const time_us = BigInt(this.time_us());
    fields.gap();
    const id = this.mappingId();
    this.tail();
    this.check("the end of a mapping", end);
    const known = this.mappings.get(id);
    this.mappings.delete(id);
    this.lastLiving = -1;
    const address = known?.address ?? 0n;
    const value: [bigint, bigint] = [known?.length ?? 0n, known?.virtual ?? 0n];
    this.records.add({ kind: RecordKind.unmap, tsc: time_us, mapping: id >>> 0, address, value });
  }

  private takeUnknown(bytes: Uint8Array, from: number, end: number): void {
    const { fields } = this;
    fields.begin(bytes, from + "UNKNOWN".length, this.withoutReturn(bytes, from, end));
    fields.gap();
    const time_us = BigInt(this.time_us());
    fields.gap();
    const mapping = this.mappingId();
    fields.gap();
    fields.hex();
    const address = fields.big;
    fields.gap();
    let value = 0n;
    for (let byte = 0; byte < 3; byte += 1) {
      if (byte > 0) fields.skip(0x2c);
      const start = fields.at;
      const canonical = fields.canonical;
      fields.bareHex();
      fields.canonical = canonical;
      if (fields.at !== start + 2) fields.fail("three bytes of two digits each", start);
      value |= BigInt(fields.low) << BigInt(8 * byte);
    }
    const site = this.tail();
    this.check("an unknown instruction", end);
    this.records.add({
      kind: RecordKind.escape,
      tsc: time_us,
      mapping: mapping >>> 0,
      address,
      value: [value, 0n],
      width: 3,
      site,
    });
    this.totals.escaped += 1;
  }

  private takeMark(bytes: Uint8Array, from: number, end: number): void {
    const text = latin1(bytes, from, this.withoutReturn(bytes, from, end));
    if (isLostMark(text)) {
      const told = this.countOf(text);
      const count = this.reported.ofMark(told);
      if (count === told) this.addLost(count, 0);
      else {
        // the line comes back as it is, though a part of it was counted before
        this.keep(bytes, from, end);
        if (count > 0n) this.addLost(count, RecordFlag.verbatim);
      }
      if (count === told && text.length < end - from) this.totals.unusualLines += 1;
      return;
    }
    const { fields } = this;
    fields.begin(bytes, from + "MARK ".length, end);
    const time_us = BigInt(this.time_us());
    if (!fields.atEnd) fields.skip(blank);
    if (!fields.sound) throw this.broken(`this isn't how mmiotrace writes a mark: ${fields.why}`);
    if (!fields.canonical) this.totals.unusualLines += 1;
    this.records.addText({ kind: RecordKind.mark, tsc: time_us }, bytes.subarray(fields.at, end));
  }

  /** Takes the loss that a line reports which comes back as a text; returns false if it reports none. */
  private takeLossIn(line: string): boolean {
    const text = line.replace(/\r$/, "");
    if (isLostMark(text)) {
      const count = this.reported.ofMark(this.countOf(text));
      if (count > 0n) this.addLost(count, RecordFlag.verbatim);
      return true;
    }
    const report = lossOfLine(text);
    if (report === undefined) return false;
    const { count: told, cpu } = report;
    const count = cpu === undefined || told === undefined ? told : this.reported.ofCpu(told);
    if (count !== 0n) this.addLoss({ count, cpu }, RecordFlag.verbatim);
    return true;
  }

  /** Tells the count of entries of a line that is none. */
  private takeNoEntry(line: string, lineNumber: number): void {
    const text = line.replace(/\r$/, "");
    if (isFtraceComment(text) || lossOfLine(text) !== undefined) this.entries.take(text, lineNumber);
  }

  private countOf(lostMark: string): bigint {
    const count = BigInt(/(\d+) events\.$/.exec(lostMark)![1]!);
    if (count >= 2n ** 64n) throw this.broken("more events lost than can be counted");
    return count;
  }

  private addLost(count: bigint, flags: number): void {
    this.addLoss({ count, cpu: undefined }, flags);
  }

  /** Takes a line without known meaning, such as the kernel's own fallbacks, and devices after the first event. */
  private takeUnknownLine(bytes: Uint8Array, from: number, end: number): void {
    const text = latin1(bytes, from, end);
    if (text.startsWith("PCIDEV ")) {
      const found = this.countPciLine(text);
      this.keep(bytes, from, end);
      this.update({ pciFunctions: [found] });
      return;
    }
    this.keep(bytes, from, end);
    this.takeNoEntry(text, this.totals.lines);
    const known = text === "" || /^(VERSION|LSPCI)( |$)/.test(text) || isFtraceComment(text);
    if (!this.takeLossIn(text) && !known) this.countUnknown(text, this.totals.lines);
  }

  private keep(bytes: Uint8Array, from: number, end: number): void {
    const flags = RecordFlag.verbatim;
    this.records.addText({ kind: RecordKind.mark, flags }, bytes.subarray(from, end));
  }

  private time_us(): number {
    const time_us = this.fields.time_us();
    return Number.isSafeInteger(time_us) ? time_us : 0;
  }

  private mappingId(): number {
    const { at } = this.fields;
    const id = this.fields.signed();
    if (id >= 2 ** 31 || id < -(2 ** 31)) this.fields.fail("a mapping's number", at);
    return id | 0;
  }

  /** Reads the PC and the PID, either of which may be missing. Returns the PC. */
  private tail(): bigint {
    const { fields } = this;
    const { bytes } = fields;
    while (fields.end > fields.at && (bytes[fields.end - 1] === blank || bytes[fields.end - 1] === tab)) {
      fields.end -= 1;
      fields.canonical = false;
    }
    if (fields.atEnd) {
      fields.canonical = false;
      return 0n;
    }
    fields.gap();
    fields.hex();
    const site = fields.big;
    if (fields.atEnd) {
      fields.canonical = false;
      return site;
    }
    fields.gap();
    if (fields.decimal() !== 0) fields.canonical = false;
    return site;
  }

  private check(what: string, end?: number): void {
    const { fields } = this;
    if (!fields.sound || !fields.atEnd) throw this.broken(`this isn't how mmiotrace writes ${what}: ${fields.why}`);
    if (end !== undefined && (!fields.canonical || fields.end !== end)) this.totals.unusualLines += 1;
  }
}

/** Patterns of lines with the kernel's usual end: its PID, which is always 0. */
const wholeLines = [
  /^VERSION \d{8}$/,
  /^[RW] \d+ \S+ \S+ 0x[0-9a-f]+ 0x[0-9a-f]+ 0x[0-9a-f]+ 0$/,
  /^MAP \S+ \S+ 0x[0-9a-f]+ 0x[0-9a-f]+ 0x[0-9a-f]+ 0x[0-9a-f]+ 0$/,
  /^UNMAP \S+ \S+ 0x[0-9a-f]+ 0$/,
  /^UNKNOWN \S+ \S+ 0x[0-9a-f]+ \S+ 0x[0-9a-f]+ 0$/,
];

/** The remains of a damaged line: letter, width and time, or time, mapping and address. */
const remains = /^\W*[RW]\s*\d+\s+\d+\.\d|\d\.\d{6}\s+-?\d+\s+0x[0-9a-f]/i;

/** Lines before the first event that no other log has. */
const isOwnHead = /^(?:VERSION \d{8}|PCIDEV [0-9a-f]{4} .*|# tracer: mmiotrace)\r?$/;
const isEvent = (line: string) => /^(?:[RW][ \t]|(?:MAP|UNMAP|UNKNOWN|MARK) )/.test(line);

/** Result of `importMmiotrace`. */
export interface ImportedText {
  header: TraceHeader;
  /** Whole ring records. */
  records: Uint8Array;
  accesses: number;
  lost: number;
  escaped: number;
  mappings: number;
}

/** Imports a text in memory that has no devices after its first event. Throws FormatError. */
export function importMmiotrace(text: string): ImportedText {
  const reader = new MmiotraceImport("the text");
  reader.push(utf8Bytes(text));
  reader.finish();
  const parts = reader.pieces().flatMap((piece) => ("records" in piece ? [piece.records] : []));
  const { accesses, lost, escaped, mappings } = reader.totals;
  return { header: reader.header!, records: concatBytes(parts), accesses, lost, escaped, mappings };
}
