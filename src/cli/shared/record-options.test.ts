// tier: quick
import { describe, expect, test } from "vitest";
import { ringDefault_bytes } from "./record-options.js";

const MB = 1024 ** 2;

describe("ringDefault_bytes", () => {
  test.each([
    [100_000, 4 * MB],
    [100 * MB, 4 * MB],
    [256 * MB, 16 * MB],
    [511 * MB, 16 * MB],
    [1_900 * MB, 64 * MB],
    [1_000_000 * MB, 256 * MB],
  ])("%i bytes free: %i", (free_bytes, wanted) => expect(ringDefault_bytes(free_bytes)).toBe(wanted));
});
