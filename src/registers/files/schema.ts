// A register database as its XML files state it: names not yet resolved, variants not yet chosen. parser.ts builds it,
// compile.ts and types.ts read it. The words are those of the rules-ng-ng format (envytools' rules-ng-ng.txt).

/** Limits on what a database may hold; a file beyond them is an error, not a hang. */
export const Limits = {
  fileBytesMax: 16 << 20,
  filesMax: 1024,
  /** XML elements of a file and all it imports, so that a small part of memory is enough for any database. */
  xmlElementsMax: 1_000_000,
  /** Of elements in one another, those counted in that an import lies in; and of groups that use each other. */
  nestingMax: 256,
  /** Elements of a domain after its groups have been put in place. */
  elementsMax: 1_000_000,
  /** Offsets listed of one element. */
  offsetsMax: 65_536,
  /** Named types that are made of each other. */
  typeNestingMax: 16,
  /** Bit fields and values of one type, with those of the types that it is made of. */
  typePartsMax: 65_536,
  /** The same of all a domain's registers, but for types that several of them share. */
  typePartsOfDomainMax: 2_000_000,
  /** Values of an enum that variants are of. */
  variantsMax: 4_096,
  /** Elements that are looked at to find one address. */
  visitsMax: 4_000_000,
} as const;

/** A place in a file; `line` counts from 1. */
export interface Place {
  file: string;
  line: number;
}

/** Something in a file that isn't as it should be, and that was left out or taken as best it could. */
export interface DatabaseWarning extends Place {
  message: string;
}

/** Which variants an item exists on, as written. */
export interface VariantAttributes {
  /** Ranges such as `NV4:G80 GT215-`; undefined: on all. */
  variants: string | undefined;
  /** The enum whose values the ranges are of; undefined: the innermost prefix's. */
  varset: string | undefined;
  /** The enum that names of what is inside are prefixed from; `none` ends an outer one. */
  prefix: string | undefined;
}

/** How to read a register's or a bit field's value, as written. */
export interface TypeDefinition {
  /** `hex`, `uint`, …, or the name of an enum, bitset, domain or spectype; undefined: told from the rest. */
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

/** A register, or something that holds registers. Offsets, strides and sizes are in the domain's units. */
export interface ElementDefinition extends Place, VariantAttributes {
  kind: "register" | "array" | "stripe" | "use-group";
  /** Undefined for unnamed stripes and arrays; the group's name for `use-group`. */
  name: string | undefined;
  offset: number;
  /** Where each copy lies when they aren't evenly spaced. */
  offsets: number[] | undefined;
  /** How many copies; 0: unknown, as many as fit. */
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
  /** Units, where stated. */
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

/** All that a file and what it imports define. Names are global; definitions of one name have been merged. */
export interface Schema {
  /** The file that was asked for. */
  path: string;
  /** Every file read, in the order of reading. */
  files: string[];
  domains: Map<string, DomainDefinition>;
  groups: Map<string, GroupDefinition>;
  bitsets: Map<string, BitsetDefinition>;
  enums: Map<string, EnumDefinition>;
  spectypes: Map<string, SpectypeDefinition>;
  /** Domains that the file itself adds to, without those of its imports. */
  ownDomains: string[];
  warnings: DatabaseWarning[];
}
