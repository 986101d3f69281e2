// tier: quick
// The JSON in a trace is checked field by field: with anything else in a field's place, or without it, a block is refused.
import { describe, expect, test } from "vitest";
import { madeUpHeader, madeUpSummary } from "../../../dev/test-support/made-up-records.js";
import { TraceState } from "../state.js";
import { BlockError } from "./block-error.js";
import { applyState, checkState, parseHeader, parseSummary, parseUpdate } from "./json-block.js";

const bytesOf = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

/** A header with each field that there can be. */
const header = {
  ...madeUpHeader({ fence: "01020304", lacks: ["cpu"], importedHead: "VERSION 1\n", importedLineEnd: "\r\n" }),
  pciFunctions: madeUpHeader().pciFunctions.map((found) => ({ ...found, config: "86800e10" })),
  modules: [{ name: "e1000", textAddress: "0xffffffffc0000000", text_bytes: 1, buildId: "ab" }],
  options: { ...madeUpHeader().options, interrupts: true, dma: false, configuration: ["0000:00:04.0"] },
};
const { pciFunctions, modules } = header;
const summary = { ...madeUpSummary, lostUncounted: 1, notes: ["a"], part: ["b"], unrecorded: 2, incomplete: ["c"] };
const state = {
  mappings: [{ id: 1, address: "0x1000", length_bytes: "0x10", decoy: "0x2000", memoryType: 0, site: "0x3000" }],
  symbols: { "0x3000": "f+0x1/0x2 [m]" },
  dma: {
    next: 8,
    buffers: [{ number: 7, device: "0000:00:04.0", bus: "0x8000", length_bytes: "0x20", way: 0, direction: 1 }],
  },
};

/** Fields that may be absent, and those that may be null. */
const optional =
  /^(pciFunctions\.0\.config|options\.(interrupts|dma|configuration)|lacks|importedHead|importedLineEnd)$/;
const optionalInSummary = /^(lostUncounted|notes|part|unrecorded)$/;
const nullable = /(^|\.)(driver|buildId|fence)$/;

/** Returns the paths of all values in `value`, itself excluded. */
function pathsIn(value: unknown, path = ""): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => {
    const own = path === "" ? name : `${path}.${name}`;
    return [own, ...pathsIn(inner, own)];
  });
}

/** Returns a copy with another value at the path; undefined removes it. */
function changed(value: unknown, path: string, to: unknown): unknown {
  const copy = structuredClone(value) as Record<string, unknown>;
  const names = path.split(".");
  let place = copy;
  for (const name of names.slice(0, -1)) place = place[name] as Record<string, unknown>;
  place[names.at(-1)!] = to;
  return copy;
}

function isRefused(parse: (raw: Uint8Array) => unknown, value: unknown): boolean {
  try {
    parse(bytesOf(value));
    return false;
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    expect(error.message).toMatch(/^the \S+( state)?'s JSON isn't what a \S+( state)? is$/);
    return true;
  }
}

describe.each<[string, (raw: Uint8Array) => unknown, unknown, RegExp]>([
  ["a header", parseHeader, header, optional],
  ["an update", parseUpdate, { pciFunctions, modules }, /^(pciFunctions|modules|pciFunctions\.0\.config)$/],
  ["a summary", parseSummary, summary, optionalInSummary],
  ["a block's state", checkState, state, /^(dma|symbols\.0x3000)$/],
])("%s", (_what, parse, whole, mayLack) => {
  test("is taken as it is", () => {
    expect(isRefused(parse, whole)).toBe(false);
  });

  test("has no value of another kind", () => {
    const isItem = (path: string) => /\.\d+$/.test(path);
    for (const path of pathsIn(whole)) {
      for (const wrong of [true, { x: 1 }, [[]]]) {
        const own = path.split(".").reduce((value: unknown, name) => (value as Record<string, unknown>)[name], whole);
        if (typeof own === typeof wrong && Array.isArray(own) === Array.isArray(wrong) && own !== null) continue;
        expect([path, wrong, isRefused(parse, changed(whole, path, wrong))]).toEqual([path, wrong, true]);
      }
      const isNullRefused = isRefused(parse, changed(whole, path, null));
      expect([path, "null", isNullRefused]).toEqual([path, "null", !nullable.test(path)]);
      // JSON has null for what is absent from a list
      if (isItem(path)) continue;
      expect([path, "absent", isRefused(parse, changed(whole, path, undefined))]).toEqual([
        ...[path, "absent", !mayLack.test(path)],
      ]);
    }
  });
});

test.each([
  ["clock.tsc", "0x0123456789abcdef", "12", "0x", "0xABC", "0x12345678901234567", " 0x1", "0x1 "],
  ["clock.tscFrequency_hz", 1, 0, 0.5, 1e16, "1"],
  ["clock.tscFrequency_hz", 1e15, -1],
  ["cpu.count", 0, -1, 1.5, 2 ** 53],
  ["pciFunctions.0.config", "", "abc", "AB", "0x12", "00".repeat(257)],
  ["pciFunctions.0.config", "00".repeat(256), " 00", "00 "],
  ["options.configuration", "all", "some", [1]],
  ["options.filter", [], [1], "all"],
])("a header's %s may be %j, and nothing like the rest", (path, right, ...wrong) => {
  expect(isRefused(parseHeader, changed(header, path, right))).toBe(false);
  for (const value of wrong)
    expect([value, isRefused(parseHeader, changed(header, path, value))]).toEqual([value, true]);
});

test("bytes that are no JSON, or no text, are told apart from other JSON", () => {
  for (const raw of [Buffer.from("{"), Buffer.from([0x22, 0xff, 0x22])]) {
    expect(() => parseHeader(raw)).toThrow(/^the block's JSON is broken: /);
  }
  for (const value of [null, [], 7, "header"]) expect([value, isRefused(parseUpdate, value)]).toEqual([value, true]);
});

test("an old summary without a number of unrecorded mappings has none", () => {
  const { unrecorded: _none, ...old } = summary;
  expect(parseSummary(bytesOf(old))).toEqual({ ...summary, unrecorded: 0 });
  expect(parseSummary(bytesOf(summary))).toEqual(summary);
});

test("a block's state is the state, in place of what was there", () => {
  const found = new TraceState(madeUpHeader());
  applyState(bytesOf({ ...state, mappings: [{ ...state.mappings[0]!, id: 9 }] }), found);
  applyState(bytesOf(state), found);
  expect([...found.mappings.values()]).toEqual([
    { id: 1, address: 0x1000n, length_bytes: 0x10n, decoy: 0x2000n, memoryType: expect.any(String), site: 0x3000n },
  ]);
  expect(found.symbolOf(0x3000n)).toBe("f+0x1/0x2 [m]");
  expect([...found.dma.values()]).toMatchObject([
    { number: 7, device: "0000:00:04.0", bus: 0x8000n, length_bytes: 0x20n, direction: "to-device" },
  ]);
  expect(found.dma.next).toBe(8);
  const { dma: _dma, ...without } = state;
  applyState(bytesOf(without), found);
  expect([found.dma.next, [...found.dma.values()]]).toEqual([1, []]);
});
