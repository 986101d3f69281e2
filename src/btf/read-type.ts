// Makes a type's object of its bytes: one function a kind, or one for kinds that look alike.
import { assertUnreachable } from "../base/assert.js";
import { elementCount, IntEncoding, kindFlag, kindLayouts, kindNumber, kinds, typeHead } from "./layout.js";
import type { BtfTable } from "./table.js";
import type {
  BtfComposite,
  BtfEnum,
  BtfInt,
  BtfLinkage,
  BtfPrototype,
  BtfSection,
  BtfType,
  BtfTypeId,
} from "./types.js";

/** The meaning of numbers in a table, which depends on the base that it builds on. */
export interface FieldReader {
  /** The number of the table's first type. */
  readonly firstId: BtfTypeId;
  /** Returns the name at `offset` in the strings; undefined for none. `at` is the place that names it, for errors. */
  nameAt(offset: number, at: number): string | undefined;
  /** Reads the number of a type at `at`. */
  reference(at: number): BtfTypeId;
}

const linkages: readonly BtfLinkage[] = ["static", "global", "extern"];
/** A declaration tag's component for the whole target. */
const noComponent = -1;

/** A type's bytes, and the meaning of their numbers. */
class Fields {
  readonly id: BtfTypeId;
  readonly info: number;
  private readonly table: BtfTable;
  private readonly reader: FieldReader;
  private readonly start: number;

  constructor(table: BtfTable, id: BtfTypeId, reader: FieldReader) {
    const index = id - reader.firstId;
    this.id = id;
    this.table = table;
    this.reader = reader;
    this.start = table.start(index);
    this.info = table.info(index);
  }

  /** Reads a word, the first one behind the type's head being number 0. */
  word(number: number): number {
    return this.table.view.getUint32(this.place(number), true);
  }

  signedWord(number: number): number {
    return this.table.view.getInt32(this.place(number), true);
  }

  reference(number: number): BtfTypeId {
    return this.reader.reference(this.place(number));
  }

  nameAt(number: number): string | undefined {
    return this.reader.nameAt(this.word(number), this.place(number));
  }

  get name(): string | undefined {
    return this.nameAt(-typeHead.size_bytes / 4);
  }

  /** The name of a type or value that must have one. */
  requiredName(number = -typeHead.size_bytes / 4): string {
    const name = this.nameAt(number);
    if (name === undefined) {
      throw this.table.error(`type ${this.id}, a ${kinds[kindNumber(this.info)]}, lacks a name`, this.place(number));
    }
    return name;
  }

  get size_bytes(): number {
    return this.word(-1);
  }

  get target(): BtfTypeId {
    return this.reference(-1);
  }

  /** Makes something of each element, whose first word is the given one. */
  elements<T>(make: (firstWord: number) => T): T[] {
    const words = kindLayouts[kindNumber(this.info)]!.element_bytes / 4;
    return Array.from({ length: elementCount(this.info) }, (_, element) => make(element * words));
  }

  linkage(number: number): BtfLinkage {
    const linkage = linkages[number];
    this.table.require(linkage !== undefined, `type ${this.id} has the unknown linkage ${number}`, this.start);
    return linkage;
  }

  private place(word: number): number {
    return this.start + typeHead.size_bytes + 4 * word;
  }
}

/** Reads the type `id`, which is one of the table's own. Throws FormatError. */
export function readType(table: BtfTable, id: BtfTypeId, reader: FieldReader): BtfType {
  const fields = new Fields(table, id, reader);
  const number = kindNumber(fields.info);
  const kind = kinds[number];
  const flag = kindFlag(fields.info);
  switch (kind) {
    case undefined:
      return { id, kind: "unknown", number };
    case "void":
      return { id, kind };
    case "int":
      return readInt(fields);
    case "pointer":
    case "const":
    case "volatile":
    case "restrict":
      return { id, kind, target: fields.target };
    case "typedef":
      return { id, kind, name: fields.requiredName(), target: fields.target };
    case "typeTag":
      return { id, kind, name: fields.requiredName(), isAttribute: flag, target: fields.target };
    case "array":
      return { id, kind, element: fields.reference(0), index: fields.reference(1), length: fields.word(2) };
    case "struct":
    case "union":
      return readComposite(fields, kind, flag);
    case "enum":
    case "enum64":
      return readEnum(fields, kind, flag);
    case "forward":
      return { id, kind, name: fields.requiredName(), of: flag ? "union" : "struct" };
    case "function": {
      const linkage = fields.linkage(elementCount(fields.info));
      return { id, kind, name: fields.requiredName(), linkage, prototype: fields.target };
    }
    case "prototype":
      return readPrototype(fields);
    case "variable":
      return { id, kind, name: fields.requiredName(), linkage: fields.linkage(fields.word(0)), type: fields.target };
    case "section":
      return readSection(fields);
    case "float":
      return { id, kind, name: fields.requiredName(), size_bytes: fields.size_bytes };
    case "declarationTag": {
      const component = fields.signedWord(0) === noComponent ? undefined : fields.word(0);
      return { id, kind, name: fields.requiredName(), isAttribute: flag, target: fields.target, component };
    }
    default:
      return assertUnreachable(kind);
  }
}

/** The integer's word: `| 0 | encoding: 4 bits | first bit: 8 | 0: 8 | bits: 8 |`. */
function readInt(fields: Fields): BtfInt {
  const word = fields.word(0);
  const encoding = (word >>> 24) & 0xf;
  return {
    id: fields.id,
    kind: "int",
    name: fields.requiredName(),
    size_bytes: fields.size_bytes,
    bits: word & 0xff,
    firstBit: (word >>> 16) & 0xff,
    isSigned: (encoding & IntEncoding.signed) !== 0,
    isChar: (encoding & IntEncoding.char) !== 0,
    isBool: (encoding & IntEncoding.bool) !== 0,
  };
}

/** With `withBitFields`, a member's offset shares its word with the width of a bit field, in the highest 8 bits. */
function readComposite(fields: Fields, kind: "struct" | "union", withBitFields: boolean): BtfComposite {
  const members = fields.elements((at) => {
    const offset = fields.word(at + 2);
    return {
      name: fields.nameAt(at),
      type: fields.reference(at + 1),
      offset_bits: withBitFields ? offset & 0xff_ffff : offset,
      bitField_bits: withBitFields ? offset >>> 24 : 0,
    };
  });
  return { id: fields.id, kind, name: fields.name, size_bytes: fields.size_bytes, members };
}

function readEnum(fields: Fields, kind: "enum" | "enum64", isSigned: boolean): BtfEnum {
  const values = fields.elements((at) => {
    const low = kind === "enum" && isSigned ? fields.signedWord(at + 1) : fields.word(at + 1);
    const high = kind === "enum" ? 0 : isSigned ? fields.signedWord(at + 2) : fields.word(at + 2);
    return { name: fields.requiredName(at), value: (BigInt(high) << 32n) + BigInt(low) };
  });
  return { id: fields.id, kind, name: fields.name, size_bytes: fields.size_bytes, isSigned, values };
}

/** A last parameter without name and type stands for `...`. */
function readPrototype(fields: Fields): BtfPrototype {
  const all = fields.elements((at) => ({ name: fields.nameAt(at), type: fields.reference(at + 1) }));
  const last = all.at(-1);
  const isVariadic = last !== undefined && last.type === 0 && last.name === undefined;
  const parameters = isVariadic ? all.slice(0, -1) : all;
  return { id: fields.id, kind: "prototype", result: fields.target, parameters, isVariadic };
}

function readSection(fields: Fields): BtfSection {
  const variables = fields.elements((at) => ({
    variable: fields.reference(at),
    offset_bytes: fields.word(at + 1),
    size_bytes: fields.word(at + 2),
  }));
  return { id: fields.id, kind: "section", name: fields.requiredName(), size_bytes: fields.size_bytes, variables };
}
