// tier: quick
// The tables: made of results that are written here by hand.
import { expect, test } from "vitest";
import type { CostLine } from "../bench/access-cost.js";
import { type DriverResult, type Evaluation, isGood, type WayResult } from "./evaluation.js";
import { countForms } from "./measure-driver.js";
import * as tables from "./tables.js";

const way = (more: Partial<WayResult>): WayResult => ({
  ...{ time_s: 5, accesses: 0, unlogged: 0, lost: 0, escaped: 0, withoutFault: 0, identical: true, workload: true },
  ...{ cpusOnline: "0-1", gone: false, reasons: [], ...more },
});

const nobody = { accesses: 0, driver: 0, libraries: {}, kernel: {}, unknown: 0 };

const nic: DriverResult = {
  driver: "nic",
  ways: {
    bare: way({ time_s: 4.5, identical: null }),
    emulate: way({ time_s: 5.25, accesses: 1_200 }),
    instrument: way({ time_s: 4.75, accesses: 1_300, withoutFault: 1_290 }),
    mmiotrace: way({
      time_s: 9,
      accesses: 1_100,
      lost: 7,
      escaped: 3,
      identical: false,
      cpusOnline: "0",
      reasons: ["7 lost"],
    }),
  },
  ...{ notRewritten: null, faults: [], elsewhere: 20 },
  makers: {
    registers: {
      accesses: 1_000,
      driver: 750,
      libraries: { libnic: 50 },
      kernel: { ioread32: 150, readl: 30, a: 15, b: 5 },
      unknown: 0,
    },
    "video memory": nobody,
  },
  forms: [
    {
      form: "mov r32, m32",
      class: "general",
      mmiotraceDecodes: true,
      isRewritten: true,
      target: "registers",
      accesses: 900,
      sites: ["x", "y"],
    },
    {
      form: "rep movsd",
      class: "string",
      mmiotraceDecodes: false,
      isRewritten: false,
      target: "registers",
      accesses: 100,
      sites: ["z"],
    },
  ],
};

const screen: DriverResult = {
  driver: "screen",
  ways: {
    bare: way({ time_s: 2, identical: null }),
    emulate: way({ accesses: 3_000, unlogged: 2_800 }),
    mmiotrace: way({ gone: true, identical: false, workload: false, time_s: null, cpusOnline: "" }),
  },
  ...{ notRewritten: "it is built in", faults: [], elsewhere: 0 },
  makers: {
    registers: { ...nobody, accesses: 200, driver: 200 },
    "video memory": { ...nobody, accesses: 2_800, kernel: { memcpy_erms: 2_800 } },
  },
  forms: [
    {
      form: "mov r32, m32",
      class: "general",
      mmiotraceDecodes: true,
      isRewritten: true,
      target: "registers",
      accesses: 300,
      sites: ["y", "v"],
    },
    {
      form: "rep movsb",
      class: "string",
      mmiotraceDecodes: false,
      isRewritten: false,
      target: "video memory",
      accesses: 2_800,
      sites: ["w"],
    },
  ],
};

const evaluation: Evaluation = {
  ...{ layout: 1, core: "core.ko", kernel: "debian:6.1", release: "6.1.0-1-amd64", cpus: 2 },
  ...{ begun: "2026-11-30T23:10:00.000Z", finished: "2026-12-01T00:05:00.000Z" },
  ...{ processors: 2, processor: "A processor", qemu: "7.2.1" },
  ...{ drivers: { nic, screen }, costs: null, graphics: null },
};
const names = ["nic", "screen", "disk"];

/** A table's rows by the column's head; columns of the same head have a number behind it. */
function rowsOf(text: string): Record<string, string>[] {
  const cells = text.split("\n").map((line) =>
    line
      .slice(2, -2)
      .split(" | ")
      .map((cell) => cell.trim()),
  );
  const heads = cells[0]!.map((head, column) => {
    const before = cells[0]!.slice(0, column).filter((other) => other === head).length;
    return before === 0 ? head : `${head} ${before + 1}`;
  });
  for (const row of cells) expect(row.length).toBe(heads.length);
  return cells.slice(2).map((row) => Object.fromEntries(row.map((cell, column) => [heads[column]!, cell])));
}

test("lines of a table are equally long", () => {
  const text = tables.table(
    ["µs", "b"],
    [
      ["1", "long"],
      ["22222", "—"],
    ],
  );
  expect(text).toBe("| µs    | b    |\n| ----- | ---- |\n| 1     | long |\n| 22222 | —    |");
});

test("times and CPUs: left out, gone and not measured are told", () => {
  const [first, second, third] = rowsOf(tables.timeTable(evaluation, names));
  expect(first).toEqual({
    ...{ driver: "nic", none: "4.50 s", emulate: "5.25 s", instrument: "4.75 s", "singlestep (mmiotrace)": "9.00 s" },
    ...{ "CPUs: none": "2", "CPUs: emulate": "2", "CPUs: instrument": "2", "CPUs: singlestep (mmiotrace)": "1" },
  });
  expect(second).toMatchObject({
    instrument: "left out",
    "singlestep (mmiotrace)": "machine gone",
    "CPUs: instrument": "—",
  });
  expect(third).toMatchObject({ driver: "disk", none: "not measured", emulate: "not measured", "CPUs: none": "—" });
});

test("a workload that failed has no time", () => {
  const failed = { ...nic, ways: { ...nic.ways, emulate: way({ time_s: null, workload: false }) } };
  const [row] = rowsOf(tables.timeTable({ ...evaluation, drivers: { nic: failed } }, ["nic"]));
  expect(row).toMatchObject({ emulate: "FAILED", none: "4.50 s" });
  expect(isGood(failed)).toBe(false);
});

test("records", () => {
  const [first, second, third] = rowsOf(tables.recordTable(evaluation, names));
  expect(first).toEqual({
    ...{ driver: "nic", "emulate: accesses": "1,200", lost: "0", escaped: "0", identical: "yes" },
    ...{
      "instrument: accesses": "1,300",
      "without a fault": "1,290",
      "lost 2": "0",
      "escaped 2": "0",
      "identical 2": "yes",
    },
    ...{ "mmiotrace: accesses": "1,100", "lost 3": "7", UNKNOWN: "3", "identical 3": "NO" },
  });
  expect(second).toMatchObject({
    "instrument: accesses": "left out",
    "without a fault": "—",
    "mmiotrace: accesses": "machine gone",
  });
  expect(third).toMatchObject({ "emulate: accesses": "not measured" });
});

test("notes have the reasons", () => {
  expect(tables.notes(evaluation, names).split("\n")).toEqual([
    "- nic, singlestep (mmiotrace): 7 lost",
    "- screen, instrument: left out: it is built in",
    "- screen, emulate: 2,800 of the accesses are to memory of which QEMU logs nothing: not compared",
  ]);
});

test("mmiotrace's losses don't count against our engines; ours do", () => {
  expect([isGood(nic), isGood(screen)]).toEqual([true, true]);
  const lost = { ...nic, ways: { ...nic.ways, instrument: way({ lost: 1 }) } };
  const different = { ...nic, ways: { ...nic.ways, emulate: way({ identical: false }) } };
  const { instrument: _, ...withoutIt } = nic.ways;
  expect([lost, different, { ...nic, ways: withoutIt }, { ...nic, faults: ["a wrong pixel"] }].map(isGood)).toEqual([
    ...[false, false, false, false],
  ]);
});

test("makers: shares outside the driver's own module, the largest first; the total is of registers alone", () => {
  const rows = rowsOf(tables.makersTable(evaluation, names));
  expect(rows.map(({ driver }) => driver)).toEqual(["nic", "screen", "screen, video memory", "disk", "all, registers"]);
  expect(rows[0]).toEqual({
    ...{ driver: "nic", accesses: "1,000", outside: "25.0 %", "its own module": "75.0 %", "other modules": "5.0 %" },
    "the kernel's functions": "20.0 %",
    "the makers outside": "ioread32() 15.0 %, [libnic] 5.0 %, readl() 3.0 %, a() 1.5 %, 1 more",
  });
  expect(rows[2]).toMatchObject({ accesses: "2,800", outside: "100 %", "the makers outside": "memcpy_erms() 100 %" });
  // 250 of 1,200
  expect(rows[4]).toMatchObject({ accesses: "1,200", outside: "20.8 %", "its own module": "79.2 %" });
});

test("shares: nothing and all are told from nearly nothing and nearly all", () => {
  const shares = [
    [0, 9],
    [9, 9],
    [1, 5_000],
    [4_999, 5_000],
    [1, 3],
    [0, 0],
  ] as const;
  expect(shares.map(([part, whole]) => tables.shareText(part, whole))).toEqual([
    ...["0 %", "100 %", "< 0.1 %", "> 99.9 %", "33.3 %", "—"],
  ]);
});

test("forms over all drivers: a place in code that two drivers share is one", () => {
  const rows = rowsOf(tables.formTable(evaluation));
  expect(rows.map(({ instruction }) => instruction)).toEqual(["`mov r32, m32`", "`rep movsd`", "`rep movsb`"]);
  // 1,200 of 1,300; x, y, v
  expect(rows[0]).toMatchObject({
    "registers: accesses": "1,200",
    share: "92.3 %",
    "places in code": "3",
    drivers: "2",
  });
  expect(rows[2]).toMatchObject({
    "video memory: accesses": "2,800",
    "share 2": "100 %",
    "mmiotrace decodes it": "no",
  });
});

test("accesses are summed up by form and target; those of unknown instructions, too", () => {
  const site = (symbol: string, accesses: number, target: "registers" | "video memory" = "registers") =>
    ({ symbol, address: 1n, kind: "read", width_bytes: 4, isString: false, target, accesses }) as const;
  const load = { text: "mov r32, m32", class: "general", mmiotraceDecodes: true, isRewritten: true } as const;
  const forms = countForms([site("a", 3), site("b", 4), site("a", 5, "video memory"), site("?", 6)], ({ symbol }) =>
    symbol === "?" ? undefined : load,
  );
  expect(forms.map(({ form, target, accesses, sites }) => [form, target, accesses, sites])).toEqual([
    ["mov r32, m32", "registers", 7, ["a", "b"]],
    ["mov r32, m32", "video memory", 5, ["a"]],
    ["", "registers", 6, ["?"]],
  ]);
});

test("the cost of an access: medians, and microseconds by the TSC", () => {
  const line = (
    label: CostLine["label"],
    cpus: number,
    read: number,
    write: number,
    tsc_khz = 2_000_000,
  ): CostLine => ({
    ...{ label, cpus, read, write, tsc_khz },
  });
  const timed = [
    line("strict", 1, 4_000, 4_100),
    line("strict", 1, 9_000, 9_100),
    line("strict", 1, 3_000, 3_100),
    line("strict", 2, 8_000, 8_100),
  ];
  const titles = { strict: "emulate", mmiotrace: "mmiotrace" } as Parameters<typeof tables.costTable>[1];
  const rows = rowsOf(tables.costTable({ timed, counted: [line("strict", 1, 950, 960)] }, titles));
  expect(rows[0]).toMatchObject({
    ...{ "instructions: read": "950", write: "960", "cycles, 1 CPU: read": "4,000", "µs: read": "2.00" },
    "cycles, 2 CPUs at once: read": "8,000",
  });
  expect(rows[1]).toMatchObject({ "instructions: read": "—", "µs: read": "—" });
});

test("graphics modules: those of drivers/video are one row; of many functions only the number is told", () => {
  const many = Array.from({ length: 13 }, (_, number) => ({ name: `f${number}`, forms: { "movsd xmm1, m64": 2 } }));
  const modules: Parameters<typeof tables.graphicsTable>[0] = [
    {
      module: "vga",
      folder: "video",
      classes: { general: { byRegister: 7, elsewhere: 1 } },
      functions: [],
      undecoded: [],
    },
    {
      module: "vesa",
      folder: "video",
      classes: { general: { byRegister: 3, elsewhere: 1 } },
      functions: [],
      undecoded: [],
    },
    {
      ...{ module: "small", folder: "gpu", undecoded: [] },
      classes: { general: { byRegister: 10, elsewhere: 5 }, "non-temporal": { byRegister: 5, elsewhere: 0 } },
      functions: [{ name: "copy", forms: { "movntdqa xmm1, m128": 5 } }],
    },
    {
      ...{ module: "large", folder: "gpu", undecoded: [] },
      classes: { general: { byRegister: 1_000, elsewhere: 5 }, vector: { byRegister: 26, elsewhere: 9 } },
      functions: many,
    },
  ];
  const rows = rowsOf(tables.graphicsTable(modules));
  expect(rows.map(({ module, general }) => [module, general])).toEqual([
    ["large", "1,000"],
    ["small", "10"],
    ["2 modules of drivers/video", "10"],
    ["all 4", "1,020"],
  ]);
  expect(rows[3]).toMatchObject({ vector: "26", "non-temporal": "5", "functions with the last three": "14" });
  expect(rowsOf(tables.graphicsFunctions(modules))).toEqual([
    { function: "`copy()`", module: "small", instructions: "5 × `movntdqa xmm1, m128`" },
    { function: "13 functions", module: "large", instructions: "26 × `movsd xmm1, m64`" },
  ]);
});

test("the circumstances in one sentence", () => {
  expect(tables.conditions(evaluation, names)).toBe(
    "Measured on 2026-11-30 to 2026-12-01: Debian's 6.1.0-1-amd64 in the lab with 2 CPUs, QEMU 7.2.1 (TCG) on 2 processors (A processor); 2 of 3 drivers.",
  );
});
