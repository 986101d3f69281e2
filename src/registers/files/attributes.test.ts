// tier: quick
// One XML element's attributes: their values, and the warnings about those that can't be read.
import { expect, test } from "vitest";
import type { DatabaseWarning } from "../schema.js";
import { Attributes, parseNumber } from "./attributes.js";

/** Returns what `take` reads from an element <reg32> on line 7 with these attributes, and the warnings. */
function taken<T>(attributes: Record<string, string>, take: (from: Attributes) => T): [T, string[]] {
  const warnings: DatabaseWarning[] = [];
  const element = {
    tag: "reg32",
    attributes: new Map(Object.entries(attributes)),
    children: [],
    text: "",
    line: 7,
    depth: 1,
  };
  const value = take(new Attributes(element, "file.xml", warnings));
  for (const warning of warnings) expect(warning).toMatchObject({ file: "file.xml", line: 7 });
  return [value, warnings.map(({ message }) => message)];
}

test.each([
  ["0", 0n],
  ["007", 7n],
  [" 12 ", 12n],
  ["0x1F", 31n],
  ["0X1f", 31n],
  ["-1", 0xffff_ffff_ffff_ffffn],
  ["-0x10", 0xffff_ffff_ffff_fff0n],
  ["18446744073709551615", 0xffff_ffff_ffff_ffffn],
  ["0xffffffffffffffff", 0xffff_ffff_ffff_ffffn],
  ["18446744073709551616", undefined],
  ["0x10000000000000000", undefined],
  ["123456789012345678901", undefined],
  ["--1", undefined],
  ["1 2", undefined],
  ["x1", undefined],
  ["1x", undefined],
])("the number %j is %s", (text, value) => {
  expect(parseNumber(text)).toBe(value);
  const warnings = value === undefined ? [`a="${text}" isn't a number of up to 64 bits`] : [];
  expect(taken({ a: text }, (from) => from.wide("a"))).toEqual([value, warnings]);
});

test("an offset is below 2^53", () => {
  const number = (a: string) => taken({ a }, (from) => from.number("a"));
  expect(number("9007199254740991")).toEqual([9_007_199_254_740_991, []]);
  expect(number("9007199254740992")).toEqual([undefined, ['a="9007199254740992" is out of range']]);
  expect(number("x")).toEqual([undefined, ['a="x" isn\'t a number of up to 64 bits']]);
  expect(taken({}, (from) => [from.number("a"), from.wide("a"), from.numbers("a"), from.text("a")])).toEqual([
    ...[[undefined, undefined, undefined, undefined], []],
  ]);
});

test.each([
  ["1,2", [1, 2]],
  [" 0x10 , 2\t3,\n4 ", [16, 2, 3, 4]],
  ["1,,2", [1, 2]],
  ["9007199254740991", [9_007_199_254_740_991]],
])("the list %j", (a, values) => {
  expect(taken({ a }, (from) => from.numbers("a"))).toEqual([values, []]);
});

test.each(["", " , ", "1,x", "1;2", "9007199254740992"])("%j is no list", (a) => {
  expect(taken({ a }, (from) => from.numbers("a"))).toEqual([undefined, [`a="${a}" isn't a list of numbers`]]);
});

test("a list has at most 65536 numbers", () => {
  const list = (count: number) =>
    taken({ a: Array.from({ length: count }, () => 1).join(" ") }, (from) => from.numbers("a")?.length);
  expect(list(65_536)).toEqual([65_536, []]);
  expect(list(65_537)).toEqual([undefined, ["a lists more than 65536 numbers"]]);
});

test.each([
  ["yes", true],
  ["1", true],
  ["true", true],
  ["no", false],
  ["0", false],
  ["false", false],
])("%s is %s", (a, value) => {
  expect(taken({ a }, (from) => from.boolean("a"))).toEqual([value, []]);
});

test("anything else is neither yes nor no, and counts as no, as nothing does", () => {
  expect(taken({ a: "YES" }, (from) => from.boolean("a"))).toEqual([false, ['a="YES" is neither yes nor no']]);
  expect(taken({}, (from) => from.boolean("a"))).toEqual([false, []]);
});

test("attributes that nobody took are told, but those of namespaces", () => {
  const all = {
    name: "A",
    offset: "1",
    colour: "red",
    xmlns: "x",
    "xmlns:a": "x",
    "xsi:schema": "x",
    xmlnsx: "x",
    variants: "B",
  };
  const [found, warnings] = taken(all, (from) => {
    const result = [from.text("name"), from.text("name"), from.has("colour"), from.has("size"), from.variants()];
    from.finish();
    return result;
  });
  expect(found).toEqual(["A", "A", true, false, { variants: "B", varset: undefined, prefix: undefined }]);
  expect(warnings).toEqual(["offset", "colour", "xmlnsx"].map((name) => `<reg32> has no attribute "${name}"`));
});
