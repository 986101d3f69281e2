// The structures and numbers of BTF, the kernel's type information: include/uapi/linux/btf.h and Documentation/bpf/btf.rst of the
// kernel. All numbers have 32 bits and are little-endian here.
import { assert } from "../base/assert.js";

/** The first two bytes, read as a little-endian number; `magicSwapped` where the file is big-endian. */
export const magic = 0xeb9f;
export const magicSwapped = 0x9feb;
export const version = 1;

/** struct btf_header. The offsets in it count from its end. */
export const header = {
  at: {
    magic: 0,
    version: 2,
    flags: 3,
    header_bytes: 4,
    typesOffset: 8,
    types_bytes: 12,
    stringsOffset: 16,
    strings_bytes: 20,
    layoutsOffset: 24,
    layouts_bytes: 28,
  },
  /** The length up to Linux 7.0, without the section of layouts. */
  size_bytes: 24,
  withLayouts_bytes: 32,
} as const;

/** struct btf_type, with which each type begins. */
export const typeHead = { at: { name: 0, info: 4, sizeOrType: 8 }, size_bytes: 12 } as const;

/** struct btf_member. */
export const memberEntry = { at: { name: 0, type: 4, offset: 8 }, size_bytes: 12 } as const;

/**
 * A type's kind. The kernel's PTR, FWD, FUNC, FUNC_PROTO, VAR, DATASEC and DECL_TAG are written out; `unknown` is one of a newer kernel,
 * of which only the length is known.
 */
export type BtfKind =
  | "void"
  | "int"
  | "pointer"
  | "array"
  | "struct"
  | "union"
  | "enum"
  | "forward"
  | "typedef"
  | "volatile"
  | "const"
  | "restrict"
  | "function"
  | "prototype"
  | "variable"
  | "section"
  | "float"
  | "declarationTag"
  | "typeTag"
  | "enum64"
  | "unknown";

/** A kind that this program knows. */
export type KnownKind = Exclude<BtfKind, "unknown">;

/** Bytes of one kind's types behind their heads. */
export interface KindLayout {
  /** Always there. */
  once_bytes: number;
  /** For each of the type's elements: members, parameters, values, variables. */
  element_bytes: number;
}

const nothing: KindLayout = { once_bytes: 0, element_bytes: 0 };
const oneWord: KindLayout = { once_bytes: 4, element_bytes: 0 };
const elementsOf = (element_bytes: number): KindLayout => ({ once_bytes: 0, element_bytes });

/** The layouts of the kinds, in the order of their numbers. */
const layouts = {
  void: nothing,
  int: oneWord,
  pointer: nothing,
  array: { once_bytes: 12, element_bytes: 0 },
  struct: elementsOf(12),
  union: elementsOf(12),
  enum: elementsOf(8),
  forward: nothing,
  typedef: nothing,
  volatile: nothing,
  const: nothing,
  restrict: nothing,
  function: nothing,
  prototype: elementsOf(8),
  variable: oneWord,
  section: elementsOf(12),
  float: nothing,
  declarationTag: oneWord,
  typeTag: nothing,
  enum64: elementsOf(12),
} satisfies Record<KnownKind, KindLayout>;

/** The kinds of types by their numbers. */
export const kinds = Object.keys(layouts) as KnownKind[];
export const kindLayouts: readonly KindLayout[] = Object.values(layouts);
assert(
  kinds[0] === "void" && kinds[13] === "prototype" && kinds[19] === "enum64",
  "the kinds stand in the order of their numbers",
);

/** struct btf_layout, one for each kind that the file's writer knew: two bytes of lengths, and two of flags. */
export const layoutEntry = { at: { once_bytes: 0, element_bytes: 1 }, size_bytes: 4 } as const;

/** The number of elements in a type's info word. Up to Linux 7.0 it had 16 bits, and the eight above them were 0. */
export const elementCount = (info: number) => info & 0xff_ffff;
export const kindNumber = (info: number) => (info >>> 24) & 0x7f;
/** A bit whose meaning depends on the kind. */
export const kindFlag = (info: number) => info >>> 31 === 1;

/** Bits of an integer's encoding, in bits 24 to 27 of its word. */
export const IntEncoding = { signed: 1, char: 2, bool: 4 } as const;

/** The bytes of a pointer: this project reads types of x86-64 only. */
export const pointer_bytes = 8;
