// Reads one block of the file: its header, and its payload, whose checksum it checks. No node: imports.
import { FormatError } from "../../base/errors.js";
import { BlockError } from "./block-error.js";
import type { Codec } from "./compression.js";
import { type BlockHeader, blockHeader_bytes, decodeBlockHeader } from "./layout.js";
import type { ByteSource } from "./source.js";

/** A block in the file. */
export interface StoredBlock extends BlockHeader {
  /** Offset of its header in the file. */
  offset: number;
}

export async function readBlockHeader(source: ByteSource, offset: number): Promise<StoredBlock | string> {
  const header = decodeBlockHeader(await source.read(offset, blockHeader_bytes));
  return typeof header === "string" ? header : { ...header, offset };
}

export async function readPayload(source: ByteSource, block: StoredBlock, codec: Codec): Promise<Uint8Array> {
  const payload = await source.read(block.offset + blockHeader_bytes, block.payload_bytes);
  if (payload.length < block.payload_bytes) {
    throw new FormatError(source.name, "the block's content is cut short", { offset: block.offset });
  }
  if (codec.crc32(payload) !== block.payloadCrc) {
    throw new FormatError(source.name, "the block's content doesn't fit its checksum", {
      offset: block.offset,
      advice: "the file was damaged after it was written",
    });
  }
  return payload;
}

/** Runs `work`; turns a BlockError into a FormatError with the file's name and the block's offset. */
export async function inBlock<T>(source: ByteSource, block: StoredBlock, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof BlockError) throw new FormatError(source.name, error.message, { offset: block.offset });
    throw error;
  }
}
