// Names the sites of rewritten drivers in records on their way into the trace as places in the original modules.
import { assert } from "../../base/assert.js";
import { concatBytes, latin1, latin1Bytes } from "../../base/bytes.js";
import { type MovedModule, OriginalSites } from "../../machine/rewritten-module.js";
import { RecordFlag, RecordKind, record_bytes, recordOffset, recordTextBytes, text_bytes } from "../../trace/record.js";

export class SiteNames {
  readonly #sites: OriginalSites;
  /** The records of a symbol whose text goes on in the next batch. */
  #begun = new Uint8Array(0);

  constructor(sites: OriginalSites) {
    this.#sites = sites;
  }

  /** Takes whole records, in order, and changes their symbols. Returns those that can go on; `rest` has what is left at the end. */
  take(records: Uint8Array): Uint8Array {
    assert(records.length % record_bytes === 0, "a batch is whole records");
    const all = this.#begun.length === 0 ? records : concatBytes([this.#begun, records]);
    this.#begun = new Uint8Array(0);
    for (let at = 0; at < all.length; at += record_bytes) {
      if (all[at + recordOffset.kind] !== RecordKind.symbol) continue;
      const end = symbolEnd(all, at);
      if (end === undefined) {
        this.#begun = all.slice(at);
        return all.subarray(0, at);
      }
      this.#rename(all.subarray(at, end));
      at = end - record_bytes;
    }
    return all;
  }

  /** Returns the records of a symbol that has no end. */
  rest(): Uint8Array {
    const rest = this.#begun;
    this.#begun = new Uint8Array(0);
    return rest;
  }

  /** Changes a symbol's text, which never becomes longer. Its records stay as many. */
  #rename(records: Uint8Array): void {
    let old = "";
    for (let at = 0; at < records.length; at += record_bytes) old += latin1(recordTextBytes(records, at));
    const name = this.#sites.nameOf(old);
    if (name === old) return;
    const text = latin1Bytes(name);
    assert(text.length <= old.length, "a place in the original is no longer than one in the rewritten module");
    for (let at = 0, from = 0; at < records.length; at += record_bytes, from += text_bytes) {
      const part = text.subarray(from, from + text_bytes);
      const place = recordTextBytes(records, at);
      place.fill(0);
      place.set(part);
      records[at + recordOffset.width] = part.length;
    }
  }
}

/** Returns undefined where nothing has moved. */
export function siteNamesOf(moved: readonly MovedModule[]): SiteNames | undefined {
  return moved.length === 0 ? undefined : new SiteNames(new OriginalSites(moved));
}

/** Returns the offset behind a symbol's last record, or undefined if it isn't there. */
function symbolEnd(records: Uint8Array, begin: number): number | undefined {
  for (let at = begin; at < records.length; at += record_bytes) {
    const flags = new DataView(records.buffer, records.byteOffset + at).getUint32(recordOffset.flags, true);
    if ((flags & RecordFlag.more) === 0) return at + record_bytes;
  }
  return undefined;
}
