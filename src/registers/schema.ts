// A register database as written in its XML files: names not yet resolved, variants not yet chosen. parser.ts builds it,
// compile.ts and types.ts read it. The words are those of the rules-ng-ng format (envytools' rules-ng-ng.txt).

/** Limits on a database's content; a file beyond them is an error, not a hang. */
export const Limits = {
  fileBytesMax: 16 << 20,
  filesMax: 1024,
  /** XML elements of a file and all its imports, so that any database needs only a small part of memory. */
  xmlElementsMax: 1_000_000,
  /** Nesting of elements, including those around an import; and of groups that use each other. */
  nestingMax: 256,
  /** Elements of a domain after its groups have been put in place. */
  elementsMax: 1_000_000,
  /** Offsets listed for one element. */
  offsetsMax: 65_536,
  /** Nesting of named types. */
  typeNestingMax: 16,
  /** Bit fields and values of one type, including those of the types inside it. */
  typePartsMax: 65_536,
  /** The same for all registers of a domain, without types that several of them share. */
  typePartsOfDomainMax: 2_000_000,
  /** Values of an enum of variants. */
  variantsMax: 4_096,
  /** Elements visited to find one address. */
  visitsMax: 4_000_000,
} as const;

/** A place in a file; `line` counts from 1. */
export interface Place {
  file: string;
  line: number;
}

/** A fault in a file; the faulty part was left out or interpreted as well as possible. */
export interface DatabaseWarning extends Place {
  message: string;
}

/** The variants on which an item exists, as written. */
export interface VariantAttributes {
  /** Ranges such as `NV4:G80 GT215-`; undefined: all variants. */
  variants: string | undefined;
  /** The enum of the ranges' values; undefined: the innermost prefix's. */
  varset: string | undefined;
  /** The enum whose values prefix the names inside; `none` ends an outer one. */
  prefix: string | undefined;
}

/** A register's or a bit field's type, as written. */
export interface TypeDefinition {
  /** `hex`, `uint`, …, or the name of an enum, bitset, domain or spectype; undefined: derived from the rest. */
  typeName: string | undefined;
  /** The real value is the stored one shifted left by this many bits … */
  shr: number;
  /** … plus this. */
  add: bigint;
  min: bigint | undefined;
  max: bigint | undefined;
  align: bigint | undefined;
  /** Fraction bits of `fixed` and `ufixed`. */
  radix: number;
  fields: FieldDefinition[];
  values: ValueDefinition[];
}

export interface FieldDefinition extends Place, VariantAttributes {
  name: string;
  /** Bits, counted from the least significant; both included. */
  low: number;
  high: number;
  type: TypeDefinition;
  brief: string | undefined;
}

export interface ValueDefinition extends Place, VariantAttributes {
  name: string;
  /** 64 bits, unsigned; undefined for a variant that has no number. */
  value: bigint | undefined;
  brief: string | undefined;
}

export type Access = "r" | "w" | "rw";

/** A register, or an element that holds registers. Offsets, strides and sizes are in the domain's units. */
export interface ElementDefinition extends Place, VariantAttributes {
  kind: "register" | "array" | "stripe" | "use-group";
  /** Undefined for unnamed stripes and arrays; the group's name for `use-group`. */
  name: string | undefined;
  offset: number;
  /** Offset of each copy if they aren't evenly spaced. */
  offsets: number[] | undefined;
  /** Number of copies; 0: unknown, as many as fit. */
  length: number;
  /** Distance of the copies; 0: not stated. */
  stride: number;
  width_bits: number;
  access: Access;
  type: TypeDefinition;
  children: ElementDefinition[];
  brief: string | undefined;
}

export interface DomainDefinition extends Place, VariantAttributes {
  name: string;
  /** Bits of one addressable unit. */
  width_bits: number;
  /** Units, if stated. */
  size: number | undefined;
  bare: boolean;
  children: ElementDefinition[];
  brief: string | undefined;
}

export interface GroupDefinition extends Place {
  name: string;
  children: ElementDefinition[];
}

export interface BitsetDefinition extends Place, VariantAttributes {
  name: string;
  inline: boolean;
  bare: boolean;
  fields: FieldDefinition[];
}

export interface EnumDefinition extends Place, VariantAttributes {
  name: string;
  inline: boolean;
  bare: boolean;
  values: ValueDefinition[];
}

export interface SpectypeDefinition extends Place {
  name: string;
  type: TypeDefinition;
}

/** All definitions of a file and its imports. Names are global; definitions of one name have been merged. */
export interface Schema {
  /** The requested file. */
  path: string;
  /** Every file read, in the order of reading. */
  files: string[];
  domains: Map<string, DomainDefinition>;
  groups: Map<string, GroupDefinition>;
  bitsets: Map<string, BitsetDefinition>;
  enums: Map<string, EnumDefinition>;
  spectypes: Map<string, SpectypeDefinition>;
  /** Domains that the file itself extends, without those of its imports. */
  ownDomains: string[];
  warnings: DatabaseWarning[];
}
