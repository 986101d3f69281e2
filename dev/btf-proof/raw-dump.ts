// Types as `bpftool btf dump … format raw` prints them, so that two readers can be compared line by line.
import { assertUnreachable } from "../../src/base/assert.js";
import type { Btf } from "../../src/btf/btf.js";
import type { BtfEnum, BtfInt, BtfType, BtfTypeId } from "../../src/btf/types.js";

const quoted = (name: string | undefined) => `'${name ?? "(anon)"}'`;

const kindWords: Record<BtfType["kind"], string> = {
  void: "UNKN",
  int: "INT",
  pointer: "PTR",
  array: "ARRAY",
  struct: "STRUCT",
  union: "UNION",
  enum: "ENUM",
  forward: "FWD",
  typedef: "TYPEDEF",
  volatile: "VOLATILE",
  const: "CONST",
  restrict: "RESTRICT",
  function: "FUNC",
  prototype: "FUNC_PROTO",
  variable: "VAR",
  section: "DATASEC",
  float: "FLOAT",
  declarationTag: "DECL_TAG",
  typeTag: "TYPE_TAG",
  enum64: "ENUM64",
  unknown: "UNKNOWN",
};

/** Returns the lines of one type. */
export function rawLines(btf: Btf, id: BtfTypeId): string[] {
  const type = btf.type(id);
  const [facts, ...elements] = factsOf(btf, type);
  const name = "name" in type ? type.name : undefined;
  return [`[${id}] ${kindWords[type.kind]} ${quoted(name)} ${facts}`, ...elements.map((line) => `\t${line}`)];
}

/** The facts on a type's first line, then a line for each element. */
function factsOf(btf: Btf, type: BtfType): string[] {
  switch (type.kind) {
    case "int":
      return [`size=${type.size_bytes} bits_offset=${type.firstBit} nr_bits=${type.bits} encoding=${encodingOf(type)}`];
    case "pointer":
    case "const":
    case "volatile":
    case "restrict":
    case "typedef":
    case "typeTag":
      return [`type_id=${type.target}`];
    case "array":
      return [`type_id=${type.element} index_type_id=${type.index} nr_elems=${type.length}`];
    case "struct":
    case "union": {
      const members = type.members.map((member) => {
        const width = member.bitField_bits === 0 ? "" : ` bitfield_size=${member.bitField_bits}`;
        return `${quoted(member.name)} type_id=${member.type} bits_offset=${member.offset_bits}${width}`;
      });
      return [`size=${type.size_bytes} vlen=${members.length}`, ...members];
    }
    case "enum":
    case "enum64":
      return enumFacts(type);
    case "forward":
      return [`fwd_kind=${type.of}`];
    case "function":
      return [`type_id=${type.prototype} linkage=${type.linkage}`];
    case "prototype": {
      const all = [...type.parameters, ...(type.isVariadic ? [{ name: undefined, type: 0 }] : [])];
      const parameters = all.map((parameter) => `${quoted(parameter.name)} type_id=${parameter.type}`);
      return [`ret_type_id=${type.result} vlen=${parameters.length}`, ...parameters];
    }
    case "variable":
      return [`type_id=${type.type}, linkage=${type.linkage}`];
    case "section": {
      const variables = type.variables.map(({ variable, offset_bytes, size_bytes }) => {
        const whose = `(VAR ${quoted(btf.nameOf(variable))})`;
        return `type_id=${variable} offset=${offset_bytes} size=${size_bytes} ${whose}`;
      });
      return [`size=${type.size_bytes} vlen=${variables.length}`, ...variables];
    }
    case "float":
      return [`size=${type.size_bytes}`];
    case "declarationTag":
      return [`type_id=${type.target} component_idx=${type.component ?? -1}`];
    case "void":
    case "unknown":
      return [""];
    default:
      return assertUnreachable(type);
  }
}

function encodingOf({ isSigned, isChar, isBool }: BtfInt): string {
  return [isSigned && "SIGNED", isChar && "CHAR", isBool && "BOOL"].filter(Boolean).join(" ") || "(none)";
}

function enumFacts({ kind, size_bytes, isSigned, values }: BtfEnum): string[] {
  const suffix = kind === "enum" ? "" : isSigned ? "LL" : "ULL";
  const lines = values.map(({ name, value }) => `${quoted(name)} val=${value}${suffix}`);
  return [`encoding=${isSigned ? "SIGNED" : "UNSIGNED"} size=${size_bytes} vlen=${values.length}`, ...lines];
}

export interface RawComparison {
  types: number;
  /** Of any type, with the lines of their elements. */
  lines: number;
  differences: string[];
}

/** Compares a file's own types, without those of its base, with bpftool's dump of them. */
export function compareRaw(btf: Btf, dump: string): RawComparison {
  const theirs = dump.trimEnd().split("\n");
  const differences: string[] = [];
  let line = 0;
  for (let id = btf.firstId; id < btf.count; id += 1) {
    for (const our of rawLines(btf, id)) {
      if (theirs[line] !== our) differences.push(`line ${line + 1}: bpftool has ${theirs[line]}, we have ${our}`);
      line += 1;
    }
  }
  if (line !== theirs.length) differences.push(`bpftool has ${theirs.length} lines, we have ${line}`);
  return { types: btf.count - btf.firstId, lines: line, differences };
}
