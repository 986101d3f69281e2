// tier: quick
// A domain's registers as a list: each once, with its place, name and copies.
import { expect, test } from "vitest";
import { databaseOf, temporaryFolder } from "../../dev/test-support/made-up-files.js";
import { listRegisters } from "./list.js";

const folder = temporaryFolder();

function listed(xml: string, bar = 0, start = 0): string[] {
  const registers = listRegisters(databaseOf(folder, xml, "D").view("D"), bar, start);
  return registers.map((found) => {
    const { offset, width_bits, access, name, copies, brief } = found;
    expect(found.bar).toBe(bar);
    return [`0x${offset.toString(16)}`, width_bits, access, name, copies, brief ?? ""].join(" ").trimEnd();
  });
}

test("by offset, whatever the order in the file", () => {
  const xml = `<domain name="D">
    <reg32 name="LATE" offset="0x20" access="r"><brief>the late one</brief></reg32>
    <reg16 name="EARLY" offset="0x4" access="w"/>
    <reg8 name="MANY" offset="0x10" length="3" stride="4"/>
    <reg8 name="LISTED" offsets="0x810,0x800"/>
  </domain>`;
  expect(listed(xml)).toEqual([
    "0x4 16 w EARLY",
    "0x10 8 rw MANY[] ×3 every 0x4",
    "0x20 32 r LATE  the late one",
    "0x810 8 rw LISTED[] ×2 at listed offsets",
  ]);
  expect(listed(xml, 2, 0x1000)[0]).toBe("0x1004 16 w EARLY");
});

test("in arrays, stripes and groups, with an index for each that varies", () => {
  const xml = `<group name="G"><reg8 name="SHARED" offset="0x3"/></group>
    <domain name="D">
      <array name="A" offset="0x100" stride="0x20" length="2">
        <reg32 name="X" offset="0"/>
        <use-group name="G"/>
        <array name="B" offset="0x10" stride="8" length="2"><reg32 name="Y" offset="4"/></array>
      </array>
      <array name="SINGLE" offset="0x200" stride="0x10" length="1"><reg32 name="Z" offset="4"/></array>
      <stripe offset="0x300" stride="8" length="4"><reg32 name="LOW" offset="0"/></stripe>
      <stripe name="S" offset="0x400" stride="4" length="4"><reg8 name="FAR" offset="0x40"/></stripe>
      <stripe offset="0x600" stride="0x10" length="2"><stripe stride="2" length="2"><reg8 name="N" offset="0" length="2"/></stripe></stripe>
      <stripe name="ENDLESS" offset="0x1000" stride="0x100" length="0"><reg8 name="R" offset="8"/></stripe>
    </domain>`;
  expect(listed(xml)).toEqual([
    "0x100 32 rw A[].X ×2 every 0x20",
    "0x103 8 rw A[].SHARED ×2 every 0x20",
    "0x114 32 rw A[].B[].Y ×2 every 0x20, ×2 every 0x8",
    "0x204 32 rw SINGLE.Z",
    "0x300 32 rw LOW[] ×4 every 0x8",
    "0x440 8 rw S[].FAR ×4 every 0x4",
    "0x600 8 rw N[][][] ×2 every 0x10, ×2 every 0x2, ×2 every 0x1",
    "0x1008 8 rw ENDLESS[].R ×unknown every 0x100",
  ]);
});

test("without those of an array whose copies have no place", () => {
  const xml = (stride: string) =>
    `<domain name="D"><array name="A" offset="8" ${stride}><reg8 name="R" offset="1"/></array></domain>`;
  expect([listed(xml("")), listed(xml("stride='4'")), listed(xml("offsets='8'"))]).toEqual([
    ...[[], ["0x9 8 rw A.R"], ["0x9 8 rw A.R"]],
  ]);
});

test("of a domain that counts in words of 32 bits, in bytes", () => {
  const xml = `<domain name="D" width="32"><reg32 name="R" offset="0x10" length="2" stride="2"/></domain>`;
  expect(listed(xml, 0, 0x100)).toEqual(["0x140 32 rw R[] ×2 every 0x8"]);
});
