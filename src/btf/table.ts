// The bytes of one BTF file or section, with an index of its types: heads, strings, places for errors. References stay numbers as
// they stand in the file; btf.ts gives them their meaning.
import { latin1 } from "../base/bytes.js";
import { FormatError } from "../base/errors.js";
import {
  elementCount,
  header,
  type KindLayout,
  kindLayouts,
  kindNumber,
  layoutEntry,
  magic,
  magicSwapped,
  typeHead,
  version,
} from "./layout.js";

/** A part of the file, as offsets into its bytes. */
interface Part {
  start: number;
  end: number;
}

export class BtfTable {
  /** Named in errors. */
  readonly file: string;
  /** The number of types in it, without void. */
  readonly count: number;
  readonly strings_bytes: number;
  readonly view: DataView;
  private readonly bytes: Uint8Array;
  private readonly origin: number;
  private readonly strings: Part;
  /** The offset of each type in the bytes. */
  private readonly starts: Uint32Array;

  /** `origin` is the offset of `bytes` in the file `file`, for errors. Throws FormatError. */
  constructor(file: string, bytes: Uint8Array, origin = 0) {
    this.file = file;
    this.bytes = bytes;
    this.origin = origin;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const headerEnd = this.readHeader();
    const { at } = header;
    const types = this.part("types", headerEnd, at.typesOffset);
    this.strings = this.part("strings", headerEnd, at.stringsOffset);
    this.strings_bytes = this.strings.end - this.strings.start;
    const isClosed = this.strings_bytes === 0 || bytes[this.strings.end - 1] === 0;
    this.require(isClosed, "the last string has no zero at its end", this.strings.end - 1);
    const hasLayouts = headerEnd >= header.withLayouts_bytes;
    const layouts = hasLayouts ? this.part("layouts", headerEnd, at.layoutsOffset) : { start: 0, end: 0 };
    this.starts = this.indexTypes(types, this.readLayouts(layouts));
    this.count = this.starts.length;
  }

  /** Returns the offset in the bytes at which type `index` begins, counted from 0 in this table. */
  start(index: number): number {
    return this.starts[index]!;
  }

  info(index: number): number {
    return this.view.getUint32(this.starts[index]! + typeHead.at.info, true);
  }

  nameOffset(index: number): number {
    return this.view.getUint32(this.starts[index]! + typeHead.at.name, true);
  }

  /** Returns the size or the number of a type in the head of type `index`. */
  sizeOrType(index: number): number {
    return this.view.getUint32(this.starts[index]! + typeHead.at.sizeOrType, true);
  }

  /** Reads the string at `offset` in this table's strings. `at` is the place that names it. Throws FormatError. */
  string(offset: number, at: number): string {
    if (offset >= this.strings_bytes) {
      throw this.error(`a name's offset lies outside the ${this.strings_bytes} bytes of strings`, at);
    }
    const start = this.strings.start + offset;
    return latin1(this.bytes, start, this.bytes.indexOf(0, start));
  }

  /** Throws FormatError with the place in the file if `condition` is false. `at` is an offset in the bytes. */
  require(condition: boolean, otherwise: string, at: number): asserts condition {
    if (!condition) throw this.error(otherwise, at);
  }

  /** Makes an error with its place in the file. `at` is an offset in the bytes. */
  error(what: string, at: number): FormatError {
    return new FormatError(this.file, what, { offset: this.origin + at });
  }

  /** Checks the header. Returns its length. */
  private readHeader(): number {
    const { view, bytes } = this;
    const { at, size_bytes } = header;
    const found = bytes.length < 2 ? undefined : view.getUint16(at.magic, true);
    this.require(found !== magicSwapped, "big-endian BTF, but only little-endian is read", at.magic);
    this.require(found === magic, `not BTF: it doesn't begin with 0x${magic.toString(16)}`, at.magic);
    this.require(
      bytes.length >= size_bytes,
      `the header ends after ${bytes.length} of ${size_bytes} bytes`,
      bytes.length,
    );
    this.require(bytes[at.version] === version, `version ${bytes[at.version]} of BTF, but only 1 is known`, at.version);
    const length = view.getUint32(at.header_bytes, true);
    const fits = length >= size_bytes && length <= bytes.length;
    this.require(
      fits,
      `a header of ${length} bytes in ${bytes.length}, at least ${size_bytes} expected`,
      at.header_bytes,
    );
    return length;
  }

  /** Reads the place of a part, whose offset and length stand at `at` in the header. */
  private part(name: string, headerEnd: number, at: number): Part {
    const start = headerEnd + this.view.getUint32(at, true);
    const end = start + this.view.getUint32(at + 4, true);
    const there = this.bytes.length;
    this.require(end <= there, `the ${name} end at byte ${end}, but there are only ${there}`, at);
    return { start, end };
  }

  /** Lists the layouts of the kinds: our own, and those of newer kinds that the file tells. */
  private readLayouts({ start, end }: Part): readonly KindLayout[] {
    const all = [...kindLayouts];
    const { at, size_bytes } = layoutEntry;
    for (let place = start + all.length * size_bytes; place + size_bytes <= end; place += size_bytes) {
      const once_bytes = this.bytes[place + at.once_bytes]!;
      all.push({ once_bytes, element_bytes: this.bytes[place + at.element_bytes]! });
    }
    return all;
  }

  /** Finds where each type begins. */
  private indexTypes({ start, end }: Part, layouts: readonly KindLayout[]): Uint32Array {
    const { view } = this;
    const starts = new Uint32Array(Math.floor((end - start) / typeHead.size_bytes));
    let count = 0;
    let at = start;
    // messages are made only where they are needed: there are a hundred thousand types
    while (at < end) {
      if (at + typeHead.size_bytes > end) throw this.error(`type ${count + 1} of the file is cut off`, at);
      const info = view.getUint32(at + typeHead.at.info, true);
      const kind = kindNumber(info);
      const layout = kind === 0 ? undefined : layouts[kind];
      if (layout === undefined) throw this.error(`type ${count + 1} of the file has the unknown kind ${kind}`, at);
      const after = at + typeHead.size_bytes + layout.once_bytes + elementCount(info) * layout.element_bytes;
      if (after > end) {
        throw this.error(`type ${count + 1} of the file ends at byte ${after}, its part at ${end}`, at);
      }
      starts[count] = at;
      count += 1;
      at = after;
    }
    return starts.slice(0, count);
  }
}
