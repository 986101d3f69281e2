// diff against recorded runs that were changed in known places, and two real recordings of one driver.
import { describe, expect, test } from "vitest";
import { openTrace } from "../trace/file-source.js";
import { randomNumbers } from "../trace/made-up-records.js";
import type { TraceReader } from "../trace/reader.js";
import { AccessRegisters } from "./access-registers.js";
import { collectSequences, type DeviceSequence } from "./access-sequence.js";
import { diffTraces, Masks } from "./diff-traces.js";
import { alignSequences } from "./sequence-alignment.js";
import { importedTrace, recordedText, recordedTrace } from "./traces-for-tests.js";

async function sequencesOf(reader: TraceReader): Promise<DeviceSequence[]> {
  const sequences = await collectSequences(reader, new AccessRegisters(), {});
  await reader.close();
  return sequences;
}

const text = recordedText();
const original = () => importedTrace().then(sequencesOf);
const changed = (change: (lines: string[]) => string[]) =>
  importedTrace(change(text.split("\n")).join("\n")).then(sequencesOf);
/** The number of the `count`th line (from 0) that matches. */
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
      // Reads that stood on both sides of a missing write are one repeated read then.
      expect(lost).toBeGreaterThanOrEqual(count);
      expect(device!.missing - device!.extra).toBe(lost);
      // Bits shifted in and out look alike at many places, so that a few may be laid beside a neighbour.
      expect(device!.extra).toBeLessThanOrEqual(Math.floor(lost / 20));
      expect(back.extra - back.missing).toBe(lost);
      expect(back.missing).toBeLessThanOrEqual(Math.floor(lost / 20));
    }
  });

  test("how often a register is polled is no difference", async () => {
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
    // One bit varied: that bit alone may.
    expect(diffTraces(first, again, masks).same).toBe(true);
    expect(diffTraces(first, second, masks).same).toBe(false);
    masks.learn(first, await withValue("0xfff51000"));
    // So many that it is an address.
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
  // Where its rings lie differs in every run.
  expect(different).toContain("TDBAL");
  expect(different).toContain("RDBAL");
});

test("aligned pairs are equal, ascending, and as many as were left alone", () => {
  const random = randomNumbers(7);
  for (let round = 0; round < 60; round += 1) {
    const first = Int32Array.from({ length: 400 }, () => random() % (round < 30 ? 4 : 100));
    const kept = [...first].filter(() => random() % 10 !== 0);
    const second = Int32Array.from(kept.flatMap((one) => (random() % 20 === 0 ? [one, 1000] : [one])));
    const pairs = alignSequences(first, second);
    let before = { first: -1, second: -1 };
    for (const pair of pairs) {
      expect(first[pair.first]).toBe(second[pair.second]);
      expect(pair.first).toBeGreaterThan(before.first);
      expect(pair.second).toBeGreaterThan(before.second);
      before = pair;
    }
    expect(pairs.length).toBeGreaterThan(0.8 * kept.length);
  }
});
