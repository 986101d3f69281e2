// Lets a register database learn from a block's reads without walking through the block's events: for blocks that aren't
// selected, but that later blocks' register names may depend on.
import type { TraceReader } from "../../trace/file/reader.js";
import { RecordKind } from "../../trace/record.js";
import { TraceState } from "../../trace/state.js";
import type { AccessRegisters } from "./access-registers.js";

/** Learns each different value read at each address once. */
export async function learnFromBlock(reader: TraceReader, number: number, registers: AccessRegisters): Promise<void> {
  const columns = await reader.readColumns(number);
  const state = new TraceState(reader.header);
  const { firstRecord } = reader.blocks[number]!;
  for (const update of reader.updates) if (update.firstRecord <= firstRecord) state.update(update.update);
  for (let word = 0; word < columns.words; word += 1) {
    const address = columns.wordAddress[word]!;
    const shape = columns.addressShape[address]!;
    if (columns.shapes.kind[shape] !== RecordKind.read) continue;
    const place = state.placeOf(BigInt(columns.address[address]!));
    if (place === undefined) continue;
    const value = (BigInt(columns.wordHigh[word]!) << 32n) | BigInt(columns.wordLow[word]!);
    registers.learn(place, columns.shapes.width_bytes[shape]!, value);
  }
}
