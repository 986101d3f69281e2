// The form of a race detector, and what the detectors share.
import type { EventBatch } from "./event-batch.js";

/** An algorithm at work: it gets all events in order, and puts what it finds into its tally. */
export interface Detector {
  take(batch: EventBatch): void;
}
