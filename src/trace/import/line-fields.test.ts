// tier: quick
// A line's fields from left to right: their values, if they are as printf() writes them, and the words for the first that isn't.
import { describe, expect, test } from "vitest";
import { LineFields } from "./line-fields.js";

/** Reads a line that stands among other text: what lies around it must not matter. */
function fieldsOf(line: string): LineFields {
  const fields = new LineFields();
  const around = "12ab";
  fields.begin(Buffer.from(around + line + around, "latin1"), around.length, around.length + line.length);
  return fields;
}

/** Returns what `read` gives, how far it went, and whether the line is sound, and as printf() writes it. */
function after<T>(
  line: string,
  read: (fields: LineFields) => T,
): [value: T, rest: string, sound: boolean, canonical: boolean] {
  const fields = fieldsOf(line);
  const value = read(fields);
  return [value, fields.rest(), fields.sound, fields.canonical];
}

/** Returns the words about the first thing out of place. */
function whyOf(line: string, read: (fields: LineFields) => unknown): string {
  const fields = fieldsOf(line);
  read(fields);
  expect(fields.sound).toBe(false);
  return fields.why;
}

describe("a decimal number", () => {
  test.each([
    ["0 x", 0, " x", true],
    ["10 x", 10, " x", true],
    ["9", 9, "", true],
    ["007,", 7, ",", false],
    ["123456789012345", 123_456_789_012_345, "", true],
  ])("%s", (line, value, rest, canonical) => {
    expect(after(line, (fields) => fields.decimal())).toEqual([value, rest, true, canonical]);
    expect(after(line, (fields) => fields.signed())).toEqual([value, rest, true, canonical]);
  });

  test.each([
    ["-1 x", -1, true],
    ["-2147483648 x", -2_147_483_648, true],
    ["-0 x", -0, false],
    ["-01 x", -1, false],
  ])("%s, with a sign", (line, value, canonical) => {
    expect(after(line, (fields) => fields.signed())).toEqual([value, " x", true, canonical]);
  });

  test.each([
    ["x1", '"x1" isn\'t a decimal number'],
    ["/1", '"/1" isn\'t a decimal number'],
    [":1", '":1" isn\'t a decimal number'],
    ["", "a decimal number is missing at its end"],
    ["1234567890123456 x", '"1234567890123456" isn\'t a number of at most 15 digits'],
  ])("not %s", (line, why) => {
    expect(whyOf(line, (fields) => fields.decimal())).toBe(why);
  });
});

describe("a hexadecimal number", () => {
  test.each([
    ["0x0", 0n, "", true],
    ["0xabcdef0123456789 x", 0xabcd_ef01_2345_6789n, " x", true],
    ["0xffffffffffffffff", 0xffff_ffff_ffff_ffffn, "", true],
    ["0x80000000", 0x8000_0000n, "", true],
    ["0x100000000", 0x1_0000_0000n, "", true],
    ["0X1", 1n, "", false],
    ["0xA", 10n, "", false],
    ["0xF", 15n, "", false],
    ["0x01", 1n, "", false],
    ["0x1g", 1n, "g", true],
  ])("%s", (line, value, rest, canonical) => {
    const hex = (fields: LineFields) => {
      fields.hex();
      return [fields.big, fields.number];
    };
    expect(after(line, hex)).toEqual([[value, Number(value)], rest, true, canonical]);
    const bare = (fields: LineFields) => {
      fields.bareHex();
      return fields.big;
    };
    expect(after(line.slice(2), bare)[0]).toBe(value);
  });

  const wanted = "a hexadecimal number with 0x";
  test.each([
    ["1", `"1" isn't ${wanted}`],
    ["1x1", `"1x1" isn't ${wanted}`],
    ["0y1", `"0y1" isn't ${wanted}`],
    ["0x", `${wanted} is missing at its end`],
    ["", `${wanted} is missing at its end`],
    ["0x x", `"0x" isn't ${wanted}`],
    ["0x12345678901234567", `"0x12345678901234567" isn't a number of at most 64 bits`],
  ])("not %s", (line, why) => {
    expect(whyOf(line, (fields) => fields.hex())).toBe(why);
  });
});

describe("a time", () => {
  test.each([
    ["0.000000", 0, ""],
    ["1.000010 x", 1_000_010, " x"],
    ["12345.999999", 12_345_999_999, ""],
    ["1.0000001", 1_000_000, "1"],
    ["9007199254.740990", 9_007_199_254_740_990, ""],
  ])("%s in microseconds", (line, time_us, rest) => {
    expect(after(line, (fields) => fields.time_us())).toEqual([time_us, rest, true, true]);
  });

  test.each([
    ["1", '"1" isn\'t a time in seconds with six decimals'],
    ["1,000000", '"1,000000" isn\'t a time in seconds with six decimals'],
    ["1.00000 x", '"1.00000" isn\'t a time in seconds with six decimals'],
    // the digits behind the line's end are none of its own
    ["1.00001", '"1.00001" isn\'t a time in seconds with six decimals'],
    ["1.00000/", '"1.00000/" isn\'t a time in seconds with six decimals'],
    ["1.00000:", '"1.00000:" isn\'t a time in seconds with six decimals'],
    ["x.000000", '"x.000000" isn\'t a decimal number'],
    ["9007199254.740991", '"9007199254.740991" isn\'t a time that can be'],
  ])("not %s", (line, why) => {
    expect(whyOf(line, (fields) => fields.time_us())).toBe(why);
  });
});

describe("between fields", () => {
  test.each([
    [" x", "x", true],
    ["  x", "x", false],
    ["\tx", "x", false],
    [" \t x", "x", false],
    [" ", "", true],
    ["  ", "", false],
  ])("a gap: %j", (line, rest, canonical) => {
    expect(after(line, (fields) => fields.gap())).toEqual([undefined, rest, true, canonical]);
  });

  test("not without one", () => {
    expect(whyOf("x y", (fields) => fields.gap())).toBe('"x" isn\'t a field of that form');
    expect(whyOf("", (fields) => fields.gap())).toBe("another field is missing at its end");
  });

  test("blanks behind the line's end are none of its own", () => {
    for (const [length, sound, canonical] of [
      [1, false, false],
      [2, true, true],
    ] as const) {
      const fields = new LineFields();
      fields.begin(Buffer.from("7   8"), 0, length);
      fields.decimal();
      fields.gap();
      expect([fields.at, fields.sound, fields.canonical]).toEqual([2, sound, canonical]);
    }
  });

  test("one byte", () => {
    expect(after(",x", (fields) => fields.skip(0x2c))).toEqual([undefined, "x", true, true]);
    expect(whyOf("x", (fields) => fields.skip(0x2c))).toBe('"x" isn\'t ","');
    // a byte behind the line's end is none of it
    expect(whyOf("", (fields) => fields.skip(0x31))).toBe('"1" is missing at its end');
  });

  test("a text", () => {
    expect(after(" mr x", (fields) => fields.text(" mr "))).toEqual([undefined, "x", true, true]);
    expect(after(" mr ", (fields) => fields.text(" mr "))).toEqual([undefined, "", true, true]);
    expect(whyOf(" mx x", (fields) => fields.text(" mr "))).toBe('"mx" isn\'t "mr"');
    expect(whyOf(" mr", (fields) => fields.text(" mr1"))).toBe('"mr1" is missing at its end');
  });

  test("all up to a byte", () => {
    expect(after("read: x: y", (fields) => fields.upTo(0x3a))).toEqual(["read", ": x: y", true, true]);
    expect(after(":", (fields) => fields.upTo(0x3a))).toEqual(["", ":", true, true]);
    // behind the line's end there is a 1
    expect(after("read", (fields) => fields.upTo(0x31))).toEqual(["", "read", false, true]);
    expect(whyOf("read", (fields) => fields.upTo(0x31))).toBe('"1" is missing at its end');
  });

  test("words of the same length are told apart", () => {
    const fields = fieldsOf("read:");
    const words = ["read:", "rear:", "read:", "rea:", "\xe9:"].map((line) => {
      fields.begin(Buffer.from(line, "latin1"), 0, line.length);
      return fields.upTo(0x3a);
    });
    expect(words).toEqual(["read", "rear", "read", "rea", "\xe9"]);
  });
});

describe("the words about a fault", () => {
  const wrong = (line: string, at: number) => whyOf(line, (fields) => fields.fail("a thing", fields.at + at));

  test.each([
    ["one two three", 4, '"two" isn\'t a thing'],
    ["one two three", 5, '"two" isn\'t a thing'],
    ["one two three", 0, '"one" isn\'t a thing'],
    ["one two three", 2, '"one" isn\'t a thing'],
    // before a blank: the word there
    ["one two three", 7, '"two" isn\'t a thing'],
    ["one\ttwo\tthree", 7, '"two" isn\'t a thing'],
    // behind several blanks: the next one
    ["one  two", 4, '"two" isn\'t a thing'],
    ["one \t two", 5, '"two" isn\'t a thing'],
    ["one two three", 12, '"three" isn\'t a thing'],
    ["one two three", 13, "a thing is missing at its end"],
    ["one\x1b[31mtwo \x7f\xe9", 0, '"one·[31mtwo" isn\'t a thing'],
    ["one \x7f\xe9~!", 4, '"··~!" isn\'t a thing'],
    ["x".repeat(40), 0, `"${"x".repeat(40)}" isn't a thing`],
    ["x".repeat(41), 0, `"${"x".repeat(40)}…" isn't a thing`],
  ])("%j at %i", (line, at, why) => {
    expect(wrong(line, at)).toBe(why);
  });

  test("a line's first byte may be a blank", () => {
    expect(wrong(" one", 0)).toBe('"one" isn\'t a thing');
  });

  test("the first one counts", () => {
    const fields = fieldsOf("x y");
    fields.hex();
    fields.fail("a thing");
    expect(fields.why).toBe('"x" isn\'t a hexadecimal number with 0x');
    fields.begin(Buffer.from("7"), 0, 1);
    expect([fields.sound, fields.atEnd, fields.decimal(), fields.atEnd]).toEqual([true, false, 7, true]);
  });

  test.each(["7 more of it", "7\tmore", "7  more", "7more"])("what is left over: %j", (line) => {
    const fields = fieldsOf(line);
    fields.decimal();
    const word = line === "7more" ? "7more" : "more";
    expect(fields.why).toBe(`"${word}" is too much at its end`);
  });
});
