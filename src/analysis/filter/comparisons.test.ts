// tier: quick
// The smallest parts of a filter: words and signs with their columns, times, globs.
import { describe, expect, test } from "vitest";
import { globTest, parseTime_s } from "./comparisons.js";
import { compileFilter } from "./filter.js";
import { FilterError } from "./filter-error.js";
import { tokensOf } from "./tokens.js";

test.each([
  ["1.5", 1.5],
  ["2", 2],
  ["2.", 2],
  [".5", 0.5],
  ["-1.5s", -1.5],
  ["300ms", 0.3],
  ["20us", 20e-6],
  ["20µs", 20e-6],
  ["7ns", 7e-9],
  ["7NS", 7e-9],
  ["1e3ms", 1],
  ["1e-3", 0.001],
  ["1e+3", 1000],
  ["", undefined],
  [".", undefined],
  ["s", undefined],
  ["1.5m", undefined],
  ["x1", undefined],
  ["1 s", undefined],
  ["1s ", undefined],
  ["1e", undefined],
  ["1e999", undefined],
])("the time %j is %s s", (text, time_s) => {
  if (time_s === undefined) expect(parseTime_s(text)).toBeUndefined();
  else expect(parseTime_s(text)).toBeCloseTo(time_s, 12);
});

describe("a glob", () => {
  test.each([
    ["CTRL", "ctrl", true],
    ["CTRL", "CTRL_EXT", false],
    ["CTRL", "XCTRL", false],
    ["CTRL*", "CTRL_EXT", true],
    ["CTRL*", "CTRL", true],
    ["CTRL*", "XCTRL", false],
    ["*CTRL", "TCTRL", true],
    ["*CTRL", "CTRL_", false],
    ["?CTL", "TCTL", true],
    ["?CTL", "CTL", false],
    ["CTL?", "CTL", false],
    ["T?TL", "TXTL", true],
    ["*", "", true],
    ["**", "x", true],
    ["", "", true],
    ["a*b*c", "aXbYc", true],
    ["a*b*c", "aXbY", false],
    ["a*b*c", "abcabcX", false],
    // the last star takes more than it needs at first
    ["a*bc", "abbc", true],
    ["*ab", "aab", true],
    ["a*b?d", "abcbcd", true],
    ["a?*", "a", false],
    ["π*", "Π1", true],
  ])("%s fits %s: %s", (glob, text, fits) => {
    expect(globTest(glob)(text)).toBe(fits);
  });
});

describe("words and signs", () => {
  const shortOf = (expression: string) =>
    tokensOf(expression).map(({ kind, text, column }) => `${column} ${kind} ${text}`);

  test("with their columns, the longest sign first", () => {
    expect(shortOf("a==b  !=c")).toEqual(["1 word a", "2 sign ==", "4 word b", "7 sign !=", "9 word c", "10 end "]);
    expect(shortOf("(a<=1)&&!b||c!~d")).toEqual([
      ...["1 sign (", "2 word a", "3 sign <=", "5 word 1", "6 sign )", "7 sign &&", "9 sign !", "10 word b"],
      ...["11 sign ||", "13 word c", "14 sign !~", "16 word d", "17 end "],
    ]);
    expect(shortOf("=<>~&!{},>=")).toEqual([
      ...["1 sign =", "2 sign <", "3 sign >", "4 sign ~", "5 sign &", "6 sign !", "7 sign {", "8 sign }", "9 sign ,"],
      ...["10 sign >=", "12 end "],
    ]);
    expect(shortOf("")).toEqual(["1 end "]);
    expect(shortOf(" \t\n")).toEqual(["4 end "]);
  });

  test("words have letters of any kind, digits, and the signs of addresses, globs, symbols and units", () => {
    for (const word of ["0000:00:04.0", "PORT[0].SACT", "f+0x1/0x2", "20µs", "a_b-c*?", "@12", "$x#y", "1..2"]) {
      expect(shortOf(word)).toEqual([`1 word ${word}`, `${word.length + 1} end `]);
    }
  });

  test("texts stand in quotes; a backslash quotes a quote or itself, and nothing else", () => {
    expect(shortOf(`"a b"'c"d'`)).toEqual(["1 text a b", '6 text c"d', "11 end "]);
    expect(shortOf(String.raw`"a\"b" '\'' "\\" "\d"`)).toEqual([
      ...['1 text a"b', "8 text '", String.raw`13 text \ `.trimEnd(), String.raw`18 text \d`, "22 end "],
    ]);
    expect(shortOf('""x')).toEqual(["1 text ", "3 word x", "4 end "]);
  });

  test.each([
    ['a "b', 3, "the text that begins here has no closing quote"],
    ["'", 1, "the text that begins here has no closing quote"],
    ['"\\"', 1, "the text that begins here has no closing quote"],
    ["a ;", 3, '";" means nothing here'],
    ["%", 1, '"%" means nothing here'],
  ])("%s can't be read", (expression, column, what) => {
    const error = (() => {
      try {
        tokensOf(expression);
      } catch (thrown) {
        return thrown;
      }
      return undefined;
    })();
    expect(error).toBeInstanceOf(FilterError);
    expect(error).toMatchObject({
      ...{ name: "FilterError", column, message: `the filter can't be read at column ${column}: ${what}` },
      advice: `${expression}\n  ${" ".repeat(column - 1)}^`,
    });
  });

  test("an expression of 10000 characters is read, a longer one isn't", () => {
    expect(tokensOf("a".repeat(10_000))).toHaveLength(2);
    expect(() => tokensOf("a".repeat(10_001))).toThrow(
      "the filter can't be read at column 1: it is longer than 10000 characters",
    );
  });
});

describe("a value that a field can't have is told", () => {
  const operations =
    "read, write, map, unmap, mark, lost, escape, module, unrecorded, interrupt, dma-map, dma-unmap, unknown";

  test.each([
    ["op == zzzzzzzz", `there is no op "zzzzzzzz"; there are ${operations}`],
    ["op == reads", 'there is no op "reads"; did you mean read?'],
    ["context == zzzzzzzz", 'there is no context "zzzzzzzz"; there are task, hardirq, softirq, nmi'],
    ["space == zzzzzzzz", 'there is no space "zzzzzzzz"; there are memory, ports, configuration'],
    ["cpu == x", '"x" is no number to compare cpu with'],
    ["cpu == 1..", '"1.." is no number to compare cpu with'],
    ["cpu == ..1", '"..1" is no number to compare cpu with'],
    ["cpu == 0b2", '"0b2" is no number to compare cpu with'],
    ["cpu == 2..1", "the range's first is above its last"],
    ["cpu < 1..2", "a range can be compared with == and != only"],
    ["time == x", '"x" is no time; times are such as 1.5, 300ms, 20us, 7ns'],
    ["time == 2..1", "the range's first is above its last"],
    ['site ~ "("', '"(" is no regular expression: Unterminated group'],
  ])("%s", (expression, what) => {
    expect(() => compileFilter(expression)).toThrow(what);
  });
});
