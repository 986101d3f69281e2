// How records get from their source into the trace: by this process, or by one that has given up root's rights.
import { messageOf, UserError } from "../../base/errors.js";
import type { TraceHeader, TraceSummary, TraceUpdate } from "../../trace/header.js";
import { createTrace } from "../../trace/node/create-trace.js";
import { Output } from "../../trace/node/output.js";
import type { BatchNews } from "./batch-scan.js";
import { Drain } from "./drain.js";
import { DrainProcess, type WorkerEntry } from "./drain-process.js";
import type { RecordSource } from "./record-source.js";
import type { UnprivilegedUser } from "./unprivileged-user.js";

/** A drain at work, as its recording sees it: see Drain. */
export interface Draining {
  readonly accesses: number;
  readonly failure: UserError | undefined;
  readonly done: Promise<void>;
  hurry(): void;
  note(update: TraceUpdate): Promise<void>;
  close(summary: TraceSummary): Promise<void>;
}

export interface TraceFeed<Source> {
  /** The source: the one that was given, or its stand-in where another process reads it. */
  source: Source;
  /** Begins to move records. `onNews`, `onFailure`: see Drain. */
  begin(onNews: (news: BatchNews) => TraceUpdate | undefined, onFailure: (failure: UserError) => void): Draining;
}

export interface FeedRequest<Source> {
  /** `-` is standard output. */
  output: string;
  header: TraceHeader;
  /** Who is to read the records and write the trace; undefined: this process. */
  user: UnprivilegedUser | undefined;
  source: Source & RecordSource;
  /** What the source reads from, for another process to read it. */
  descriptor: number;
  /** The process that reads the source in place of this one. */
  worker: WorkerEntry;
  /** What the recording asks instead of the source, where another process reads that. */
  standIn: (child: DrainProcess) => Source;
}

/** Makes the trace's file and gets ready to fill it. Throws UserError; no file is left then. */
export async function openFeed<Source>(request: FeedRequest<Source>): Promise<TraceFeed<Source>> {
  const { output, header, user, source, descriptor, worker, standIn } = request;
  try {
    if (user === undefined) {
      const writer = await createTrace(output, header);
      return { source, begin: (onNews, onFailure) => new Drain(source, writer, onNews, onFailure) };
    }
    // Made by us: it is root's, as every trace, and the user has no more of it than the descriptor.
    const file = Output.create(output);
    const child = await DrainProcess.start({ user, records: descriptor, file, header, worker });
    return { source: standIn(child), begin: (onNews, onFailure) => child.begin(onNews, onFailure) };
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`beginning the trace failed: ${messageOf(error)}`, { cause: error });
  }
}
