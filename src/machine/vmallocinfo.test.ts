// tier: quick
// Kernels' lines of /proc/vmallocinfo: with addresses, with hashes instead, for device memory and for other kinds.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parseAddressless, parseVmallocinfo, virtualRanges } from "./vmallocinfo.js";

/** Debian's 6.1 and a 6.18 kernel. */
const lines = {
  vmap: "0x000000009eb3fa45-0x00000000d6e80d29   20480 irq_init_percpu_irqstack+0xca/0x100 vmap",
  stack: "0x0000000018c81b93-0x00000000140cde66   20480 kernel_clone+0x94/0x3e0 pages=4 vmalloc N0=4",
  hashed: "0x00000000d6e80d29-0x000000000630a460    8192 acpi_os_map_iomem+0x1bc/0x1e0 phys=0x00000000000a0000 ioremap",
  e1000:
    "0xffffb8f9c0080000-0xffffb8f9c00a1000  135168 e1000_probe+0x1a5/0xf30 [e1000] phys=0x00000000febc0000 ioremap",
};

test("takes device memory only, without the guard page", () => {
  expect(parseVmallocinfo(`${Object.values(lines).join("\n")}\n`)).toEqual([
    {
      identity: "00000000d6e80d29-000000000630a460 00000000000a0000",
      first: 0xa0000n,
      last: 0xa0fffn,
      virtual: undefined,
      caller: "acpi_os_map_iomem+0x1bc/0x1e0",
    },
    {
      identity: "ffffb8f9c0080000-ffffb8f9c00a1000 00000000febc0000",
      first: 0xfebc0000n,
      last: 0xfebdffffn,
      virtual: 0xffffb8f9c0080000n,
      caller: "e1000_probe+0x1a5/0xf30 [e1000]",
    },
  ]);
});

test.each([
  ["nothing", ""],
  ["a cut line", lines.e1000.slice(0, 70)],
  ["a line without a physical address", lines.e1000.replace(/phys=\S+ /, "")],
  ["no more than the guard page", lines.e1000.replace("135168", "4096")],
  ["too many digits", lines.e1000.replace("phys=0x", "phys=0x00")],
  ["another kind whose function's name has ioremap in it", lines.stack.replace("kernel_clone", "ioremap_prot")],
])("%s is no mapping of device memory", (_, text) => expect(parseVmallocinfo(text)).toEqual([]));

test("a caller that isn't told, words between address and kind, addresses without 0x", () => {
  const others = [
    "0xffffb8f9c0080000-0xffffb8f9c0082000    8192 phys=0x00000000febc0000 ioremap",
    "ffffb8f9c0080000-ffffb8f9c0082000    8192 probe+0x1/0x2 phys=febc0000 pages=0 ioremap N0=1",
  ];
  expect(parseVmallocinfo(others.join("\n")).map(({ first, last, caller }) => [first, last, caller])).toEqual([
    [0xfebc0000n, 0xfebc0fffn, "unknown"],
    [0xfebc0000n, 0xfebc0fffn, "probe+0x1/0x2"],
  ]);
});

test("a line of vmap_pfn()'s has no physical address, but is device memory, which lines of other kinds aren't", () => {
  const pfn = lines.e1000.replace("phys=0x00000000febc0000 ", "").replace("e1000_probe", "map_object");
  expect(parseAddressless([...Object.values(lines), pfn].join("\n"))).toEqual([
    { caller: "map_object+0x1a5/0xf30 [e1000]", length_bytes: 0x20000n },
  ]);
});

test("this machine's own list has a mapping for each of its ioremap lines", { skip: process.getuid?.() !== 0 }, () => {
  const text = readFileSync("/proc/vmallocinfo", "latin1");
  const wanted = text.split("\n").filter((line) => / phys=/.test(line) && /ioremap/.test(line));
  expect(parseVmallocinfo(text)).toHaveLength(wanted.length);
});

test("a copy's mappings by their virtual addresses, sorted; none, or hidden ones, are told", () => {
  const later = lines.e1000.replaceAll("0xffffb8f9c0", "0xffffb8f9d0");
  expect(virtualRanges([later, lines.vmap, lines.hashed, lines.e1000].join("\n"), "copy")).toEqual([
    { start: 0xffffb8f9c0080000n, end: 0xffffb8f9c00a0000n, physical: 0xfebc0000n },
    { start: 0xffffb8f9d0080000n, end: 0xffffb8f9d00a0000n, physical: 0xfebc0000n },
  ]);
  expect(() => virtualRanges(lines.vmap, "copy")).toThrow("copy: there is no ioremap() mapping in it");
  expect(() => virtualRanges(lines.hashed, "copy")).toThrow(
    "copy: the kernel has put hashes in the place of the addresses",
  );
});
