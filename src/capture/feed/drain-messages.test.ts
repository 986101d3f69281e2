// tier: quick
// Messages of a process without rights are accepted only if their form is right.
import { expect, test } from "vitest";
import { parseReport } from "./drain-messages.js";

const counts = { accesses: 1, places: 6, lost: 2, unknown: 3, mappings: 4, livingMappings: 5 };
const module = { name: "snd_hda-intel", textAddress: "0xffffffffc0600000", text_bytes: 4096, buildId: null };

test("its messages are understood", () => {
  const reports = [
    { told: "ready" },
    { told: "counts", counts },
    { told: "end", counts },
    { told: "answer", number: 7 },
    { told: "news", number: 0, news: { mapped: ["0xfebc0000"], modules: [module] } },
    { told: "failure", message: "writing failed", advice: undefined },
    { told: "failure", message: "writing failed", advice: "make room" },
  ];
  for (const report of reports) expect(parseReport(JSON.parse(JSON.stringify(report)))).toEqual(report);
});

test.each([
  undefined,
  null,
  1,
  "ready",
  [],
  {},
  { told: "start" },
  { told: "counts" },
  { told: "counts", counts: { ...counts, lost: "2" } },
  { told: "counts", counts: { ...counts, lost: -1 } },
  { told: "counts", counts: { ...counts, accesses: 1e300 } },
  { told: "answer", number: 1.5 },
  { told: "news", number: 0, news: { mapped: true, modules: [] } },
  { told: "news", number: 0, news: { mapped: ["0x"], modules: [] } },
  { told: "news", number: 0, news: { mapped: [], modules: {} } },
  // its name becomes a part of a path
  { told: "news", number: 0, news: { mapped: [], modules: [{ ...module, name: "../../etc" }] } },
  { told: "news", number: 0, news: { mapped: [], modules: [{ ...module, name: "x".repeat(65) }] } },
  { told: "news", number: 0, news: { mapped: [], modules: [{ ...module, name: "" }] } },
  { told: "news", number: 0, news: { mapped: [], modules: [{ ...module, textAddress: "0xg" }] } },
  { told: "news", number: 0, news: { mapped: [], modules: [module, null] } },
  { told: "failure" },
])("%j is nothing that it says", (message) => {
  expect(parseReport(message)).toBeUndefined();
});

test("nothing but what is known is taken over, and no text without end", () => {
  const news = { mapped: [], modules: [{ ...module, buildId: "../x", more: 1 }] };
  expect(parseReport({ told: "news", number: 1, news, more: 1 })).toEqual({
    ...{ told: "news", number: 1, news: { mapped: [], modules: [module] } },
  });
  const report = parseReport({ told: "failure", message: "x".repeat(1e6), advice: 5 });
  expect(report).toMatchObject({ told: "failure", advice: undefined });
  expect((report as { message: string }).message.length).toBeLessThan(10_000);
});
