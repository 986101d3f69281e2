// Reads one XML element's attributes: numbers, booleans, lists; warns about wrong, missing and unknown ones.
import { type DatabaseWarning, Limits, type VariantAttributes } from "../schema.js";
import type { XmlElement } from "./xml.js";

/**
 * The attributes of one element. Every getter takes its attribute; finish() warns about those that no getter took.
 * A value that can't be read causes a warning and counts as absent.
 */
export class Attributes {
  readonly #element: XmlElement;
  readonly #file: string;
  readonly #warnings: DatabaseWarning[];
  /** The attributes taken so far: few, and nearly always all. */
  readonly #taken: string[] = [];

  constructor(element: XmlElement, file: string, warnings: DatabaseWarning[]) {
    this.#element = element;
    this.#file = file;
    this.#warnings = warnings;
  }

  warn(message: string): void {
    this.#warnings.push({ file: this.#file, line: this.#element.line, message });
  }

  has(name: string): boolean {
    return this.#element.attributes.has(name);
  }

  text(name: string): string | undefined {
    const value = this.#element.attributes.get(name);
    if (value !== undefined && !this.#taken.includes(name)) this.#taken.push(name);
    return value;
  }

  /** Takes a number of up to 64 bits, decimal or 0x…; a negative one becomes its two's complement. */
  wide(name: string): bigint | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = parseNumber(text);
    if (value === undefined) this.warn(`${name}="${text}" isn't a number of up to 64 bits`);
    return value;
  }

  /** Takes an offset, a count or a bit's number: below 2^53. */
  number(name: string): number | undefined {
    const value = this.wide(name);
    if (value === undefined) return undefined;
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
      this.warn(`${name}="${this.#element.attributes.get(name)}" is out of range`);
      return undefined;
    }
    return Number(value);
  }

  /** Takes numbers separated by commas or blanks. */
  numbers(name: string): number[] | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const numbers = text.split(/[\s,]+/, Limits.offsetsMax + 2).filter((item) => item !== "");
    if (numbers.length > Limits.offsetsMax) {
      this.warn(`${name} lists more than ${Limits.offsetsMax} numbers`);
      return undefined;
    }
    const values = numbers.map(parseNumber);
    const good = values.filter((value) => value !== undefined && value <= BigInt(Number.MAX_SAFE_INTEGER));
    if (good.length !== numbers.length || good.length === 0) {
      this.warn(`${name}="${text}" isn't a list of numbers`);
      return undefined;
    }
    return good.map(Number);
  }

  boolean(name: string): boolean {
    const text = this.text(name);
    if (text === undefined || text === "no" || text === "0" || text === "false") return false;
    if (text === "yes" || text === "1" || text === "true") return true;
    this.warn(`${name}="${text}" is neither yes nor no`);
    return false;
  }

  variants(): VariantAttributes {
    return { variants: this.text("variants"), varset: this.text("varset"), prefix: this.text("prefix") };
  }

  finish(): void {
    const { attributes } = this.#element;
    if (this.#taken.length === attributes.size) return;
    for (const name of attributes.keys()) {
      if (this.#taken.includes(name)) continue;
      if (name === "xmlns" || name.startsWith("xmlns:") || name.startsWith("xsi:")) continue;
      this.warn(`<${this.#element.tag}> has no attribute "${name}"`);
    }
  }
}

/** Parses a decimal or 0x… number of up to 64 bits; undefined for anything else. */
export function parseNumber(text: string): bigint | undefined {
  const match = /^\s*(-?)(0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20})\s*$/.exec(text);
  if (match === null) return undefined;
  const magnitude = BigInt(match[2] as string);
  if (magnitude >= 1n << 64n) return undefined;
  return BigInt.asUintN(64, match[1] === "-" ? -magnitude : magnitude);
}
