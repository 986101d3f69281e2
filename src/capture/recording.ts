// What every engine's recording has in common: how it is asked for, what it says while it runs, and how it ends.
import { messageOf, UserError } from "../base/errors.js";
import type { TraceHeader } from "../trace/header.js";
import type { TraceSink } from "./drain.js";
import type { Filter } from "./filters.js";
import type { KernelMapping } from "./mapping-check.js";

export interface CommonRecordingOptions {
  filter: Filter;
  ring_bytes: number;
  /** Unbind the filter's functions before the start and bind them after it. */
  rebind: boolean;
  commandLine: string[];
  /** Makes the trace's file; called once recording has begun. */
  openTrace: (header: TraceHeader) => TraceSink | Promise<TraceSink>;
  /** A line for the user, while it goes on. */
  onNotice: (line: string) => void;
}

export interface RecordingProgress {
  accesses: number;
  lost: number;
  escaped: number;
  /** Recorded mappings alive now. */
  mappings: number;
}

export interface RecordingResult {
  accesses: number;
  lost: number;
  escaped: number;
  missed: number;
  /** Mappings that were recorded since the start. */
  mappings: number;
  /** Why the trace isn't complete, a sentence each. */
  incomplete: string[];
  /** Why the trace could not be written to its end, or undefined. */
  failure: UserError | undefined;
  /** What else went wrong, a sentence each. */
  problems: string[];
}

export interface Recording {
  /** Settles when the recording can't go on: the trace can't be written any more. */
  readonly broken: Promise<void>;
  /** The mappings that were made before recording began: accesses through them are not recorded. */
  readonly earlyMappings: readonly KernelMapping[];
  progress(): RecordingProgress;
  /** Stops, takes what is left, and closes the trace. */
  stop(): Promise<RecordingResult>;
}

/** Makes the trace's file. Throws UserError. */
export async function openTrace(options: CommonRecordingOptions, header: TraceHeader): Promise<TraceSink> {
  try {
    return await options.openTrace(header);
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`beginning the trace failed: ${messageOf(error)}`, { cause: error });
  }
}
