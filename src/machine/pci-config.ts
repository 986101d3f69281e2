// Reads the parts of a PCI function's configuration space that give the places of its registers: the header and some
// capabilities. It reads nothing else: a few devices fail after reads of unused bytes, and the trace needs nothing else.
import { closeSync, openSync, readSync } from "node:fs";

/** PCI Local Bus Specification 3.0, sections 6.1 and 6.7; the space above belongs to PCI Express. */
const configMax_bytes = 256;
const header_bytes = 64;
const statusOffset = 0x06;
const statusHasCapabilities = 0x10;
const headerTypeOffset = 0x0e;
const firstCapability = 0x34;
/** A capability's identifier and the offset of the next one. */
const capabilityHead_bytes = 2;
/** A longer list must be a circle. */
const capabilitiesMax = 48;
/** Section 6.8.2: the MSI-X capability, with the BARs of its table and its pending bits. */
const capabilityMsix = 0x11;
const msix_bytes = 12;
/** Section 6.8.1: the MSI capability's control word tells the places of its other registers. */
const capabilityMsi = 0x05;
const msi_bytes = 4;
/** Appendix H: a vendor's capability, with its length in the third byte; virtio's give the places of its structures. */
const capabilityVendor = 0x09;

/**
 * Reads the function's configuration space from the file at `path` (sysfs's `config`), at most 256 bytes: its header, the capabilities'
 * identifiers, MSI's control word, and MSI-X and vendor capabilities; bytes not read are 0. Undefined if it can't be read (only root may read more than the header).
 */
export function readPciConfig(path: string): Uint8Array | undefined {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch {
    return undefined;
  }
  try {
    const config = new Uint8Array(configMax_bytes);
    let end = 0;
    const read = (offset: number, length: number): boolean => {
      const wanted = Math.min(length, configMax_bytes - offset);
      const got = readSync(file, config, offset, wanted, offset);
      end = Math.max(end, offset + got);
      return got === wanted && wanted === length;
    };
    if (!read(0, header_bytes)) return undefined;
    readCapabilities(config, read);
    return config.subarray(0, end);
  } catch {
    return undefined;
  } finally {
    closeSync(file);
  }
}

function readCapabilities(config: Uint8Array, read: (offset: number, length: number) => boolean): void {
  // A removed function answers with all ones; a CardBus bridge has its list elsewhere.
  const headerType = config[headerTypeOffset]! & 0x7f;
  if ((config[statusOffset]! & statusHasCapabilities) === 0 || headerType > 1) return;
  let at = config[firstCapability]! & ~3;
  const seen = new Set<number>();
  while (at >= header_bytes && seen.size < capabilitiesMax && !seen.has(at)) {
    seen.add(at);
    if (!read(at, capabilityHead_bytes)) return;
    if (config[at] === capabilityMsix) read(at, msix_bytes);
    else if (config[at] === capabilityMsi) read(at, msi_bytes);
    else if (config[at] === capabilityVendor && read(at, 3)) read(at, config[at + 2]!);
    at = config[at + 1]! & ~3;
  }
}
