// Writes BTF by hand, type after type, right or wrong as the caller wishes.
import { concatBytes, latin1Bytes } from "../../src/base/bytes.js";
import { type KnownKind, kinds, magic } from "../../src/btf/layout.js";

interface WrittenType {
  /** `name` and the like are texts, which become offsets of strings. */
  name?: string | undefined;
  /** The third word of the head. */
  sizeOrType?: number;
  /** The highest bit of the info word. */
  flag?: boolean;
  /** The number of elements, or a function's linkage. */
  count?: number;
  /** Everything behind the head; a text becomes its string's offset. */
  words?: readonly (number | string)[];
}

export class BtfWriter {
  private readonly types: number[] = [];
  private readonly strings = new Map<string, number>();
  private readonly firstId: number;
  private readonly firstString: number;
  private typeCount = 0;
  private strings_bytes = 0;

  /** With a base, types and strings go on from its own. */
  constructor(base?: BtfWriter) {
    this.firstId = base === undefined ? 1 : base.nextId;
    this.firstString = base === undefined ? 0 : base.firstString + base.strings_bytes;
    if (base === undefined) this.string("");
  }

  /** The number of the type that is added next. */
  get nextId(): number {
    return this.firstId + this.typeCount;
  }

  /** Adds a type. Returns its number. */
  add(
    kind: KnownKind | number,
    { name = "", sizeOrType = 0, flag = false, count = 0, words = [] }: WrittenType = {},
  ): number {
    const number = typeof kind === "number" ? kind : kinds.indexOf(kind);
    const info = ((Number(flag) << 31) | (number << 24) | count) >>> 0;
    const all = [name === "" ? 0 : name, info, sizeOrType, ...words];
    this.types.push(...all.map((word) => (typeof word === "string" ? this.string(word) : word)));
    this.typeCount += 1;
    return this.nextId - 1;
  }

  /** Returns the whole file. `layouts`: two lengths for each kind from 0 on, in a header of 32 bytes. */
  bytes(layouts?: readonly (readonly [number, number])[]): Uint8Array<ArrayBuffer> {
    const header_bytes = layouts === undefined ? 24 : 32;
    const types = words(this.types);
    const strings = latin1Bytes([...this.strings.keys()].map((text) => `${text}\0`).join(""));
    const parts = [0, types.length, types.length, strings.length];
    const layoutBytes = Uint8Array.from((layouts ?? []).flatMap(([once, element]) => [once, element, 0, 0]));
    if (layouts !== undefined) parts.push(types.length + strings.length, layoutBytes.length);
    return concatBytes([words([magic | (1 << 16), header_bytes, ...parts]), types, strings, layoutBytes]);
  }

  private string(text: string): number {
    const known = this.strings.get(text);
    if (known !== undefined) return known;
    const offset = this.firstString + this.strings_bytes;
    this.strings.set(text, offset);
    this.strings_bytes += text.length + 1;
    return offset;
  }
}

function words(numbers: readonly number[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4 * numbers.length);
  const view = new DataView(bytes.buffer);
  for (const [index, number] of numbers.entries()) view.setUint32(4 * index, number >>> 0, true);
  return bytes;
}
