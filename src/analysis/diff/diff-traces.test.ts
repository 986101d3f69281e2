// tier: quick
// diff against recorded runs that were changed in known places, and two real recordings of one driver.

import { describe, expect, test } from "vitest";
import { madeUpHeader, madeUpSummary, RecordList, randomNumbers } from "../../../dev/test-support/made-up-records.js";
import { realLog, whyNoRealLogs } from "../../../dev/test-support/real-logs.js";
import { importedTrace, recordedText, recordedTrace } from "../../../dev/test-support/recorded-traces.js";
import { builtInFor } from "../../registers/files/index.js";
import { TraceReader } from "../../trace/file/reader.js";
import { MemorySink } from "../../trace/file/sink.js";
import { MemorySource } from "../../trace/file/source.js";
import { TraceWriter } from "../../trace/file/writer.js";
import { nodeCodec } from "../../trace/node/codec.js";
import { openTrace } from "../../trace/node/file-source.js";
import { RecordKind } from "../../trace/record.js";
import { inSpace } from "../../trace/space.js";
import { AccessRegisters } from "../view/access-registers.js";
import { type CollectedAccesses, collectDiffAccesses } from "./access-sequence.js";
import { diffTraces, Masks } from "./diff-traces.js";
import { alignSequences } from "./sequence-alignment.js";
import { pairSequences } from "./sequence-pairs.js";

async function accessesOf(reader: TraceReader): Promise<CollectedAccesses> {
  const accesses = await collectDiffAccesses(reader, new AccessRegisters(builtInFor), {});
  await reader.close();
  return accesses;
}

const text = recordedText();
const original = () => importedTrace().then(accessesOf);
const changed = (change: (lines: string[]) => string[]) =>
  importedTrace(change(text.split("\n")).join("\n")).then(accessesOf);
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
      const [pair] = pairSequences(whole, less);
      const lost = pair!.first.length - pair!.second.length;
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
  const ours = await accessesOf(await openTrace(recordedTrace));
  const result = diffTraces(kernels, ours);
  expect(result.devices).toMatchObject([{ device: "0000:00:03.0", both: true }]);
  expect(result.devices[0]!.aligned).toBeGreaterThan(0.97 * pairSequences(kernels, ours)[0]!.first.length);
  const different = result.differences.filter(({ kind }) => kind === "written").map(({ first }) => first!.register);
  // The addresses of its rings differ in every run.
  expect(different).toContain("TDBAL");
  expect(different).toContain("RDBAL");
});

describe("what can't be compared by BAR", () => {
  const head = "VERSION 20070824\n";
  /** A function's line: BAR 0 has 4 KiB at `start`. */
  const device = (start: string, id = "8086100e") =>
    `PCIDEV 0018 ${id} b ${start}${" 0".repeat(6)} 1000${" 0".repeat(6)}\n`;
  const read = (address: string, value = "0x1", mapping = 1) => `R 4 1.000000 ${mapping} ${address} ${value} 0x0 0\n`;
  const write = (address: string, value = "0x1", mapping = 1) => read(address, value, mapping).replace("R", "W");
  const map = (mapping: number, address: string, length = "0x1000") =>
    `MAP 1.000000 ${mapping} ${address} 0xffffc90000000000 ${length} 0x0 0\n`;
  const compare = async (first: string, second: string, masks = new Masks()) =>
    diffTraces(await importedTrace(first).then(accessesOf), await importedTrace(second).then(accessesOf), masks);

  test("is compared by physical address where there are neither devices nor mappings", async () => {
    const lines = (value: string) => head + write("0xd7000100", value) + read("0xd7000104") + write("0xd7000108");
    expect(await compare(lines("0x1"), lines("0x1"))).toMatchObject({
      same: true,
      compared: 6,
      devices: [{ by: "address", device: "physical addresses", both: true, aligned: 3, written: 0 }],
    });
    const changed = await compare(lines("0x1"), lines("0x2"));
    expect(changed).toMatchObject({ same: false, devices: [{ written: 1, missing: 0, extra: 0 }] });
    expect(changed.differences).toMatchObject([
      { kind: "written", first: { register: "0xd7000100", value: 1n }, second: { bar: null, value: 2n } },
    ]);
    const less = await compare(lines("0x1"), head + read("0xd7000104"));
    expect(less).toMatchObject({ same: false, devices: [{ missing: 2, extra: 0 }] });
  });

  test("calls virtual addresses and ports by their names, and compares them with no physical address", async () => {
    const [virtual, physical] = ["0xffffffffc8100018", "0xd7000100"];
    const lines = (value: string) => head + write(virtual!, value) + write(physical!, value);
    const { devices, differences } = await compare(lines("0x1"), lines("0x2"));
    expect(devices).toMatchObject([
      { by: "address", device: "physical addresses", aligned: 1, written: 1 },
      { by: "address", device: "virtual addresses", aligned: 1, written: 1 },
    ]);
    expect(differences.map(({ first }) => first!.register)).toEqual([physical, virtual]);
    expect(await compare(head + write(virtual!), head + write(physical!))).toMatchObject({
      same: false,
      devices: [
        { device: "physical addresses", missing: 0, extra: 1 },
        { device: "virtual addresses", missing: 1, extra: 0 },
      ],
    });
    const port = `0x${inSpace("ports", 0x70n).toString(16)}`;
    const ports = await compare(head + write(port, "0x1"), head + write(port, "0x2"));
    expect(ports.devices).toMatchObject([{ by: "address", device: "ports", written: 1 }]);
    expect(ports.differences).toMatchObject([{ first: { register: "0x70" } }]);
    const own = `0x${inSpace("configuration", 0x70n).toString(16)}`;
    const configuration = await compare(head + write(own, "0x1"), head + write(own, "0x2"));
    expect(configuration.devices).toMatchObject([{ by: "address", device: "configuration space", written: 1 }]);
  });

  test("nothing compared with nothing is not the same", async () => {
    expect(await compare(head + map(1, "0xd7000000"), head)).toMatchObject({ same: false, compared: 0, devices: [] });
  });

  test("is compared by offset in mappings of one size, in their order, wherever they are", async () => {
    const run = (first: string, second: string, value: string) =>
      `${head}${map(1, `${first}0000`)}${map(2, `${second}0000`)}${map(3, "0xc0000000", "0x3000")}` +
      `${write(`${second}0010`, value, 2)}${read("0xc0002000", "0x7", 3)}${read(`${second}0014`, "0x7", 2)}`;
    const one = run("0xd000", "0xd001", "0x5");
    const same = await compare(one, run("0xe000", "0xe001", "0x5"));
    expect(same).toMatchObject({ same: true, compared: 6 });
    expect(same.devices).toMatchObject([
      { by: "mapping", device: "mapping 0xd0010000+0x1000", otherDevice: "mapping 0xe0010000+0x1000", aligned: 2 },
      { by: "mapping", device: "mapping 0xc0000000+0x3000", otherDevice: null, aligned: 1 },
    ]);
    const { differences } = await compare(one, run("0xe000", "0xe001", "0x6"));
    expect(differences).toMatchObject([{ kind: "written", first: { register: "+0x10", address: 0xd0010010n } }]);
    // the same ranges in another order
    expect(await compare(one, run("0xd001", "0xd000", "0x5"))).toMatchObject({ same: false });
  });

  test("a device that only one log knows is compared with the mapping or the addresses of the other", async () => {
    const accesses = (value: string) => write("0xfe000010", value) + read("0xfe000008");
    const known = head + device("fe000000") + map(1, "0xfe000000") + accesses("0x1");
    const nameless = await compare(known, head + map(1, "0xfe000000") + accesses("0x2"));
    expect(nameless.devices).toMatchObject([{ by: "mapping", aligned: 2, written: 1 }]);
    expect(nameless.differences).toMatchObject([{ first: { register: "EECD" }, second: { register: "+0x10" } }]);
    const overwritten = await compare(known, head + accesses("0x2"));
    expect(overwritten.devices).toMatchObject([{ by: "address", aligned: 2, written: 1, missing: 0, extra: 0 }]);
    // two devices of different kinds aren't compared, though their mappings are of one size
    const other = `${head}${device("fd000000", "10ec8139")}${map(1, "0xfd000000")}`;
    const apart = await compare(known, other + write("0xfd000010") + read("0xfd000008"));
    expect(apart.devices).toMatchObject([{ by: "address", both: true, aligned: 0, missing: 2, extra: 2 }]);
  });

  test("a device that both know is compared by BAR at any address, also where only one accesses it", async () => {
    const run = (start: string, accesses: string) => head + device(`${start}00000`) + accesses;
    const one = run("fe0", write("0xfe000010"));
    expect(await compare(one, run("fd0", write("0xfd000010")))).toMatchObject({
      same: true,
      devices: [{ by: "bar", device: "0000:00:03.0", aligned: 1 }],
    });
    expect(await compare(one, run("fd0", ""))).toMatchObject({
      same: false,
      devices: [{ by: "bar", both: false, missing: 1, extra: 0 }],
    });
    expect(await compare(run("fd0", ""), one)).toMatchObject({ same: false, devices: [{ by: "bar", extra: 1 }] });
  });

  test("as many missing as extra, or as written otherwise, are not the same", async () => {
    const one = head + write("0xd0000000") + read("0xd0000004") + write("0xd0000008");
    const exchanged = await compare(one, head + write("0xd0000000") + read("0xd0000014") + write("0xd0000008"));
    expect(exchanged).toMatchObject({ same: false, devices: [{ written: 0, missing: 1, extra: 1 }] });
    const both = await compare(one, head + write("0xd0000000", "0x2") + write("0xd0000008"));
    expect(both).toMatchObject({ same: false, devices: [{ written: 1, missing: 1, extra: 0 }] });
  });

  test("bits that varied may vary; more than eight, and all of the register's may", async () => {
    const lines = (value: string) => head + write("0xd7000100", value);
    const after = async (again: string, second: string) => {
      const masks = new Masks();
      const first = await importedTrace(lines("0x0")).then(accessesOf);
      masks.learn(first, await importedTrace(lines(again)).then(accessesOf));
      return (await compare(lines("0x0"), lines(second), masks)).same;
    };
    expect([await after("0xff", "0x81"), await after("0xff", "0x100")]).toEqual([true, false]);
    expect(await after("0x1ff", "0x80000000")).toBe(true);
  });

  test("a place without a register's name is called by its BAR and offset", async () => {
    const run = (value: string) => `${head}${device("fe000000", "12345678")}${write("0xfe000010", value)}`;
    const { differences } = await compare(run("0x1"), run("0x2"));
    expect(differences).toMatchObject([
      { first: { register: "BAR0+0x10" }, second: { register: "BAR0+0x10", bar: 0 } },
    ]);
  });

  test("a read that other accesses part from its repetition is one entry only within its own sequence", async () => {
    const parted = `${head}${map(1, "0xd0000000")}${map(2, "0xe0000000", "0x2000")}${read("0xd0000000")}${write("0xe0000000", "0x1", 2)}`;
    const result = await compare(parted + read("0xd0000000", "0x3"), parted);
    expect(result).toMatchObject({
      same: true,
      devices: [
        { aligned: 1, read: 1 },
        { aligned: 1, written: 0 },
      ],
    });
  });

  test("masks fit places there, too; one that fits nothing is refused, and so is a run with nothing in common", async () => {
    const lines = (value: string) => head + write("0xd7000100", value);
    const masked = (register: string) => {
      const masks = new Masks();
      masks.add({ register, bits: ~0n });
      return compare(lines("0x1"), lines("0x2"), masks);
    };
    expect(await masked("0xd7000100")).toMatchObject({ same: true, devices: [{ masked: 1, written: 0 }] });
    await expect(masked("NOREG")).rejects.toThrow("neither trace has a compared access to a register called NOREG");
    const first = await importedTrace(lines("0x1")).then(accessesOf);
    const other = await importedTrace(head + write("0xd8000100")).then(accessesOf);
    expect(() => new Masks().learn(first, other)).toThrow("no access in common");
    const masks = new Masks();
    masks.learn(first, await importedTrace(lines("0x4")).then(accessesOf));
    expect(await compare(lines("0x1"), lines("0x9"), masks)).toMatchObject({ same: false });
    expect(await compare(lines("0x1"), lines("0x4"), masks)).toMatchObject({ same: true });
  });

  test("differing reads don't crowd out differing writes of the list", async () => {
    const many = (value: string) =>
      Array.from({ length: 10_050 }, (_, at) => read(`0x${(0xd0000000 + 4 * at).toString(16)}`, value)).join("");
    const result = await compare(
      head + many("0x1") + write("0xd7000100", "0x1"),
      head + many("0x2") + write("0xd7000100", "0x2"),
    );
    expect(result.devices).toMatchObject([{ read: 10_050, written: 1 }]);
    expect(result.more).toBe(true);
    expect(result.differences.length).toBe(10_001);
    expect(result.differences.at(-1)).toMatchObject({ kind: "written" });
  });
});

describe.skipIf(whyNoRealLogs() !== undefined)(
  `two logs of one driver on one machine (${whyNoRealLogs() ?? "there"})`,
  () => {
    test("are compared by mapping and address, all of their accesses, and differ", async () => {
      const [one, two] = ["titanv-nouveau-1.mmiotrace", "titanv-nouveau-2.mmiotrace"].map(realLog) as [string, string];
      const [first, second] = [await importedTrace(one).then(accessesOf), await importedTrace(two).then(accessesOf)];
      const result = diffTraces(first, second);
      const inAll = (log: string) => log.split("\n").filter((line) => /^[RW] /.test(line)).length;
      const pairs = pairSequences(first, second);
      const countOf = (entries: readonly { count: number }[]) => entries.reduce((all, { count }) => all + count, 0);
      expect(countOf(pairs.flatMap((pair) => pair.first))).toBe(inAll(one));
      expect(countOf(pairs.flatMap((pair) => pair.second))).toBe(inAll(two));
      expect(result.same).toBe(false);
      for (const [at, { aligned, missing, extra }] of result.devices.entries()) {
        expect([aligned + missing, aligned + extra]).toEqual([pairs[at]!.first.length, pairs[at]!.second.length]);
      }
      const [bar0] = result.devices;
      expect(bar0).toMatchObject({ by: "mapping", device: "mapping 0xd7000000+0x1000000", both: true });
      expect(bar0!.aligned).toBeGreaterThan(15_000);
    });
  },
);

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

  test("between common runs of sequences that are too different, single entries are paired within their gap", () => {
    let next = 1_000_000;
    const others = (length: number) => Array.from({ length }, () => next++);
    const [first, second]: [number[], number[]] = [[], []];
    const wanted: { first: number; second: number }[] = [];
    const both = (...entries: number[]) => {
      for (const entry of entries) wanted.push({ first: first.push(entry) - 1, second: second.push(entry) - 1 });
    };
    for (let run = 0; run < 20; run += 1) {
      first.push(...others(440));
      second.push(...others(430));
      both(next++);
      first.push(...others(10));
      second.push(...others(450));
      both(next++);
      // entries of the run behind the gap, which belong to that run
      const common = others(8);
      first.push(...others(9), common[5]!, ...others(9));
      second.push(...others(7), common[3]!, ...others(7));
      both(...common);
    }
    expect(alignSequences(Int32Array.from(first), Int32Array.from(second))).toEqual(wanted);
  });

  test("of a run that comes again, each one is paired with its own", () => {
    const random = randomNumbers(9);
    const numbers = (length: number, from: number) => Int32Array.from({ length }, () => from + (random() % 1000));
    const common = numbers(600, 0);
    const twice = (from: number) => {
      const others = () => numbers(10_000, from);
      return Int32Array.from([...others(), ...common, ...others(), ...common, ...others()]);
    };
    expect(check(twice(1_000), twice(3_000))).toBe(2 * common.length);
  });
});

test("a device's driver is the one that it had at any time in the trace", async () => {
  const [nic] = madeUpHeader().pciFunctions;
  const run = async (...drivers: (string | null)[]) => {
    const sink = new MemorySink();
    const [first, ...later] = drivers.map((driver) => ({ pciFunctions: [{ ...nic!, driver }] }));
    const writer = await TraceWriter.into(sink, madeUpHeader(first), nodeCodec);
    for (const update of later) await writer.note(update);
    const list = new RecordList();
    list.add({ kind: RecordKind.read, address: 0xfebc0008n, width: 4, tsc: 1n });
    await writer.append(list.records);
    await writer.close(madeUpSummary);
    return accessesOf(await TraceReader.open(new MemorySource(sink.bytes), nodeCodec));
  };
  for (const [drivers, wanted] of [
    [[null, "e1000"], "e1000"],
    [["e1000", null], "e1000"],
    [[null], null],
  ] as const) {
    const [device] = diffTraces(await run(...drivers), await run(...drivers)).devices;
    expect([drivers, device!.driver]).toEqual([drivers, wanted]);
  }
});

test("of traces with made-up addresses, a device that only one of them has is compared with nothing", async () => {
  const [nic] = madeUpHeader().pciFunctions;
  const disk = {
    ...{ ...nic!, address: "0000:00:05.0", vendor: "0x1af4" as const, device: "0x1001" as const, driver: "disk" },
    bars: [{ ...nic!.bars[0]!, start: "0xfe000000" as const }],
  };
  const run = async (...pciFunctions: (typeof disk)[]) => {
    const sink = new MemorySink();
    const header = madeUpHeader({ pciFunctions: [nic!, ...pciFunctions], lacks: ["address"] });
    const writer = await TraceWriter.into(sink, header, nodeCodec);
    const list = new RecordList();
    list.add({ kind: RecordKind.read, address: 0xfebc0008n, width: 4, tsc: 1n });
    for (const { bars } of pciFunctions) {
      for (const offset of [0n, 4n]) {
        list.add({ kind: RecordKind.write, address: BigInt(bars[0]!.start) + offset, width: 4, tsc: 2n });
      }
    }
    await writer.append(list.records);
    await writer.close(madeUpSummary);
    return accessesOf(await TraceReader.open(new MemorySource(sink.bytes), nodeCodec));
  };
  const [both, one] = [await run(disk), await run()];
  const told = ({
    by,
    device,
    otherDevice,
    driver,
    kind,
    first,
    second,
  }: ReturnType<typeof pairSequences>[number]) => ({
    ...{ by, device, otherDevice, driver, kind },
    counts: [first.length, second.length],
  });
  const alone = { by: "bar", device: "0000:00:05.0", otherDevice: null, driver: "disk", kind: "0x1af4 0x1001" };
  expect(pairSequences(both, one).map(told)).toContainEqual({ ...alone, counts: [2, 0] });
  expect(pairSequences(one, both).map(told)).toContainEqual({ ...alone, counts: [0, 2] });
});
