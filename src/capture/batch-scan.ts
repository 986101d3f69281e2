// Looks through batches of ring records on their way into the trace, for what the recorder itself must know: how many
// accesses they are, and whether a mapping or a module came. One pass, two bytes a record; decoding is trace/'s.
import { assert } from "../base/assert.js";
import type { KernelModule } from "../trace/header.js";

/** Offsets in struct mms_record, core/record.h. */
const record = {
  bytes: 64,
  address: 16,
  site: 40,
  mapping: 52,
  kind: 58,
  width: 59,
  flags: 60,
} as const;
const kind = { read: 1, write: 2, map: 3, module: 9 } as const;
const flag = { more: 1 << 3, gone: 1 << 8 } as const;
const text_bytes = 24;
/** Longer than MODULE_NAME_LEN: what is more is no module's name. */
const nameLengthMax = 64;

export const record_bytes = record.bytes;

export interface BatchNews {
  /** A mapping was made: a driver may just be binding. */
  mapped: boolean;
  /** Modules that came, without their build ids. */
  modules: KernelModule[];
}

export class BatchScan {
  /** READ and WRITE events so far; one that takes several records counts once. */
  accesses = 0;
  /** The text of a MODULE record that the next record goes on with. */
  private partialName = "";

  /** `records` are whole ring records, in order. */
  scan(records: Uint8Array): BatchNews {
    assert(records.length % record.bytes === 0, "a batch is whole records");
    const view = new DataView(records.buffer, records.byteOffset, records.byteLength);
    const news: BatchNews = { mapped: false, modules: [] };
    for (let at = 0; at < records.length; at += record.bytes) {
      const is = records[at + record.kind]!;
      if (is === kind.read || is === kind.write) {
        if ((records[at + record.flags]! & flag.more) === 0) this.accesses += 1;
      } else if (is === kind.map) news.mapped = true;
      else if (is === kind.module) this.module(view, at, news);
    }
    return news;
  }

  private module(view: DataView, at: number, news: BatchNews): void {
    const used = Math.min(view.getUint8(at + record.width), text_bytes);
    const bytes = new Uint8Array(view.buffer, view.byteOffset + at + record.address, used);
    this.partialName = (this.partialName + Buffer.from(bytes).toString("latin1")).slice(0, nameLengthMax);
    const flags = view.getUint32(at + record.flags, true);
    if ((flags & flag.more) !== 0) return;
    const name = this.partialName;
    this.partialName = "";
    if ((flags & flag.gone) !== 0 || name === "") return;
    news.modules.push({
      name,
      textAddress: `0x${view.getBigUint64(at + record.site, true).toString(16)}`,
      text_bytes: view.getUint32(at + record.mapping, true),
      buildId: null,
    });
  }
}
