// Reads of a PCI function's configuration space what says where its registers are: the header and the capabilities of
// that kind. Nothing else is read: a few devices don't bear reads of bytes that mean nothing, and nothing else is
// anybody's business.
import { closeSync, openSync, readSync } from "node:fs";

/** PCI Local Bus Specification 3.0, sections 6.1 and 6.7; what lies above belongs to PCI Express. */
const configMax_bytes = 256;
const header_bytes = 64;
const statusOffset = 0x06;
const statusHasCapabilities = 0x10;
const headerTypeOffset = 0x0e;
const firstCapability = 0x34;
/** Of any capability: its identifier and where the next one is. */
const capabilityHead_bytes = 2;
/** A list longer than this goes in circles. */
const capabilitiesMax = 48;
/** Section 6.8.2: the MSI-X capability, which says in which BARs its table and its pending bits are. */
const capabilityMsix = 0x11;
const msix_bytes = 12;
/** Appendix H: a vendor's own, with its length in the third byte; virtio's say where its structures are. */
const capabilityVendor = 0x09;

/**
 * The function's configuration space from the file at `path` (sysfs' `config`), 256 bytes at most: its header, and MSI-X and
 * vendor capabilities; what wasn't read is 0. Undefined where it can't be read (only root may read more than the header).
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
  // A function that is gone answers with all ones; a CardBus bridge has its list elsewhere.
  const headerType = config[headerTypeOffset]! & 0x7f;
  if ((config[statusOffset]! & statusHasCapabilities) === 0 || headerType > 1) return;
  let at = config[firstCapability]! & ~3;
  const seen = new Set<number>();
  while (at >= header_bytes && seen.size < capabilitiesMax && !seen.has(at)) {
    seen.add(at);
    if (!read(at, capabilityHead_bytes)) return;
    if (config[at] === capabilityMsix) read(at, msix_bytes);
    else if (config[at] === capabilityVendor && read(at, 3)) read(at, config[at + 2]!);
    at = config[at + 1]! & ~3;
  }
}
