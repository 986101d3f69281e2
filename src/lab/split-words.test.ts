// tier: quick
// Words are split as the shell itself splits them.
import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { InvalidValueError } from "../base/errors.js";
import { splitWords } from "./split-words.js";

test.each([
  "",
  "  -device e1000,netdev=n0   -netdev\tuser,id=n0 ",
  "-append 'one two' -m 1",
  `-a "it's" -b 'say "x"' -c ''`,
  `--name=pre'in side'post "a"'b'c`,
])("%s", (text) => {
  const shell = execFileSync("sh", ["-c", `for word in ${text}; do printf '%s\\0' "$word"; done`], {
    encoding: "utf8",
  });
  expect(splitWords(text)).toEqual(shell.split("\0").slice(0, -1));
});

test("an open quote is an error", () => {
  expect(() => splitWords("-append 'console=ttyS0")).toThrow(InvalidValueError);
});
