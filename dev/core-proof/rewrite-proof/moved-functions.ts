// Looks if the list of moved functions, from which a trace's sites get the original's names, is true for each instruction.
import type { PairedCode } from "./pair-code.js";
import type { Comparison } from "./references.js";

/** The facts for the recorder: src/machine/rewritten-module.ts. */
export const rewritingSection = ".mms_rewriting";

interface Moved {
  name: string;
  new_bytes: number;
  old_bytes: number;
  steps: number[];
}

/** Looks if the list of moved functions tells the old place of each instruction of each function. */
export function compareMoved(comparison: Comparison): void {
  const { new: after, complain } = comparison;
  const section = after.elf.section(rewritingSection)!;
  const isKept = section.flags === 0n && section.type === 1;
  let listed: Moved[] = [];
  try {
    listed = (JSON.parse(Buffer.from(after.elf.content(section)).toString("latin1")) as { functions: Moved[] })
      .functions;
  } catch {
    complain(rewritingSection, 0, "no list of functions");
  }
  let place = 0;
  for (const [index, code] of comparison.paired) {
    for (const expected of movedIn(comparison, index, code)) {
      if (JSON.stringify(expected) !== JSON.stringify(listed[place]))
        complain(rewritingSection, place, `not how ${expected.name} has moved`);
      place += 1;
    }
  }
  if (place !== listed.length || !isKept) complain(rewritingSection, 0, "another list of functions");
}

/** Finds the functions of one section that have moved or changed, in the order of their symbols. */
function* movedIn({ old, new: after }: Comparison, index: number, code: PairedCode): Generator<Moved> {
  const own = old.symbols.flatMap((symbol, number) =>
    symbol.section?.index === index && symbol.name !== "" ? [{ symbol, now: after.symbols[number]! }] : [],
  );
  const tail = after.symbols.find(({ name }) => name === `mms_stubs${code.old.section.name}`);
  const oldPlaces = Float64Array.from([...own.map(({ symbol }) => Number(symbol.value)), code.old.bytes.length]).sort();
  const end = tail === undefined ? code.new.starts.at(-1)! : Number(tail.value);
  const newPlaces = Float64Array.from([...own.map(({ now }) => Number(now.value)), end]).sort();
  for (const { symbol, now } of own) {
    if (symbol.type !== 2) continue;
    const [from, to] = [Number(symbol.value), Number(now.value)];
    const [old_bytes, new_bytes] = [distanceToNext(oldPlaces, from), distanceToNext(newPlaces, to)];
    const steps: number[] = [];
    let last = 0;
    const first = code.oldNumber[from] ?? -1;
    for (let number = first; first >= 0 && number < code.old.starts.length - 1; number += 1) {
      const before = code.old.starts[number]! - from;
      if (before >= symbol.size_bytes) break;
      const behind = code.new.starts[number]! - to;
      if (behind - before !== last) steps.push(behind, behind - before);
      last = behind - before;
    }
    if (old_bytes !== new_bytes || steps.length > 0) yield { name: symbol.name, new_bytes, old_bytes, steps };
  }
}

/** Returns the distance from a place to the next higher one of a sorted list, or 0 at the last. */
function distanceToNext(places: Float64Array, place: number): number {
  let [low, high] = [0, places.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (places[middle]! <= place) low = middle + 1;
    else high = middle;
  }
  return (places[low] ?? place) - place;
}
