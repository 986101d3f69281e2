// Counts events of a trace that no program makes: then it has gaps, or its names don't fit together, and what is found means less.
import { countOf } from "../../base/units.js";
import type { Detector } from "./detector.js";
import { type EventBatch, EventKind } from "./event-batch.js";
import { grown } from "./name-table.js";

const firstLength = 64;

/** Marks of a thread. */
const hasRun = 1;
const isForked = 2;
const isJoined = 4;

export class Oddities implements Detector {
  private marks = new Uint8Array(firstLength);
  /** By lock: its holder plus 1, and how often that one acquired it more than released it. */
  private holders = new Int32Array(firstLength);
  private depths = new Int32Array(firstLength);
  private readonly counts = { releases: 0, acquires: 0, forks: 0, afterJoin: 0 };

  take({ kinds, threads, targets, length, threadCount, lockCount }: EventBatch): void {
    if (threadCount > this.marks.length) this.marks = grown(this.marks, 2 * threadCount);
    if (lockCount > this.holders.length) {
      this.holders = grown(this.holders, 2 * lockCount);
      this.depths = grown(this.depths, 2 * lockCount);
    }
    const { marks } = this;
    for (let index = 0; index < length; index += 1) {
      const thread = threads[index]!;
      const mark = marks[thread]!;
      if ((mark & isJoined) !== 0) this.counts.afterJoin += 1;
      marks[thread] = mark | hasRun;
      const kind = kinds[index]!;
      if (kind > EventKind.write) this.synchronise(kind, thread, targets[index]!);
    }
  }

  /** Returns a sentence for each kind of oddity that there was. */
  notes(): string[] {
    const { releases, acquires, forks, afterJoin } = this.counts;
    const silent = this.marks.reduce((sum, mark) => sum + ((mark & (isForked | hasRun)) === isForked ? 1 : 0), 0);
    const notes: string[] = [];
    if (silent > 0) {
      notes.push(
        `${countOf(silent, "forked thread")} without events: if the trace calls them by other names, these forks order nothing`,
      );
    }
    if (releases > 0)
      notes.push(`${countOf(releases, "release")} of locks that their threads don't hold: are acquires missing?`);
    if (acquires > 0)
      notes.push(`${countOf(acquires, "acquire")} of locks that other threads hold: are releases missing?`);
    if (forks > 0) notes.push(`${countOf(forks, "fork")} of threads that were there before`);
    if (afterJoin > 0) notes.push(`${countOf(afterJoin, "event")} of threads that were joined before`);
    return notes;
  }

  private synchronise(kind: number, thread: number, target: number): void {
    const { marks, holders, depths, counts } = this;
    if (kind === EventKind.acquire) {
      if (holders[target] !== thread + 1) {
        if (depths[target]! > 0) counts.acquires += 1;
        holders[target] = thread + 1;
        depths[target] = 0;
      }
      depths[target]! += 1;
    } else if (kind === EventKind.release) {
      if (holders[target] !== thread + 1 || depths[target] === 0) counts.releases += 1;
      else depths[target]! -= 1;
    } else if (kind === EventKind.fork) {
      if ((marks[target]! & (hasRun | isForked)) !== 0) counts.forks += 1;
      marks[target]! |= isForked;
    } else if (kind === EventKind.join) marks[target]! |= isJoined;
  }
}
