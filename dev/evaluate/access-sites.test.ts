// tier: quick
// Accesses counted by their makers: in a trace recorded from e1000, and in one made up.
import { expect, test } from "vitest";
import { openTrace } from "../../src/trace/node/file-source.js";
import { RecordFlag, RecordKind } from "../../src/trace/record.js";
import { configurationSpace } from "../../src/trace/space.js";
import { madeUpHeader, RecordList } from "../test-support/made-up-records.js";
import { recordedTrace, traceOf } from "../test-support/recorded-traces.js";
import { countSites, makersOf } from "./access-sites.js";

test("a made-up trace: the driver's, a library's, the kernel's, and those without a symbol", async () => {
  const list = new RecordList();
  const { read, write, symbol } = RecordKind;
  const [own, library, kernel, none] = [
    0xffffffffc0001000n,
    0xffffffffc0101000n,
    0xffffffff81000100n,
    0xffffffff81000200n,
  ];
  list.addText({ kind: symbol, site: own }, "nic_intr+0x12/0x40 [nic]");
  list.addText({ kind: symbol, site: library }, "lib_read+0x1/0x40 [libnic]");
  list.addText({ kind: symbol, site: kernel }, "ioread32+0x1/0x40");
  const access = { kind: read, address: 0xfebc0000n, width: 4, mapping: 1 };
  for (let turn = 0; turn < 5; turn += 1) list.add({ ...access, site: own });
  for (let turn = 0; turn < 3; turn += 1) list.add({ ...access, kind: write, site: library });
  for (let turn = 0; turn < 2; turn += 1) list.add({ ...access, site: kernel, flags: RecordFlag.string });
  list.add({ ...access, site: none });
  list.add({ ...access, site: kernel, address: configurationSpace + 0x4004n });
  // the module comes again, at another place's address
  list.addText({ kind: symbol, site: own }, "other+0x12/0x40 [other]");
  list.add({ ...access, site: own });
  const reader = await traceOf(list.records);
  const { sites, elsewhere } = await countSites(reader);
  await reader.close();
  expect(elsewhere).toBe(1);
  expect(
    sites.map(({ symbol, kind, isString, target, accesses }) => [symbol, kind, isString, target, accesses]),
  ).toEqual([
    ["nic_intr+0x12/0x40 [nic]", "read", false, "registers", 5],
    ["lib_read+0x1/0x40 [libnic]", "write", false, "registers", 3],
    ["ioread32+0x1/0x40", "read", true, "registers", 2],
    [undefined, "read", false, "registers", 1],
    ["other+0x12/0x40 [other]", "read", false, "registers", 1],
  ]);
  expect(makersOf(sites, "nic", "registers")).toEqual({
    ...{ accesses: 12, driver: 5, libraries: { libnic: 3, other: 1 }, kernel: { ioread32: 2 }, unknown: 1 },
  });
});

test("large prefetchable BARs are video memory", async () => {
  const header = madeUpHeader();
  const bar = (index: number, start: string, length_bytes: string, flags: string) => ({
    index,
    start,
    length_bytes,
    flags,
  });
  const bars = [bar(0, "0xe0000000", "0x1000000", "0x42208"), bar(2, "0xf0000000", "0x1000", "0x40200")];
  header.pciFunctions = [{ ...header.pciFunctions[0]!, bars: bars as (typeof header.pciFunctions)[0]["bars"] }];
  const list = new RecordList();
  const access = { kind: RecordKind.write, width: 4, mapping: 1, site: 0xffffffff81000100n };
  list.add({ ...access, address: 0xe0001000n }).add({ ...access, address: 0xf0000010n });
  const reader = await traceOf(list.records, header);
  const { sites } = await countSites(reader);
  await reader.close();
  expect(sites.map(({ target }) => target)).toEqual(["video memory", "registers"]);
  expect(makersOf(sites, "nic", "video memory")).toMatchObject({ accesses: 1, unknown: 1 });
});

test("the recorded trace of e1000: all of its accesses, by the driver's own code", async () => {
  const reader = await openTrace(recordedTrace);
  const { sites, elsewhere } = await countSites(reader);
  let accesses = 0;
  for await (const { event } of reader.eventsWithState())
    accesses += Number(event.kind === "read" || event.kind === "write");
  await reader.close();
  const makers = makersOf(sites, "e1000", "registers");
  expect(makers.accesses + elsewhere).toBe(accesses);
  expect(makers.unknown).toBe(0);
  expect(makers.libraries).toEqual({});
  expect(makers.driver).toBeGreaterThan(0.9 * makers.accesses);
});
