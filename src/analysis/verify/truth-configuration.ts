// Reads QEMU's accesses to PCI functions' configuration space. An access has two lines: `pci_cfg_read e1000 00:04.0 @0x4 -> 0x107`
// has no CPU and no width; those are in the line of the region through which the CPU made it, after a read and before a write. QEMU
// makes such accesses one after the other, but other lines may stand between the two.
import { findLatin1, isLatin1, latin1 } from "../../base/bytes.js";
import { configurationOf } from "../../trace/space.js";

/** The regions through which CPUs reach configuration space: the ports from 0xcfc on, and PCI Express's memory (ECAM). */
const dataRegions = ["'pci-conf-data'", "'pcie-mmcfg-mmio'"];
const event = "pci_cfg_";
const eventLine =
  /pci_cfg_(?:read (.+) ([0-9a-f]{2}:[0-9a-f]{2}\.[0-7]) @0x([0-9a-f]{1,3}) ->|write (.+) ([0-9a-f]{2}:[0-9a-f]{2}\.[0-7]) @0x([0-9a-f]{1,3}) <-) 0x([0-9a-f]{1,8})$/;

/** A CPU's access to one of the regions. */
export interface DataAccess {
  write: boolean;
  cpu: number;
  width_bytes: number;
  value: number;
}

/** An access to a function's configuration space. */
export interface ConfigurationAccess extends DataAccess {
  /** As in records: space.ts. */
  address: number;
  /** QEMU's name of the device, as a region's. */
  name: string;
  /** `0000:00:04.0` */
  function: string;
  /** Its line in the log, counted from 1. */
  line: number;
}

type Told = Omit<ConfigurationAccess, "cpu" | "width_bytes">;

/** Returns true if the memory_region_ops line is an access to one of the regions. */
export function isDataLine(bytes: Uint8Array, end: number): boolean {
  return dataRegions.some((name) => isLatin1(bytes, end - name.length, end, name));
}

/** Returns the place of the event's name in the line; negative if the line has none. */
export function findConfigurationEvent(bytes: Uint8Array, from: number, end: number): number {
  return findLatin1(bytes, from, end, event);
}

/** Joins each access's two lines. */
export class ConfigurationLines {
  private lastWrite: DataAccess | undefined;
  private read: Told | undefined;

  /** Takes a CPU's access to a region; returns the access to configuration space that it completes. */
  data(access: DataAccess): ConfigurationAccess | undefined {
    if (access.write) {
      this.lastWrite = access;
      return undefined;
    }
    const told = this.read;
    this.read = undefined;
    return told && joined(told, access);
  }

  /**
   * Takes the event's line; returns the access if it is complete, undefined for one that will be, and `unclear` if the line, or one
   * before it, isn't understood.
   */
  event(bytes: Uint8Array, from: number, end: number, line: number): ConfigurationAccess | "unclear" | undefined {
    const told = parse(latin1(bytes, from, end), line);
    if (told === undefined || this.read !== undefined) {
      this.read = undefined;
      return "unclear";
    }
    if (!told.write) {
      this.read = told;
      return undefined;
    }
    const access = this.lastWrite && joined(told, this.lastWrite);
    this.lastWrite = undefined;
    return access ?? "unclear";
  }
}

function parse(text: string, line: number): Told | undefined {
  const match = eventLine.exec(text);
  if (match === null) return undefined;
  const write = match[4] !== undefined;
  const [name, place, offset] = (write ? match.slice(4, 7) : match.slice(1, 4)) as [string, string, string];
  const function_ = `0000:${place}`;
  const address = Number(configurationOf(function_)) + Number.parseInt(offset, 16);
  return { write, value: Number.parseInt(match[7]!, 16), address, name, function: function_, line };
}

/** Returns undefined if the values differ: the lines aren't of one access. */
function joined(told: Told, { cpu, width_bytes, value }: DataAccess): ConfigurationAccess | undefined {
  const bits = 8 * Math.min(width_bytes, 4);
  const part = (number: number) => BigInt.asUintN(bits, BigInt(number));
  return part(told.value) === part(value) ? { ...told, cpu, width_bytes } : undefined;
}
