// The shapes in which types are given out: plain objects, made one by one when they are asked for.
import type { BtfKind } from "./layout.js";

/** A type's number in its file and in those that build on it; 0 is `void`. */
export type BtfTypeId = number;

interface TypeBase {
  readonly id: BtfTypeId;
}

/** Nothing, as in a function's result or behind `void *`. */
export interface BtfVoid extends TypeBase {
  readonly kind: "void";
}

/** An integer. */
export interface BtfInt extends TypeBase {
  readonly kind: "int";
  /** `long unsigned int` */
  readonly name: string;
  readonly size_bytes: number;
  /** The bits that hold the value, and the lowest of them: all of them from 0 on in today's files. */
  readonly bits: number;
  readonly firstBit: number;
  readonly isSigned: boolean;
  readonly isChar: boolean;
  readonly isBool: boolean;
}

/** A floating-point number. */
export interface BtfFloat extends TypeBase {
  readonly kind: "float";
  readonly name: string;
  readonly size_bytes: number;
}

/** A type that only points to another one, or qualifies it. */
export interface BtfReference extends TypeBase {
  readonly kind: "pointer" | "const" | "volatile" | "restrict";
  readonly target: BtfTypeId;
}

/** Another name for a type. */
export interface BtfTypedef extends TypeBase {
  readonly kind: "typedef";
  readonly name: string;
  readonly target: BtfTypeId;
}

/** A word that the source puts on a type, as `user` for memory of a process. */
export interface BtfTypeTag extends TypeBase {
  readonly kind: "typeTag";
  readonly name: string;
  /** True if it is an attribute of the compiler's, not a tag. */
  readonly isAttribute: boolean;
  readonly target: BtfTypeId;
}

/** An array; a length of 0 also means one of unknown length at a structure's end. */
export interface BtfArray extends TypeBase {
  readonly kind: "array";
  readonly element: BtfTypeId;
  readonly index: BtfTypeId;
  readonly length: number;
}

/** One member of a structure or union. */
export interface BtfMember {
  /** Undefined for an anonymous structure or union, whose members count as the outer one's. */
  readonly name: string | undefined;
  readonly type: BtfTypeId;
  /** From the structure's start. */
  readonly offset_bits: number;
  /** The width of a bit field; 0 for any other member. */
  readonly bitField_bits: number;
}

/** A structure or union. */
export interface BtfComposite extends TypeBase {
  readonly kind: "struct" | "union";
  readonly name: string | undefined;
  readonly size_bytes: number;
  readonly members: readonly BtfMember[];
}

/** An enumeration. */
export interface BtfEnum extends TypeBase {
  /** By how its values are kept: in 32 or 64 bits. */
  readonly kind: "enum" | "enum64";
  readonly name: string | undefined;
  readonly size_bytes: number;
  readonly isSigned: boolean;
  readonly values: readonly { readonly name: string; readonly value: bigint }[];
}

/** A structure or union whose members aren't told. */
export interface BtfForward extends TypeBase {
  readonly kind: "forward";
  readonly name: string;
  readonly of: "struct" | "union";
}

/** One parameter of a function. */
export interface BtfParameter {
  /** Undefined where the source names none, as in most types of function pointers. */
  readonly name: string | undefined;
  readonly type: BtfTypeId;
}

/** A function's type. */
export interface BtfPrototype extends TypeBase {
  readonly kind: "prototype";
  readonly result: BtfTypeId;
  /** Without the `...` of a variadic function. */
  readonly parameters: readonly BtfParameter[];
  readonly isVariadic: boolean;
}

/** Visibility of a function or variable. */
export type BtfLinkage = "static" | "global" | "extern";

/** A function by its name. */
export interface BtfFunctionType extends TypeBase {
  readonly kind: "function";
  readonly name: string;
  readonly linkage: BtfLinkage;
  readonly prototype: BtfTypeId;
}

/** A variable by its name. */
export interface BtfVariable extends TypeBase {
  readonly kind: "variable";
  readonly name: string;
  readonly linkage: BtfLinkage;
  readonly type: BtfTypeId;
}

/** A section of an ELF file, with the variables in it. */
export interface BtfSection extends TypeBase {
  readonly kind: "section";
  readonly name: string;
  readonly size_bytes: number;
  readonly variables: readonly {
    readonly variable: BtfTypeId;
    readonly offset_bytes: number;
    readonly size_bytes: number;
  }[];
}

/** A word that the source puts on a declaration. */
export interface BtfDeclarationTag extends TypeBase {
  readonly kind: "declarationTag";
  readonly name: string;
  /** True if it is an attribute of the compiler's, not a tag. */
  readonly isAttribute: boolean;
  readonly target: BtfTypeId;
  /** The number of the member or parameter that has it; undefined if the whole target has it. */
  readonly component: number | undefined;
}

/** A type of a kind that came later than this program: only its number of kind is known. */
export interface BtfUnknown extends TypeBase {
  readonly kind: "unknown";
  readonly number: number;
}

/** Any type; `kind` tells which. */
export type BtfType =
  | BtfVoid
  | BtfInt
  | BtfFloat
  | BtfReference
  | BtfTypedef
  | BtfTypeTag
  | BtfArray
  | BtfComposite
  | BtfEnum
  | BtfForward
  | BtfPrototype
  | BtfFunctionType
  | BtfVariable
  | BtfSection
  | BtfDeclarationTag
  | BtfUnknown;

/** A function with its prototype. */
export interface BtfFunction {
  readonly id: BtfTypeId;
  readonly name: string;
  readonly linkage: BtfLinkage;
  readonly result: BtfTypeId;
  readonly parameters: readonly BtfParameter[];
  readonly isVariadic: boolean;
}

/** The part of a file's types that those who print or match them need. */
export interface TypeSource {
  /** The number of types with void: the least number that is no type's. */
  readonly count: number;
  kindOf(id: BtfTypeId): BtfKind;
  type(id: BtfTypeId): BtfType;
  /** Finds all types of that name. */
  idsNamed(name: string): BtfTypeId[];
}
