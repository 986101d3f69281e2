// Makes a whole events block of an encoder's content, and a block's entry in the index.
import type { TraceEvent } from "../events.js";
import type { TraceState } from "../state.js";
import type { BlockEncoder } from "./block-encoder.js";
import { eventsOfOtherRecords } from "./block-events.js";
import type { Codec } from "./compression.js";
import { encodeState } from "./json-block.js";
import { BlockType, blockHeader_bytes, encodeBlock } from "./layout.js";

/** Makes a whole block, after `state` and at `place`, of the encoder's content; also returns its events except accesses. */
export async function encodeEvents(
  encoder: BlockEncoder,
  state: TraceState,
  place: { firstRecord: number; firstEvent: number },
  codec: Codec,
): Promise<{ block: Uint8Array; content: { records: number; events: number }; events: TraceEvent[] }> {
  const events = [...eventsOfOtherRecords(encoder.otherRecords)];
  const sites = encoder.sites();
  for (const event of events) {
    if (event.kind !== "symbol" && "site" in event) sites.add(event.site);
    if ("caller" in event) sites.add(event.caller);
  }
  const { payload, ...content } = await encoder.encode(encodeState(state, sites), codec);
  return { block: encodeBlock(BlockType.events, payload, place, content, codec.crc32), content, events };
}

/** Makes a block's entry in the index: its offset and header. */
export function indexEntry(offset: number, block: Uint8Array): Uint8Array {
  const entry = new Uint8Array(8 + blockHeader_bytes);
  new DataView(entry.buffer).setBigUint64(0, BigInt(offset), true);
  entry.set(block.subarray(0, blockHeader_bytes), 8);
  return entry;
}
