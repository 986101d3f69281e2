// Moves records from their source into the trace: in this process, or in one that has given up root's rights.
import { messageOf, UserError } from "../../base/errors.js";
import type { MovedModule } from "../../machine/rewritten-module.js";
import type { TraceHeader, TraceSummary, TraceUpdate } from "../../trace/header.js";
import { createTrace } from "../../trace/node/create-trace.js";
import { Output } from "../../trace/node/output.js";
import type { BatchNews } from "./batch-scan.js";
import { Drain } from "./drain.js";
import { DrainProcess, type WorkerEntry } from "./drain-process.js";
import type { RecordSource } from "./record-source.js";
import { siteNamesOf } from "./site-names.js";
import type { UnprivilegedUser } from "./unprivileged-user.js";

/** A recording's interface to a working drain: see Drain. */
export interface Draining {
  readonly accesses: number;
  readonly places: number;
  readonly failure: UserError | undefined;
  readonly done: Promise<void>;
  hurry(): void;
  note(update: TraceUpdate): Promise<void>;
  close(summary: TraceSummary): Promise<void>;
}

export interface TraceFeed<Source> {
  /** The given source, or its stand-in if another process reads it. */
  source: Source;
  /** Begins to move records. `onNews`, `onFailure`: see Drain. */
  begin(onNews: (news: BatchNews) => TraceUpdate | undefined, onFailure: (failure: UserError) => void): Draining;
}

export interface FeedRequest<Source> {
  /** `-` is standard output. */
  output: string;
  header: TraceHeader;
  /** The user whose process reads the records and writes the trace; undefined: this process. */
  user: UnprivilegedUser | undefined;
  source: Source & RecordSource;
  /** The source's descriptor, for another process. */
  descriptor: number;
  /** The program that reads the source instead of this process. */
  worker: WorkerEntry;
  /** The functions of rewritten drivers: their sites get the names of the originals' places. */
  moved?: readonly MovedModule[] | undefined;
  /** Makes the recording's stand-in for a source that another process reads. */
  standIn: (child: DrainProcess) => Source;
}

/** Makes the trace's file and prepares to fill it. Throws UserError; then no file is left. */
export async function openFeed<Source>(request: FeedRequest<Source>): Promise<TraceFeed<Source>> {
  const { output, header, user, source, descriptor, worker, moved = [], standIn } = request;
  try {
    if (user === undefined) {
      const writer = await createTrace(output, header);
      const { ring_bytes } = header.options;
      const names = siteNamesOf(moved);
      return { source, begin: (onNews, onFailure) => new Drain(source, writer, onNews, onFailure, ring_bytes, names) };
    }
    // We make it: it is root's, like every trace, and the user gets only the descriptor.
    const file = Output.create(output);
    const child = await DrainProcess.start({ user, records: descriptor, file, header, worker, moved });
    return { source: standIn(child), begin: (onNews, onFailure) => child.begin(onNews, onFailure) };
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`beginning the trace failed: ${messageOf(error)}`, { cause: error });
  }
}
