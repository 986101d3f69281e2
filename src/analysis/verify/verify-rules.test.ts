// tier: quick
// verify's rules, one by one, on made-up recordings.
import { describe, expect, test } from "vitest";
import { madeUpHeader } from "../../../dev/test-support/made-up-records.js";
import { bar, Recording, verifyRecords } from "../../../dev/test-support/made-up-truth.js";
import { FormatError, UserError } from "../../base/errors.js";
import { RecordFlag, RecordKind } from "../../trace/record.js";

describe("the rules", () => {
  test("accesses are split as QEMU splits them: 8 and 16 bytes for a device of 4", async () => {
    const result = await new Recording()
      .map()
      .both(0, 1n)
      .traced("read", 8, 8, 0x1122334455667788n)
      .logged("read", 4, 8, 0x55667788n)
      .logged("read", 4, 12, 0x11223344n)
      .traced("write", 16, 16, 0x44444444_33333333_22222222_11111111n)
      .logged("write", 4, 16, 0x11111111n)
      .logged("write", 4, 20, 0x22222222n)
      .logged("write", 4, 24, 0x33333333n)
      .logged("write", 4, 28, 0x44444444n)
      .verify();
    expect(result).toMatchObject({ identical: true, compared: 7 });
    expect(result.split).toBeGreaterThan(0);
  });

  test("an access that QEMU widens is compared by its own bytes", async () => {
    const narrow = (value: bigint) =>
      new Recording().map().both(0, 1n).traced("read", 1, 8, value).logged("read", 4, 8, 0x11223344n).verify();
    expect(await narrow(0x44n)).toMatchObject({ identical: true, widened: 1 });
    expect(await narrow(0x45n)).toMatchObject({ identical: false });
  });

  test("of the log's value only the accessed bytes count: QEMU logs all ones where nothing answers", async () => {
    const logged = (value: bigint) =>
      new Recording().map().both(0, 1n).traced("read", 1, 8, 0xffn).logged("read", 1, 8, value).verify();
    expect(await logged(0xffff_ffff_ffff_ffffn)).toMatchObject({ identical: true });
    expect(await logged(0xffff_ffff_ffff_ff7fn)).toMatchObject({ identical: false });
  });

  test("a 53c8xx's own copies don't count, but everything else does", async () => {
    const copied = (...more: [offset: number, value: bigint][]) => {
      const recording = new Recording().map().both(0, 1n);
      recording.log.push(`lsi_memcpy memcpy dest 0x${(bar + 0x34n).toString(16)} src 0x1234 count 2`);
      for (const [offset, value] of more) recording.logged("write", 1, offset, value);
      return recording.both(4, 2n).verify();
    };
    expect(await copied([0x34, 7n], [0x35, 8n])).toMatchObject({ identical: true, compared: 2 });
    const further = await copied([0x34, 7n], [0x35, 8n], [0x36, 9n]);
    expect(further.differences).toMatchObject([{ kind: "missing", truth: { address: "0xfebc0036" } }]);
    const twice = await copied([0x34, 7n], [0x34, 7n]);
    expect(twice.differences).toMatchObject([{ kind: "missing", truth: { address: "0xfebc0034" } }]);
  });

  test("an NMI's accesses between another one's claim of its place and that access itself may be seen before it, but no others", async () => {
    const nmi = { flags: RecordFlag.nmi | RecordFlag.unordered };
    const interrupted = (flags: Partial<typeof nmi>, ...order: number[]) => {
      const recording = new Recording().map().both(0, 9n);
      recording.traced("write", 4, 0, 1n);
      recording.traced("write", 4, 0, 2n, flags).traced("read", 4, 4, 3n, flags).both(0, 9n);
      const last = recording.log.pop()!;
      for (const value of order)
        recording.logged(value === 3 ? "read" : "write", 4, value === 3 ? 4 : 0, BigInt(value));
      recording.log.push(last);
      return recording.verify();
    };
    for (const order of [
      [1, 2, 3],
      [2, 1, 3],
      [2, 3, 1],
    ]) {
      expect(await interrupted(nmi, ...order)).toMatchObject({ identical: true, order: "each CPU" });
    }
    for (const order of [
      [3, 2, 1],
      [1, 3, 2],
    ]) {
      expect(await interrupted(nmi, ...order)).toMatchObject({ identical: false });
    }
    expect(await interrupted({}, 2, 3, 1)).toMatchObject({ identical: false });
  });

  test("a width between a region's narrowest and widest must be the same", async () => {
    const recording = new Recording().map().traced("read", 2, 8, 0x3344n).logged("read", 4, 8, 0x3344n);
    recording.traced("read", 1, 0, 1n).logged("read", 1, 0, 1n);
    expect(await recording.verify()).toMatchObject({ identical: false });
  });

  test("only what happens while a mapping lives counts", async () => {
    const result = await new Recording()
      .logged("write", 4, 0, 1n)
      .logged("write", 4, 0, 7n)
      .map()
      .both(0, 7n)
      .both(4, 2n)
      .unmap()
      .logged("read", 4, 0, 0n)
      .logged("read", 4, 4, 0n)
      .map(bar, 2)
      .both(0, 3n)
      .unmap(bar, 2)
      .logged("read", 4, 8, 0n)
      .verify({}, { leaveOutUnmapped: true });
    expect(result).toMatchObject({ identical: true, compared: 3, leftOut: { noMappingAlive: 5, maybeMissing: 5 } });
    expect(result.regions).toMatchObject([{ trace: 3, truth: 8, maybeMissing: 5, behindEnd: 0, differences: 0 }]);
  });

  test("within a fence, what may have been missed at a mapping's ends counts unless asked otherwise", async () => {
    const recording = new Recording().post(0x4d, 0x4d, 0x53, 1, 1, 2, 3, 4).map();
    recording
      .logged("read", 4, 0, 1n)
      .both(0, 2n)
      .logged("read", 4, 0, 3n)
      .unmap()
      .post(0x4d, 0x4d, 0x53, 2, 1, 2, 3, 4);
    const result = await recording.verify({ fence: "01020304" });
    expect(result.differences.map(({ kind }) => kind)).toEqual(["missing", "missing"]);
    const unfenced = await recording.verify({ fence: null });
    expect(unfenced).toMatchObject({ identical: false, leftOut: { noMappingAlive: 2, maybeMissing: 2 } });
    expect(unfenced.reasons).toEqual([expect.stringMatching(/^2 accesses of the log may be missing: /)]);
    const leftOut = await recording.verify({ fence: null }, { leaveOutUnmapped: true });
    expect(leftOut).toMatchObject({ identical: true, leftOut: { noMappingAlive: 2, maybeMissing: 2 } });
  });

  test("an access that no mapping covered at any moment of its time isn't missing", async () => {
    const recording = new Recording().map().both(0, 1n).logged("write", 4, 0x2000, 7n).both(4, 2n).unmap();
    recording
      .map(bar + 0x2000n, 2)
      .both(0x2000, 3n)
      .logged("write", 4, 0, 7n)
      .both(0x2004, 3n);
    expect(await recording.verify()).toMatchObject({
      identical: true,
      leftOut: { noMappingAlive: 2, maybeMissing: 0 },
    });
  });

  test("an access in the middle of a mapping's life is not left out", async () => {
    const result = await new Recording().map().both(0, 1n).logged("read", 4, 4, 5n).both(0, 2n).unmap().verify();
    expect(result.identical).toBe(false);
    expect(result.differences).toMatchObject([{ kind: "missing", truth: { address: "0xfebc0004", value: "0x5" } }]);
  });

  test("accesses only in the log, while only another device's mapping lives, may be left out", async () => {
    const recording = new Recording().map().both(0, 1n).logged("write", 4, 0x2000, 7n).both(4, 2n);
    recording
      .map(bar + 0x2000n, 2)
      .both(0x2000, 3n)
      .unmap(bar + 0x2000n, 2)
      .both(8, 4n);
    const result = await recording.logged("read", 4, 0x2000, 0n).both(12, 5n).verify({}, { leaveOutUnmapped: true });
    expect(result).toMatchObject({ identical: true, compared: 5, leftOut: { noMappingAlive: 2 } });
    expect(await recording.verify({}, { leaveOutUnmapped: false })).toMatchObject({ identical: false });
  });

  test("a second living mapping keeps its own addresses covered", async () => {
    const result = await new Recording()
      .map(bar, 1, 0x100n)
      .map(bar + 0x100n, 2, 0x100n)
      .both(0, 1n)
      .unmap(bar, 1)
      .logged("read", 4, 0x100, 5n)
      .both(0x104, 1n)
      .verify();
    expect(result.differences).toMatchObject([{ kind: "missing", truth: { address: "0xfebc0100" } }]);
  });

  test("the fence cuts off what is outside, foreign bytes in it or not", async () => {
    const recording = new Recording()
      .map()
      .logged("write", 4, 0, 0x99n)
      .post(0x4d, 0, 0x4d, 0x53, 0xff, 1, 0xde, 0xad, 0xbe, 0, 0xef)
      .both(0, 1n)
      .post(0x4d)
      .both(4, 2n)
      .post(0x4d, 0x4d, 0x53, 2, 0xde, 0, 0xad, 0xbe, 0xef)
      .logged("write", 4, 0, 0x77n);
    const result = await recording.verify({ fence: "deadbeef" });
    expect(result).toMatchObject({ identical: true, compared: 2, leftOut: { outsideFence: 2 } });
    await expect(recording.verify({ fence: "deadbeee" })).rejects.toThrow(UserError);
    expect(await recording.verify({ fence: null })).toMatchObject({ identical: false });
  });

  test("a fence without its end can't be verified", async () => {
    const recording = new Recording().map().post(0x4d, 0x4d, 0x53, 1, 1, 2, 3, 4).both(0, 1n);
    await expect(recording.verify({ fence: "01020304" })).rejects.toThrow(/but not its end/);
  });

  test("the order across regions counts, and is told from a difference within one", async () => {
    const recording = new Recording()
      .map()
      .map(bar + 0x10000n, 2)
      .both(0, 1n);
    recording.traced("write", 4, 4, 2n).traced("write", 4, 0x10000, 3n, { mapping: 2 });
    recording.logged("write", 4, 0x10000, 3n, 0, "disk").logged("write", 4, 4, 2n);
    const result = await recording.verify();
    expect(result.identical).toBe(false);
    expect(result.reasons).toEqual(["each region's accesses are identical, but their order across regions is not"]);
    expect(result).toMatchObject({ onlyOrder: true, whole: true });
  });

  test("differences are counted by their kind, in a region's row and in the reason", async () => {
    const recording = new Recording().map().both(0, 1n);
    for (let at = 0; at < 8; at += 1) recording.both(4 * at, BigInt(at));
    recording.traced("write", 4, 0x40, 5n).logged("write", 4, 0x40, 6n);
    for (let at = 0; at < 8; at += 1) recording.both(4 * at, BigInt(at));
    recording.logged("write", 4, 0x44, 1n).logged("write", 4, 0x48, 1n);
    for (let at = 0; at < 8; at += 1) recording.both(4 * at, BigInt(at));
    for (let at = 0; at < 3; at += 1) recording.traced("write", 4, 0x24 + 4 * at, 1n);
    for (let at = 0; at < 8; at += 1) recording.both(4 * at, BigInt(at));
    const result = await recording.verify({ fence: null });
    expect(result.regions).toMatchObject([
      { trace: 37, truth: 36, differences: 6, changed: 1, missing: 2, extra: 3, maybeMissing: 0, behindEnd: 0 },
    ]);
    expect(result).toMatchObject({ identical: false, whole: true, onlyOrder: false, leftOut: { cutLine: null } });
    expect(result.reasons).toEqual(["1 access differs, 2 are missing in the trace, 3 are only in the trace"]);
    const alone = async (...kinds: ("traced" | "logged")[]) => {
      const one = new Recording().map().both(0, 1n).both(4, 2n);
      for (const kind of kinds) one[kind]("write", 4, 0x40, 5n);
      return (await one.both(8, 1n).both(12, 2n).verify({ fence: null })).reasons;
    };
    expect(await alone("logged")).toEqual(["1 access is missing in the trace"]);
    expect(await alone("logged", "logged")).toEqual(["2 accesses are missing in the trace"]);
    expect(await alone("traced")).toEqual(["1 access is only in the trace"]);
  });

  describe("a log that is cut within its last line", () => {
    const recordingOf = (traced: number, logged: number) => {
      const recording = new Recording().map();
      for (let at = 0; at < Math.max(traced, logged); at += 1) {
        if (at < traced) recording.traced("write", 4, 4 * at, BigInt(at));
        if (at < logged) recording.logged("write", 4, 4 * at, BigInt(at));
      }
      return recording;
    };
    const compared = (recording: Recording, cut: boolean) =>
      verifyRecords(
        recording.list.records,
        madeUpHeader({ fence: null }),
        `${recording.log.join("\n")}\n${recording.log[0]!.slice(0, 60)}`,
        { cut },
      );

    test("is a reason against sameness, unless the trace was cut before it", async () => {
      const same = await compared(recordingOf(4, 4), false);
      expect(same).toMatchObject({ identical: false, whole: false, leftOut: { cutLine: null } });
      expect(same.reasons).toEqual([expect.stringMatching(/log is cut within its last line, 5$/)]);
      const killed = await compared(recordingOf(3, 5), true);
      expect(killed).toMatchObject({
        identical: true,
        whole: true,
        reasons: [],
        leftOut: { cutLine: 6, behindEnd: 2 },
      });
      expect(killed.regions).toMatchObject([{ trace: 3, truth: 5, behindEnd: 2, maybeMissing: 0, differences: 0 }]);
      const longer = await compared(recordingOf(6, 4), true);
      expect(longer).toMatchObject({ identical: false, whole: false, leftOut: { cutLine: null } });
      expect(longer.reasons).toEqual([
        expect.stringMatching(/log is cut within its last line, 5$/),
        "2 accesses are only in the trace",
      ]);
    });

    test("is none behind the fence", async () => {
      const fenced = new Recording().map();
      fenced.post(0x4d, 0x4d, 0x53, 1, 1, 2, 3, 4).both(0, 1n).post(0x4d, 0x4d, 0x53, 2, 1, 2, 3, 4);
      const log = `${fenced.log.join("\n")}\n${fenced.log[8]!.slice(0, 60)}`;
      const result = await verifyRecords(fenced.list.records, madeUpHeader({ fence: "01020304" }), log);
      expect(result).toMatchObject({ identical: true, whole: true, leftOut: { cutLine: null } });
    });
  });

  test("a damaged access in the log is a reason against sameness", async () => {
    for (const damaged of [
      "emory_region_ops_write cpu 0 mr 0x55aa addr 0xfebc0000 value 0x1 size 4 name 'nic'",
      "word: memory_region_ops_write cpu 0 mr 0x1 addr 0xfebc0000 value 0x1 size 4 name 'nic'",
    ]) {
      const recording = new Recording().map().both(0, 1n);
      recording.log.push(damaged, "memory_region_subpage_read cpu 0 mr 0x55aa offset 0x0 value 0x1 size 4", "words");
      const result = await recording.both(4, 1n).verify({ fence: null });
      expect(result).toMatchObject({ identical: false, whole: false });
      expect(result.reasons).toEqual([expect.stringMatching(/^1 line of .*; the first is line 2$/)]);
    }
  });

  test("a damaged access in the log counts where the recording is, and neither before nor after", async () => {
    const damaged = "word: memory_region_ops_write cpu 0 mr 0x1 addr 0xfebc0000 value 0x1 size 4 name 'nic'";
    const faultsOf = async (place: "before" | "within" | "after") => {
      const recording = new Recording().map();
      const add = (here: string) => (here === place ? recording.log.push(damaged) : 0);
      add("before");
      recording.post(0x4d, 0x4d, 0x53, 1, 1, 2, 3, 4).both(0, 1n);
      add("within");
      recording.both(4, 1n).post(0x4d, 0x4d, 0x53, 2, 1, 2, 3, 4);
      add("after");
      return (await recording.verify({ fence: "01020304" })).reasons;
    };
    expect(await faultsOf("within")).toEqual([expect.stringMatching(/^1 line of .*; the first is line 10$/)]);
    expect(await faultsOf("before")).toEqual([]);
    expect(await faultsOf("after")).toEqual([]);
  });

  test("a relaxed trace is compared CPU by CPU", async () => {
    const recording = new Recording().map();
    recording.traced("write", 4, 0, 1n, { cpu: 0 }).traced("write", 4, 4, 2n, { cpu: 1 });
    recording.logged("write", 4, 4, 2n, 1).logged("write", 4, 0, 1n, 0);
    const options = { ...madeUpHeader().options, relaxed: true };
    expect(await recording.verify({ options })).toMatchObject({ identical: true, order: "each CPU" });
    expect(await recording.verify()).toMatchObject({ identical: false });
  });

  test("lost and escaped records are never identical", async () => {
    const lost = new Recording().map().both(0, 1n);
    lost.list.add({ kind: RecordKind.lost, value: [3n, 0n] });
    expect(await lost.verify()).toMatchObject({ reasons: ["3 records were lost while recording"], whole: false });
    const escaped = new Recording().map().both(0, 1n);
    escaped.list.add({ kind: RecordKind.escape, address: bar, width: 3, value: [0x0f6f00n, 0n] });
    expect((await escaped.verify()).reasons).toEqual(["1 instruction escaped emulation"]);
  });

  test("notifications that QEMU didn't log for want of ioeventfd=off are explained, with the remedy", async () => {
    const notified = (width: number) =>
      new Recording()
        .map()
        .both(0, 1n)
        .traced("write", width, 0x20, 2n)
        .both(4, 1n)
        .verify({ pciFunctions: [virtio] });
    const header = madeUpHeader();
    const virtio = { ...header.pciFunctions[0]!, vendor: "0x1af4" as const, driver: "virtio-pci" };
    const { identical, hints } = await notified(2);
    expect(identical).toBe(false);
    expect(hints).toEqual([expect.stringContaining("ioeventfd=off")]);
    // a width that no notification has; another vendor's device; nothing that differs
    expect((await notified(8)).hints).toEqual([]);
    expect((await new Recording().map().both(0, 1n).traced("write", 2, 0x20, 2n).verify()).hints).toEqual([]);
    expect(
      (
        await new Recording()
          .map()
          .both(0, 1n)
          .verify({ pciFunctions: [virtio] })
      ).hints,
    ).toEqual([]);
  });

  test("an access of several records is compared part by part", async () => {
    const recording = new Recording().map();
    recording
      .traced("write", 16, 0, (2n << 64n) | 1n, { flags: RecordFlag.more })
      .traced("write", 16, 16, (4n << 64n) | 3n);
    for (let part = 0; part < 4; part += 1) recording.logged("write", 8, 8 * part, BigInt(part + 1));
    expect(await recording.verify()).toMatchObject({ identical: true, compared: 4 });
  });

  test("accesses to a BAR that the whole log has nothing of are left out and counted, unless all are expected", async () => {
    const framebuffer = bar + 0x100000n;
    const twoBars = [
      { index: 0, start: "0xfebc0000", length_bytes: "0x1000", flags: "0x200" },
      { index: 1, start: "0xfecc0000", length_bytes: "0x1000", flags: "0x200" },
    ] as const;
    const header = { fence: "01020304", pciFunctions: [{ ...madeUpHeader().pciFunctions[0]!, bars: [...twoBars] }] };
    const recording = new Recording();
    recording.map().map(framebuffer, 2).post(0x4d, 0x4d, 0x53, 1, 1, 2, 3, 4).both(0, 1n);
    for (let pixel = 0; pixel < 5; pixel += 1) recording.traced("write", 4, 0x100000 + 4 * pixel, 7n, { mapping: 2 });
    recording.both(4, 2n).post(0x4d, 0x4d, 0x53, 2, 1, 2, 3, 4);
    expect(await recording.verify(header)).toMatchObject({ identical: true, compared: 2, leftOut: { notLogged: 5 } });
    const expected = await recording.verify(header, { expectAll: true });
    expect(expected.identical).toBe(false);
    expect(expected.differences.map(({ kind }) => kind)).toEqual(Array.from({ length: 5 }, () => "extra"));
    // one access there, even outside the fence, proves that QEMU logs the BAR: then all count
    recording.logged("read", 4, 0x100000, 0n);
    expect(await recording.verify(header)).toMatchObject({ identical: false, leftOut: { notLogged: 0 } });
  });

  test("the log's lines may have times in front, as QEMU writes them: none, older, newer", async () => {
    const prefixes = ["", "4242@1700000000.5:", "2026-07-07T03:16:22.158759Z ", "2026-07-07T03:16:23Z "];
    for (const prefix of prefixes) {
      const recording = new Recording().map().both(0, 1n).both(4, 2n);
      recording.log.forEach((line, at) => {
        recording.log[at] = line.replace("4242@1700000000.5:", prefix);
      });
      recording.log.unshift(`${prefix}vfio_listener_region_add 0 - 1`);
      expect(await recording.verify(), prefix).toMatchObject({ identical: true, compared: 2 });
    }
  });

  test("nothing compared with nothing is not identical", async () => {
    const traced = () => new Recording().map().traced("write", 4, 0, 1n);
    const empty = await traced().verify();
    expect(empty.identical).toBe(false);
    expect(empty.reasons).toEqual([expect.stringMatching(/^nothing was compared: \S+ has no memory_region_ops line$/)]);
    const unrelated = await traced().logged("write", 4, 0x500000, 1n).logged("read", 4, 0x500000, 1n).verify();
    expect(unrelated.identical).toBe(false);
    expect(unrelated.reasons).toEqual([
      expect.stringMatching(/^nothing was compared: \S+ has 2 accesses, but none in a mapping of the trace$/),
    ]);
    const neither = await new Recording().map().logged("write", 4, 0, 1n).unmap().verify();
    expect(neither).toMatchObject({ identical: false, leftOut: { noMappingAlive: 1 } });
    expect(neither.reasons).toEqual([expect.stringMatching(/^nothing was compared: the trace and .* in common$/)]);
  });

  test("each place that the log has nothing of has a row of its own", async () => {
    const recording = new Recording().map().both(0, 1n);
    for (const [mapping, offset] of [
      [2, 0x100000],
      [3, 0x200000],
    ] as const) {
      recording.map(bar + BigInt(offset), mapping).traced("write", 4, offset, 7n, { mapping });
    }
    const { regions } = await recording.verify({}, { expectAll: true });
    expect(regions.map(({ name, trace, truth, differences }) => [name, trace, truth, differences])).toEqual([
      ["nic", 1, 1, 0],
      ["", 1, 0, 1],
      ["", 1, 0, 1],
    ]);
    expect(new Set(regions.map(({ device }) => device)).size).toBe(3);
  });

  test("before a difference stand only accesses that both have", async () => {
    const recording = new Recording().map();
    for (let place = 0; place < 10; place += 1) recording.both(4 * place, BigInt(place));
    recording.logged("write", 4, 0x100, 1n).logged("write", 4, 0x104, 2n);
    for (let place = 0; place < 10; place += 1) recording.both(4 * place, BigInt(place));
    const { differences } = await recording.verify();
    expect(differences.map(({ truth, before }) => [truth?.address, before.map(({ address }) => address)])).toEqual([
      ["0xfebc0100", ["0xfebc0020", "0xfebc0024"]],
      ["0xfebc0104", ["0xfebc0024"]],
    ]);
  });

  test("a BAR of memory that the log has at the function's ports is compared there", async () => {
    const bars = [
      { index: 0, start: "0xc000", length_bytes: "0x100", flags: "0x101" },
      { index: 1, start: "0xfebc0000", length_bytes: "0x100", flags: "0x200" },
    ] as const;
    const header = { fence: null, pciFunctions: [{ ...madeUpHeader().pciFunctions[0]!, bars: [...bars] }] };
    const atPorts = (value: bigint) => {
      const recording = new Recording().map(bar, 1, 0x100n).traced("write", 4, 0, 1n).traced("read", 2, 0x3e, 5n);
      return recording.logged("write", 4, 0xc000 - Number(bar), 1n).logged("read", 2, 0xc03e - Number(bar), value);
    };
    expect(await atPorts(5n).verify(header)).toMatchObject({ identical: true, compared: 2, leftOut: { notLogged: 0 } });
    expect(await atPorts(6n).verify(header)).toMatchObject({ identical: false });
    // an access right behind the memory is none of the memory
    const behind = atPorts(5n)
      .map(bar + 0x100n, 2, 0x100n)
      .traced("write", 4, 0x100, 7n, { mapping: 2 })
      .logged("write", 4, 0x100, 7n);
    expect(await behind.verify(header)).toMatchObject({ identical: true, compared: 3 });
    // in a log that has the memory itself, the ports are separate
    const both = atPorts(5n).logged("read", 4, 8, 0n);
    expect((await both.verify(header)).differences.length).toBeGreaterThan(0);
  });

  test("a log that isn't QEMU's is refused with its line", async () => {
    const recording = new Recording().map().both(0, 1n);
    recording.log.push("memory_region_ops_write cpu zero");
    await expect(recording.verify()).rejects.toThrow(FormatError);
    await expect(recording.verify()).rejects.toThrow(/log:2: /);
  });
});
