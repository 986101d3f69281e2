// tier: quick
// Errors of the libraries as the user of the command line sees them.
import { expect, test } from "vitest";
import { UnfinishedFenceError } from "../../analysis/verify/unfinished-fence.js";
import { FormatError, InvalidValueError, UnknownNameError, UserError } from "../../base/errors.js";
import { ScopeError } from "../../capture/scope-errors.js";
import { LabFolderError, LabKernelError } from "../../lab/errors.js";
import { AmbiguousVariantError } from "../../registers/errors.js";
import { UsageError } from "./exit-code.js";
import { shownError } from "./shown-error.js";
import { OutputClosed } from "./text-output.js";

test.each([
  [new UserError("broken", { advice: "mend it" }), 1, "broken", "mend it"],
  [new FormatError("log", "cut", { line: 3 }), 1, "log:3: cut", undefined],
  [new UsageError("no -o"), 2, "no -o", undefined],
  [new InvalidValueError("x", "x isn't a number", { advice: "write 1" }), 2, "x isn't a number", "write 1"],
  [new UnknownNameError("x", ["a", "b"], "there is no x"), 2, "there is no x", undefined],
  [
    new AmbiguousVariantError("OLD", ["chip", "mode"]),
    ...([2, "OLD is a variant of each of chip, mode", "say which: --variant chip=OLD"] as const),
  ],
  [new UnfinishedFenceError("log", "01020304"), 1, "log has the beginning of fence 01020304", "--cut compares"],
  [new LabFolderError("truth", "/none"), 1, "--truth: no folder /none", undefined],
  [new LabKernelError("unfit", "it lacks 9p"), 1, "it lacks 9p", "--kernel debian:6.1"],
  [new ScopeError("nothing"), 2, "nothing to record: no --device", "for example: mmiostrider record"],
  [new ScopeError("all and more"), 2, "--all records every device", undefined],
  [new OutputClosed(), 0, "nobody reads", undefined],
])("%s", (error, exitCode, message, advice) => {
  const shown = shownError(error);
  expect(shown.exitCode).toBe(exitCode);
  expect(shown.message.startsWith(message)).toBe(true);
  if (advice === undefined) expect(shown.advice).toBeUndefined();
  else expect(shown.advice?.startsWith(advice)).toBe(true);
});
