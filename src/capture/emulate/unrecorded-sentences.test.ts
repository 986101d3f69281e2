// tier: quick
// The sentences about mappings without a decoy: every one counts, and the callers with the most come first.
import { expect, test } from "vitest";
import type { UnrecordedGroup } from "./control-device.js";
import { unrecordedSentences, unwatchedRemarks } from "./unrecorded-sentences.js";

const group = (first: bigint, last: bigint, calls: number, more: Partial<UnrecordedGroup> = {}): UnrecordedGroup => ({
  ...{ way: "vmf_insert_pfn", first, last, calls, pid: 812, caller: "gem_fault+0x0 [gpu]" },
  ...more,
});
const outcome = "that gives no decoy, and accesses through it are not in the trace";

test("the groups of one caller are one sentence, with their addresses joined", () => {
  const unrecordedGroups = [
    group(0xe0000000n, 0xe0000fffn, 1),
    group(0xe0001000n, 0xe0003fffn, 1_500),
    group(0xfebc0000n, 0xfebc0fffn, 1, { way: "fixmap", pid: 0, caller: "" }),
  ];
  expect(unrecordedSentences({ unrecorded: 1_502, unrecordedGroups, unwatched: [] })).toEqual([
    `parts of 0xe0000000-0xe0003fff were mapped 1,501 times by vmf_insert_pfn() for process 812, called by gem_fault+0x0 [gpu]: ${outcome}`,
    `0xfebc0000-0xfebc0fff was mapped in the fixmap: ${outcome}`,
  ]);
});

test("more than can be told one by one are counted", () => {
  const unrecordedGroups = Array.from({ length: 30 }, (_, n) => group(0n, 0xfffn, 2, { pid: n }));
  const sentences = unrecordedSentences({ unrecorded: 65, unrecordedGroups, unwatched: [] });
  expect(sentences).toHaveLength(21);
  expect(sentences.at(-1)).toBe(
    "25 more mappings were made without a decoy: accesses through them are not in the trace",
  );
});

test("a function that can't be watched, or not always, makes it incomplete; one that isn't there is a remark", () => {
  const unwatched = [
    { way: "vmap_pfn", name: "vmap_pfn", error: -2, missed: 0 },
    { way: "fixmap", name: "native_set_fixmap", error: -22, missed: 0 },
    { way: "vmf_insert_pfn", name: "vmf_insert_pfn_prot", error: 0, missed: 1 },
  ] as const;
  const counted = { unrecorded: 0, unrecordedGroups: [], unwatched: [...unwatched] };
  expect(unrecordedSentences(counted)).toEqual([
    "calls of native_set_fixmap() can't be watched (error -22): they may map the device without a decoy",
    "1 call of vmf_insert_pfn_prot() went past the core: what it mapped is unknown",
  ]);
  expect(unwatchedRemarks(counted)).toEqual([
    "this kernel has no vmap_pfn(): mappings made in such a way aren't watched for",
  ]);
});
