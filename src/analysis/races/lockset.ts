// Locksets: an access is racy if no lock was held at all accesses to its variable so far, unless one thread alone made these, or all
// were reads. Looks at locks only, as Eraser does: fork and join order nothing, so it reports what can't race, too.
import type { Detector, RaceSink } from "./detector.js";
import { type EventBatch, EventKind } from "./event-batch.js";
import { CandidateSets, HeldLocks } from "./lock-sets.js";

export class LockSet implements Detector {
  private readonly races: RaceSink;
  private readonly locks = new HeldLocks();
  private readonly candidates = new CandidateSets(this.locks);

  constructor(races: RaceSink) {
    this.races = races;
  }

  take({ kinds, threads, targets, locations, length, firstEvent }: EventBatch): void {
    for (let index = 0; index < length; index += 1) {
      const kind = kinds[index]!;
      const thread = threads[index]!;
      const target = targets[index]!;
      if (kind <= EventKind.write) {
        if (!this.candidates.access(target, thread, kind === EventKind.write)) continue;
        const event = firstEvent + index;
        this.races.racy(event, target);
        this.races.pair(target, undefined, { kind, thread, location: locations[index]!, event });
      } else if (kind === EventKind.acquire) this.locks.acquire(thread, target);
      else if (kind === EventKind.release) this.locks.release(thread, target);
    }
  }
}
