// An engine's declaration, its interface to the rest of the program. Each engine has a folder with one; engines.ts lists them.
import type { OtherRoot } from "../base/run-in-root.js";
import type { Check } from "../machine/check.js";
import type { TraceHeader } from "../trace/header.js";
import type { EngineOptions, Recording, RecordingRequest } from "./recording.js";

export type EngineOption = keyof EngineOptions;

export interface RunningKernel {
  /** The output of `uname -r`. */
  release: string;
  /** Its options that are set; undefined if it doesn't show them. */
  configuration: ReadonlyMap<string, string> | undefined;
}

/** A kernel with available headers, to be booted later. */
export interface OtherKernel {
  release: string;
  headersDirectory: string;
  /** Makes or finds the root file system whose compiler modules for it are built with; undefined: this machine's root. */
  buildRoot: (() => Promise<OtherRoot>) | undefined;
}

/**
 * An engine's declaration. Every command that records loads it, so these functions load the engine itself only when they are called.
 */
export interface Engine {
  readonly name: Exclude<TraceHeader["engine"], "import">;
  /** Its way to catch accesses, in a few words. */
  readonly about: string;
  /** The reason why it needs root: "it loads a kernel module". */
  readonly rootFor: string;
  readonly offers: readonly EngineOption[];
  /** The reason why it offers no more options, for the message that refuses one. */
  readonly limits: string;
  /** Checks its needs on this machine, besides root. Changes nothing. */
  needs(kernel: RunningKernel): Promise<Check[]>;
  /**
   * Prepares a recording on a kernel that isn't running here, so that the recording itself needn't. Throws UserError.
   * `onWork` gets a line if that takes a while.
   */
  prepare(kernel: OtherKernel, onWork: (line: string) => void): Promise<void>;
  /** Begins to record. Throws UserError; then nothing has changed. Needs root. */
  start(request: RecordingRequest): Promise<Recording>;
  /**
   * Releases everything still held after a recording has stopped and its command has ended. Returns a sentence about things that
   * must stay, or undefined.
   */
  release(): Promise<string | undefined>;
  /** Returns true while a recording by this engine runs, started by any process. */
  isRecording(): Promise<boolean>;
  /** Puts a marker into the running recording. Throws UserError. */
  mark(text: string): Promise<void>;
}
