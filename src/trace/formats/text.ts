// A trace as a person reads it: one line an event. Pure: events and state in, lines out.
import type { AccessEvent, TraceEvent } from "../events.js";
import type { TraceHeader } from "../header.js";
import { RecordFlag } from "../record.js";
import type { DevicePlace, TraceState } from "../state.js";

/** Says which register an access touches and what its value means there; asked once an access, in order. */
export type TellRegister = (
  event: AccessEvent,
  place: DevicePlace,
) => { name: string; meaning: string | undefined } | undefined;

/** A part of a line, for those that give each a colour. */
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
const lineUpToMeaning = Object.values(width).reduce((sum, one) => sum + one + 1, opWidth);

/** `function+0x12/0x3f0 [module]` without the function's length. */
export function shortSymbol(text: string): string {
  return text.replace(/(\+0x[0-9a-f]+)\/0x[0-9a-f]+/, "$1");
}

type LineContent = [
  time: string,
  cpu: string,
  op: string,
  where: string,
  register: string,
  value: string,
  site: string,
];

function cellsOf(...[time, cpu, op, where, register, value, site]: LineContent): string[] {
  return [
    time.padStart(width.time),
    cpu.padStart(width.cpu),
    op.padEnd(opWidth),
    where.padEnd(width.where),
    register.padEnd(width.register),
    value.padStart(width.value),
    site,
  ];
}

/** The cells with blanks between, none at the end. One expression, since a trace has millions of lines. */
function cellsText([time, cpu, op, where, register, value, site]: LineContent): string {
  const line = `${time.padStart(width.time)} ${cpu.padStart(width.cpu)} ${op.padEnd(opWidth)} ${where.padEnd(width.where)} ${register.padEnd(width.register)} ${value.padStart(width.value)}`;
  return site === "" ? line : `${line} ${site}`;
}

export class TextWriter {
  private readonly header: TraceHeader;
  private readonly tellRegister: TellRegister;
  private readonly start: bigint;
  private readonly paint: Paint;

  constructor(header: TraceHeader, tellRegister: TellRegister = () => undefined, paint: Paint = plain) {
    this.header = header;
    this.paint = paint;
    this.tellRegister = tellRegister;
    this.start = BigInt(header.clock.tsc);
  }

  /** What was recorded, and the columns' names. */
  head(): string {
    const { header } = this;
    const filter = header.options.filter.length === 0 ? "" : ` (${header.options.filter.join(", ")})`;
    const what =
      header.engine === "import"
        ? `imported from ${header.producer}`
        : `${header.machine.host}, Linux ${header.machine.release}, ${header.cpu.count} CPUs, ${this.wallClock()}, engine ${header.engine}${filter}`;
    const names = cellsOf("time/s", "cpu", "", "where", "register", "value", "site").join(" ").trimEnd();
    return `${this.paint("head", `# ${what}`)}\n${this.paint("head", names)}\n`;
  }

  private wallClock(): string {
    const start = new Date(Number(BigInt(this.header.clock.wall_ns) / 1_000_000n));
    return start.toISOString().replace("T", " ").replace(/\..*/, " UTC");
  }

  /** The event's line with its line end, or nothing for what only helps to read the others. */
  line(event: TraceEvent, state: TraceState): string {
    switch (event.kind) {
      case "read":
      case "write":
        return this.accessLine(event, state);
      case "symbol":
        return "";
      case "map": {
        const by = event.site === 0n ? "" : `, by ${this.site(event.site, state)}`;
        const what = `${hex(event.length_bytes)} bytes at ${this.where(event.address, state)}, ${event.memoryType}${by}`;
        return this.note(event, `map #${event.mapping}: ${what}`);
      }
      case "unmap":
        return this.note(event, `unmap #${event.mapping}: ${this.where(event.address, state)}`);
      case "mark":
        return this.note(event, `mark: ${printable(event.text)}`);
      case "lost":
        return this.note(event, `LOST: ${event.count} records, the ring was full`, "alarm");
      case "escape": {
        const bytes = [...event.instruction].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
        const by = event.site === 0n ? "" : `, by ${this.site(event.site, state)}`;
        return this.note(event, `ESCAPED: ${this.where(event.address, state)}, instruction ${bytes}${by}`, "alarm");
      }
      case "module":
        return this.note(
          event,
          event.gone
            ? `module ${printable(event.name)} went`
            : `module ${printable(event.name)} came: ${event.text_bytes} bytes of text at ${hex(event.textAddress)}`,
        );
      case "unknown":
        return this.note(event, `a record of kind ${event.recordKind}, which this version doesn't know`);
    }
  }

  /** As `line`; `remark`, where there is one, stands before what the value means. */
  accessLine(event: AccessEvent, state: TraceState, remark?: string): string {
    const place = state.placeOf(event.address);
    const digits = Math.max(2 * event.width_bytes, 1);
    const op = `${event.kind === "read" ? "R" : "W"}${flagLetters(event.flags)}`;
    const register = place && this.tellRegister(event, place);
    const line = this.paintLine(event.kind, [
      this.seconds(event.tsc),
      `${event.cpu}`,
      `${op} ${event.width_bytes}`,
      this.where(event.address, state, place),
      register?.name ?? "",
      `0x${event.value.toString(16).padStart(digits, "0")}`,
      event.site === 0n ? "" : this.site(event.site, state),
    ]);
    const ending = remark === undefined ? [] : [this.paint("note", remark)];
    if (register?.meaning !== undefined) ending.push(this.paint("meaning", `{ ${register.meaning} }`));
    if (ending.length === 0) return `${line.text}\n`;
    return `${line.text}${" ".repeat(Math.max(lineUpToMeaning - line.length, 0))} ${ending.join(" ")}\n`;
  }

  /** The line, and its length without what gives it colours. */
  private paintLine(kind: "read" | "write", content: LineContent): { text: string; length: number } {
    if (this.paint === plain) {
      const text = cellsText(content);
      return { text, length: text.length };
    }
    const cells = cellsOf(...content);
    while (cells.length > 0 && cells.at(-1)!.trim() === "") cells.pop();
    const length = cells.join(" ").length;
    const parts: readonly LinePart[] = ["time", "time", kind, "where", "register", "value", "site"];
    return { text: cells.map((cell, index) => this.paint(parts[index]!, cell)).join(" "), length };
  }

  private note(event: TraceEvent, text: string, part: LinePart = "note"): string {
    const when = `${this.seconds(event.tsc).padStart(width.time)} ${`${event.cpu}`.padStart(width.cpu)}`;
    return `${this.paint("time", when)} ${this.paint(part, `-- ${text}`)}\n`;
  }

  /** Seconds since recording began, to the nanosecond. */
  private seconds(tsc: bigint): string {
    if (tsc === 0n) return "";
    return (Number(tsc - this.start) / this.header.clock.tscFrequency_hz).toFixed(9);
  }

  /** `0000:00:04.0 e1000 BAR0+0x00008`, or the physical address where no BAR has it. */
  private where(address: bigint, state: TraceState, place: DevicePlace | undefined = state.placeOf(address)): string {
    if (place === undefined) return hex(address);
    const { driver, address: bdf } = place.function;
    const bar = place.bar === 6 ? "ROM" : `BAR${place.bar}`;
    return `${bdf} ${driver === null ? "" : `${driver} `}${bar}+0x${place.offset.toString(16).padStart(5, "0")}`;
  }

  private site(site: bigint, state: TraceState): string {
    const text = state.symbolOf(site);
    return text === undefined ? hex(site) : printable(shortSymbol(text));
  }
}

const hex = (value: bigint) => `0x${value.toString(16)}`;

/** What is special about an access, a letter each; the README lists them. */
function flagLetters(flags: number): string {
  return (
    (flags & RecordFlag.locked ? "l" : "") +
    (flags & RecordFlag.string ? "s" : "") +
    (flags & RecordFlag.user ? "u" : "") +
    (flags & RecordFlag.unordered ? "?" : "")
  );
}

/** Text from the traced machine, without what would move a terminal's cursor. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, "·");
}
