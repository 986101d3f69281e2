// Reads QEMU's own log of its devices' accesses (`-trace memory_region_ops_*`, log backend), the ground truth for a
// trace. A log can have millions of lines for devices that weren't traced, so lines are read as bytes, and only those
// with wanted addresses are kept.
import type { AddressRange } from "../../base/address-range.js";
import { concatBytes, findLatin1, isLatin1, latin1, startsWithLatin1 } from "../../base/bytes.js";
import { FormatError } from "../../base/errors.js";
import { sleep } from "../../base/turns.js";
import type { ByteSource } from "../../trace/file/source.js";
import { configurationSpace } from "../../trace/space.js";
import { DeviceMoves } from "./device-moves.js";
import {
  type ConfigurationAccess,
  ConfigurationLines,
  findConfigurationEvent,
  isDataLine,
} from "./truth-configuration.js";
import { LineScanner } from "./truth-line.js";

const chunk_bytes = 4 << 20;
/** Time between looks at a log from a pipe. */
const lookAgainEvery_ms = 50;
/** Limit of a line; QEMU's are never longer. */
const lineMax_bytes = 64 << 10;
/** Limits of an access's width and of a machine's processors in QEMU. */
const widthMax_bytes = 8;
const cpuMax = 0x7fff;
const postPort = 0x80;
const postRegion = "ioport80";

/** A range of numbers, which are compared with columns of addresses. */
export type NumberRange = AddressRange<number>;

/** Ports at which the log shows accesses to memory. */
export interface PortAlias {
  ports: NumberRange;
  /** Memory address of the first port. */
  memory: number;
}

/** One of QEMU's memory regions, with its name in the log. */
export interface TruthRegion {
  name: string;
  /** QEMU's pointer to it: two regions may have the same name. */
  pointer: string;
}

/** Accesses in the log's order, a column each. */
export interface TruthAccesses {
  count: number;
  write: Uint8Array;
  width_bytes: Uint8Array;
  address: Float64Array;
  valueLow: Uint32Array;
  valueHigh: Uint32Array;
  /** QEMU's number of the virtual CPU; -1 if a device made the access. */
  cpu: Int16Array;
  /** Index into `regions`. */
  region: Uint16Array;
  /** Line in the log, counted from 1. */
  line: Float64Array;
  regions: TruthRegion[];
}

/** A write to port 0x80, where the lab's fence is. */
export interface PostWrite {
  byte: number;
  /** Number of kept accesses before it. */
  at: number;
  /** Line in the log, counted from 1. */
  line: number;
}

export interface TruthLog {
  accesses: TruthAccesses;
  postWrites: PostWrite[];
  lines: number;
  /** Number of lines that are accesses, kept or not. */
  accessLines: number;
  /** The lines, counted from 1, that have an access behind something else, or a part of one: they aren't understood. */
  unclearLines: number[];
  /** The log ends within its last line, which is left out. */
  isCut: boolean;
  /** Number of accesses that touch none of the ranges. */
  outsideMappings: number;
}

/** Columns that grow. */
class AccessList {
  private room = 1 << 14;
  columns: TruthAccesses = AccessList.make(this.room, []);

  private static make(room: number, regions: TruthRegion[]): TruthAccesses {
    return {
      count: 0,
      write: new Uint8Array(room),
      width_bytes: new Uint8Array(room),
      address: new Float64Array(room),
      valueLow: new Uint32Array(room),
      valueHigh: new Uint32Array(room),
      cpu: new Int16Array(room),
      region: new Uint16Array(room),
      line: new Float64Array(room),
      regions,
    };
  }

  /** Makes room for one more row and returns its place. */
  next(): number {
    if (this.columns.count === this.room) {
      this.room *= 2;
      const old = this.columns;
      const grown = AccessList.make(this.room, old.regions);
      for (const name of [
        "write",
        "width_bytes",
        "address",
        "valueLow",
        "valueHigh",
        "cpu",
        "region",
        "line",
      ] as const) {
        grown[name].set(old[name]);
      }
      grown.count = old.count;
      this.columns = grown;
    }
    return this.columns.count++;
  }
}

const marker = "memory_region_ops_";
const markers = [`${marker}read cpu `, `${marker}write cpu `];
/** Words of each access, which a damaged line may have without the rest. */
const remains = [" mr 0x", " addr 0x"];
const newline = 0x0a;
const quote = 0x27;
const colon = 0x3a;
const blank = 0x20;
const letterT = 0x54;
const letterZ = 0x5a;

/**
 * Reads the log and keeps the accesses that touch one of `ranges`, and all writes to port 0x80. Accesses to the ports
 * of an alias count as accesses to its memory.
 * Leaves out a last line without its end. `progress` gets the part read so far. Throws UserError, FormatError.
 */
export async function readTruthLog(
  log: ByteSource,
  ranges: readonly NumberRange[],
  aliases: readonly PortAlias[] = [],
  progress: (part: number) => void = () => {},
): Promise<TruthLog> {
  const parser = new TruthParser(log.name, ranges, aliases);
  for (let at = 0; ; ) {
    // asked before: what comes in between is read in the next round
    const { coming } = log;
    const bytes = await log.read(at, chunk_bytes);
    if (bytes.length === 0) {
      if (coming !== true) return parser.result;
      await sleep(lookAgainEvery_ms);
      continue;
    }
    at += bytes.length;
    progress(Math.min(1, at / (await log.size())));
    parser.push(bytes);
  }
}

/**
 * Returns the length of the time that newer QEMUs write before the event's name, `2026-07-07T03:16:22.158759Z `, with a fraction of up to
 * six digits or without one; 0 if there is no time.
 */
function dateLength(bytes: Uint8Array, from: number): number {
  if (bytes[from + 10] !== letterT) return 0;
  const longest = "2026-07-07T03:16:22.158759Z ".length;
  for (let length = "2026-07-07T03:16:22Z ".length; length <= longest; length += 1) {
    if (bytes[from + length - 2] === letterZ && bytes[from + length - 1] === blank) return length;
  }
  return 0;
}

class TruthParser {
  /** For messages. */
  private readonly name: string;
  private readonly ranges: readonly NumberRange[];
  private readonly aliases: readonly PortAlias[];
  private readonly first: number;
  private readonly last: number;
  private readonly list = new AccessList();
  private readonly postWrites: PostWrite[] = [];
  private readonly regionNumbers = new Map<string, number>();
  private readonly line = new LineScanner();
  private readonly moves = new DeviceMoves();
  /** Undefined if the trace has no configuration space. */
  private readonly configuration: ConfigurationLines | undefined;
  private lines = 0;
  private accessLines = 0;
  private readonly unclearLines: number[] = [];
  private outsideMappings = 0;
  /** The beginning of a line whose end hasn't come. */
  private carried: Uint8Array = new Uint8Array();
  /** The region of the access before: most accesses are to the same. */
  private lastRegion = { pointer: "", name: "", number: -1 };

  constructor(name: string, ranges: readonly NumberRange[], aliases: readonly PortAlias[]) {
    this.name = name;
    this.ranges = ranges;
    this.aliases = aliases;
    this.first = Math.min(...ranges.map((range) => range.first));
    this.last = Math.max(...ranges.map((range) => range.last));
    this.configuration = this.last >= Number(configurationSpace) ? new ConfigurationLines() : undefined;
  }

  /** Takes the log's next bytes. Throws FormatError. */
  push(chunk: Uint8Array): void {
    const bytes = this.carried.length === 0 ? chunk : concatBytes([this.carried, chunk]);
    let from = 0;
    for (;;) {
      const next = bytes.indexOf(newline, from);
      if (next < 0) break;
      this.lines += 1;
      this.takeLine(bytes, from, next);
      from = next + 1;
    }
    this.carried = bytes.subarray(from);
    if (this.carried.length > lineMax_bytes) {
      this.lines += 1;
      throw this.broken("a line longer than any of QEMU's");
    }
  }

  get result(): TruthLog {
    return {
      accesses: this.list.columns,
      postWrites: this.postWrites,
      lines: this.lines,
      accessLines: this.accessLines,
      unclearLines: this.unclearLines,
      isCut: this.carried.length > 0,
      outsideMappings: this.outsideMappings,
    };
  }

  /** The line is `bytes[from]` to `bytes[end - 1]`. */
  private takeLine(bytes: Uint8Array, from: number, end: number): void {
    let at = from;
    const date_bytes = dateLength(bytes, from);
    if (date_bytes > 0) at += date_bytes;
    else if (bytes[at] !== marker.charCodeAt(0)) {
      // Older ones write `PID@TIME:`, all of them on request.
      while (at < end && bytes[at] !== colon) at += 1;
      at += 1;
    }
    if (!startsWithLatin1(bytes, at, end, marker)) {
      const has = (words: string) => findLatin1(bytes, from, end, words) >= 0;
      if (remains.every(has) || markers.some(has)) this.unclearLines.push(this.lines);
      else if (!this.hearConfiguration(bytes, from, end)) this.moves.hear(bytes, from, end);
      return;
    }
    at += marker.length;
    this.accessLines += 1;
    const write = bytes[at] === 0x77;
    const { line } = this;
    line.bytes = bytes;
    line.end = end;
    line.sound = true;
    line.at = at + (write ? "write".length : "read".length);
    line.word("cpu");
    const cpu = line.decimal();
    line.word("mr");
    const pointerFrom = line.at;
    line.hex();
    const pointerEnd = line.at;
    line.word("addr");
    line.hex();
    const address = this.inMemory(line.high * 2 ** 32 + line.low);
    if (!line.sound) throw this.broken("this isn't how QEMU writes a memory_region_ops line");
    const isPost = write && address === postPort;
    const isData = this.configuration !== undefined && isDataLine(bytes, end);
    if (!this.wanted(address)) {
      this.outsideMappings += 1;
      if (!isPost && !isData) return;
    }
    line.word("value");
    line.hex();
    const { low, high } = line;
    line.word("size");
    const width_bytes = line.decimal();
    line.word("name");
    const plausible = line.sound && width_bytes > 0 && width_bytes <= widthMax_bytes && Math.abs(cpu) <= cpuMax;
    if (!plausible || bytes[line.at] !== quote || bytes[end - 1] !== quote || end - 1 === line.at) {
      throw this.broken("this isn't how QEMU writes a memory_region_ops line");
    }
    const nameFrom = line.at + 1;
    const nameEnd = end - 1;
    if (isPost && isLatin1(bytes, nameFrom, nameEnd, postRegion)) {
      this.postWrites.push({ byte: low & 0xff, at: this.list.columns.count, line: this.lines });
      return;
    }
    if (isData) this.keepConfiguration(this.configuration?.data({ write, cpu, width_bytes, value: low }));
    if (!this.wanted(address) || this.moves.made(write, address, width_bytes)) return;
    const { lastRegion } = this;
    const isLast =
      isLatin1(bytes, nameFrom, nameEnd, lastRegion.name) &&
      isLatin1(bytes, pointerFrom, pointerEnd, lastRegion.pointer);
    const region = isLast
      ? lastRegion.number
      : this.region(latin1(bytes, nameFrom, nameEnd), latin1(bytes, pointerFrom, pointerEnd));
    this.keep({ write, width_bytes, address, low, high, cpu, region, line: this.lines });
  }

  private keep(access: {
    write: boolean;
    width_bytes: number;
    address: number;
    low: number;
    high: number;
    cpu: number;
    region: number;
    line: number;
  }): void {
    const index = this.list.next();
    const { columns } = this.list;
    columns.write[index] = access.write ? 1 : 0;
    columns.width_bytes[index] = access.width_bytes;
    columns.address[index] = access.address;
    columns.valueLow[index] = access.low;
    columns.valueHigh[index] = access.high;
    columns.cpu[index] = access.cpu;
    columns.region[index] = access.region;
    columns.line[index] = access.line;
  }

  /** Returns true if the line is about configuration space, and the trace has any. */
  private hearConfiguration(bytes: Uint8Array, from: number, end: number): boolean {
    if (this.configuration === undefined) return false;
    const at = findConfigurationEvent(bytes, from, end);
    if (at < 0) return false;
    const found = this.configuration.event(bytes, at, end, this.lines);
    if (found === "unclear") this.unclearLines.push(this.lines);
    else this.keepConfiguration(found);
    return true;
  }

  private keepConfiguration(access: ConfigurationAccess | undefined): void {
    if (access === undefined || !this.wanted(access.address)) return;
    const region = this.region(`${access.name} configuration`, access.function);
    this.keep({ ...access, low: access.value, high: 0, region });
  }

  private inMemory(address: number): number {
    for (const { ports, memory } of this.aliases) {
      if (ports.first <= address && address <= ports.last) return memory + address - ports.first;
    }
    return address;
  }

  private wanted(address: number): boolean {
    if (address < this.first || address > this.last) return false;
    for (const range of this.ranges) if (range.first <= address && address <= range.last) return true;
    return false;
  }

  private region(name: string, pointer: string): number {
    const key = `${pointer} ${name}`;
    const { regions } = this.list.columns;
    let number = this.regionNumbers.get(key);
    if (number === undefined) {
      if (regions.length === 0xffff) throw this.broken("more memory regions than a machine can have");
      number = regions.length;
      this.regionNumbers.set(key, number);
      regions.push({ name, pointer });
    }
    this.lastRegion = { pointer, name, number };
    return number;
  }

  private broken(what: string): FormatError {
    return new FormatError(this.name, what, { line: this.lines });
  }
}
