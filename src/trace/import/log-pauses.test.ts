// tier: quick
// A log that is imported while it still comes can be read meanwhile, whether it comes in spurts or without a pause.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { sleep } from "../../base/turns.js";
import { createTrace } from "../node/create-trace.js";
import { openTrace } from "../node/file-source.js";
import { importText } from "./log-import.js";
import { QemuImport } from "./qemu.js";

const directory = mkdtempSync(join(tmpdir(), "mmiostrider-pauses-"));
afterAll(() => rmSync(directory, { recursive: true }));

const line = (value: number) =>
  Buffer.from(`memory_region_ops_write cpu 0 mr 0x5 addr 0xfebc0000 value 0x${value.toString(16)} size 4 name 'nic'\n`);

/** Returns the number of events that a reader finds in a trace that grows; 0 while it has no header. */
async function eventsIn(path: string): Promise<number> {
  try {
    const reader = await openTrace(path);
    const { events } = reader;
    await reader.close();
    return events;
  } catch {
    return 0;
  }
}

async function imported(
  name: string,
  flushEvery_ms: number | undefined,
  chunks: (path: string) => AsyncGenerator<Uint8Array>,
): Promise<void> {
  const path = join(directory, name);
  await importText(new QemuImport("log"), chunks(path), (header) => createTrace(path, header), flushEvery_ms);
}

test("what came before a pause can be read in the pause", async () => {
  const seen: number[] = [];
  await imported("spurts", 10, async function* (path) {
    for (let spurt = 1; spurt <= 2; spurt += 1) {
      for (let access = 0; access < 3; access += 1) yield line(access);
      for (let wait = 0; wait < 500 && (await eventsIn(path)) < 3 * spurt + 1; wait += 1) await sleep(10);
      seen.push(await eventsIn(path));
    }
  });
  // each access, and the mark that names the region
  expect(seen).toEqual([4, 7]);
});

test("where no pause comes, it can be read after a while all the same", async () => {
  let seen = 0;
  let given = 0;
  await imported("no-pause", 50, async function* (path) {
    for (; given < 20_000 && seen === 0; given += 1) {
      yield line(given);
      await sleep(1);
      if (given % 10 === 9) seen = await eventsIn(path);
    }
  });
  expect(seen).toBeGreaterThan(0);
  expect(seen).toBeLessThanOrEqual(given + 1);
  expect(await eventsIn(join(directory, "no-pause"))).toBe(given + 1);
});

test("where nobody reads meanwhile, there is no pause", async () => {
  let seen = -1;
  await imported("unread", undefined, async function* (path) {
    yield line(1);
    await sleep(50);
    seen = await eventsIn(path);
    yield line(2);
  });
  expect(seen).toBe(0);
});
