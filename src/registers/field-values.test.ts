// tier: quick
// A register's value taken apart into its fields: those that an access covers whole.
import { beforeEach, expect, test } from "vitest";
import { databaseOf, temporaryFolder } from "../../dev/test-support/made-up-files.js";
import type { RegisterDatabase } from "./database.js";

const folder = temporaryFolder();
const xml = `<enum name="E"><value name="TWO" value="2"/></enum>
   <bitset name="INNER"><bitfield name="P" pos="0"/><bitfield name="Q" low="1" high="3" type="E"/></bitset>
   <domain name="D">
     <reg32 name="CTRL" offset="0">
       <bitfield name="TOP" pos="31"/>
       <bitfield name="LOW" low="0" high="7"/>
       <bitfield name="MIDDLE" low="8" high="15" type="uint"/>
     </reg32>
     <reg16 name="PLAIN" offset="4"/>
     <reg32 name="KIND" offset="8" type="E"/>
     <reg32 name="MOVED" offset="12" shr="4"><bitfield name="X" low="4" high="11"/></reg32>
     <reg32 name="HELD" offset="16"><bitfield name="IN" low="4" high="7" type="INNER"/></reg32>
     <reg64 name="WIDE" offset="24"><bitfield name="ACROSS" low="28" high="35"/><bitfield name="LAST" pos="63"/></reg64>
     <array name="A" offset="0x100" stride="0x10" length="2"><reg32 name="R" offset="0"/></array>
   </domain>`;
let database: RegisterDatabase;
// each test its own: a database remembers its answers
beforeEach(() => {
  database = databaseOf(folder, xml, "D");
});

/** `NAME low..high=value`, with the value's meaning, if it has one. */
function fieldsAt(offset: number, width_bytes: number, value: bigint): string[] {
  const match = database.lookup(0, offset, width_bytes)!;
  return database
    .fieldValues(match, value)
    .map(
      ({ register, name, low, high, value: own, meaning }) =>
        `${register}.${name} ${low}..${high}=0x${own.toString(16)}${meaning === null ? "" : ` ${meaning}`}`,
    );
}

test.each([
  [0, 4, 0x8000_1234n, ["CTRL.LOW 0..7=0x34", "CTRL.MIDDLE 8..15=0x12 18", "CTRL.TOP 31..31=0x1"]],
  [0, 4, 0n, ["CTRL.LOW 0..7=0x0", "CTRL.MIDDLE 8..15=0x0 0", "CTRL.TOP 31..31=0x0"]],
  // a part of it: the fields that lie in that part whole
  [0, 2, 0x1234n, ["CTRL.LOW 0..7=0x34", "CTRL.MIDDLE 8..15=0x12 18"]],
  [1, 1, 0x12n, ["CTRL.MIDDLE 8..15=0x12 18"]],
  [2, 2, 0x8000n, ["CTRL.TOP 31..31=0x1"]],
  // without fields it is one by itself, if it is there whole
  [4, 2, 0xabcdn, ["PLAIN.PLAIN 0..15=0xabcd"]],
  [4, 1, 0xcdn, []],
  [5, 1, 0xabn, []],
  [8, 4, 2n, ["KIND.KIND 0..31=0x2 TWO"]],
  [10, 2, 2n, []],
  // several registers
  [4, 8, (2n << 32n) | 0x1234n, ["PLAIN.PLAIN 0..15=0x1234", "KIND.KIND 0..31=0x2 TWO"]],
  [2, 4, 0x1234_8000n, ["CTRL.TOP 31..31=0x1", "PLAIN.PLAIN 0..15=0x1234"]],
  // fields of a value that is stored moved, of 64 bits, and of a field
  [12, 4, 0xabn, ["MOVED.X 4..11=0xab"]],
  [24, 8, 0x8000_0005_a000_0000n, ["WIDE.ACROSS 28..35=0x5a", "WIDE.LAST 63..63=0x1"]],
  [28, 4, 0x8000_0005n, ["WIDE.LAST 63..63=0x1"]],
  [16, 4, 0x50n, ["HELD.IN 4..7=0x5 { P | Q = TWO }"]],
  // known by its array alone
  [0x108, 4, 7n, []],
] as const)("%d, %d bytes", (offset, width_bytes, value, wanted) => {
  expect(fieldsAt(offset, width_bytes, value)).toEqual(wanted);
});
