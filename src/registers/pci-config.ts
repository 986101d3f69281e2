// Reads the places of register blocks from a PCI function's configuration space: virtio's structures and the MSI-X table in the BARs,
// and the capabilities in the space itself.
import type { Layout, Segment } from "./database.js";

/** Capability identifiers and offsets: PCI Local Bus Specification 3.0, section 6.7 and appendix H. */
const statusOffset = 0x06;
const statusHasCapabilities = 0x10;
const firstCapability = 0x34;
const capabilityVendor = 0x09;
const capabilityMsix = 0x11;
/** A longer list must be a circle. */
const capabilitiesMax = 48;

/** VIRTIO 1.2, section 4.1.4: `cfg_type` of the structures that are in a BAR. */
const virtioDomains = new Map([
  [1, "VIRTIO_COMMON"],
  [2, "VIRTIO_NOTIFY"],
  [3, "VIRTIO_ISR"],
  [4, "VIRTIO_DEVICE"],
]);

/**
 * Returns the layout described by the 256 (or more) bytes of configuration space `config`, for domains that `has` knows.
 * `virtio`: vendor capabilities are virtio's. Empty if there are no such blocks.
 */
export function layoutFromConfig(config: Uint8Array, virtio: boolean, has: (domain: string) => boolean): Layout {
  const layout = new Map<number, Segment[]>();
  const add = (bar: number, domain: string, start: number, bytes: number): void => {
    if (bar > 5 || bytes === 0 || !has(domain)) return;
    const segments = layout.get(bar) ?? [];
    layout.set(
      bar,
      [...segments, { domain, start, end: start + bytes }].sort((a, b) => a.start - b.start),
    );
  };
  for (const at of capabilities(config)) {
    const id = config[at];
    if (id === capabilityVendor && virtio) {
      const domain = virtioDomains.get(byteAt(config, at + 3));
      if (domain !== undefined) add(byteAt(config, at + 4), domain, wordAt(config, at + 8), wordAt(config, at + 12));
    } else if (id === capabilityMsix) {
      const vectors = ((byteAt(config, at + 3) << 8) | byteAt(config, at + 2)) & 0x7ff;
      const table = wordAt(config, at + 4);
      add(table & 7, "MSIX", (table & ~7) >>> 0, (vectors + 1) * 16);
      const pending = wordAt(config, at + 8);
      add(pending & 7, "MSIX_PBA", (pending & ~7) >>> 0, Math.ceil((vectors + 1) / 64) * 8);
    }
  }
  return layout;
}

/** PCI Local Bus Specification 3.0, section 6.1: the header's type, and its end. */
const headerTypeOffset = 0x0e;
const header_bytes = 0x40;
/** The space that capabilities may be in; PCI Express's own ones are above it. */
const standard_bytes = 0x100;
/** Section 6.8.1: a function's MSI capability has 64-bit addresses. */
const capabilityMsi = 0x05;
const msiHas64Bits = 0x80;

/** The capabilities with a domain of their own in pci-config.xml. */
const capabilityDomains = new Map([
  [0x01, "PM"],
  [0x03, "VPD"],
  [capabilityMsi, "MSI"],
  [0x10, "EXP"],
  [capabilityMsix, "MSIX"],
  [0x13, "AF"],
]);

/** Returns the domains of the configuration space itself, of a function with these bytes in it, at the place `index` behind the BARs. */
export function layoutOfConfig(config: Uint8Array, index: number): Layout {
  const isBridge = (byteAt(config, headerTypeOffset) & 0x7f) === 1;
  const header = { domain: isBridge ? "PCI_BRIDGE" : "PCI_CONFIG", start: 0, end: header_bytes };
  const starts = capabilities(config).sort((a, b) => a - b);
  const found = starts.flatMap((start, place): Segment[] => {
    const id = byteAt(config, start);
    const domain = capabilityDomains.get(id);
    if (domain === undefined) return [];
    const end = starts[place + 1] ?? standard_bytes;
    const is64Bit = id === capabilityMsi && (byteAt(config, start + 2) & msiHas64Bits) !== 0;
    return [{ domain: is64Bit ? "MSI_64" : domain, start, end }];
  });
  return new Map([[index, [header, ...found]]]);
}

/** Adds the segments of `more` to `layout`; if both place a domain, `more` wins. */
export function mergeLayouts(layout: Layout, more: Layout): Layout {
  const placed = new Set([...more.values()].flat().map((segment) => segment.domain));
  const merged = new Map<number, Segment[]>();
  for (const [bar, segments] of layout) {
    const kept = segments.filter((segment) => !placed.has(segment.domain));
    if (kept.length > 0) merged.set(bar, kept);
  }
  for (const [bar, segments] of more) {
    merged.set(
      bar,
      [...(merged.get(bar) ?? []), ...segments].sort((a, b) => a.start - b.start),
    );
  }
  return merged;
}

/** Returns the offsets of all capabilities. */
function capabilities(config: Uint8Array): number[] {
  const found: number[] = [];
  if ((byteAt(config, statusOffset) & statusHasCapabilities) === 0) return found;
  let at = byteAt(config, firstCapability) & ~3;
  while (at >= 0x40 && at + 2 <= config.length && found.length < capabilitiesMax && !found.includes(at)) {
    found.push(at);
    at = byteAt(config, at + 1) & ~3;
  }
  return found;
}

function byteAt(config: Uint8Array, offset: number): number {
  return config[offset] ?? 0;
}

function wordAt(config: Uint8Array, offset: number): number {
  const [a, b, c, d] = [0, 1, 2, 3].map((index) => byteAt(config, offset + index)) as [number, number, number, number];
  return (a | (b << 8) | (c << 16) | (d << 24)) >>> 0;
}
