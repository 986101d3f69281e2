// The form of a race detector, and of what takes its results.
import type { EventBatch } from "./event-batch.js";

/** An algorithm at work: it gets all events in order. */
export interface Detector {
  take(batch: EventBatch): void;
}

/** An access of a racing pair. Its kind is a number of EventKind's. */
export interface PairedAccess {
  kind: number;
  thread: number;
  location: number;
}

/** Takes the races that a detector finds. */
export interface RaceSink {
  /** Takes a racy event: once each, in order. */
  racy(event: number, variable: number): void;
  /** Takes a pair of accesses; `earlier` is undefined where an algorithm finds no pairs. Both belong to the caller. */
  pair(variable: number, earlier: PairedAccess | undefined, later: PairedAccess & { event: number }): void;
}
