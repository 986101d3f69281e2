// Reads QEMU's log of a guest's accesses to a device passed through with VFIO (`-trace vfio_region_read
// -trace vfio_region_write`; the device's `x-no-mmap` makes QEMU see all of them) into ring records.
//
// The log has device, region and offset, not the physical address. Each device gets a range of made-up addresses, each of its
// regions a part of it, so that device, BAR and offset are right; addresses and the BARs' lengths have no meaning. Regions 0 to 5
// are the BARs, 6 is the expansion ROM; others (7 configuration space, 8 VGA, 9 and more) are left out and counted.

import { latin1 } from "../../base/bytes.js";
import { hex } from "../../base/hex.js";
import { countOf } from "../../base/units.js";
import type { Bar, LackableFact, PciFunction, TraceHeader } from "../header.js";
import { addressBase, deviceSpace, madeUpDevicesMax, regionSpace } from "../made-up-addresses.js";
import { RecordKind } from "../record.js";
import { LogClock, takeStamp_us } from "./log-clock.js";
import { importedHeader, TextImport } from "./log-import.js";
import { UnknownLines } from "./unknown-lines.js";

const regions = 7;
const barLeast_bytes = 4096;
const memoryResource = "0x200";
const two32 = 2 ** 32;
const blank = 0x20;
/** The events of accesses. */
const patterns = {
  event: /vfio_region_(?:read|write) {1,2}\(/,
  remains: /vfio_region_(?:read|write)|:region\d+\+0x[0-9a-f]+[,)]/i,
};
const accessWidthMax_bytes = 8;
const lacks: readonly LackableFact[] = ["cpu", "pid", "context", "flags", "mapping", "address", "site", "caller"];

interface Device {
  name: string;
  number: number;
  bars: { index: number; start: number; length: number }[];
  /** Ids from the guest's reads of the configuration space; 0 before them. */
  vendor: number;
  device: number;
}

export class VfioImport extends TextImport {
  protected readonly unknown = new UnknownLines("vfio", patterns);
  private readonly clock = new LogClock();
  private readonly devices = new Map<string, Device>();
  private otherRegions = 0;
  private ended = false;

  get header(): TraceHeader | undefined {
    const clock = this.clock.header;
    if (clock === undefined && !this.ended) return undefined;
    return importedHeader("QEMU vfio_region", { ...clock, lacks });
  }

  override finish(): void {
    super.finish();
    this.ended = true;
    const { otherRegions, totals, clock } = this;
    if (otherRegions > 0)
      this.notes.push(`${countOf(otherRegions, "access to no BAR is", "accesses to no BAR are")} left out`);
    this.endLines();
    if (totals.accesses > 0)
      this.noteForGood("the physical addresses and the BARs' lengths are made up: the log has none");
    if (totals.accesses > 0) this.noteForGood(...clock.notes);
  }

  protected takeLastLine(bytes: Uint8Array, from: number, end: number): void {
    // A write's line ends in `)`; a read's ends in its value, which may lack digits.
    const text = latin1(bytes, from, end);
    if (/vfio_region_write .*\)$/.test(text)) this.takeLine(bytes, from, end);
    else this.incomplete.push(`the log is cut within its last line, ${this.totals.lines}`);
  }

  protected takeLine(bytes: Uint8Array, from: number, lineEnd: number): void {
    const end = this.withoutReturn(bytes, from, lineEnd);
    const { fields } = this;
    fields.begin(bytes, from, end);
    const time_us = takeStamp_us(fields);
    const event = bytes[fields.at] === 0x76 ? fields.upTo(blank) : "";
    if (event === "vfio_region_read" || event === "vfio_region_write") {
      this.takeAccess(event === "vfio_region_read", time_us);
    } else if (event === "vfio_pci_read_config") {
      this.takeConfiguration();
    } else this.takeForeignLine(bytes, from, end);
  }

  /** Takes `  (NAME:regionN+0xOFFSET, 0xVALUE, WIDTH)` or `  (NAME:regionN+0xOFFSET, WIDTH) = 0xVALUE`. */
  private takeAccess(isRead: boolean, time_us: number | undefined): void {
    const { fields } = this;
    this.hasOwnLine = true;
    const { name, region } = this.place();
    fields.text("+");
    fields.hex();
    const offset = fields.number;
    fields.text(", ");
    let width = 0;
    if (isRead) {
      width = fields.decimal();
      fields.text(") = ");
      fields.hex();
    } else {
      fields.hex();
      fields.text(", ");
      width = fields.decimal();
      fields.text(")");
    }
    if (!fields.sound || !fields.atEnd)
      throw this.broken(`this isn't how QEMU writes a vfio_region line: ${fields.why}`);
    if (width < 1 || width > accessWidthMax_bytes)
      throw this.broken(`an access of ${width} bytes, which VFIO doesn't make`);
    const stamp_us = this.clock.stampOf(time_us);
    if (region >= regions) {
      this.otherRegions += 1;
      return;
    }
    if (offset >= regionSpace) throw this.broken(`offset 0x${offset.toString(16)} is behind every BAR's end`);
    const { low, high } = fields;
    const address = this.addressOf(name, region, offset + width) + offset;
    const place = this.records.next();
    const { words } = this.records;
    words[place + 2] = stamp_us >>> 0;
    words[place + 3] = stamp_us / two32;
    words[place + 4] = address >>> 0;
    words[place + 5] = address / two32;
    words[place + 6] = low;
    words[place + 7] = high;
    words[place + 14] = ((isRead ? RecordKind.read : RecordKind.write) << 16) | (width << 24);
    this.totals.accesses += 1;
  }

  /** Reads ` (NAME:regionN`. The name may contain colons, as a PCI address does. */
  private place(): { name: string; region: number } {
    const { fields } = this;
    while (!fields.atEnd && fields.bytes[fields.at] === blank) fields.skip(blank);
    fields.text("(");
    const text = fields.upTo(0x2b);
    const found = /^(.{1,64}):region(\d{1,4})$/.exec(text);
    if (found === null) throw this.broken("this isn't how QEMU writes a vfio_region line");
    return { name: found[1]!, region: Number(found[2]) };
  }

  /** Takes `  (NAME, @0xOFFSET, len=0xLENGTH) 0xVALUE`: the first four bytes are vendor and device. */
  private takeConfiguration(): void {
    const { fields } = this;
    const found = /^ *\((.{1,64}), @(0x[0-9a-f]+), len=(0x[0-9a-f]+)\) (0x[0-9a-f]+)$/.exec(fields.rest());
    if (found === null) throw this.broken("this isn't how QEMU writes a vfio_pci_read_config line");
    const [, name, offset, length, text] = found;
    const value = Number(text);
    const ids = Number(offset) === 0 && Number(length) === 4;
    if (!ids && !(Number(offset) <= 2 && Number(length) === 2)) return;
    const device = this.device(name!);
    const before = `${device.vendor}:${device.device}`;
    if (ids || Number(offset) === 0) device.vendor = value & 0xffff;
    if (ids) device.device = (value >>> 16) & 0xffff;
    else if (Number(offset) === 2) device.device = value & 0xffff;
    if (before !== `${device.vendor}:${device.device}`) this.tellDevice(device);
  }

  private device(name: string): Device {
    let found = this.devices.get(name);
    if (found === undefined) {
      if (this.devices.size === madeUpDevicesMax) throw this.broken(`more than ${madeUpDevicesMax} devices`);
      found = { name, number: this.devices.size, bars: [], vendor: 0, device: 0 };
      this.devices.set(name, found);
    }
    return found;
  }

  /**
   * Returns the region's made-up start. The BAR is told to be as long as its accesses need, up to `end`: a power of two, as all BARs
   * are, and not more than the log shows.
   */
  private addressOf(name: string, region: number, end: number): number {
    const device = this.device(name);
    const start = addressBase + device.number * deviceSpace + region * regionSpace;
    const known = device.bars.find((bar) => bar.index === region);
    if (known !== undefined && end <= known.length) return start;
    const length = Math.max(2 ** Math.ceil(Math.log2(end)), barLeast_bytes);
    if (known === undefined) device.bars.push({ index: region, start, length });
    else known.length = length;
    this.tellDevice(device);
    return start;
  }

  private tellDevice({ name, vendor, device, bars }: Device): void {
    const zero = "0x0";
    const told: PciFunction = {
      address: name,
      vendor: hex(vendor),
      device: hex(device),
      subsystemVendor: zero,
      subsystemDevice: zero,
      class: zero,
      revision: zero,
      irq: 0,
      driver: null,
      bars: bars.map(
        ({ index, start, length }): Bar => ({
          ...{ index, start: hex(start), length_bytes: hex(length), flags: memoryResource },
        }),
      ),
    };
    this.update({ pciFunctions: [told] });
  }
}
