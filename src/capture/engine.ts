// What an engine is to the rest of the program: its declaration. Each engine has a folder with one; engines.ts lists them.
import type { Check } from "../machine/check.js";
import type { TraceHeader } from "../trace/header.js";
import type { EngineOptions, Recording, RecordingRequest } from "./recording.js";

export type EngineOption = keyof EngineOptions;

export interface RunningKernel {
  /** As `uname -r` says it. */
  release: string;
  /** Its options that are set, or undefined where it doesn't show them. */
  configuration: ReadonlyMap<string, string> | undefined;
}

/** A kernel whose headers are at hand, to be booted later. */
export interface OtherKernel {
  release: string;
  headersDirectory: string;
}

/**
 * An engine's declaration. It is loaded with every command that records, so the engine itself is loaded by these functions only when
 * they are called.
 */
export interface Engine {
  readonly name: Exclude<TraceHeader["engine"], "import">;
  /** How it catches accesses, in a few words. */
  readonly about: string;
  /** What it does that needs root: "it loads a kernel module". */
  readonly rootFor: string;
  readonly offers: readonly EngineOption[];
  /** Why it offers no more, for the message that refuses an option. */
  readonly limits: string;
  /** What it needs on this machine beside root, and whether that is there. Changes nothing. */
  needs(kernel: RunningKernel): Promise<Check[]>;
  /**
   * Makes ahead, for a kernel that isn't running here, what a recording on it would have to make first. Throws UserError.
   * `onWork` hears a line when that takes a while.
   */
  prepare(kernel: OtherKernel, onWork: (line: string) => void): Promise<void>;
  /** Begins to record. Throws UserError; everything is then as it was before. Needs root. */
  start(request: RecordingRequest): Promise<Recording>;
  /**
   * Gives back what may still be held after a recording has stopped and its command has ended. Returns a sentence about what has to
   * stay, or undefined.
   */
  release(): Promise<string | undefined>;
  /** True while a recording by this engine runs, started by whomever. */
  isRecording(): Promise<boolean>;
  /** Puts a marker into the recording that runs. Throws UserError where it can't. */
  mark(text: string): Promise<void>;
}
