// tier: quick
// Filters on recorded traces, compared with regular expressions on the kernel's own text of the same run, and for facts
// that aren't in that text, with the trace's events one by one.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RecordList, randomNumbers } from "../../../dev/test-support/made-up-records.js";
import {
  importedTrace,
  mapSelected,
  recordedText,
  recordedTrace,
  traceOf,
} from "../../../dev/test-support/recorded-traces.js";
import { InvalidValueError } from "../../base/errors.js";
import type { TraceReader } from "../../trace/file/reader.js";
import { openTrace } from "../../trace/node/file-source.js";
import { RecordFlag, RecordKind } from "../../trace/record.js";
import { fields } from "./fields.js";
import { compileFilter } from "./filter.js";
import { FilterError } from "./filter-error.js";

let kernels: TraceReader;
let ours: TraceReader;
const lines = recordedText().split("\n");

beforeAll(async () => {
  kernels = await importedTrace();
  ours = await openTrace(recordedTrace);
});
afterAll(async () => {
  await kernels.close();
  await ours.close();
});

const count = async (reader: TraceReader, expression: string) =>
  (await mapSelected(reader, { filter: compileFilter(expression) }, () => 0)).length;

describe("facts that are in the kernel's text, too", () => {
  // Each filter, and a pattern of lines: the numbers of both must agree.
  const cases: [string, RegExp][] = [
    ["read", /^R /],
    ["op == write", /^W /],
    ["op = W", /^W /],
    ["op in {read, write}", /^[RW] /],
    ["op == mark", /^MARK /],
    ["op in {map, unmap}", /^(UN)?MAP /],
    ["offset == 8", /^[RW] \S+ \S+ \S+ 0xfebc0008 /],
    ["offset == 0x10 and write", /^W \S+ \S+ \S+ 0xfebc0010 /],
    ["read and (offset == 0x10 or offset == 8)", /^R \S+ \S+ \S+ 0xfebc00(10|08) /],
    ["not read and not op == write", /^(MARK|MAP|UNMAP) /],
    ["!(read || write)", /^(MARK|MAP|UNMAP) /],
    ["access && address in {0xfebc0000..0xfebc000f, 0xfebc00d8}", /^[RW] \S+ \S+ \S+ 0xfebc00(0.|d8) /],
    ["value == 0x80080783", /^[RW] \S+ \S+ \S+ \S+ 0x80080783 /],
    ["value & 0xff == 0xc6", /^[RW] \S+ \S+ \S+ \S+ 0x[0-9a-f]*c6 /],
    ["value & 0x1", /^[RW] \S+ \S+ \S+ \S+ 0x[0-9a-f]*[13579bdf] /],
    ["width >= 4 and width <= 4", /^[RW] 4 /],
    ["site == 0xffffffffc03b2cc0", /^[RW] .* 0xffffffffc03b2cc0 0$/],
    ["time < 3 and access", /^[RW] \d 2\./],
    ["time == 2..3 and access", /^[RW] \d (2\.|3\.000000)/],
    ["time > 3000ms and time <= 4000000us and access", /^[RW] \d (3\.(?!000000)|4\.000000)/],
    ["time == 2.964192", /2\.964192/],
    ['text ~ "^hello from"', /^MARK \S+ hello from/],
    ['text == "*driver\'s user"', /^MARK .*driver's user$/],
    // e1000's registers: STATUS is at 8, EECD at 0x10.
    ["register == STATUS", /^[RW] \S+ \S+ \S+ 0xfebc0008 /],
    ["register in {status, eecd}", /^[RW] \S+ \S+ \S+ 0xfebc00(08|10) /],
    ["register == EE?D", /^[RW] \S+ \S+ \S+ 0xfebc0010 /],
    ["access and register !~ '^(STATUS|EECD)$'", /^[RW] \S+ \S+ \S+ 0xfebc(?!0008|0010)/],
  ];
  test.each(cases)("%s", async (expression, pattern) => {
    const wanted = lines.filter((line) => pattern.test(line)).length;
    expect(wanted).toBeGreaterThan(0);
    expect(await count(kernels, expression)).toBe(wanted);
  });

  test.each(["device == 00:03.0", "device == 0000:00:03.0", "device == 8086:100E", "bar == 0 and access"])(
    "every access is of the network card: %s",
    async (expression) => {
      expect(await count(kernels, `access and ${expression}`)).toBe(13_974);
      expect(await count(kernels, `access and not (${expression})`)).toBe(0);
    },
  );
});

describe("facts that only our traces have", () => {
  test.each([
    ["cpu == 1", "event.cpu === 1"],
    ["context == hardirq", "(event.flags & 1) !== 0"],
    ["module == e1000 and access", "access && symbol?.endsWith('[e1000]')"],
    ["driver == E1000 and access", "access !== undefined"],
    ["site == e1000_shift_out_ee_bits", "symbol?.startsWith('e1000_shift_out_ee_bits+')"],
    ["site == e1000_shift_out_ee_bits+0x51", "symbol === 'e1000_shift_out_ee_bits+0x51 [e1000]'"],
    ['site ~ "^e1000_.*watchdog"', "/^e1000_.*watchdog/.test(symbol ?? '')"],
    ["meaning ~ LU and register == STATUS", "register?.name === 'STATUS' && ((access.value >> 1n) & 1n) === 1n"],
    ["event >= 100 and event < 200", "event.number >= 100 && event.number < 200"],
    ["mapping != 1", "event.mapping !== 1"],
  ])("%s", async (expression, judged) => {
    const judge = new Function("{ event, access, symbol, register }", `return Boolean(${judged})`);
    const views = await mapSelected(ours, {}, (view) => [Boolean(compileFilter(expression)(view)), judge(view)]);
    expect(views.filter(([, wanted]) => wanted).length).toBeGreaterThan(0);
    expect(views.filter(([found, wanted]) => found !== wanted)).toEqual([]);
  });

  test("pid", async () => {
    const pids = await mapSelected(ours, {}, (view) => view.event.pid);
    const [first] = pids;
    expect(new Set(pids).size).toBeGreaterThan(1);
    expect(await count(ours, `pid == ${first}`)).toBe(pids.filter((pid) => pid === first).length);
  });
});

describe("a filter that can't be read is shown with the column", () => {
  test.each([
    ["", 1, "it is empty"],
    ["cpuu == 1", 1, 'there is no field "cpuu"; did you mean cpu?'],
    ["cpu == 1 and regster == X", 14, 'there is no field "regster"; did you mean register?'],
    ["cpu = one", 7, '"one" is no number to compare cpu with'],
    ["cpu", 4, "a comparison such as == was expected after cpu, not the end"],
    ["cpu ==", 7, "a value for cpu was expected, not the end"],
    ["cpu &", 6, "a number of bits, for cpu was expected, not the end"],
    ["cpu == 1 cpu == 2", 10, '"and" or "or" was expected, not "cpu"'],
    ["(cpu == 1", 10, '")" was expected, for the "(" at column 1, not the end'],
    ["cpu == 1)", 9, '"and" or "or" was expected, not ")"'],
    ["op == reed", 7, 'there is no op "reed"; did you mean read?'],
    ["register ~ '('", 12, '"(" is no regular expression: Unterminated group'],
    ["register < A", 10, "register is a text: it can be compared with ==, != and ~"],
    ["value ~ 1", 7, "value is a number: ~ is for texts"],
    ["register & 1", 10, "register has no bits"],
    ["time > soon", 8, '"soon" is no time; times are such as 1.5, 300ms, 20us, 7ns'],
    ["offset < 1..2", 10, "a range can be compared with == and != only"],
    ["offset == 2..1", 11, "the range's first is above its last"],
    ['site == "e1000', 9, "the text that begins here has no closing quote"],
    ["cpu == 1 ; read", 10, '";" means nothing here'],
    ["cpu in {1, }", 12, 'a value for cpu was expected, not "}"'],
    ["cpu in 1", 8, '"{" was expected after in, not "1"'],
    ["and", 1, 'there is no field "and"'],
    ["cpu\t==\none", 8, '"one" is no number to compare cpu with'],
  ])("%j", (expression, column, what) => {
    const error = caught(() => compileFilter(expression)) as FilterError;
    expect(error).toBeInstanceOf(FilterError);
    expect(error).toBeInstanceOf(InvalidValueError);
    expect(error.message).toBe(`the filter can't be read at column ${column}: ${what}`);
    const line = expression.replace("\t", " ").replace("\n", " ");
    expect(error.advice).toBe(`${line}\n${" ".repeat(column + 1)}^`);
  });

  test("neither depth nor length nor anything else makes it do anything but that", () => {
    for (const hostile of ["(".repeat(5000), "not ".repeat(2000), "x".repeat(20_000), "cpu == 1 or ".repeat(800)]) {
      expect(() => compileFilter(hostile)).toThrow(FilterError);
    }
    const random = randomNumbers(12345);
    const words = [
      ...fields.keys(),
      "==",
      "~",
      "&",
      "in",
      "{",
      "}",
      "(",
      ")",
      "not",
      "and",
      "or",
      "1",
      "0x",
      "..",
      "'",
      ",",
    ];
    let compiled = 0;
    for (let round = 0; round < 5_000; round += 1) {
      const text = Array.from({ length: 1 + (random() % 8) }, () => words[random() % words.length]).join(" ");
      try {
        compileFilter(text);
        compiled += 1;
      } catch (error) {
        expect(error, text).toBeInstanceOf(FilterError);
      }
    }
    expect(compiled).toBeGreaterThan(0);
  });
});

function caught(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return undefined;
}

test("the words for special accesses, each by itself", async () => {
  const flags = { locked: RecordFlag.locked, string: RecordFlag.string, user: RecordFlag.user };
  const list = new RecordList();
  const access = { kind: RecordKind.write, address: 0xfebc0000n, width: 4, mapping: 1, tsc: 1n };
  list.add(access);
  for (const flag of Object.values(flags)) list.add({ ...access, flags: flag });
  const reader = await traceOf(list.records);
  const numbers = (expression: string) =>
    mapSelected(reader, { filter: compileFilter(expression) }, ({ event }) => event.number);
  for (const [at, word] of Object.keys(flags).entries()) {
    expect(await numbers(word), word).toEqual([at + 1]);
    expect(await numbers(`not ${word}`), word).toEqual([0, 1, 2, 3].filter((number) => number !== at + 1));
  }
  await reader.close();
});
