// Reads registers and what holds them: arrays, stripes, uses of groups.

import type { Access, DatabaseWarning, ElementDefinition } from "../schema.js";
import { Attributes } from "./attributes.js";
import { briefOf, noType, type TypeParser } from "./type-parser.js";
import type { XmlElement } from "./xml.js";

const registerWidths_bits: Record<string, number> = { reg8: 8, reg16: 16, reg32: 32, reg64: 64 };

/** For the elements in one file. `other` takes what may stand anywhere. */
export class ElementParser {
  readonly #file: string;
  readonly #warnings: DatabaseWarning[];
  readonly #types: TypeParser;
  readonly #other: (element: XmlElement, inside: string) => void;

  constructor(
    file: string,
    warnings: DatabaseWarning[],
    types: TypeParser,
    other: (element: XmlElement, inside: string) => void,
  ) {
    this.#file = file;
    this.#warnings = warnings;
    this.#types = types;
    this.#other = other;
  }

  /** The registers, arrays, stripes and group uses directly inside `parent`. */
  inside(parent: XmlElement): ElementDefinition[] {
    const elements: ElementDefinition[] = [];
    for (const child of parent.children) {
      const width_bits = registerWidths_bits[child.tag];
      if (width_bits !== undefined) elements.push(...this.#register(child, width_bits));
      else if (child.tag === "array" || child.tag === "stripe") elements.push(this.#repeated(child, child.tag));
      else if (child.tag === "use-group") elements.push(...this.#useGroup(child));
      else this.#other(child, parent.tag);
    }
    return elements;
  }

  #register(element: XmlElement, width_bits: number): ElementDefinition[] {
    const attributes = new Attributes(element, this.#file, this.#warnings);
    const name = attributes.text("name");
    const accessText = attributes.text("access") ?? "rw";
    const placement = this.#placement(attributes);
    const variants = attributes.variants();
    const type = this.#types.type(element, attributes);
    attributes.finish();
    if (!isAccess(accessText)) attributes.warn(`access="${accessText}" is none of r, w, rw`);
    if (!attributes.has("offset") && !attributes.has("offsets")) attributes.warn(`register ${name} has no offset`);
    if (name === undefined) {
      attributes.warn(`<${element.tag}> has no name`);
      return [];
    }
    const access = isAccess(accessText) ? accessText : "rw";
    const place = { file: this.#file, line: element.line };
    const brief = briefOf(element);
    return [
      { kind: "register", name, ...placement, width_bits, access, type, children: [], brief, ...variants, ...place },
    ];
  }

  #repeated(element: XmlElement, kind: "array" | "stripe"): ElementDefinition {
    const attributes = new Attributes(element, this.#file, this.#warnings);
    const name = attributes.text("name");
    const placement = this.#placement(attributes);
    const variants = attributes.variants();
    attributes.finish();
    if (kind === "array" && placement.stride === 0) attributes.warn(`array ${name ?? ""} has no stride`);
    if (kind === "stripe" && placement.length !== 1 && placement.stride === 0 && placement.offsets === undefined) {
      attributes.warn(`stripe ${name ?? ""} has a length but no stride`);
    }
    const place = { file: this.#file, line: element.line };
    const rest = { width_bits: 0, access: "rw" as const, type: noType(), brief: briefOf(element) };
    return { kind, name, ...placement, ...rest, children: this.inside(element), ...variants, ...place };
  }

  #useGroup(element: XmlElement): ElementDefinition[] {
    const attributes = new Attributes(element, this.#file, this.#warnings);
    // The schema file says "ref", the specification and every database say "name".
    const name = attributes.text("name") ?? attributes.text("ref");
    const variants = attributes.variants();
    attributes.finish();
    if (name === undefined) {
      attributes.warn("<use-group> names no group");
      return [];
    }
    const placement = { offset: 0, offsets: undefined, length: 1, stride: 0 };
    const rest = { width_bits: 0, access: "rw" as const, type: noType(), children: [], brief: undefined };
    return [{ kind: "use-group", name, ...placement, ...rest, ...variants, file: this.#file, line: element.line }];
  }

  #placement(attributes: Attributes): Pick<ElementDefinition, "offset" | "offsets" | "length" | "stride"> {
    const offsets = attributes.numbers("offsets");
    const offset = attributes.number("offset") ?? 0;
    const length = attributes.number("length") ?? 1;
    const stride = attributes.number("stride") ?? 0;
    if (offsets === undefined) return { offset, offsets, length, stride };
    if (attributes.has("length") && length !== offsets.length) {
      attributes.warn(`length="${length}", but ${offsets.length} offsets are listed`);
    }
    return { offset, offsets, length: offsets.length, stride };
  }
}

function isAccess(text: string): text is Access {
  return text === "r" || text === "w" || text === "rw";
}
