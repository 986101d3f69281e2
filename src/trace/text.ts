// Formats a trace for people: one line an event. Pure: makes lines of events and state.
import { assertUnreachable } from "../base/assert.js";
import { flatText } from "../base/flat-text.js";
import { eightHexDigits, hex } from "../base/hex.js";
import { printable } from "../base/printable.js";
import { countOf, secondsText, type TimeDigits } from "../base/units.js";
import { ByTarget } from "./by-target.js";
import { dmaPlaceText } from "./dma.js";
import { EventTasks } from "./event-task.js";
import { dmaMapWords, dmaUnmapWords, interruptWords } from "./event-words.js";
import type { AccessEvent, LostEvent, TraceEvent, UnrecordedEvent } from "./events.js";
import { barName, type TraceHeader, timeDigitsOf } from "./header.js";
import { RecordFlag } from "./record.js";
import { configurationText, spaceOf, withinSpace } from "./space.js";
import type { DevicePlace, TraceState } from "./state.js";
import { unrecordedText } from "./unrecorded.js";

/** A register database's words about a register. */
export interface RegisterWords {
  /** `STATUS`, or several joined by commas; undefined if it knows none. */
  readonly name: string | undefined;
  /** Describes a value; undefined if there is nothing to add to the number. */
  meaningOf(value: bigint): string | undefined;
}

/** Finds an access's register; called once for each access, in order. The same object for one target, until it changes. */
export type TellRegister = (event: AccessEvent, place: DevicePlace) => RegisterWords | undefined;

/** A part of a line, for callers that colour each part. */
export type LinePart =
  | "head"
  | "time"
  | "read"
  | "write"
  | "where"
  | "register"
  | "value"
  | "site"
  | "meaning"
  | "note"
  | "alarm";
export type Paint = (part: LinePart, text: string) => string;

const plain: Paint = (_part, text) => text;

const width = { time: 12, cpu: 3, where: 36, register: 14, value: 18, site: 42 } as const;

const opWidth = 5;
const stampWidth = width.time + 1 + width.cpu;
const lineUpToMeaning = Object.values(width).reduce((sum, one) => sum + one + 1, opWidth);

/** Removes the function's length from `function+0x12/0x3f0 [module]`. */
export function shortSymbol(text: string): string {
  return text.replace(/(\+0x[0-9a-f]+)\/0x[0-9a-f]+/, "$1");
}

/** Formats a record's address where no device is known for it: `0xfed00000`, `port 0x70`, or `0000:00:04.0 CONFIG+0x010`. */
export function addressText(address: bigint): string {
  const space = spaceOf(address);
  if (space === "configuration") return configurationText(address);
  const number = hex(withinSpace(address));
  return space === "memory" ? number : `port ${number}`;
}

/** Formats a site outside of the driver with the place in the driver that called it, if that is known. */
export function withCaller(site: string, caller: string | undefined): string {
  return caller === undefined ? site : `${site} from ${caller}`;
}

const columnNames = [
  "time/s".padStart(width.time),
  "cpu".padStart(width.cpu),
  " ".repeat(opWidth),
  "where".padEnd(width.where),
  "register".padEnd(width.register),
  "value".padStart(width.value),
  "site",
].join(" ");

/** The parts of a line shared by all accesses to one target, until a name changes. */
interface AccessCells {
  /** The part between the CPU and the value. */
  head: string;
  site: string;
  /** The blanks between the site's column and a meaning; empty without a site. */
  blanks: string;
  register: RegisterWords | undefined;
  symbolsVersion: number;
}

export class TextWriter {
  private readonly header: TraceHeader;
  private readonly tellRegister: TellRegister;
  private readonly cells = new ByTarget<AccessCells>();
  private readonly start: bigint;
  private readonly tasks: EventTasks;
  private readonly timeDigits: TimeDigits;
  private readonly paint: Paint;

  constructor(header: TraceHeader, tellRegister: TellRegister = () => undefined, paint: Paint = plain) {
    this.header = header;
    this.paint = paint;
    this.tellRegister = tellRegister;
    this.start = BigInt(header.clock.tsc);
    this.tasks = new EventTasks(header);
    this.timeDigits = timeDigitsOf(header);
  }

  /** Makes the lines about the recording, and the columns' names. */
  head(): string {
    const { header } = this;
    const filter = header.options.filter.length === 0 ? "" : ` (${header.options.filter.join(", ")})`;
    const what =
      header.engine === "import"
        ? `imported from ${header.producer}`
        : `${this.host()}Linux ${header.machine.release}, ${header.cpu.count} CPUs, ${this.wallClock()}, engine ${header.engine}${filter}`;
    return `${this.paint("head", `# ${what}`)}\n${this.paint("head", columnNames)}\n`;
  }

  /** The machine's name; empty where it has none, which Linux calls `(none)`. */
  private host(): string {
    const { host } = this.header.machine;
    return host === "" || host === "(none)" ? "" : `${host}, `;
  }

  private wallClock(): string {
    const start = new Date(Number(BigInt(this.header.clock.wall_ns) / 1_000_000n));
    return start.toISOString().replace("T", " ").replace(/\..*/, " UTC");
  }

  /** Makes the event's line with its line end; empty for events that only help to read the others. */
  line(event: TraceEvent, state: TraceState): string {
    switch (event.kind) {
      case "read":
      case "write":
        return this.accessLine(event, state);
      case "symbol":
        return "";
      case "map": {
        const by = event.site === 0n ? "" : `, by ${this.site(event.site, state)}`;
        // no log of another program tells it: this one stands for unknown there
        const type = this.header.engine === "import" && event.memoryType === "uncached" ? "" : `, ${event.memoryType}`;
        const what = `${hex(event.length_bytes)} bytes at ${this.where(event.address, state)}${type}${by}`;
        return this.note(event, `map #${event.mapping}: ${what}`);
      }
      case "unmap":
        return this.note(event, `unmap #${event.mapping}: ${this.where(event.address, state)}`);
      case "mark":
        return this.note(event, `mark: ${printable(event.text)}`);
      case "lost":
        return this.note(event, this.lostWords(event), "alarm");
      case "escape": {
        const bytes = [...event.instruction].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
        const by = event.site === 0n ? "" : `, by ${this.siteAndCaller(event, state)}`;
        return this.note(event, `ESCAPED: ${this.where(event.address, state)}, instruction ${bytes}${by}`, "alarm");
      }
      case "module":
        return this.note(
          event,
          event.gone
            ? `module ${printable(event.name)} went`
            : `module ${printable(event.name)} came: ${event.text_bytes} bytes of text at ${hex(event.textAddress)}`,
        );
      case "unrecorded":
        return this.note(event, `UNRECORDED: ${this.unrecorded(event, state)}`, "alarm");
      case "interrupt": {
        const handler = event.site === 0n ? "" : this.site(event.site, state);
        return this.note(event, interruptWords(event, deviceName(event.device, state), handler));
      }
      case "dma-map":
        return this.note(event, dmaMapWords(event, deviceName(event.device, state), this.by(event, state)));
      case "dma-unmap":
        return this.note(event, dmaUnmapWords(event, deviceName(event.device, state), this.by(event, state)));
      case "unknown":
        return this.note(event, `a record of kind ${event.recordKind}, which this version doesn't know`);
      default:
        return assertUnreachable(event);
    }
  }

  /** Does the same as `line` for an access; a `remark` goes before the value's meaning. */
  accessLine(event: AccessEvent, state: TraceState, remark?: string): string {
    const place = state.placeOfAccess(event);
    const register = place && this.tellRegister(event, place);
    const { paint } = this;
    const { head, site, blanks } = this.cellsOf(event, state, place, register);
    const value = valueCell(event.value, event.width_bytes);
    const line = `${paint("time", this.stamp(event))}${head}${paint("value", value)}${site}`;
    const meaning = register?.meaningOf(event.value);
    const buffer = state.dmaPlaceOf(event);
    if (meaning === undefined && remark === undefined && buffer === undefined) return `${line}\n`;
    const named = buffer === undefined ? "" : ` ${paint("value", dmaPlaceText(buffer))}`;
    const note = named + (remark === undefined ? "" : ` ${paint("note", remark)}`);
    return `${line}${blanks}${note}${meaning === undefined ? "" : ` ${paint("meaning", `{ ${meaning} }`)}`}\n`;
  }

  private cellsOf(
    event: AccessEvent,
    state: TraceState,
    place: DevicePlace | undefined,
    register: RegisterWords | undefined,
  ): AccessCells {
    const { symbolsVersion } = state;
    const known = this.cells.get(event.target);
    if (known !== undefined && known.register === register && known.symbolsVersion === symbolsVersion) return known;
    const { paint } = this;
    const op = `${event.kind === "read" ? "R" : "W"}${flagLetters(event.flags)} ${event.width_bytes}`.padEnd(opWidth);
    const where = this.where(event.address, state, place).padEnd(width.where);
    const name = (register?.name ?? "").padEnd(width.register);
    const site = event.site === 0n ? "" : this.siteAndCaller(event, state);
    const chars = stampWidth + 4 + op.length + where.length + name.length + width.value + 1 + site.length;
    const made = {
      head: flatText(` ${paint(event.kind, op)} ${paint("where", where)} ${paint("register", name)} `),
      site: site === "" ? "" : flatText(` ${paint("site", site)}`),
      blanks: site === "" ? "" : flatText(" ".repeat(Math.max(lineUpToMeaning - chars, 0))),
      register,
      symbolsVersion,
    };
    this.cells.set(event.target, made);
    return made;
  }

  private stamp(event: TraceEvent): string {
    const cpu = this.tasks.cpuOf(event);
    return `${this.seconds(event.tsc).padStart(width.time)} ${(cpu === null ? "" : cpu.toString()).padStart(width.cpu)}`;
  }

  private note(event: TraceEvent, text: string, part: LinePart = "note"): string {
    return `${this.paint("time", this.stamp(event))} ${this.paint(part, `-- ${text}`)}\n`;
  }

  private lostWords({ count, flags }: LostEvent): string {
    const records = count === 0n ? "an unknown number of records" : countOf(count, "record");
    if ((flags & RecordFlag.gone) !== 0) return `LOST: ${records} in a damaged part of the trace`;
    return `LOST: ${records}, ${this.header.engine === "import" ? "as the log says" : "the ring was full"}`;
  }

  /** Formats the seconds since recording began, with nanoseconds or microseconds. */
  private seconds(tsc: bigint): string {
    if (tsc === 0n) return "";
    return secondsText(Number(tsc - this.start) / this.header.clock.tscFrequency_hz, this.timeDigits);
  }

  /** Formats `0000:00:04.0 e1000 BAR0+0x00008`, or the physical address if no BAR has it. */
  private where(address: bigint, state: TraceState, place: DevicePlace | undefined = state.placeOf(address)): string {
    if (place === undefined) return addressText(address);
    const { driver, address: bdf } = place.function;
    const offset = place.offset.toString(16).padStart(5, "0");
    return `${bdf} ${driver === null ? "" : `${driver} `}${barName(place.bar)}+0x${offset}`;
  }

  private unrecorded(event: UnrecordedEvent, state: TraceState): string {
    const { way, calls, pid, site } = event;
    return unrecordedText({
      where: `${this.where(event.address, state)}, ${hex(event.length_bytes)} bytes,`,
      ...{ way, calls: `${calls}`, once: calls === 1n, pid },
      caller: site === 0n ? "" : this.site(site, state),
    });
  }

  private siteAndCaller({ site, caller }: { site: bigint; caller: bigint }, state: TraceState): string {
    return withCaller(this.site(site, state), caller === 0n ? undefined : this.site(caller, state));
  }

  /** Returns the words about an event's code; none if it wasn't recorded. */
  private by(event: { site: bigint; caller: bigint }, state: TraceState): string {
    return event.site === 0n ? "" : this.siteAndCaller(event, state);
  }

  private site(site: bigint, state: TraceState): string {
    const text = state.symbolOf(site);
    return text === undefined ? hex(site) : printable(shortSymbol(text));
  }
}

/** Formats `0000:00:04.0 e1000`. */
function deviceName(address: string, state: TraceState): string {
  const driver = state.functionAt(address)?.driver ?? null;
  return driver === null ? address : `${address} ${driver}`;
}

const before32Bits = "0x".padStart(width.value - 8);

/** Formats `0x00000012`: all digits of a value of so many bytes, at the right of its column. */
function valueCell(value: bigint, width_bytes: number): string {
  if (width_bytes === 4 && value <= 0xffff_ffffn) return before32Bits + eightHexDigits(Number(value));
  return `0x${value.toString(16).padStart(Math.max(2 * width_bytes, 1), "0")}`.padStart(width.value);
}

/** Makes the letters for an access's special properties; the README lists them. */
function flagLetters(flags: number): string {
  return (
    (flags & RecordFlag.locked ? "l" : "") +
    (flags & RecordFlag.string ? "s" : "") +
    (flags & RecordFlag.user ? "u" : "") +
    (flags & RecordFlag.unordered ? "?" : "")
  );
}
