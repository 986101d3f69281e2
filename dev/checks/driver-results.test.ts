// tier: quick
// The table's rows: new kernel messages, and a machine that died.
import { expect, test } from "vitest";
import type { Boot, Run } from "./driver-boot.js";
import { type Judged, judgeMmiotraced, judgeRecorded, newMessages, withoutFaultIn } from "./driver-results.js";
import { headLines, rowLine } from "./driver-table.js";

function boot(bare: string[], recorded: string[]): Boot {
  const run = (messages: string[]): Run => ({ exitCode: 0, output: "", messages, cpusOnline: "0-1" });
  const runs = new Map([
    ["x.bare", run(bare)],
    ["x.emulate", run(recorded)],
  ]);
  return { share: "/nowhere", truthFile: "/nowhere", runs, died: undefined, consoleLog: "", problems: [] };
}

test("a kernel message is new by what it says, not by its numbers or the letter that a disk got", () => {
  const stopping = (disk: string, host: number) => `sd ${host}:0:0:0: [${disk}] Stopping disk`;
  expect(newMessages(boot([stopping("sda", 2)], [stopping("sdc", 4)]), "x")).toEqual([]);
  const failing = "sd 4:0:0:0: [sdc] Synchronize Cache(10) failed: Result: hostbyte=DID_ERROR";
  expect(newMessages(boot([stopping("sda", 2)], [failing]), "x")).toEqual([failing]);
  // one that depends on the moment at which a link comes
  const ready = "IPv6: ADDRCONF(NETDEV_CHANGE): eth0: link becomes ready";
  expect(newMessages(boot([], [ready]), "x")).toEqual([]);
  expect(newMessages(boot([], [`${ready}, or not`]), "x")).toHaveLength(1);
});

test("a machine that did not come back is said in its row", async () => {
  const dead: Boot = { ...boot([], []), runs: new Map(), died: { during: "x mmiotrace", why: "it crashed" } };
  const placed = { driver: { name: "x", qemu: "", workload: "" }, place: "00:05.0", slot: 5, fence: "5a110500" };
  const mmiotrace = await judgeMmiotraced(dead, placed);
  expect(mmiotrace).toMatchObject({ gone: true, identical: false, workload: false });
  const died = { ...dead, died: { during: "x emulate", why: "it crashed" } };
  const recorded = await judgeRecorded(died, "x");
  expect(recorded).toMatchObject({ gone: true, identical: false, workload: false });
  const cells = (line: string) => line.split("|").map((cell) => cell.trim());
  const row = cells(
    rowLine({ driver: "x", kernel: "6.1", cpus: 2, recorded, messages: [], mmiotrace }, { mmiotrace: true }),
  );
  const heads = cells(headLines({ mmiotrace: true })[0]!);
  expect(row.length).toBe(heads.length);
  expect(row[heads.indexOf("events")]).toBe("machine gone");
  expect(row[heads.indexOf("mmiotrace: events")]).toBe("machine gone");
  expect(row.filter((cell) => cell === "yes" || cell === "NO" || cell === "0")).toEqual([]);
});

test("accesses without a fault are taken from the recorder's words, and are a share of those by modules", () => {
  const said = "14,840 events in 31.0 s, 0 lost\n14,813 of 14,840 accesses without a fault\nunloading\n";
  expect(withoutFaultIn(said)).toBe(14_813);
  expect(withoutFaultIn("14,840 events in 31.0 s, 0 lost\n")).toBe(0);
  const recorded: Judged = {
    ...{ events: 300, truth: 300, unlogged: 0, lost: 0, escaped: 0, byModules: 240, withoutFault: 239 },
    ...{ identical: true, workload: true, cpusOnline: "0-1", gone: false, reasons: [] },
  };
  const columns = { withoutFault: true };
  const line = rowLine({ driver: "x", kernel: "6.1", cpus: 2, recorded, messages: [] }, columns);
  expect(line.length).toBe(headLines(columns)[0]!.length);
  expect(line).toMatch(/\| +239 \| +240: 99 % \|$/);
  const dead = rowLine(
    { driver: "x", kernel: "6.1", cpus: 2, recorded: { ...recorded, gone: true }, messages: [] },
    columns,
  );
  expect(dead.split("|").length).toBe(line.split("|").length);
});
