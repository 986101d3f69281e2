// tier: quick
// Waiting for a FIFO's reader, with real FIFOs.
import { execFileSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { awaitReader } from "./pipe-reader.js";

const folder = mkdtempSync(join(tmpdir(), "mmiostrider-pipe-"));
afterAll(() => rmSync(folder, { recursive: true }));
const never = new Promise<never>(() => {});

test("without a reader it says so, waits, and a signal ends the waiting", async () => {
  const pipe = join(folder, "unread");
  execFileSync("mkfifo", [pipe]);
  let told = 0;
  let stop = () => {};
  const stopped = new Promise<void>((settle) => {
    stop = settle;
  });
  const waiting = awaitReader(pipe, stopped, () => {
    told += 1;
  });
  expect(await Promise.race([waiting, new Promise((settle) => setTimeout(settle, 250, "waits"))])).toBe("waits");
  stop();
  (await waiting).release();
  expect(told).toBe(1);
});

test("a reader that comes ends it, and doesn't find an end of file before the trace's writer is there", async () => {
  const pipe = join(folder, "read");
  execFileSync("mkfifo", [pipe]);
  const waiting = awaitReader(pipe, never, () => {});
  const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
  const held = await waiting;
  // with a writer there is nothing to read yet; without one it would be the end
  expect(() => readSync(reader, Buffer.alloc(1))).toThrow(/EAGAIN/);
  held.release();
  expect(readSync(reader, Buffer.alloc(1))).toBe(0);
  closeSync(reader);
});

test("other files need no reader", async () => {
  const file = join(folder, "file");
  writeFileSync(file, "");
  for (const path of [file, join(folder, "absent"), "-"]) {
    await awaitReader(path, never, () => expect.fail("it waits"));
  }
});
