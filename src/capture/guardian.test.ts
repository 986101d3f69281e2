// tier: quick
// The guardian's script runs when it is told to, not before, and is ended where it takes too long. The lab has those after kill -9.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, expect, test } from "vitest";
import { Guardian } from "./guardian.js";

const folder = mkdtempSync(join(tmpdir(), "mmiostrider-guardian-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("it undoes when told, once, and says how that ended", async () => {
  const sign = join(folder, "undone");
  const guardian = new Guardian(`echo undone > '${sign}'\nexit 3`);
  await sleep(300);
  expect(existsSync(sign)).toBe(false);
  expect(await guardian.undo(60_000)).toBe(3);
  expect(existsSync(sign)).toBe(true);
  rmSync(sign);
  expect(await guardian.undo(60_000)).toBe(3);
  expect(existsSync(sign)).toBe(false);
});

test("it isn't waited for beyond the limit", async () => {
  const guardian = new Guardian("exec sleep 60");
  expect(await guardian.undo(200)).toBe(null);
});
