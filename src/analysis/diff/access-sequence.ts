// Collects a trace's accesses as one sequence a device, to compare traces: register, direction, value. An immediately
// repeated read is one entry, since the number of a driver's polls is chance.
import type { TraceReader } from "../../trace/file/reader.js";
import type { AccessRegisters } from "../view/access-registers.js";
import { barName } from "../view/device-names.js";
import { type Selection, selectedViews } from "../view/selection.js";

/** An access, or a read that was repeated at once. */
export interface SequenceEntry {
  readonly kind: "read" | "write";
  readonly bar: number;
  /** In bytes from the BAR's start. */
  readonly offset: bigint;
  readonly width_bytes: number;
  /** The value; for a repeated read, the last one. */
  readonly value: bigint;
  /** Number of reads in this entry. */
  readonly count: number;
  /** Number of its event in the trace, or of its first event. */
  readonly event: number;
  /** Seconds since recording began; null where a log of another format has no time. */
  readonly time_s: number | null;
  /** The register's name, or `BAR0+0x10`. */
  readonly register: string;
  /** The site's symbol or address, or "". */
  readonly site: string;
}

/** An entry that may still get further reads. */
type GrowingEntry = SequenceEntry & { value: bigint; count: number };

export interface DeviceSequence {
  /** PCI address. */
  device: string;
  driver: string | null;
  vendor: string;
  deviceId: string;
  entries: SequenceEntry[];
}

/** Collects the sequences, devices in the order of first access. Leaves out accesses outside all BARs. Throws FormatError. */
export async function collectSequences(
  reader: TraceReader,
  registers: AccessRegisters,
  selection: Selection,
  progress: (events: number) => void = () => {},
): Promise<DeviceSequence[]> {
  const devices = new Map<string, DeviceSequence>();
  for await (const { block, views } of selectedViews(reader, registers, selection)) {
    for (const view of views) {
      const { access, place } = view;
      if (access === undefined || place === undefined) continue;
      const { address, driver, vendor, device: deviceId } = place.function;
      let found = devices.get(address);
      if (found === undefined) {
        found = { device: address, driver, vendor, deviceId, entries: [] };
        devices.set(address, found);
      }
      found.driver ??= driver;
      const { kind, width_bytes, value } = access;
      const { bar, offset } = place;
      const last = found.entries.at(-1) as GrowingEntry | undefined;
      if (
        kind === "read" &&
        last?.kind === "read" &&
        last.offset === offset &&
        last.bar === bar &&
        last.width_bytes === width_bytes
      ) {
        last.count += 1;
        last.value = value;
        continue;
      }
      const register = view.register?.name ?? `${barName(bar)}+0x${offset.toString(16)}`;
      const site = view.symbol ?? (access.site === 0n ? "" : `0x${access.site.toString(16)}`);
      const where = { event: access.number, time_s: access.tsc === 0n ? null : view.time_s, register, site };
      found.entries.push({ kind, bar, offset, width_bytes, value, count: 1, ...where });
    }
    progress(block.firstEvent + block.events);
  }
  return [...devices.values()];
}
