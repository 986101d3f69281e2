// Turns events back into ring records, for traces made from other traces: the counterpart of events.ts.
import { assertUnreachable } from "../base/assert.js";
import { dmaDirections, dmaWays } from "./dma-kinds.js";
import {
  type AccessEvent,
  type DmaMapEvent,
  type DmaUnmapEvent,
  handledBit,
  type InterruptEvent,
  type TraceEvent,
  wakesThreadBit,
} from "./events.js";
import {
  callerInRecord,
  dmaDirectionBits,
  functionInRecord,
  memoryTypes,
  RecordFlag,
  RecordKind,
  type RingRecord,
  record_bytes,
  recordOffset,
  text_bytes,
  value_bytes,
  writeRecord,
} from "./record.js";
import { unrecordedWays } from "./unrecorded.js";

const encoder = new TextEncoder();

function instructionInRecord(instruction: Uint8Array): [bigint, bigint] {
  const bytes = new Uint8Array(16);
  bytes.set(instruction);
  const view = new DataView(bytes.buffer);
  return [view.getBigUint64(0, true), view.getBigUint64(8, true)];
}

/** Collects events as whole records, numbered from 1 on. */
export class EventRecords {
  private bytes = new Uint8Array(record_bytes * 1024);
  private view = new DataView(this.bytes.buffer);
  private used_bytes = 0;
  private sequence = 0;

  get length_bytes(): number {
    return this.used_bytes;
  }

  add(event: TraceEvent): void {
    const { tsc, cpu, pid, flags } = event;
    const base = { tsc, cpu, pid, flags };
    switch (event.kind) {
      case "read":
      case "write":
        this.addAccess(event);
        break;
      case "map": {
        const { mapping, address, length_bytes, decoy, site } = event;
        const width = memoryTypes.indexOf(event.memoryType);
        this.put({ ...base, kind: RecordKind.map, mapping, address, value: [length_bytes, decoy], width, site });
        break;
      }
      case "unmap": {
        const { mapping, address, length_bytes, decoy } = event;
        this.put({ ...base, kind: RecordKind.unmap, mapping, address, value: [length_bytes, decoy] });
        break;
      }
      case "mark":
        this.putText({ ...base, kind: RecordKind.mark }, event.raw ?? event.text);
        break;
      case "lost":
        this.put({ ...base, kind: RecordKind.lost, value: [event.count, 0n] });
        break;
      case "escape": {
        const { address, site, mapping, instruction } = event;
        const value = instructionInRecord(instruction);
        const caller = callerInRecord(event.caller);
        this.put({
          ...base,
          kind: RecordKind.escape,
          address,
          site,
          caller,
          mapping,
          value,
          width: instruction.length,
        });
        break;
      }
      case "symbol":
        this.putText({ ...base, kind: RecordKind.symbol, site: event.site }, event.text);
        break;
      case "module": {
        const { name, textAddress, text_bytes: mapping, gone } = event;
        const all = flags | (gone ? RecordFlag.gone : 0);
        this.putText({ ...base, kind: RecordKind.module, site: textAddress, mapping, flags: all }, name);
        break;
      }
      case "unrecorded": {
        const { address, length_bytes, calls, site } = event;
        const width = unrecordedWays.indexOf(event.way);
        this.put({ ...base, kind: RecordKind.unrecorded, address, value: [length_bytes, calls], width, site });
        break;
      }
      case "interrupt":
        this.addInterrupt(event);
        break;
      case "dma-map":
      case "dma-unmap":
        this.addDma(event);
        break;
      case "unknown": {
        const at = this.room();
        this.bytes.set(event.record, at);
        this.number(at);
        break;
      }
      default:
        assertUnreachable(event);
    }
  }

  private addInterrupt(event: InterruptEvent): void {
    const { tsc, cpu, pid, flags, phase, device, irq, vector, handled, wakesThread, site } = event;
    const result = (handled ? handledBit : 0n) | (wakesThread ? wakesThreadBit : 0n);
    const { mapping, value } = functionInRecord({ device, value: result });
    const kind = phase === "entry" ? RecordKind.irqEntry : RecordKind.irqExit;
    this.put({
      ...{ tsc, cpu, pid, flags, kind, mapping, site },
      address: BigInt(irq),
      value: [BigInt(vector), value],
    });
  }

  private addDma(event: DmaMapEvent | DmaUnmapEvent): void {
    const { tsc, cpu, pid, flags, device, bus, length_bytes, way, direction, site } = event;
    const { mapping, value } = functionInRecord({ device, value: length_bytes });
    this.put({
      ...{ tsc, cpu, pid, flags, mapping, site, caller: callerInRecord(event.caller), address: bus },
      kind: event.kind === "dma-map" ? RecordKind.dmaMap : RecordKind.dmaUnmap,
      value: [event.kind === "dma-map" ? event.physical : 0n, value],
      width: (dmaWays.indexOf(way) << dmaDirectionBits) | dmaDirections.indexOf(direction),
    });
  }

  private addAccess(event: AccessEvent): void {
    const { tsc, cpu, pid, flags, address, site, mapping, width_bytes, value } = event;
    const caller = callerInRecord(event.caller);
    const kind = event.kind === "read" ? RecordKind.read : RecordKind.write;
    // A width of 0 is a record, too.
    for (let offset = 0; offset === 0 || offset < width_bytes; offset += value_bytes) {
      const width = Math.min(width_bytes - offset, value_bytes);
      const more = offset + width < width_bytes ? RecordFlag.more : 0;
      const part = BigInt.asUintN(128, value >> BigInt(8 * offset));
      this.put({
        ...{ tsc, cpu, pid, kind, site, caller, mapping, width, flags: flags | more },
        address: BigInt.asUintN(64, address + BigInt(offset)),
        value: [BigInt.asUintN(64, part), part >> 64n],
      });
    }
  }

  /** Returns the whole records since the last call; the next `add` reuses the buffer. */
  take(): Uint8Array {
    const taken = this.bytes.subarray(0, this.used_bytes);
    this.used_bytes = 0;
    return taken;
  }

  private put(record: Partial<RingRecord>): void {
    const at = this.room();
    writeRecord(this.view, at, record);
    this.number(at);
  }

  /** Adds a text, as one record or several. */
  private putText(record: Partial<RingRecord>, text: string | Uint8Array): void {
    const bytes = typeof text === "string" ? encoder.encode(text) : text;
    let from = 0;
    do {
      const part = new Uint8Array(text_bytes);
      part.set(bytes.subarray(from, from + text_bytes));
      const view = new DataView(part.buffer);
      const more = from + text_bytes < bytes.length ? RecordFlag.more : 0;
      this.put({
        ...record,
        address: view.getBigUint64(0, true),
        value: [view.getBigUint64(8, true), view.getBigUint64(16, true)],
        width: Math.min(text_bytes, bytes.length - from),
        flags: (record.flags ?? 0) | more,
      });
      from += text_bytes;
    } while (from < bytes.length);
  }

  private number(at: number): void {
    this.sequence += 1;
    this.view.setUint32(at + recordOffset.sequence, this.sequence, true);
  }

  /** Makes room for a record; returns its place. */
  private room(): number {
    const at = this.used_bytes;
    if (at + record_bytes > this.bytes.length) {
      const larger = new Uint8Array(2 * this.bytes.length);
      larger.set(this.bytes);
      this.bytes = larger;
      this.view = new DataView(larger.buffer);
    }
    this.used_bytes += record_bytes;
    return at;
  }
}
