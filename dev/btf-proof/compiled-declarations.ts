// C source that holds our declarations and sizes against the definitions that bpftool writes for the same types: the compiler decides.
// bpftool gives types of the same name other names; declarations that mention such a name are left out, and counted. Sizes and
// offsets of structures and enumerations aren't here but in raw-dump.ts: C text can't say all that makes them.
import type { Btf } from "../../src/btf/btf.js";
import type { BtfMember, BtfTypeId } from "../../src/btf/types.js";

export interface CompiledChecks {
  /** Stands behind bpftool's definitions. */
  source: string;
  sizes: number;
  members: number;
  functions: number;
  leftOut: number;
}

/** Writes the checks of all types, those of the base included. */
export function compiledChecks(btf: Btf): CompiledChecks {
  const counts = { sizes: 0, members: 0, functions: 0, leftOut: 0 };
  const shared = sharedNames(btf);
  const lines: string[] = [];
  const check = (what: "sizes" | "members" | "functions", text: string, line: string) => {
    const isClear = !text.includes("{…}") && !(text.match(/\w+/g) ?? []).some((word) => shared.has(word));
    counts[isClear ? what : "leftOut"] += 1;
    if (isClear) lines.push(line);
  };
  for (let id = 1; id < btf.count; id += 1) {
    const kind = btf.kindOf(id);
    if (kind === "function") {
      const text = btf.declaration(id, `function_${id}`);
      check("functions", text, `extern ${text};`);
    }
    const isDefined = kind === "struct" || kind === "union" || kind === "typedef";
    if (!isDefined || btf.nameOf(id) === undefined) continue;
    const whole = btf.declaration(id);
    if (hasPlainSize(btf, id)) check("sizes", whole, sizeCheck(btf, id, whole));
    for (const { name, type } of membersToCheck(btf, id)) {
      const text = btf.declaration(type);
      const isSame = `__builtin_types_compatible_p(__typeof__(((${whole} *)0)->${name}), __typeof__(${text}))`;
      check("members", `${whole} ${text}`, `_Static_assert(${isSame}, "${whole}: ${name}: ${text}");`);
      if (hasPlainSize(btf, type)) check("sizes", text, sizeCheck(btf, type, text));
    }
  }
  return { ...counts, source: `${lines.join("\n")}\n` };
}

function sizeCheck(btf: Btf, id: BtfTypeId, text: string): string {
  // an array of unknown length has none in C
  return `_Static_assert(sizeof(${text.replace("[]", "[0]")}) == ${btf.size_bytes(id)}, "the size of type ${id}, ${text}");`;
}

/** Returns true for numbers, pointers, and arrays of them. */
function hasPlainSize(btf: Btf, id: BtfTypeId): boolean {
  const type = btf.resolve(id);
  if (type.kind === "array") return hasPlainSize(btf, type.element);
  return type.kind === "int" || type.kind === "float" || type.kind === "pointer";
}

/** The named members that C lets be spoken of. */
function membersToCheck(btf: Btf, id: BtfTypeId): BtfMember[] {
  return (btf.members(id) ?? []).filter(({ name, bitField_bits }) => name !== undefined && bitField_bits === 0);
}

/** Names that stand for more than one thing. */
function sharedNames(btf: Btf): Set<string> {
  const [seen, shared] = [new Set<string>(), new Set<string>()];
  const note = (space: string, name: string) => {
    if (seen.has(space + name)) shared.add(name);
    seen.add(space + name);
  };
  for (let id = 1; id < btf.count; id += 1) {
    const kind = btf.kindOf(id);
    const name = btf.nameOf(id);
    if (kind === "typedef" && name !== undefined) note("word ", name);
    if (["struct", "union", "enum", "enum64", "forward"].includes(kind) && name !== undefined) note("tag ", name);
    if (kind !== "enum" && kind !== "enum64") continue;
    const type = btf.type(id);
    if ("values" in type) for (const value of type.values) note("word ", value.name);
  }
  return shared;
}
