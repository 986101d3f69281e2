// Collects a trace's accesses in the ground truth's form, in columns: parts of at most eight bytes, in order; and the
// lives of the mappings. verify.ts compares them.
import { assertUnreachable } from "../../base/assert.js";
import type { TraceEvent } from "../../trace/events.js";
import type { TraceReader } from "../../trace/file/reader.js";
import { portRanges, type TraceHeader } from "../../trace/header.js";
import { RecordFlag } from "../../trace/record.js";
import { configuration_bytes, configurationOf, inSpace, spaceOf, withinSpace } from "../../trace/space.js";
import type { NumberRange } from "./truth-log.js";

/** The widest access that a CPU makes to a device. */
const partMax_bytes = 8;

/** The mappings alive from a place among the accesses on. */
export interface CoverageChange {
  /** Number of accesses before it. */
  at: number;
  living: NumberRange[];
}

export interface TracedAccesses {
  count: number;
  write: number[];
  width_bytes: number[];
  address: number[];
  /** The value's low and high 32 bits. */
  valueLow: number[];
  valueHigh: number[];
  cpu: number[];
  /** Number of the event that the part belongs to. */
  event: number[];
  /** 1: made without the lock, by an NMI that came while its CPU was making the access before it, or waiting for the lock. */
  unordered: number[];
  coverage: CoverageChange[];
  /** The mappings that lived before the trace's first event: it is a part of a recording. */
  atStart: NumberRange[];
  /** Every address that was ever mapped. */
  mapped: NumberRange[];
  lost: bigint;
  escaped: number;
}

/** Returns the recorded configuration spaces, which need no mapping. */
function configurationRanges({ options, pciFunctions }: TraceHeader): NumberRange[] {
  const { configuration = [] } = options;
  const functions = configuration === "all" ? pciFunctions.map(({ address }) => address) : configuration;
  return functions.flatMap((function_) => {
    const first = configurationOf(function_);
    return first === undefined ? [] : [rangeOf({ address: first, length_bytes: configuration_bytes })];
  });
}

/** Returns the ports that are recorded without a mapping of them. */
function unmappedPorts({ options, pciFunctions }: TraceHeader): NumberRange[] {
  const functions = pciFunctions.filter(({ address }) => options.ports?.includes(address) === true);
  return functions.flatMap(portRanges).map(({ first, last }) => ({ first: Number(first), last: Number(last) }));
}

/** First address that QEMU's log means as memory: it gives no space, and never logs the memory below. */
const memoryFirst = 0x10000;

/** Returns the address of the log for one of the trace: that of configuration space stays as records have it. */
function addressInLog(address: bigint): number {
  return Number(spaceOf(address) === "configuration" ? address : withinSpace(address));
}

/** Returns the address of the trace for one of the log. */
export function addressInTrace(address: number): bigint {
  return address < memoryFirst ? inSpace("ports", BigInt(address)) : BigInt(address);
}

/** Walks the whole trace; `progress` gets the part read so far. Throws FormatError. */
export async function collectAccesses(
  reader: TraceReader,
  progress: (part: number) => void = () => {},
): Promise<TracedAccesses> {
  const accesses: TracedAccesses = {
    count: 0,
    write: [],
    width_bytes: [],
    address: [],
    valueLow: [],
    valueHigh: [],
    cpu: [],
    event: [],
    unordered: [],
    coverage: [],
    atStart: [],
    mapped: [],
    lost: 0n,
    escaped: 0,
  };
  const living = new Map<number, NumberRange>();
  for await (const { block, state, events } of reader.batches()) {
    if (block.firstEvent === 0) {
      for (const mapping of state.mappings.values()) living.set(mapping.id, rangeOf(mapping));
      const unmapped = [...configurationRanges(reader.header), ...unmappedPorts(reader.header)];
      for (const [at, range] of unmapped.entries()) living.set(-1 - at, range);
      accesses.atStart.push(...living.values());
      accesses.mapped.push(...living.values());
    }
    for (const event of events) take(accesses, living, event);
    progress((block.firstEvent + block.events) / reader.events);
  }
  return accesses;
}

function rangeOf({ address, length_bytes }: { address: bigint; length_bytes: bigint }): NumberRange {
  const first = addressInLog(address);
  return { first, last: first + Number(length_bytes) - 1 };
}

function take(accesses: TracedAccesses, living: Map<number, NumberRange>, event: TraceEvent): void {
  switch (event.kind) {
    case "read":
    case "write":
      for (let offset = 0; offset < event.width_bytes; offset += partMax_bytes) {
        const width_bytes = Math.min(partMax_bytes, event.width_bytes - offset);
        const value = BigInt.asUintN(8 * width_bytes, event.value >> BigInt(8 * offset));
        push(accesses, {
          write: event.kind === "write" ? 1 : 0,
          width_bytes,
          address: addressInLog(event.address) + offset,
          valueLow: Number(BigInt.asUintN(32, value)),
          valueHigh: Number(value >> 32n),
          cpu: event.cpu,
          event: event.number,
          unordered: (event.flags & RecordFlag.unordered) === 0 ? 0 : 1,
        });
      }
      break;
    case "map": {
      const range = rangeOf(event);
      living.set(event.mapping, range);
      accesses.mapped.push(range);
      accesses.coverage.push({ at: accesses.count, living: [...living.values()] });
      break;
    }
    case "unmap":
      living.delete(event.mapping);
      accesses.coverage.push({ at: accesses.count, living: [...living.values()] });
      break;
    case "lost":
      accesses.lost += event.count;
      break;
    case "escape":
      accesses.escaped += 1;
      break;
    case "mark":
    case "symbol":
    case "module":
    case "unrecorded":
    case "interrupt":
    case "dma-map":
    case "dma-unmap":
    case "unknown":
      break;
    default:
      assertUnreachable(event);
  }
}

export interface TracedPart {
  write: number;
  width_bytes: number;
  address: number;
  valueLow: number;
  valueHigh: number;
  cpu: number;
  event: number;
  unordered: number;
}

export function push(accesses: TracedAccesses, part: TracedPart): void {
  accesses.write.push(part.write);
  accesses.width_bytes.push(part.width_bytes);
  accesses.address.push(part.address);
  accesses.valueLow.push(part.valueLow);
  accesses.valueHigh.push(part.valueHigh);
  accesses.cpu.push(part.cpu);
  accesses.event.push(part.event);
  accesses.unordered.push(part.unordered);
  accesses.count += 1;
}
