// A new trace that is there whole or not at all: it gets its name once it is finished.
import { renameSync, rmSync, statSync } from "node:fs";
import { messageOf, UsageError, UserError } from "../../base/errors.js";
import { cutSentence } from "../../trace/file/incomplete.js";
import type { TraceReader } from "../../trace/file/reader.js";
import type { TraceWriter } from "../../trace/file/writer.js";
import type { TraceHeader } from "../../trace/header.js";
import { createTrace } from "../../trace/node/create-trace.js";
import { writeJson } from "./json-output.js";
import { StopSignals } from "./stop-signals.js";
import { TextOutput } from "./text-output.js";

export interface NewTrace {
  create: (header: TraceHeader) => Promise<TraceWriter>;
  /** Throws UserError once Ctrl-C was pressed. */
  check: () => void;
}

/** Has `work` write the trace at `path` (`-` is standard output). Where it throws, nothing is left behind. */
export async function makeTrace<T>(path: string, work: (trace: NewTrace) => Promise<T>): Promise<T> {
  const temporary = path === "-" ? "-" : `${path}.${process.pid}.partial`;
  const signals = new StopSignals();
  const check = () => {
    if (signals.received !== undefined) throw new UserError(`stopped by ${signals.received}; nothing was written`);
  };
  let made = false;
  try {
    const result = await work({ create: (header) => createTrace(temporary, header), check });
    if (temporary !== "-") {
      try {
        renameSync(temporary, path);
      } catch (error) {
        throw new UserError(`making ${path} failed: ${messageOf(error)}`, { cause: error });
      }
    }
    made = true;
    return result;
  } finally {
    signals.release();
    if (!made && temporary !== "-") rmSync(temporary, { force: true });
  }
}

interface MadeOptions {
  output: string;
  json?: true;
}

/** Throws UsageError where trace and JSON would both go to standard output. */
export function requireFileForJson({ output, json }: MadeOptions): void {
  if (json === true && output === "-") throw new UsageError("--json and -o - both want standard output");
}

/** Says what was made: as a line on standard error, or as JSON on standard output. */
export async function tellMade(
  { output, json }: MadeOptions,
  { events, inputs }: { events: number; inputs: readonly TraceReader[] },
  line: string,
): Promise<void> {
  if (json !== true) {
    process.stderr.write(`${line}\n`);
    return;
  }
  const incomplete = inputs.flatMap(({ source, summary, damage }) => {
    const sentences = [...(summary?.incomplete ?? [])];
    if (damage !== null) sentences.push(cutSentence(damage));
    return sentences.map((sentence) => `${source.name}: ${sentence}`);
  });
  const bytes = statSync(output, { throwIfNoEntry: false })?.size ?? null;
  await writeJson(new TextOutput(), {
    output,
    events,
    bytes,
    inputs: inputs.map(({ source }) => source.name),
    incomplete,
  });
}
