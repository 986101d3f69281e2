// tier: quick
// A row's cells as texts, and in the columns where they wait.
import { describe, expect, test } from "vitest";
import { CellColumn } from "./cell-columns.js";
import { columns, type EventRow, traceName } from "./event-rows.js";
import { csvHead, csvLine, jsonLine } from "./row-text.js";

const row = { trace: "e1000", event: 3n, op: "read" } as EventRow;
/** The cells of a line of CSV that aren't empty, by their column. */
function cellsOf(changes: Partial<EventRow>): Record<string, string> {
  const cells = csvLine({ ...row, ...changes })
    .slice(0, -1)
    .split(",");
  expect(cells).toHaveLength(columns.length);
  return Object.fromEntries(columns.flatMap(({ name }, at) => (cells[at] === "" ? [] : [[name, cells[at]!]])));
}

test("an event's facts, and no others", () => {
  expect(jsonLine(row)).toBe('{"trace":"e1000","event":3,"op":"read"}\n');
  expect(cellsOf({})).toEqual({ trace: "e1000", event: "3", op: "read" });
  expect(csvHead()).toBe(
    "trace,event,time_s,wall,cpu,pid,context,op,device,pci_id,driver,bar,offset,address,space,width_bytes,value,register," +
      "meaning,site,site_address,module,caller,caller_address,mapping,length_bytes,count,text,flags,irq,vector,bus,dma\n",
  );
});

test.each<[Partial<EventRow>, string, string]>([
  [{ value: 0xffff_ffff_ffff_ffffn }, '"value":"0xffffffffffffffff"', "0xffffffffffffffff"],
  [{ value: 0n }, '"value":"0x0"', "0x0"],
  [{ offset: 8n }, '"offset":8', "8"],
  [{ cpu: 0 }, '"cpu":0', "0"],
  [{ time_s: 0.5 }, '"time_s":0.5', "0.5"],
  [{ text: "a b" }, '"text":"a b"', "a b"],
  [{ wall: 1_700_000_000_123_456n }, '"wall":"2023-11-14T22:13:20.123456Z"', "2023-11-14T22:13:20.123456Z"],
  [{ wall: 1_700_000_000_000_001n }, '"wall":"2023-11-14T22:13:20.000001Z"', "2023-11-14T22:13:20.000001Z"],
  [{ wall: 0n }, '"wall":"1970-01-01T00:00:00.000000Z"', "1970-01-01T00:00:00.000000Z"],
  [{ wall: -1n }, '"wall":"1969-12-31T23:59:59.999999Z"', "1969-12-31T23:59:59.999999Z"],
])("a cell: %#", (changes, json, csv) => {
  const [name] = Object.keys(changes) as [keyof EventRow];
  expect(jsonLine({ ...row, ...changes })).toContain(json);
  expect(cellsOf(changes)[name]).toBe(csv);
});

test("each fact has its form: numbers of addresses and values are hexadecimal, others decimal", () => {
  const texts = [
    "context",
    "device",
    "pci_id",
    "driver",
    "register",
    "meaning",
    "site",
    "module",
    "caller",
    "text",
    "flags",
    "dma",
  ];
  const bits = ["address", "value", "site_address", "caller_address", "length_bytes", "bus"];
  const numbers = ["cpu", "pid", "bar", "width_bytes", "mapping", "irq", "vector"];
  const all = Object.fromEntries([
    ...texts.map((name) => [name, `a ${name}`]),
    ...[...bits, "offset", "count"].map((name) => [name, 16n]),
    ...numbers.map((name) => [name, 16]),
    ["space", "ports"],
    ["time_s", 16],
  ]);
  expect(JSON.parse(jsonLine({ ...row, ...all }))).toEqual({
    ...{ trace: "e1000", event: 3, op: "read", space: "ports", time_s: 16, offset: 16, count: 16 },
    ...Object.fromEntries([
      ...texts.map((name) => [name, `a ${name}`]),
      ...bits.map((name) => [name, "0x10"]),
      ...numbers.map((name) => [name, 16]),
    ]),
  });
});

test("a time outside the calendar has none", () => {
  const wall = 9_000_000_000_000_000_000n;
  expect(jsonLine({ ...row, wall })).toBe('{"trace":"e1000","event":3,"op":"read"}\n');
  expect(cellsOf({ wall })).toEqual({ trace: "e1000", event: "3", op: "read" });
});

test.each([
  ["a,b", '"a,b"'],
  ['a"b"', '"a""b"""'],
  ["a\nb", '"a\nb"'],
  ["a\rb", '"a\rb"'],
  ["a b;c", "a b;c"],
])("in CSV the text %j is %j", (text, cell) => {
  expect(csvLine({ ...row, text })).toContain(`,${cell},`);
  expect(JSON.parse(jsonLine({ ...row, text })).text).toBe(text);
});

test.each([
  ["e1000.mmt", "e1000"],
  ["/a/b.mmt/e1000.txt", "e1000"],
  ["e1000.log.gz", "e1000"],
  ["e1000.mmiotrace", "e1000"],
  ["e1000.mmt.txt", "e1000.mmt"],
  ["e1000.mmt.gz.gz", "e1000.mmt.gz"],
  ["e1000.gz", "e1000"],
  ["e1000.csv", "e1000.csv"],
  ["mmt", "mmt"],
  ["txt.mmt2", "txt.mmt2"],
])("the trace in %s is called %s", (path, name) => {
  expect(traceName(path)).toBe(name);
});

describe("columns of cells", () => {
  test.each([
    ["text", ["a", "b", "a", undefined, ""]],
    ["int", [0, 1, undefined, -(2 ** 31), 2 ** 31 - 1]],
    ["long", [0n, undefined, -(2n ** 63n), 2n ** 63n - 1n]],
    ["double", [0.5, undefined, -1, 1e300]],
  ] as const)("%s", (kind, cells) => {
    const column = new CellColumn(kind);
    for (const cell of cells) column.push(cell);
    expect(column.cells()).toEqual(cells);
    column.clear();
    expect(column.cells()).toEqual([]);
    // earlier cells are gone
    column.push(undefined);
    column.push(cells[1]);
    expect(column.cells()).toEqual([undefined, cells[1]]);
  });

  test("grow as they are filled", () => {
    for (const count of [255, 256, 257, 1_000]) {
      const [numbers, texts] = [new CellColumn("long"), new CellColumn("text")];
      const all = Array.from({ length: count }, (_, at) => (at % 5 === 4 ? undefined : at));
      for (const cell of all) {
        numbers.push(cell === undefined ? undefined : BigInt(cell));
        texts.push(cell === undefined ? undefined : `t${cell % 7}`);
      }
      expect(numbers.cells()).toEqual(all.map((cell) => (cell === undefined ? undefined : BigInt(cell))));
      expect(texts.cells()).toEqual(all.map((cell) => (cell === undefined ? undefined : `t${cell % 7}`)));
    }
  });
});
