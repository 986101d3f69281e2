// The messages between the recorder and the process that drains for it, as JSON, one at a time. The recorder is root and the
// other one isn't: the recorder checks its messages, and they can request nothing that a user may not have.
import type { MovedModule } from "../../machine/rewritten-module.js";
import type { Hex, KernelModule, TraceHeader, TraceSummary, TraceUpdate } from "../../trace/header.js";
import type { BatchNews } from "./batch-scan.js";

/** The descriptors that the process inherits beside the usual ones and the one that messages go through. */
export const inherited = { messages: 3, records: 4, trace: 5 } as const;

/** An engine's worker's parameters for opening its source, as JSON. */
export type SourceParameters = Record<string, unknown>;

/** The first message. `name` and `regular` are the trace's Output's. */
export interface BeginOrder {
  begin: {
    parameters: SourceParameters;
    name: string;
    regular: boolean;
    header: TraceHeader;
    /** The functions of rewritten drivers. */
    moved: readonly MovedModule[];
  };
}

/** Each is answered by its number when it is done. */
export type Order = { number: number } & (
  | { order: "drain" | "hurry" | "emptied" | "end" | "close-source" }
  | { order: "note"; update: TraceUpdate }
  | { order: "close"; summary: TraceSummary }
);

/** The recorder's answer about news: an update for the trace, if any. */
export interface NewsAnswer {
  news: number;
  update: TraceUpdate | null;
}

export interface Counts {
  accesses: number;
  places: number;
  lost: number;
  unknown: number;
  mappings: number;
  livingMappings: number;
}

export type Report =
  | { told: "ready" }
  | { told: "counts" | "end"; counts: Counts }
  | { told: "answer"; number: number }
  | { told: "news"; number: number; news: BatchNews }
  | { told: "failure"; message: string; advice: string | undefined };

const texts_max = 4096;

/** Parses a message of the process that drains; undefined for one that it wouldn't send. */
export function parseReport(message: unknown): Report | undefined {
  if (typeof message !== "object" || message === null) return undefined;
  const { told, number, counts, news, message: text, advice } = message as Record<string, unknown>;
  switch (told) {
    case "ready":
      return { told };
    case "counts":
    case "end": {
      const parsed = parseCounts(counts);
      return parsed === undefined ? undefined : { told, counts: parsed };
    }
    case "answer":
      return isCount(number) ? { told, number } : undefined;
    case "news": {
      const parsed = parseNews(news);
      return isCount(number) && parsed !== undefined ? { told, number, news: parsed } : undefined;
    }
    case "failure":
      if (typeof text !== "string") return undefined;
      return {
        told,
        message: text.slice(0, texts_max),
        advice: typeof advice === "string" ? advice.slice(0, texts_max) : undefined,
      };
    default:
      return undefined;
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isAddress(value: unknown): value is Hex {
  return typeof value === "string" && /^0x[0-9a-f]{1,16}$/.test(value);
}

function parseCounts(value: unknown): Counts | undefined {
  const { accesses, places, lost, unknown, mappings, livingMappings } = (value ?? {}) as Record<string, unknown>;
  const counts = [accesses, places, lost, unknown, mappings, livingMappings];
  if (!counts.every(isCount)) return undefined;
  return { accesses, places, lost, unknown, mappings, livingMappings } as Counts;
}

function parseNews(value: unknown): BatchNews | undefined {
  const { mapped, modules } = (value ?? {}) as Record<string, unknown>;
  if (!Array.isArray(mapped) || !mapped.every(isAddress) || !Array.isArray(modules)) return undefined;
  const parsed = modules.map(parseModule);
  return parsed.includes(undefined) ? undefined : { mapped, modules: parsed as KernelModule[] };
}

/** A module's name becomes part of a path in sysfs. */
function parseModule(value: unknown): KernelModule | undefined {
  const { name, textAddress, text_bytes } = (value ?? {}) as Record<string, unknown>;
  if (typeof name !== "string" || !/^[\w-]{1,64}$/.test(name) || !isCount(text_bytes)) return undefined;
  if (!isAddress(textAddress)) return undefined;
  return { name, textAddress, text_bytes, buildId: null };
}
