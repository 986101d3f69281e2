// tier: quick
// diff against recorded runs that were changed in known places, and two real recordings of one driver.

import { describe, expect, test } from "vitest";
import { randomNumbers } from "../../../dev/test-support/made-up-records.js";
import { importedTrace, recordedText, recordedTrace } from "../../../dev/test-support/recorded-traces.js";
import { builtInFor } from "../../registers/files/index.js";
import type { TraceReader } from "../../trace/file/reader.js";
import { openTrace } from "../../trace/node/file-source.js";
import { AccessRegisters } from "../view/access-registers.js";
import { collectSequences, type DeviceSequence } from "./access-sequence.js";
import { diffTraces, Masks } from "./diff-traces.js";
import { alignSequences } from "./sequence-alignment.js";

async function sequencesOf(reader: TraceReader): Promise<DeviceSequence[]> {
  const sequences = await collectSequences(reader, new AccessRegisters(builtInFor), {});
  await reader.close();
  return sequences;
}

const text = recordedText();
const original = () => importedTrace().then(sequencesOf);
const changed = (change: (lines: string[]) => string[]) =>
  importedTrace(change(text.split("\n")).join("\n")).then(sequencesOf);
/** Returns the number of the `count`th line (from 0) that matches. */
function lineOf(lines: string[], pattern: RegExp, count: number): number {
  const numbers = lines.flatMap((line, number) => (pattern.test(line) ? [number] : []));
  return numbers[count]!;
}

const write = /^W 4 \S+ 1 0xfebc0010 /;

describe("the kernel's text of e1000, changed in one place", () => {
  test("unchanged: the same", async () => {
    const result = diffTraces(await original(), await original());
    expect(result).toMatchObject({ same: true, differences: [], more: false });
    expect(result.devices).toMatchObject([{ device: "0000:00:03.0", both: true, written: 0, read: 0 }]);
  });

  test("a written value", async () => {
    const other = await changed((lines) => {
      const number = lineOf(lines, write, 700);
      return lines.with(number, lines[number]!.replace(/(0xfebc0010) 0x\S+/, "$1 0xdead"));
    });
    const result = diffTraces(await original(), other);
    expect(result.same).toBe(false);
    expect(result.differences).toMatchObject([
      { kind: "written", first: { register: "EECD" }, second: { value: 0xdeadn } },
    ]);
  });

  test("writes that are missing, and writes that are new, however many", async () => {
    for (const count of [1, 40, 3_000]) {
      const less = await changed((lines) => {
        const number = lineOf(lines, write, 500);
        let left = count;
        return lines.filter((line, at) => at < number || !line.startsWith("W ") || left-- <= 0);
      });
      const whole = await original();
      const result = diffTraces(whole, less);
      const [device] = result.devices;
      const back = diffTraces(less, whole).devices[0]!;
      const lost = whole[0]!.entries.length - less[0]!.entries.length;
      // Without the write between them, two reads become one repeated read.
      expect(lost).toBeGreaterThanOrEqual(count);
      expect(device!.missing - device!.extra).toBe(lost);
      expect(device!.missing).toBe(lost);
      expect([back.missing, back.extra]).toEqual([0, lost]);
    }
  });

  test("the number of polls is no difference", async () => {
    const other = await changed((lines) => {
      const number = lineOf(lines, /^R 4 \S+ 1 0xfebc0008 /, 300);
      return lines.toSpliced(number, 0, ...Array(50).fill(lines[number]));
    });
    const result = diffTraces(await original(), other);
    expect(result).toMatchObject({ same: true, differences: [] });
  });

  test("another device there is the second's alone", async () => {
    const other = await changed((lines) => [
      ...lines.slice(0, 20),
      "R 4 2.990000 1 0xfebf0500 0x1 0x0 0",
      ...lines.slice(20),
    ]);
    const result = diffTraces(await original(), other);
    expect(result.devices).toMatchObject([
      { device: "0000:00:03.0", both: true, missing: 0, extra: 0 },
      { device: "0000:00:02.0", both: false, aligned: 0, missing: 0, extra: 1 },
    ]);
    expect(result.same).toBe(false);
  });
});

describe("values that may differ", () => {
  const withValue = (value: string) =>
    changed((lines) => lines.map((line) => line.replace(/^(W 4 \S+ 1 0xfebc3800) 0x\S+/, `$1 ${value}`)));

  test("are masked by name, by place, by bits", async () => {
    const [first, second] = [await withValue("0x10000"), await withValue("0x20000")];
    const masked = (register: string, bits: bigint) => {
      const masks = new Masks();
      masks.add({ register, bits });
      return diffTraces(first, second, masks).same;
    };
    expect(diffTraces(first, second).differences).toMatchObject([{ kind: "written", first: { register: "TDBAL" } }]);
    expect(masked("TDBAL", ~0n)).toBe(true);
    expect(masked("tdba?", 0x30000n)).toBe(true);
    expect(masked("TDBAL", 0x10000n)).toBe(false);
    expect(masked("RDBAL", ~0n)).toBe(false);
  });

  test("are learned from another run of the same", async () => {
    const [first, again, second] = [await withValue("0x10000"), await withValue("0x30000"), await withValue("0x20000")];
    const masks = new Masks();
    masks.learn(first, again);
    // One bit varied: only that bit may differ.
    expect(diffTraces(first, again, masks).same).toBe(true);
    expect(diffTraces(first, second, masks).same).toBe(false);
    masks.learn(first, await withValue("0xfff51000"));
    // So many bits varied that the register holds an address.
    expect(diffTraces(first, second, masks).same).toBe(true);
  });
});

test("two recordings of one driver, by the kernel and by us: the same start, register by register", async () => {
  const kernels = await original();
  const ours = await sequencesOf(await openTrace(recordedTrace));
  const result = diffTraces(kernels, ours);
  expect(result.devices).toMatchObject([{ device: "0000:00:03.0", both: true }]);
  expect(result.devices[0]!.aligned).toBeGreaterThan(0.97 * kernels[0]!.entries.length);
  const different = result.differences.filter(({ kind }) => kind === "written").map(({ first }) => first!.register);
  // The addresses of its rings differ in every run.
  expect(different).toContain("TDBAL");
  expect(different).toContain("RDBAL");
});

describe("alignment", () => {
  /** Computes the length of the longest common subsequence with the textbook's table. */
  function longest(first: Int32Array, second: Int32Array): number {
    let row = new Int32Array(second.length + 1);
    for (const one of first) {
      const next = new Int32Array(second.length + 1);
      second.forEach((other, at) => {
        next[at + 1] = one === other ? row[at]! + 1 : Math.max(row[at + 1]!, next[at]!);
      });
      row = next;
    }
    return row.at(-1)!;
  }

  function check(first: Int32Array, second: Int32Array): number {
    const pairs = alignSequences(first, second);
    let before = { first: -1, second: -1 };
    for (const pair of pairs) {
      expect(first[pair.first]).toBe(second[pair.second]);
      expect(pair.first).toBeGreaterThan(before.first);
      expect(pair.second).toBeGreaterThan(before.second);
      before = pair;
    }
    return pairs.length;
  }

  test("pairs are equal, ascending, and as many as there can be", () => {
    const random = randomNumbers(7);
    for (let round = 0; round < 300; round += 1) {
      const kinds = [2, 4, 30][round % 3]!;
      const first = Int32Array.from({ length: random() % 120 }, () => random() % kinds);
      const kept = [...first].filter(() => random() % 10 !== 0);
      const changed = Int32Array.from(kept.flatMap((one) => (random() % 9 === 0 ? [one, random() % kinds] : [one])));
      const other = Int32Array.from({ length: random() % 120 }, () => random() % kinds);
      for (const second of [changed, other]) expect(check(first, second)).toBe(longest(first, second));
    }
  });

  test("long common runs are found even in sequences that are too different", () => {
    const random = randomNumbers(8);
    const numbers = (length: number, from: number) => Int32Array.from({ length }, () => from + (random() % 1000));
    const common = numbers(2_000, 0);
    const first = Int32Array.from([...numbers(15_000, 1_000), ...common, ...numbers(15_000, 1_000)]);
    const second = Int32Array.from([...numbers(15_000, 3_000), ...common, ...numbers(15_000, 3_000)]);
    expect(check(first, second)).toBe(common.length);
  });
});
