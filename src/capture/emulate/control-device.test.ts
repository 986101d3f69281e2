// tier: quick
// The status text is parsed as docs/control-device.md describes it.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { UserError } from "../../base/errors.js";
import { projectDirectory } from "../../base/paths.js";
import { ControlDevice, parseStatus, requirePlaceForDevice, sendMark } from "./control-device.js";

const status = `state recording
abi 4
records 123
lost 4
escaped 5
missed 6
unrecorded 8
past 0
rewritten 0
mappings 2
recorded 7
tsc_khz 2000000
tsc 0x1234567890abcdef
error no such command: fly
unwatched vmap_pfn vmap_pfn -2 0
unwatched vmf_insert_pfn vmf_insert_pfn_prot 0 9
unseen interrupts irq_thread_fn -2 0
unseen dma dma_unmap_page_attrs 0 3
way remap_pfn_range 0xfebc0000-0xfebc0fff 2 812 pci_mmap_resource_range+0x7b/0xa0
way vmap_pfn 0xfebd0000-0xfebdffff 6 0 -
mapping 1 0xfebc0000-0xfebdffff 0xbfffb8f9c0080000
mapping 2 0xfe000000-0xfe000fff 0xbfffb8f9c00c1000 silent
`;

describe("parseStatus", () => {
  test("reads every line", () => {
    expect(parseStatus(status)).toEqual({
      state: "recording",
      abi: 4,
      records: 123,
      lost: 4,
      escaped: 5,
      missed: 6,
      unrecorded: 8,
      past: 0,
      rewritten: 0,
      mappings: 2,
      recorded: 7,
      tsc_khz: 2_000_000,
      tsc: 0x1234567890abcdefn,
      error: "no such command: fly",
      living: [
        { id: 1, first: 0xfebc0000n, last: 0xfebdffffn, decoy: 0xbfffb8f9c0080000n, silent: false },
        { id: 2, first: 0xfe000000n, last: 0xfe000fffn, decoy: 0xbfffb8f9c00c1000n, silent: true },
      ],
      unrecordedGroups: [
        {
          ...{ way: "remap_pfn_range", first: 0xfebc0000n, last: 0xfebc0fffn, calls: 2, pid: 812 },
          caller: "pci_mmap_resource_range+0x7b",
        },
        { way: "vmap_pfn", first: 0xfebd0000n, last: 0xfebdffffn, calls: 6, pid: 0, caller: "" },
      ],
      unwatched: [
        { way: "vmap_pfn", name: "vmap_pfn", error: -2, missed: 0 },
        { way: "vmf_insert_pfn", name: "vmf_insert_pfn_prot", error: 0, missed: 9 },
      ],
      unseen: [
        { source: "interrupts", name: "irq_thread_fn", error: -2, missed: 0 },
        { source: "dma", name: "dma_unmap_page_attrs", error: 0, missed: 3 },
      ],
    });
    expect(parseStatus(status.replace(/^error .*$/m, "error -")).error).toBeUndefined();
  });

  test("each line that the documentation lists is needed, and there are no others", () => {
    const documentation = readFileSync(join(projectDirectory, "docs/control-device.md"), "utf8");
    const block = /## Status[\s\S]*?```\n([\s\S]*?)```/.exec(documentation)?.[1] ?? "";
    const documented = block.split("\n").flatMap((line) => /^\w+/.exec(line)?.[0] ?? []);
    const ours = status.split("\n").flatMap((line) => /^\w+/.exec(line)?.[0] ?? []);
    expect(new Set(ours)).toEqual(new Set(documented));
    for (const key of documented.filter((name) => !["error", "unwatched", "unseen", "way", "mapping"].includes(name))) {
      const without = status.replace(new RegExp(`^${key} .*\n`, "m"), "");
      expect(() => parseStatus(without), key).toThrow(UserError);
    }
  });
});

describe("without the core", () => {
  test("a marker says that no recording runs, and makes no file; what lies in the device's place is named", () => {
    const folder = mkdtempSync(join(tmpdir(), "mmiostrider-test-"));
    try {
      const path = join(folder, "device");
      expect(() => sendMark("hello", path)).toThrow(/no recording is running/);
      expect(() => readFileSync(path)).toThrow(/ENOENT/);
      expect(() => requirePlaceForDevice(path)).not.toThrow();
      expect(() => requirePlaceForDevice("/dev/null")).not.toThrow();
      const places: [string, () => void][] = [
        ["an ordinary file", () => writeFileSync(path, "")],
        ["a folder", () => mkdirSync(path)],
        // even without a target: the kernel makes no node through it
        ["a symbolic link", () => symlinkSync("nowhere", path)],
      ];
      for (const [what, make] of places) {
        make();
        const told = `${what} lies at ${path}, where the core's device belongs`;
        for (const attempt of [
          () => sendMark("hello", path),
          () => ControlDevice.open(path),
          () => requirePlaceForDevice(path),
        ]) {
          expect(attempt).toThrow(told);
        }
        rmSync(path, { recursive: true });
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test("a marker is one line that fits", () => {
    expect(() => sendMark("two\nlines")).toThrow(/one line/);
    expect(() => sendMark("ä".repeat(600))).toThrow(/too long: 1200 bytes, of which 1018 fit/);
  });
});
