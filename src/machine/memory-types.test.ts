// tier: quick
// Kernels' lists of memory types are understood.
import { expect, test } from "vitest";
import { parseWriteCombining } from "./memory-types.js";

test("the write-combining ranges of the list, and no others", () => {
  const list = [
    "PAT memtype list:",
    "PAT: [mem 0x00000000fd000000-0x00000000fe000000] write-combining",
    "PAT: [mem 0x00000000febc0000-0x00000000febe0000] uncached-minus",
    "",
  ];
  expect(parseWriteCombining(list.join("\n"))).toEqual([{ first: 0xfd000000n, last: 0xfdffffffn }]);
});
