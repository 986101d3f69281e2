// Lets a register database learn from a block's reads without walking through the block's events: for blocks that aren't
// selected, but that later blocks' register names may depend on; and for blocks to come, so that an access is named alike before and
// after the device tells its variant.
import type { EventBatch, TraceReader } from "../../trace/file/reader.js";
import { RecordKind } from "../../trace/record.js";
import { TraceState } from "../../trace/state.js";
import type { TellRegister } from "../../trace/text.js";
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

/**
 * Before a batch's accesses are named: if devices in it may tell something about their registers, learns it from this block and all
 * later ones. After that they tell nothing more. Of a trace that is still `growing`, it learns from this block alone: later ones
 * aren't waited for.
 */
export async function learnAhead(
  reader: TraceReader,
  batch: EventBatch,
  registers: AccessRegisters,
  growing = false,
): Promise<void> {
  const learners = registers.learnersIn(batch.columns, batch.state);
  if (learners.size === 0) return;
  const first = reader.blockOfEvent(batch.block.firstEvent);
  const end = growing ? first + 1 : reader.blocks.length;
  for (let number = first; number < end; number += 1) {
    await learnFromBlock(reader, number, registers);
    if (![...learners].some((address) => registers.learns(address))) return;
  }
  if (!growing) for (const address of learners) registers.settle(address);
}

/** Makes the namer of registers for the exporters. */
export function tellerOf(registers: AccessRegisters) {
  const tell: TellRegister = (event, place) => registers.see(event, place);
  return { tell, prepare: (reader: TraceReader, batch: EventBatch) => learnAhead(reader, batch, registers) };
}
