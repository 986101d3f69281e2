// tier: quick
// Explanations of look-ups that touch several registers, parts of registers, and none.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { type ExplainOptions, explain } from "./explain.js";
import { loadDatabase } from "./files/index.js";

const directory = mkdtempSync(join(tmpdir(), "mmiostrider-explain-"));
afterAll(() => rmSync(directory, { recursive: true }));

const path = join(directory, "parts.xml");
writeFileSync(
  path,
  `<?xml version="1.0"?><database>
<enum name="speed"><value name="SLOW" value="0"/><value name="FAST" value="1"/></enum>
<domain name="PARTS">
  <reg16 offset="0x10" name="FIRST"><brief>the first half</brief><bitfield low="0" high="3" name="LOW"/></reg16>
  <reg16 offset="0x12" name="SECOND" access="w">
    <bitfield low="4" high="7" name="HIGH"><brief>the upper digit</brief></bitfield>
    <bitfield low="8" high="8" name="SPEED" type="speed"/>
  </reg16>
  <reg32 offset="0x20" name="WHOLE" type="speed"/>
  <reg64 offset="0x28" name="WIDE"><bitfield low="32" high="39" name="TOP"/></reg64>
  <reg32 offset="0x30" name="STATE" access="r"><bitfield pos="0" name="READY"/></reg32>
  <reg32 offset="0x30" name="COMMAND" access="w"><bitfield pos="0" name="GO"/></reg32>
  <array offset="0x40" stride="0x10" length="2" name="BLOCK"><reg32 offset="4" name="INSIDE"/></array>
</domain></database>`,
);
const database = loadDatabase(path);

const options: ExplainOptions = { width_bytes: undefined, value: undefined, direction: undefined, style: "brief" };
const asked = (offset: number, more: Partial<ExplainOptions> = {}) =>
  explain(database, 0, offset, { ...options, ...more });

test("each register that an access touches has its own part of the value, described at its own place", () => {
  expect(asked(0x10, { width_bytes: 4, value: 0x0150_0003n })).toMatchObject({
    name: "FIRST,SECOND",
    parts: [
      { name: "FIRST", value: 0x0003n, meaning: "LOW=0x3", width_bits: 16, access: "rw", brief: "the first half" },
      { name: "SECOND", value: 0x0150n, meaning: "HIGH=0x5 | SPEED=FAST", width_bits: 16, access: "w" },
    ],
  });
});

test("without a width it is the rest of the register's own", () => {
  expect(asked(0x28, { value: 0x12_0000_0000n })?.parts).toMatchObject([{ name: "WIDE", meaning: "TOP=0x12" }]);
  expect(asked(0x2c, { value: 0x12n })?.parts).toMatchObject([{ name: "WIDE+0x4", value: 0x12n, meaning: "TOP=0x12" }]);
  expect(asked(0x10)?.parts.map(({ name }) => name)).toEqual(["FIRST"]);
  // four bytes where no register is
  expect(asked(0x40, { value: 0xffff_ffff_ffffn })?.parts).toMatchObject([{ name: "BLOCK[0]+0", value: 0xffff_ffffn }]);
});

test("fields have their places and values; those of a register that is one enum are its own", () => {
  expect(asked(0x12)?.parts[0]?.fields).toEqual([
    { name: "HIGH", low: 4, high: 7, brief: "the upper digit", values: [] },
    {
      ...{ name: "SPEED", low: 8, high: 8, brief: undefined },
      values: [
        { value: "0", name: "SLOW" },
        { value: "1", name: "FAST" },
      ],
    },
  ]);
  expect(asked(0x20)?.parts[0]?.fields).toMatchObject([{ name: "value", low: 0, high: 31, brief: undefined }]);
  expect(asked(0x20)?.parts[0]?.fields[0]?.values.length).toBe(2);
});

test("where reading and writing differ, the direction decides", () => {
  const described = (direction: "read" | "write") => asked(0x30, { value: 1n, direction })?.parts;
  expect(described("read")).toMatchObject([{ name: "STATE", access: "r", meaning: "READY" }]);
  expect(described("write")).toMatchObject([{ name: "COMMAND", access: "w", meaning: "GO" }]);
});

test("nothing is explained where the database has nothing, and no value is made up", () => {
  expect(asked(0x1000)).toBeUndefined();
  expect(explain(database, 1, 0x10, options)).toBeUndefined();
  expect(asked(0x10)?.parts[0]).toMatchObject({ value: undefined, meaning: undefined });
  const nameless = { width_bits: undefined, access: undefined, brief: undefined, fields: [] };
  expect(asked(0x40)?.parts).toMatchObject([nameless]);
});
