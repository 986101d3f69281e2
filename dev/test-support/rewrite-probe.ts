// An instrumentation that changes nothing: an empty instruction in front of each operand in memory. It moves everything, so that
// the layout can be proven by itself.
import { Register } from "iced-x86";
import type { Instrumentation } from "../../src/rewrite/instrumentation.js";
import type { CodeSection } from "../../src/rewrite/module-code.js";
import type { InsertedCodeProof } from "../core-proof/rewrite-proof/prove.js";

/** nopl (%rax) */
const empty = [0x0f, 0x1f, 0x00];

const leftAlone: number[] = [Register.None, Register.RSP, Register.RIP];

function roomIn({ sweep, isGlued, isFixed }: CodeSection): Uint8Array {
  const before_bytes = new Uint8Array(sweep.count);
  for (let number = 0; number < sweep.count && !isFixed; number += 1) {
    const isWanted = !leftAlone.includes(sweep.bases[number]!) && isGlued[number] !== 1;
    if (isWanted) before_bytes[number] = empty.length;
  }
  return before_bytes;
}

export const probe: Instrumentation = {
  imports: [],
  chooseRoom: ({ code }) => code.map((one) => one && { before_bytes: roomIn(one), tail_bytes: 0 }),
  fill: ({ code: { sweep }, layout: { starts, before_bytes }, content }) => {
    for (let number = 0; number < sweep.count; number += 1) {
      if (before_bytes[number]! > 0) content.set(empty, starts[number]! - empty.length);
    }
    return { relocations: undefined, states: [], data: undefined, portsLeft: 0 };
  },
};

/** Looks if all that was put in is the empty instruction. */
export const proveProbe: InsertedCodeProof = {
  newSections: [],
  prove: ({ old, new: after, paired, complain }, inserted) => {
    if (after.symbols.length !== old.symbols.length) complain(".symtab", old.symbols.length, "a new symbol");
    const codes = new Map([...paired.values()].map(({ new: code }) => [code.section.name, code.bytes]));
    for (const { kind, section, offset, length_bytes } of inserted) {
      const bytes = codes.get(section)!.subarray(offset, offset + length_bytes);
      const isRight = kind === "before" && Buffer.from(bytes).equals(Buffer.from(empty));
      if (kind !== "padding" && !isRight) complain(section, offset, "not the probe's empty instruction");
    }
  },
};
