// The lines of a log that aren't its format's: counted, and told apart by what they look like. Some are accesses that got garbled, or an event
// behind other text: these are missing in the trace. Others are accesses in another known format, such as VFIO's beside
// memory_region_ops in one log of QEMU's.
import { countOf, countText } from "../../base/units.js";
import { formatOfLine, type InputFormat } from "./formats.js";

/** The words for a line of each format. */
const lineNames: Record<Exclude<InputFormat, "mmt">, string> = {
  mmiotrace: "line of mmiotrace's",
  qemu: "memory_region_ops event",
  vfio: "vfio_region event",
  rwmmio: "rwmmio event",
};

/** A format's ways to tell damaged lines. */
export interface DamagePatterns {
  /** An event, at any place in a line. */
  event?: RegExp;
  /** The remains of one. */
  remains: RegExp;
}

interface Count {
  lines: number;
  /** Number of the first one in the log. */
  first: number;
}

export class UnknownLines {
  private readonly format: keyof typeof lineNames;
  private readonly patterns: DamagePatterns;
  private readonly behindOther: Count = { lines: 0, first: 0 };
  private readonly garbled: Count = { lines: 0, first: 0 };
  private readonly ofOthers = new Map<keyof typeof lineNames, number>();

  constructor(format: keyof typeof lineNames, patterns: DamagePatterns) {
    this.format = format;
    this.patterns = patterns;
  }

  /** Takes a line without its end. Returns false for one that is none of the trace's: it is neither damaged nor of another format. */
  take(text: string, number: number): boolean {
    const { event, remains } = this.patterns;
    if (event?.test(text) === true) count(this.behindOther, number);
    else if (remains.test(text)) count(this.garbled, number);
    else {
      const other = formatOfLine(text);
      if (other === undefined || other === "mmt" || other === this.format) return false;
      this.ofOthers.set(other, (this.ofOthers.get(other) ?? 0) + 1);
    }
    return true;
  }

  /** Counts a damaged line that begins like one of the format. */
  takeGarbled(number: number): void {
    count(this.garbled, number);
  }

  /** The words for a line of the log's format. */
  get name(): string {
    return lineNames[this.format];
  }

  /** Says why a log without any line that is understood isn't empty; "" if it is. */
  get whyNone(): string {
    const { behindOther, garbled } = this;
    if (behindOther.lines > 0) {
      return ` that can be understood: the first one, line ${behindOther.first}, is behind something else`;
    }
    return garbled.lines > 0 ? ` that can be understood: line ${garbled.first} looks like one` : "";
  }

  /** Sentences about the damaged lines, whose accesses are missing. */
  get missing(): string[] {
    const { behindOther, garbled, name } = this;
    const sentences: string[] = [];
    if (behindOther.lines > 0) {
      const found = countOf(behindOther.lines, "line has", "lines have");
      const are = behindOther.lines === 1 ? "isn't" : "aren't";
      sentences.push(
        `${found} a ${name} behind something else, and ${are} understood; the first is line ${behindOther.first}`,
      );
    }
    if (garbled.lines > 0) {
      const found = countOf(garbled.lines, "line looks", "lines look");
      sentences.push(`${found} like a damaged ${name}, and can't be read; the first is line ${garbled.first}`);
    }
    return sentences;
  }

  /** Sentences about lines of other known formats. */
  get others(): string[] {
    return [...this.ofOthers].map(([format, lines]) => {
      const are = lines === 1 ? `looks like a ${lineNames[format]}` : `look like ${plural(lineNames[format])}`;
      return `${countText(lines)} ${lines === 1 ? "line" : "lines"} ${are} and ${lines === 1 ? "isn't" : "aren't"} read: convert --from ${format} reads them alone`;
    });
  }
}

function count(found: Count, number: number): void {
  if (found.lines === 0) found.first = number;
  found.lines += 1;
}

function plural(name: string): string {
  return name.replace(/^line/, "lines").replace(/event$/, "events");
}
