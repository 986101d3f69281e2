// Unpacks gzip as it comes: members that follow each other are one content, as for gunzip. Says if the file ends within one, and if anything
// else follows the last one: zlib's own stream ignores that, or takes it for damage.
import * as zlib from "node:zlib";
import { crc32 as portableCrc32 } from "../file/crc32.js";

const chunk_bytes = 1 << 20;
/** Packed bytes that are unpacked at once: they may become a thousand times as many. */
const packedPiece_bytes = 16 << 10;

/** Computes the checksum of what `before` is the checksum of, and of `bytes` behind it. */
const crc32: (bytes: Uint8Array, before?: number) => number =
  (zlib as { crc32?: (bytes: Uint8Array, before?: number) => number }).crc32 ?? portableCrc32;

/** RFC 1952, section 2.3.1. */
const flag = { headerCrc: 2, extra: 4, name: 8, comment: 16 } as const;
const magic = [0x1f, 0x8b] as const;
const deflated = 8;
const head_bytes = 10;
const trailer_bytes = 8;

/** The reason why a packed file isn't whole: it ends too early, or something else follows. */
export type GunzipGap = "cut" | "behind";

/** Damage of packed bytes, with zlib's code. */
function damaged(what: string): Error {
  return Object.assign(new Error(what), { code: "Z_DATA_ERROR" });
}

/**
 * Unpacks `chunks`. Where they end within a member, gives what was before; tells that, and bytes behind the last member, to `onGap`. Throws
 * errors with zlib's codes (`Z_…`) for damage.
 */
export async function* gunzipped(
  chunks: AsyncIterable<Uint8Array>,
  onGap: (gap: GunzipGap, what: string) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  const packed = new PackedBytes(chunks);
  const cut = () => onGap("cut", "the packed file is cut: what is behind its last whole part is missing");
  for (;;) {
    if (!(await skipHead(packed))) return cut();
    let crc = 0;
    let length_bytes = 0;
    let isWhole = true;
    const member = inflatedMember(packed, () => {
      isWhole = false;
    });
    for await (const bytes of member) {
      crc = crc32(bytes, crc);
      length_bytes += bytes.length;
      yield bytes;
    }
    if (!isWhole) return cut();
    const trailer = await packed.take(trailer_bytes);
    if (trailer === undefined) return cut();
    const view = new DataView(trailer.buffer, trailer.byteOffset);
    if (view.getUint32(0, true) !== crc) throw damaged("incorrect data check");
    if (view.getUint32(4, true) !== length_bytes % 2 ** 32) throw damaged("incorrect length check");
    // tapes are filled up with zeros
    await packed.skipWhile((byte) => byte === 0);
    if (await packed.atEnd()) return;
    if (!(await packed.beginsWith(magic))) {
      const rest_bytes = await packed.count();
      const bytes =
        rest_bytes === 1
          ? "1 byte behind the packed file's end isn't"
          : `${rest_bytes} bytes behind the packed file's end aren't`;
      return onGap("behind", `${bytes} packed with gzip, and ${rest_bytes === 1 ? "isn't" : "aren't"} read`);
    }
  }
}

/** Skips a member's head. Returns false if the bytes end within it. */
async function skipHead(packed: PackedBytes): Promise<boolean> {
  const head = await packed.take(head_bytes);
  if (head === undefined) return false;
  if (head[2] !== deflated) throw damaged("unknown compression method");
  const flags = head[3]!;
  if ((flags & flag.extra) !== 0) {
    const length = await packed.take(2);
    if (length === undefined || (await packed.take(length[0]! | (length[1]! << 8))) === undefined) return false;
  }
  for (const text of [flag.name, flag.comment]) {
    if ((flags & text) === 0) continue;
    await packed.skipWhile((byte) => byte !== 0);
    if ((await packed.take(1)) === undefined) return false;
  }
  return (flags & flag.headerCrc) === 0 || (await packed.take(2)) !== undefined;
}

/** Inflates up to the end of a member's data; tells `onCut` if the bytes end before it. */
async function* inflatedMember(packed: PackedBytes, onCut: () => void): AsyncGenerator<Uint8Array, void, undefined> {
  const inflate = zlib.createInflateRaw({ chunkSize: chunk_bytes });
  let made: Buffer[] = [];
  let failure: NodeJS.ErrnoException | undefined;
  let isEnded = false;
  // Not by iterating: that drops what was unpacked before an error.
  inflate.on("data", (chunk: Buffer) => made.push(chunk));
  const over = new Promise<void>((resolve) => {
    inflate.once("end", () => {
      isEnded = true;
      resolve();
    });
    inflate.once("error", (error) => {
      failure = error;
      resolve();
    });
  });
  const taken = () => {
    const ready = made;
    made = [];
    return ready;
  };
  try {
    while (!isEnded && failure === undefined) {
      const piece = await packed.peek(packedPiece_bytes);
      if (piece.length === 0) {
        inflate.end();
        await over;
        break;
      }
      const before_bytes = inflate.bytesWritten;
      // at the data's end the call back never comes
      await Promise.race([new Promise<void>((resolve) => inflate.write(piece, () => resolve())), over]);
      packed.skip(inflate.bytesWritten - before_bytes);
      yield* taken();
    }
    yield* taken();
  } finally {
    inflate.destroy();
  }
  if (failure?.code === "Z_BUF_ERROR") onCut();
  else if (failure !== undefined) throw failure;
}

/** Bytes that come in chunks. */
class PackedBytes {
  private readonly iterator: AsyncIterator<Uint8Array>;
  private chunk: Uint8Array = new Uint8Array();

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.iterator = chunks[Symbol.asyncIterator]();
  }

  async atEnd(): Promise<boolean> {
    return (await this.peek(1)).length === 0;
  }

  /** Returns the next bytes, at most so many, which stay the next ones; none at the end. */
  async peek(most_bytes: number): Promise<Uint8Array> {
    while (this.chunk.length === 0) {
      const { done, value } = await this.iterator.next();
      if (done === true) break;
      this.chunk = value;
    }
    return this.chunk.subarray(0, most_bytes);
  }

  /** Skips bytes that `peek` has returned. */
  skip(length_bytes: number): void {
    this.chunk = this.chunk.subarray(length_bytes);
  }

  /** Takes exactly so many bytes; undefined if there are fewer. */
  async take(length_bytes: number): Promise<Uint8Array | undefined> {
    const bytes = new Uint8Array(length_bytes);
    for (let done = 0; done < length_bytes; ) {
      const piece = await this.peek(length_bytes - done);
      if (piece.length === 0) return undefined;
      bytes.set(piece, done);
      done += piece.length;
      this.skip(piece.length);
    }
    return bytes;
  }

  async skipWhile(isSkipped: (byte: number) => boolean): Promise<void> {
    for (;;) {
      const piece = await this.peek(packedPiece_bytes);
      const other = piece.findIndex((byte) => !isSkipped(byte));
      this.skip(other < 0 ? piece.length : other);
      if (other >= 0 || piece.length === 0) return;
    }
  }

  /** Returns true if these two are the next bytes. */
  async beginsWith([first, second]: readonly [number, number]): Promise<boolean> {
    const head = new Uint8Array(await this.peek(2));
    if (head.length === 2) return head[0] === first && head[1] === second;
    if (head.length === 0 || head[0] !== first) return false;
    this.skip(1);
    const next = await this.peek(1);
    const isNext = next[0] === second;
    this.chunk = Uint8Array.from([...head, ...this.chunk]);
    return isNext;
  }

  /** Reads the rest, and returns its length. */
  async count(): Promise<number> {
    let count_bytes = 0;
    for (;;) {
      const piece = await this.peek(Infinity);
      if (piece.length === 0) return count_bytes;
      count_bytes += piece.length;
      this.skip(piece.length);
    }
  }
}
