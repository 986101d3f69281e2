// The mappings' numbers in a merged trace: those of several recordings may be the same, and mean different mappings.
import type { TraceReader } from "../../trace/file/reader.js";
import { mmiotraceProducer } from "../../trace/mmiotrace-head.js";

/** Mapping number that means none in the kernel's text. */
export const noMapping = 0xffff_ffff;

/**
 * Returns a mapping's number in the new trace, for its `wanted` number in the `numbering` of its own. `identity` is undefined where
 * the trace doesn't show the mapping being made.
 */
export type NewMapping = (numbering: number, wanted: number, identity: string | undefined) => number;

/** Returns a text that two mappings have in common only if they are the same. */
export function identityOf(mapping: { address: bigint; length_bytes: bigint; decoy: bigint }, id: number): string {
  return `${id} ${mapping.address} ${mapping.length_bytes} ${mapping.decoy}`;
}

/**
 * Returns the number of each trace's numbering of mappings. Parts of one recording have the same one. So have mmiotrace's logs of one
 * boot: the kernel counts on from one log to the next.
 */
export function numberingsOf(readers: readonly TraceReader[]): number[] {
  const numberings = new Map<string, number>();
  return readers.map(({ header: { engine, producer, clock } }, index) => {
    const isKnown = BigInt(clock.wall_ns) !== 0n || producer === mmiotraceProducer;
    const key = isKnown ? JSON.stringify([engine, producer, clock]) : `${index}`;
    let numbering = numberings.get(key);
    if (numbering === undefined) {
      numbering = numberings.size;
      numberings.set(key, numbering);
    }
    return numbering;
  });
}

/** Hands out the numbers: wanted ones where they are free. */
export function mappingNumbers(): NewMapping {
  const used = new Set<number>();
  const known = new Map<string, number>();
  /** By numbering and wanted number: the last mapping that had it. */
  const last = new Map<string, { given: number; identity: string | undefined }>();
  let highest = 0;
  return (numbering, wanted, identity) => {
    const key = `${numbering} ${wanted}`;
    const before = last.get(key);
    const isSame =
      before !== undefined && (identity === undefined || before.identity === undefined || before.identity === identity);
    const same = isSame ? before.given : identity === undefined ? undefined : known.get(identity);
    const given = same ?? (used.has(wanted) ? highest + 1 : wanted);
    used.add(given);
    highest = Math.max(highest, given);
    last.set(key, { given, identity: identity ?? before?.identity });
    if (identity !== undefined) known.set(identity, given);
    return given;
  };
}
