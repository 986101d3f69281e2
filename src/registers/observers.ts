// Devices tell about themselves in their first answers: derives the places and variants of their registers.
import type { Observer, RegisterDatabase, Segment } from "./database.js";

/**
 * xHCI: the capability registers at the start of BAR 0 give the places of the others (xHCI 1.2, section 5.3). Until
 * they have been read, only they are known.
 */
export const observeXhci: Observer = (database, bar, offset, width_bytes, value) => {
  if (bar !== 0 || offset >= 0x20) return database;
  const word = Number(BigInt.asUintN(32, value));
  if (offset === 0x00) return place(database, "XHCI_OP", word & 0xff);
  if (width_bytes < 4) return database;
  if (offset === 0x10) return place(database, "XHCI_XECP", (word >>> 16) * 4);
  if (offset === 0x14) return place(database, "XHCI_DB", (word & ~0x3) >>> 0);
  if (offset === 0x18) return place(database, "XHCI_RT", (word & ~0x1f) >>> 0);
  return database;
};

/** The domains that the capability registers place. */
const xhciDomains = ["XHCI_OP", "XHCI_XECP", "XHCI_DB", "XHCI_RT"];

/** Puts a domain at `start` in BAR 0. All ones or zero come from a device that is gone or was never present. */
function place(database: RegisterDatabase, domain: string, start: number): RegisterDatabase {
  const segments = database.layout.get(0) ?? [];
  if (start === 0 || start >= 0xff_ffff) return database;
  if (segments.some((segment) => segment.domain === domain && segment.start === start)) return database;
  const others = segments.filter((segment: Segment) => segment.domain !== domain);
  const placed = [...others, { domain, start }].sort((a, b) => a.start - b.start);
  const next = database.withLayout(new Map(database.layout).set(0, placed));
  return xhciDomains.every((name) => placed.some((segment) => segment.domain === name)) ? next.settled() : next;
}

/** The domain of BAR 0 in envytools' database. */
export const nvidiaDomain = "NV_MMIO";

/** nVidia's GPUs: the register at offset 0 identifies the GPU. */
export const observeNvidia: Observer = (database, bar, offset, width_bytes, value) => {
  if (bar !== 0 || offset !== 0 || width_bytes !== 4 || database.variants.has("chipset")) return database;
  const variant = nvidiaVariant(Number(BigInt.asUintN(32, value)));
  const known = database.schema.enums
    .get("chipset")
    ?.values.some((item) => item.name === variant || `0x${item.value?.toString(16)}` === variant);
  return variant !== undefined && known === true ? database.withVariant("chipset", variant).settled() : database;
};

/** Returns the variant (its name, or its number) for the identification register's value. */
export function nvidiaVariant(raw: number): string | undefined {
  if (raw === 0 || raw === 0xffff_ffff) return undefined;
  // From NV10 on, bit 7 is set and bit 31 isn't; the opposite means that the GPU has the other byte order.
  const id = (raw & 0x8000_0080) >>> 0 === 0x8000_0000 ? swapped(raw) : raw;
  // Then bits 20 to 28 are the chipset's number. The oldest GPUs had the maker in bit 28 and less than 6 above bit 20,
  // and no chipset is 0x100 to 0x105.
  const chipset = (id >>> 20) & 0x1ff;
  if ((id & 0x0f00_0000) !== 0 || chipset >= 0x106) return `0x${chipset.toString(16)}`;
  // NV4 and NV5 have a 4 in bits 12 to 15 …
  if ((id & 0xf000) !== 0) return `NV${((id >>> 20) & 0xf) + 4}`;
  // … and those before them their number in bits 16 to 19.
  return `NV${(id >>> 16) & 0xf}`;
}

function swapped(word: number): number {
  return ((word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;
}
