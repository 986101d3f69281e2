// Reads the type of a register or bit field: type attributes, bit fields, values.

import type { DatabaseWarning, FieldDefinition, TypeDefinition, ValueDefinition } from "../schema.js";
import { Attributes } from "./attributes.js";
import type { XmlElement } from "./xml.js";

/** Parses the types in one file. `other` takes elements that aren't part of a type but may stand anywhere. */
export class TypeParser {
  readonly #file: string;
  readonly #warnings: DatabaseWarning[];
  readonly #other: (element: XmlElement, inside: string) => void;

  constructor(file: string, warnings: DatabaseWarning[], other: (element: XmlElement, inside: string) => void) {
    this.#file = file;
    this.#warnings = warnings;
    this.#other = other;
  }

  /** Takes the attributes and children that define a type. */
  type(element: XmlElement, attributes: Attributes): TypeDefinition {
    const type = noType();
    type.typeName = attributes.text("type");
    type.shr = attributes.number("shr") ?? 0;
    type.add = attributes.wide("add") ?? 0n;
    type.min = attributes.wide("min");
    type.max = attributes.wide("max");
    type.align = attributes.wide("align");
    type.radix = attributes.number("radix") ?? 0;
    if (type.shr > 63 || type.radix > 63) attributes.warn(`shr and radix are at most 63`);
    for (const child of element.children) {
      if (child.tag === "value") type.values.push(...this.value(child));
      else if (child.tag === "bitfield") type.fields.push(...this.field(child));
      else this.#other(child, element.tag);
    }
    return type;
  }

  field(element: XmlElement): FieldDefinition[] {
    const attributes = new Attributes(element, this.#file, this.#warnings);
    const name = attributes.text("name");
    const position = attributes.number("pos");
    const low = attributes.number("low") ?? position;
    const high = attributes.number("high") ?? position;
    const variants = attributes.variants();
    const type = this.type(element, attributes);
    attributes.finish();
    if (name === undefined) {
      attributes.warn("<bitfield> has no name");
      return [];
    }
    if (low === undefined || high === undefined || high < low || high > 63) {
      attributes.warn(`bit field ${name} has no valid bits (low and high, or pos, 0 to 63)`);
      return [];
    }
    const brief = briefOf(element);
    return [{ name, low, high, type, brief, ...variants, file: this.#file, line: element.line }];
  }

  value(element: XmlElement): ValueDefinition[] {
    const attributes = new Attributes(element, this.#file, this.#warnings);
    const name = attributes.text("name");
    const value = attributes.wide("value");
    const variants = attributes.variants();
    attributes.finish();
    for (const child of element.children) this.#other(child, "value");
    if (name === undefined) {
      attributes.warn("<value> has no name");
      return [];
    }
    return [{ name, value, brief: briefOf(element), ...variants, file: this.#file, line: element.line }];
  }
}

export function noType(): TypeDefinition {
  return {
    typeName: undefined,
    shr: 0,
    add: 0n,
    min: undefined,
    max: undefined,
    align: undefined,
    radix: 0,
    fields: [],
    values: [],
  };
}

/** Returns the text of an element's <brief> on one line. */
export function briefOf(element: XmlElement): string | undefined {
  return element.children
    .find((child) => child.tag === "brief")
    ?.text.replace(/\s+/g, " ")
    .trim();
}
