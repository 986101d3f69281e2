// Reads QEMU's log of the accesses to its memory regions (`-trace 'memory_region_ops_*'`, backend log) into ring records.
//
// The log has the accesses that the device saw, so a wide one may be in pieces. A region has a mapping's number, announced by a
// mark before its first access. Ports are left out: they are no memory. A device's own accesses come from CPU 65535. Without a time
// before each line (log-clock.ts) every time stamp is 0.
import { isLatin1, latin1, latin1Bytes, startsWithLatin1 } from "../../base/bytes.js";
import { countOf } from "../../base/units.js";
import { noCpu } from "../event-task.js";
import type { LackableFact, TraceHeader } from "../header.js";
import { RecordFlag, RecordKind } from "../record.js";
import { LogClock, takeStamp_us } from "./log-clock.js";
import { importedHeader, TextImport } from "./log-import.js";
import { UnknownLines } from "./unknown-lines.js";

/** A PC has RAM below this address, so accesses there are to ports. */
const portLimit = 0x1_0000;
export const deviceCpu = 0xffff;
const regionsMax = 65_536;
const accessWidthMax_bytes = 8;
const two32 = 2 ** 32;
const marker = "memory_region_";
/** The events of accesses. Others, such as memory_region_subpage_read, are the same accesses once more. */
const patterns = {
  event: /memory_region_(?:ops|ram_device)_(?:read|write|fetch) cpu /,
  remains: /emory_region_(?:ops|ram_device)| mr 0x[0-9a-f]+ addr 0x[0-9a-f]/i,
};
const quote = 0x27;
const lacks: readonly LackableFact[] = ["pid", "context", "flags", "site", "caller"];

export class QemuImport extends TextImport {
  protected readonly unknown = new UnknownLines("qemu", patterns);
  private readonly clock = new LogClock();
  private readonly regions = new Map<string, number>();
  /** The region of the line before: most lines have the same one. */
  private last = { pointer: 0, name: "", number: 0 };
  private ports = 0;
  private byDevices = 0;
  private ended = false;

  get header(): TraceHeader | undefined {
    const clock = this.clock.header;
    if (clock === undefined && !this.ended) return undefined;
    return importedHeader("QEMU memory_region_ops", { ...clock, lacks });
  }

  override finish(): void {
    super.finish();
    this.ended = true;
    const { ports, byDevices, totals, clock } = this;
    if (ports > 0) this.notes.push(`${countOf(ports, "port access is", "port accesses are")} left out`);
    if (byDevices > 0)
      this.noteForGood(
        `${countOf(byDevices, "access was", "accesses were")} made by devices, shown as CPU ${deviceCpu}`,
      );
    this.endLines();
    if (totals.accesses > 0) this.noteForGood(...clock.notes);
  }

  protected takeLastLine(bytes: Uint8Array, from: number, end: number): void {
    // A line with the region's name is whole if the name's last quote is there. A line without a name may lack digits.
    if (bytes[end - 1] === quote && bytes.subarray(from, end).indexOf(quote) < end - 1) this.takeLine(bytes, from, end);
    else this.incomplete.push(`the log is cut within its last line, ${this.totals.lines}`);
  }

  protected takeLine(bytes: Uint8Array, from: number, lineEnd: number): void {
    const end = this.withoutReturn(bytes, from, lineEnd);
    const { fields } = this;
    fields.begin(bytes, from, end);
    const time_us = takeStamp_us(fields);
    if (startsWithLatin1(bytes, fields.at, end, marker)) this.takeAccess(bytes, from, end, time_us);
    else this.takeForeignLine(bytes, from, end);
  }

  /** Takes `ops_read cpu 0 mr 0x… addr 0x… value 0x… size 4 name '…'`; old versions have no name; `ram_device_` is like ops. */
  private takeAccess(bytes: Uint8Array, lineFrom: number, end: number, time_us: number | undefined): void {
    const { fields } = this;
    const from = fields.at + marker.length;
    fields.begin(bytes, from, end);
    const kind = fields.upTo(0x20);
    const isRead = kind === "ops_read" || kind === "ram_device_read" || kind === "ops_fetch";
    if (!isRead && kind !== "ops_write" && kind !== "ram_device_write") {
      this.takeForeignLine(bytes, lineFrom, end);
      return;
    }
    this.hasOwnLine = true;
    fields.text(" cpu ");
    const cpuAt = fields.at;
    const cpu = fields.signed();
    if (cpu < -1 || cpu >= deviceCpu) fields.fail("a CPU's number", cpuAt);
    fields.text(" mr ");
    fields.hex();
    const pointer = fields.number;
    fields.text(" addr ");
    fields.hex();
    const address = fields.number;
    const addressLow = fields.low;
    const addressHigh = fields.high;
    fields.text(" value ");
    fields.hex();
    const valueLow = fields.low;
    const valueHigh = fields.high;
    fields.text(" size ");
    const width = fields.decimal();
    let nameFrom = end;
    let nameEnd = end;
    if (!fields.atEnd) {
      fields.text(" name '");
      nameFrom = fields.at;
      nameEnd = fields.at = end - 1;
      if (nameEnd < nameFrom) fields.fail("a name in quotes", end);
      fields.skip(quote);
    }
    if (!fields.sound || !fields.atEnd) {
      throw this.broken(`this isn't how QEMU writes a memory_region line: ${fields.why}`);
    }
    if (width < 1 || width > accessWidthMax_bytes)
      throw this.broken(`an access of ${width} bytes, which no region takes`);
    const stamp_us = this.clock.stampOf(time_us);
    if (address < portLimit) {
      this.ports += 1;
      return;
    }
    const region = this.region(pointer, nameFrom, nameEnd, stamp_us);
    if (cpu < 0) this.byDevices += 1;
    const place = this.records.next();
    const { words } = this.records;
    words[place + 2] = stamp_us >>> 0;
    words[place + 3] = stamp_us / two32;
    words[place + 4] = addressLow;
    words[place + 5] = addressHigh;
    words[place + 6] = valueLow;
    words[place + 7] = valueHigh;
    words[place + 13] = region;
    words[place + 14] =
      (cpu < 0 ? deviceCpu : cpu) | ((isRead ? RecordKind.read : RecordKind.write) << 16) | (width << 24);
    this.totals.accesses += 1;
  }

  /** Returns the number, counted from 1, of the region with the name in the line. Announces a new one by a mark. */
  private region(pointer: number, nameFrom: number, nameEnd: number, stamp_us: number): number {
    const { last } = this;
    const { bytes } = this.fields;
    if (last.number > 0 && pointer === last.pointer && isLatin1(bytes, nameFrom, nameEnd, last.name))
      return last.number;
    const name = latin1(bytes, nameFrom, nameEnd);
    const key = `${pointer} ${name}`;
    let number = this.regions.get(key);
    if (number === undefined) {
      if (this.regions.size === regionsMax) throw this.broken(`more than ${regionsMax} memory regions`);
      number = this.regions.size + 1;
      this.regions.set(key, number);
      const text = `region ${number} is ${name === "" ? `0x${pointer.toString(16)}` : name}`;
      const flags = RecordFlag.verbatim;
      this.records.addText({ kind: RecordKind.mark, tsc: BigInt(stamp_us), cpu: noCpu, flags }, latin1Bytes(text));
    }
    this.last = { pointer, name, number };
    return number;
  }
}
