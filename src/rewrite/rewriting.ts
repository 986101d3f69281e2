// Lists the functions of a module with the places that they have in the rewritten one: machine/rewritten-module.ts reads it.
import { latin1Bytes } from "../base/bytes.js";
import { SymbolType } from "../elf/layout.js";
import type { MovedFunction, Rewriting } from "../machine/rewritten-module.js";
import type { SectionLayout } from "./layout.js";
import type { ModuleCode } from "./module-code.js";

/** Lists the functions, with their symbols' new values. */
export function movedFunctions(
  { symbols, code }: ModuleCode,
  layouts: readonly (SectionLayout | undefined)[],
  newValues: Float64Array,
): MovedFunction[] {
  const found: MovedFunction[] = [];
  for (const section of code) {
    if (section === undefined) continue;
    const { starts, tail } = layouts[section.section.index]!;
    const { sweep, content } = section;
    const own = symbols.flatMap((symbol, index) =>
      symbol.section === section.section && symbol.name !== "" ? [index] : [],
    );
    const oldLengths = lengths(
      own.map((index) => Number(symbols[index]!.value)),
      content.length,
    );
    const newLengths = lengths(
      own.map((index) => newValues[index]!),
      tail,
    );
    own.forEach((index, place) => {
      const { name, type, value, size_bytes } = symbols[index]!;
      if (type !== SymbolType.function) return;
      const begin = Number(value);
      const steps: number[] = [];
      let shift = 0;
      for (let number = section.instructionAt[begin] ?? -1; number >= 0 && number < sweep.count; number += 1) {
        const offset = sweep.starts[number]! - begin;
        if (offset >= size_bytes) break;
        const newOffset = starts[number]! - newValues[index]!;
        if (newOffset - offset === shift) continue;
        shift = newOffset - offset;
        steps.push(newOffset, shift);
      }
      const [new_bytes, old_bytes] = [newLengths[place]!, oldLengths[place]!];
      if (new_bytes !== old_bytes || steps.length > 0) found.push({ name, new_bytes, old_bytes, steps });
    });
  }
  return found;
}

/** Returns each place's distance to the next higher one, or to the end. */
function lengths(places: readonly number[], end: number): number[] {
  const sorted = [...new Set(places), end].sort((a, b) => a - b);
  const next = new Map(sorted.map((place, at) => [place, sorted[at + 1] ?? place]));
  return places.map((place) => next.get(place)! - place);
}

export function rewritingBytes(rewriting: Rewriting): Uint8Array {
  return latin1Bytes(JSON.stringify(rewriting));
}
