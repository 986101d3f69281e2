// Searches batches of ring records on their way into the trace for facts that the recorder needs: the number of accesses,
// new mappings and new modules. One pass, two bytes a record; trace/ does the decoding.
import { assert } from "../../base/assert.js";
import { hex } from "../../base/hex.js";
import type { Hex, KernelModule } from "../../trace/header.js";
import { RecordFlag, RecordKind, record_bytes, recordOffset, recordTextBytes } from "../../trace/record.js";

/** Longest module name accepted; longer than MODULE_NAME_LEN. */
const nameLengthMax = 64;

export interface BatchNews {
  /** The physical addresses of new mappings: a driver may just be binding. */
  mapped: Hex[];
  /** Loaded modules, without their build ids. */
  modules: KernelModule[];
}

export class BatchScan {
  /** READ and WRITE events so far; one of several records counts once. */
  accesses = 0;
  /** The text of a MODULE record that the next record continues. */
  private partialName = "";

  /** Scans whole ring records, in order. */
  scan(records: Uint8Array): BatchNews {
    assert(records.length % record_bytes === 0, "a batch is whole records");
    const view = new DataView(records.buffer, records.byteOffset, records.byteLength);
    const news: BatchNews = { mapped: [], modules: [] };
    for (let at = 0; at < records.length; at += record_bytes) {
      const is = records[at + recordOffset.kind]!;
      if (is === RecordKind.read || is === RecordKind.write) {
        if ((records[at + recordOffset.flags]! & RecordFlag.more) === 0) this.accesses += 1;
      } else if (is === RecordKind.map) news.mapped.push(hex(view.getBigUint64(at + recordOffset.address, true)));
      else if (is === RecordKind.module) this.module(records, view, at, news);
    }
    return news;
  }

  private module(records: Uint8Array, view: DataView, at: number, news: BatchNews): void {
    const text = Buffer.from(recordTextBytes(records, at)).toString("latin1");
    this.partialName = (this.partialName + text).slice(0, nameLengthMax);
    const flags = view.getUint32(at + recordOffset.flags, true);
    if ((flags & RecordFlag.more) !== 0) return;
    const name = this.partialName;
    this.partialName = "";
    if ((flags & RecordFlag.gone) !== 0 || name === "") return;
    news.modules.push({
      name,
      textAddress: `0x${view.getBigUint64(at + recordOffset.site, true).toString(16)}`,
      text_bytes: view.getUint32(at + recordOffset.mapping, true),
      buildId: null,
    });
  }
}
