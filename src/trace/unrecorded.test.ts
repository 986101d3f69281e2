// tier: quick
import { expect, test } from "vitest";
import { isForProcess, type UnrecordedMappings, unrecordedText, unrecordedWays } from "./unrecorded.js";

const one: UnrecordedMappings = {
  ...{ where: "0x1000-0x1fff", way: "remap_pfn_range", calls: "1", once: true, pid: 12, caller: "f+0x1 [m]" },
};
const many = { calls: "7", once: false };

test.each([
  [{}, "0x1000-0x1fff was mapped by remap_pfn_range() for process 12, called by f+0x1 [m]"],
  [{ caller: "" }, "0x1000-0x1fff was mapped by remap_pfn_range() for process 12"],
  [many, "parts of 0x1000-0x1fff were mapped 7 times by remap_pfn_range() for process 12, called by f+0x1 [m]"],
  [{ way: "fixmap" }, "0x1000-0x1fff was mapped in the fixmap, called by f+0x1 [m]"],
  [{ way: "memremap_pages", caller: "" }, "0x1000-0x1fff was mapped by memremap_pages()"],
  [{ way: "vmf_insert_mixed", caller: "" }, "0x1000-0x1fff was mapped by vmf_insert_mixed() for process 12"],
  [{ way: "several" }, "1 more mapping was made without a decoy"],
  [{ way: "several", ...many }, "7 more mappings were made without a decoy"],
] as const)("%j: %s", (changes, text) => {
  expect(unrecordedText({ ...one, ...changes })).toBe(text);
});

test("only mappings of pages into a process are a process's", () => {
  expect(unrecordedWays.filter(isForProcess)).toEqual([
    ...["remap_pfn_range", "vmf_insert_pfn", "vmf_insert_mixed", "vmf_insert_pfn_pmd"],
  ]);
});
