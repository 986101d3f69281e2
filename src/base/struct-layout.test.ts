// tier: quick
// assertLayout: fields that touch each other pass; a hole, an overlap, a field out of line and a wrong length don't.
import { expect, test } from "vitest";
import { assertLayout } from "./struct-layout.js";

test.each<[what: string, offsets: [number, number, number], sizes: [number, number, number], length: number, RegExp?]>([
  ["four, four and sixteen bytes", [0, 4, 8], [4, 4, 16], 24],
  ["a hole", [0, 4, 16], [4, 4, 8], 24, /made_up\.c begins at byte 8/],
  ["an overlap", [0, 2, 8], [4, 4, 8], 16, /made_up\.b begins at byte 4/],
  ["a first field that isn't at the start", [4, 8, 12], [4, 4, 4], 16, /made_up\.a begins at byte 0/],
  ["one that it would move on", [0, 4, 12], [4, 8, 4], 16, /made_up\.b is aligned to 8 bytes/],
  ["a length that is greater", [0, 4, 8], [4, 4, 8], 24, /made_up has 24 bytes/],
])("%s", (_, [a, b, c], sizes, length, message) => {
  const check = () => assertLayout("made_up", { a, b, c }, { a: sizes[0], b: sizes[1], c: sizes[2] }, length);
  if (message === undefined) check();
  else expect(check).toThrow(message);
});
