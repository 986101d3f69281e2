// tier: quick
// Following a trace that comes through a pipe: up to its end, whole, cut, or with something behind it.
import { readFileSync } from "node:fs";
import { Readable } from "node:stream";
import { expect, test } from "vitest";
import { recordedTrace } from "../../../dev/test-support/recorded-traces.js";
import { sleep } from "../../base/turns.js";
import { incompleteOf } from "../../trace/file/incomplete.js";
import { blockHeader_bytes } from "../../trace/file/layout.js";
import type { TraceReader } from "../../trace/file/reader.js";
import { FileSource, openSource, openTrace } from "../../trace/node/file-source.js";
import { AccessRegisters } from "./access-registers.js";
import { followedViews } from "./follow.js";
import type { Selection } from "./range.js";
import { selectedViews } from "./selection.js";

const whole = readFileSync(recordedTrace);

/** Opens a trace that comes in pieces; `behind` comes after it. */
function piped(bytes: Uint8Array, behind: () => AsyncGenerator<Uint8Array> = async function* () {}) {
  const pieces = async function* () {
    for (let from = 0; from < bytes.length; from += 20_000) {
      yield bytes.subarray(from, from + 20_000);
      await sleep(1);
    }
    yield* behind();
  };
  return openSource(FileSource.ofStream(Readable.from(pieces()), "pipe"));
}

/** Most looks for more: a pipe ends by itself. */
const looksMax = 5_000;

async function followed(reader: TraceReader, selection: Selection = {}, looks = looksMax) {
  const numbers: number[] = [];
  let waits = 0;
  const wait = async () => {
    waits += 1;
    await sleep(1);
    return waits < looks;
  };
  for await (const { views } of followedViews(reader, new AccessRegisters(() => undefined), selection, { wait })) {
    for (const { event } of views) numbers.push(event.number);
  }
  return { numbers, waits };
}

async function numbersOf(path: string): Promise<number[]> {
  const reader = await openTrace(path);
  const numbers = await selectedNumbers(reader);
  await reader.close();
  return numbers;
}

async function selectedNumbers(reader: TraceReader): Promise<number[]> {
  const numbers: number[] = [];
  for await (const { views } of selectedViews(reader, new AccessRegisters(() => undefined), {})) {
    for (const { event } of views) numbers.push(event.number);
  }
  return numbers;
}

test("a whole trace: all of it, once, and then the end", async () => {
  const reader = await piped(whole);
  const { numbers, waits } = await followed(reader);
  expect(numbers).toEqual(await numbersOf(recordedTrace));
  expect(waits).toBeLessThan(looksMax);
  expect(reader.complete).toBe(true);
  await reader.close();
});

test("a trace that is cut: what came, and the end of the pipe is the end", async () => {
  const reader = await piped(whole.subarray(0, whole.length / 2));
  const { numbers, waits } = await followed(reader);
  expect(numbers.length).toBeGreaterThan(100);
  expect(numbers).toEqual((await numbersOf(recordedTrace)).slice(0, numbers.length));
  // all that came, though no summary did
  const cut = await selectedNumbers(reader);
  expect(numbers).toEqual(cut);
  expect(waits).toBeLessThan(looksMax);
  expect(reader.complete).toBe(false);
  await reader.close();
});

test("events that come later are given, though no summary follows", async () => {
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const recorded = await openTrace(recordedTrace);
  const last = recorded.blocks.at(-1)!;
  await recorded.close();
  const reader = await piped(whole.subarray(0, last.offset), async function* () {
    await released;
    yield whole.subarray(last.offset, last.offset + blockHeader_bytes + last.payload_bytes);
  });
  const numbers: number[] = [];
  let before: number | undefined;
  const wait = async () => {
    before ??= numbers.length;
    release();
    await sleep(1);
    return true;
  };
  for await (const { views } of followedViews(reader, new AccessRegisters(() => undefined), {}, { wait })) {
    for (const { event } of views) numbers.push(event.number);
  }
  expect(numbers.length).toBeGreaterThan(before!);
  expect(numbers).toEqual(await selectedNumbers(reader));
  await reader.close();
});

test("something behind a whole trace makes it incomplete, though it comes late", async () => {
  const reader = await piped(whole, async function* () {
    await sleep(100);
    yield new Uint8Array(100);
  });
  await followed(reader);
  expect(incompleteOf(reader)).toEqual([expect.stringContaining("something unknown follows its end")]);
  await reader.close();
});

test("a pipe that can't be kept is an error, in the middle of a trace and behind it", async () => {
  for (const bytes of [whole, whole.subarray(0, whole.length / 2)]) {
    const reader = await piped(bytes, async function* () {
      await sleep(200);
      yield new Uint8Array(0);
      throw new Error("no room");
    });
    await expect(followed(reader)).rejects.toThrow(/no room/);
    await reader.close();
  }
});

test("a marker that is a bound may still come, until nothing comes any more", async () => {
  const selection: Selection = { from: { kind: "mark", text: "no such marker" }, boundsMustOccur: true };
  for (const bytes of [whole, whole.subarray(0, whole.length / 2)]) {
    const reader = await piped(bytes);
    await expect(followed(reader, selection)).rejects.toThrow(/no marker with "no such marker"/);
    await reader.close();
  }
});

test("nobody who wants more ends it, too", async () => {
  const endless = async function* () {
    for (;;) {
      await sleep(5);
      yield new Uint8Array(0);
    }
  };
  const reader = await piped(whole.subarray(0, whole.length / 2), endless);
  const { numbers, waits } = await followed(reader, {}, 200);
  expect([numbers.length > 100, waits]).toEqual([true, 200]);
  await reader.close();
});
