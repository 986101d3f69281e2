// tier: quick
// The library as other programs see it, held against what we did not write: the kernel's own text, QEMU's log, and against itself.
import { closeSync, existsSync, fstatSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import { BtfWriter } from "../../dev/test-support/btf-writer.js";
import { madeUpHeader } from "../../dev/test-support/made-up-records.js";
import * as browser from "../browser.js";
import {
  type AccessEvent,
  type Bound,
  Btf,
  builtInRegisterNames,
  builtInRegisters,
  convert,
  createTrace,
  cut,
  diff,
  Filter,
  FilterError,
  FormatError,
  findPolls,
  InvalidValueError,
  loadRegisters,
  merge,
  type NewEvent,
  openTrace,
  placeName,
  statistics,
  type Trace,
  type TraceEvent,
  UnfinishedFenceError,
  UserError,
  verify,
} from "../index.js";

const data = (name: string) => fileURLToPath(new URL(`../../test/data/${name}`, import.meta.url));
const recorded = data("e1000.mmt");
const kernelLog = data("e1000-mmiotrace.txt.gz");
const kernelText = gunzipSync(readFileSync(kernelLog)).toString();
/** `R width time map address value pc pid` */
const kernelAccesses = kernelText
  .split("\n")
  .filter((line) => /^[RW] /.test(line))
  .map((line) => line.split(" "));

const folder = mkdtempSync(join(tmpdir(), "mmiostrider-library-"));
afterAll(() => rmSync(folder, { recursive: true }));

async function all(trace: Trace): Promise<TraceEvent[]> {
  const events: TraceEvent[] = [];
  for await (const event of trace.events()) events.push(event);
  return events;
}

const isAccess = (event: TraceEvent): event is AccessEvent => event.kind === "read" || event.kind === "write";

describe("openTrace", () => {
  test("a log's events are what the kernel printed, line by line", async () => {
    const trace = await openTrace(kernelLog);
    const told = (await all(trace)).filter(isAccess).map(({ kind, width_bytes, address, value }) => {
      return `${kind === "read" ? "R" : "W"} ${width_bytes} 0x${address.toString(16)} 0x${value.toString(16)}`;
    });
    expect(told).toEqual(kernelAccesses.map(([op, width, , , address, value]) => `${op} ${width} ${address} ${value}`));
    expect(trace.header.engine).toBe("import");
    expect(trace.summary?.accesses).toBe(kernelAccesses.length);
    await trace.close();
  });

  test("a path, a URL, bytes, a Blob and a stream give the same", async () => {
    const bytes = readFileSync(recorded);
    const whole = await openTrace(recorded);
    const wanted = await all(whole);
    const inputs = {
      url: new URL("../../test/data/e1000.mmt", import.meta.url),
      bytes,
      buffer: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length),
      blob: new Blob([bytes]),
      stream: new Blob([bytes]).stream(),
    };
    for (const input of Object.values(inputs)) {
      const trace = await openTrace(input);
      expect(await all(trace)).toEqual(wanted);
      expect(trace.header).toEqual(whole.header);
      await trace.close();
    }
  });

  test("a packed log is the same from a path, from bytes and from a stream", async () => {
    const bytes = readFileSync(kernelLog);
    const wanted = await all(await openTrace(kernelLog));
    for (const input of [bytes, new Blob([kernelText]), new Blob([bytes]).stream()]) {
      const trace = await openTrace(input, { name: "kernel.txt" });
      expect(trace.name).toBe("kernel.txt");
      expect(await all(trace)).toEqual(wanted);
      await trace.close();
    }
  });

  test("a cut trace opens, and tells where it is cut", async () => {
    const trace = await openTrace(readFileSync(recorded).subarray(0, 20_000));
    expect(trace.damage?.offset).toBeGreaterThan(1_000);
    expect(trace.summary).toBeNull();
    expect(trace.incomplete.length).toBe(1);
    expect((await all(trace)).length).toBeGreaterThan(1_000);
  });

  test("an input that is no trace is refused, with its name", async () => {
    await expect(openTrace(Buffer.from("hello"), { name: "letter" })).rejects.toThrow(/^letter: at byte 0/);
    await expect(openTrace(Buffer.from("hello"))).rejects.toThrow(FormatError);
    await expect(openTrace(join(folder, "missing.mmt"))).rejects.toThrow(UserError);
  });
});

describe("events", () => {
  test("none changes when the next ones come, nor can it be changed", async () => {
    const trace = await openTrace(recorded);
    const shown = (value: unknown) =>
      JSON.stringify(value, (_name, part) => (typeof part === "bigint" ? `${part}n` : part));
    const kept: TraceEvent[] = [];
    const texts: string[] = [];
    for await (const event of trace.events({ fields: true, to: { event: 500 } })) {
      kept.push(event);
      texts.push(shown(event));
    }
    expect(kept.length).toBeGreaterThan(400);
    expect(kept.map(shown)).toEqual(texts);
    const frozen = (value: unknown): boolean =>
      typeof value !== "object" || value === null || (Object.isFrozen(value) && Object.values(value).every(frozen));
    expect(kept.every(frozen)).toBe(true);
    expect(frozen(trace.header)).toBe(true);
    expect(kept.some((event) => "target" in event)).toBe(false);
    await trace.close();
  });

  test("say where, which register, which fields, which code", async () => {
    const trace = await openTrace(recorded);
    for await (const event of trace.events({ filter: new Filter("register == STATUS and read"), fields: true })) {
      if (!isAccess(event)) throw new Error("the filter gives accesses only");
      expect(event.place && placeName(event.place)).toBe("0000:00:04.0 e1000 BAR0+0x8");
      expect(event.meaning).toMatch(/^FD \| LU \| SPEED=1000MB_S/);
      const speed = event.fields?.find(({ name }) => name === "SPEED");
      expect(speed).toEqual({ register: "STATUS", name: "SPEED", low: 6, high: 7, value: 2n, meaning: "1000MB_S" });
      expect(event.site?.function).toBe("e1000_set_media_type");
      expect(event.site?.module).toBe("e1000");
      break;
    }
    expect(trace.placeOf(0xfebc0010n)).toMatchObject({ device: "0000:00:04.0", bar: 0, offset: 0x10n });
    expect(trace.placeOf(0x10n)).toBeNull();
    await trace.close();
  });

  test("a filter that can't be read tells its column", async () => {
    expect(() => new Filter("regster == CTRL")).toThrow(FilterError);
    expect(() => new Filter("regster == CTRL")).toThrow(expect.objectContaining({ name: "FilterError", column: 1 }));
    const trace = await openTrace(recorded);
    await expect(all({ events: () => trace.events({ filter: "cpu ==" }) } as Trace)).rejects.toThrow(/column 7/);
    await trace.close();
  });

  test("a marker that doesn't occur is an error, not an empty or an open range", async () => {
    const trace = await openTrace(kernelLog, { name: "kernel.txt" });
    const hello = { mark: "hello" };
    const first = (await trace.events({ from: hello, to: hello }).next()).value;
    expect(first).toMatchObject({ kind: "mark" });
    const words = 'kernel.txt has no marker with "no such" in the selected part';
    const [target, none] = [join(folder, "nothing.mmt"), { mark: "no such" }];
    for (const selection of [{ from: none }, { to: none }, { from: hello, to: none }]) {
      const reads: (() => Promise<unknown>)[] = [
        async () => {
          for await (const _ of trace.events(selection));
        },
        () => statistics(trace, selection),
        () => diff(trace, trace, { selection }),
        () => cut(trace, target, selection),
      ];
      for (const read of reads) await expect(read()).rejects.toThrow(words);
    }
    expect(existsSync(target)).toBe(false);
    await trace.close();
  });

  test("a bound without a place is refused", async () => {
    const trace = await openTrace(recorded);
    for (const bound of [{}, { time: 3 }]) {
      const from = bound as unknown as Bound;
      await expect(trace.events({ from }).next()).rejects.toThrow(InvalidValueError);
      await expect(statistics(trace, { to: from })).rejects.toThrow(/is no place in a trace: it must have/);
    }
    await trace.close();
  });

  test("columns have what the events have", async () => {
    const trace = await openTrace(recorded);
    const events = (await all(trace)).filter(isAccess);
    const told = [];
    for await (const columns of trace.accessColumns()) {
      for (let row = 0; row < columns.count; row += 1) {
        told.push({
          number: columns.number[row],
          kind: columns.isWrite[row] === 1 ? "write" : "read",
          time_s: columns.time_s[row],
          address: BigInt(columns.address[row]!),
          width_bytes: columns.width_bytes[row],
          value: columns.wide.get(row) ?? columns.value[row],
          mapping: columns.mapping[row],
          cpu: columns.cpu[row],
          pid: columns.pid[row],
          site: columns.site[row],
        });
      }
    }
    const wanted = events.map(({ number, kind, time_s, address, width_bytes, value, mapping, cpu, pid, site }) => {
      return { number, kind, time_s, address, width_bytes, value, mapping, cpu, pid, site: site?.address ?? 0n };
    });
    expect(told).toEqual(wanted);
    expect(told.length).toBe(trace.summary?.accesses);
    await trace.close();
  });
});

describe("a closed trace", () => {
  test("is closed once, whatever else has its descriptor by now", async () => {
    const path = join(folder, "closed.mmt");
    writeFileSync(path, readFileSync(recorded));
    const trace = await openTrace(path);
    const count = trace.eventCount;
    await trace.close();
    const other = openSync(path, "r");
    await Promise.all([trace.close(), trace.close()]);
    expect(fstatSync(other).size).toBe(readFileSync(recorded).length);
    closeSync(other);
    expect(trace.eventCount).toBe(count);
    expect(trace.placeOf(0xfebc0010n)?.bar).toBe(0);
  });

  test("says so to all that read", async () => {
    const trace = await openTrace(readFileSync(recorded), { name: "e1000" });
    const whole = await openTrace(recorded);
    const begun = trace.events();
    await begun.next();
    await trace.close();
    const words = "reading e1000 failed: the trace is closed";
    const reads: (() => Promise<unknown>)[] = [
      () => all(trace),
      () => trace.eventBatches().next(),
      () => trace.follow().next(),
      () => trace.accessColumns().next(),
      () => trace.refresh(),
      () => statistics(trace),
      () => findPolls(trace).next(),
      () => diff(whole, trace),
      () => verify(trace, new Uint8Array()),
      () => cut(trace, join(folder, "closed-cut.mmt"), {}),
      () => merge([trace], join(folder, "closed-merge.mmt")),
      async () => {
        for await (const _ of begun);
      },
    ];
    for (const read of reads) await expect(read()).rejects.toThrow(words);
    await whole.close();
  });
});

describe("a log without times", () => {
  const truth = () => gunzipSync(readFileSync(data("e1000-truth.log.gz")));

  test("has null for each event's time, and NaN in columns", async () => {
    const trace = await openTrace(truth());
    expect(trace.notes).toContain("the log has no times");
    const events = await all(trace);
    expect(events.filter(isAccess).length).toBeGreaterThan(10_000);
    expect(events.filter(({ time_s }) => time_s !== null)).toEqual([]);
    let rows = 0;
    for await (const { time_s } of trace.accessColumns()) {
      rows += time_s.length;
      expect(time_s.every(Number.isNaN)).toBe(true);
    }
    expect(rows).toBe(trace.summary?.accesses);
  });

  test("has null for each time of a result", async () => {
    const path = join(folder, "timeless.mmt");
    const writer = await createTrace(path);
    for (let read = 0; read < 5; read += 1) {
      await writer.add({ kind: "read", address: 0x1000n, width_bytes: 4, value: 1n });
    }
    await writer.close();
    const trace = await openTrace(path);
    const { accesses, first_s, last_s, between_s, devices, polls } = await statistics(trace);
    expect({ first_s, last_s, between_s }).toEqual({ first_s: null, last_s: null, between_s: null });
    expect(accesses).toBe(5);
    expect(devices.map(({ first_s: first }) => first)).toEqual([null]);
    expect(polls.map(({ reads, duration_s }) => [reads, duration_s])).toEqual([[5, null]]);
    const found = [];
    for await (const { count, duration_s } of findPolls(trace)) found.push([count, duration_s]);
    expect(found).toEqual([[5, null]]);
    await trace.close();
  });

  test("so has an event that was written without a time", async () => {
    const { pciFunctions } = (await openTrace(recorded)).header;
    const write = async (value: bigint, time_s?: number) => {
      const path = join(folder, `timeless-${value}.mmt`);
      const writer = await createTrace(path, { pciFunctions });
      const access = { kind: "write", address: 0xfebc0000n, width_bytes: 4 } as const;
      await writer.add({ ...access, value, time_s: null });
      await writer.add({ ...access, value, time_s });
      await writer.add({ ...access, value, time_s: 0 });
      await writer.add({ ...access, value, time_s: 2 });
      await writer.close();
      return openTrace(path);
    };
    const [first, second] = [await write(1n), await write(2n)];
    expect((await all(first)).map(({ time_s }) => time_s)).toEqual([null, null, 0, 2]);
    const early = [];
    for await (const { time_s } of first.events({ filter: "time < 1" })) early.push(time_s);
    expect(early).toEqual([0]);
    const times = [];
    for await (const { time_s } of first.accessColumns()) times.push(...time_s);
    expect(times).toEqual([Number.NaN, Number.NaN, 0, 2]);
    const { differences } = await diff(first, second);
    expect(differences.map(({ first: entry }) => entry?.time_s)).toEqual([null, null, 0, 2]);
    expect(await statistics(first)).toMatchObject({
      ...{ first_s: 0, last_s: 2 },
      between_s: { least: 2, mean: 2, greatest: 2 },
    });
    for (const trace of [first, second]) await trace.close();
  });
});

describe("results", () => {
  test("statistics count what the kernel's text has", async () => {
    const trace = await openTrace(kernelLog);
    const { accesses, reads, registers } = await statistics(trace);
    expect(accesses).toBe(kernelAccesses.length);
    expect(reads).toBe(kernelAccesses.filter(([op]) => op === "R").length);
    const eecd = kernelAccesses.filter(
      ([, , , , address]) => /^0x[0-9a-f]+10$/.test(address!) && address!.endsWith("0010"),
    );
    expect(registers.find(({ register }) => register === "EECD")?.accesses).toBe(eecd.length);
    await trace.close();
  });

  test("the kernel's trace is what QEMU's devices received", async () => {
    const trace = await openTrace(kernelLog);
    const log = join(folder, "truth.log");
    writeFileSync(log, gunzipSync(readFileSync(data("e1000-truth.log.gz"))));
    const result = await verify(trace, log);
    expect(result.compared).toBe(kernelAccesses.length);
    expect(result.identical).toBe(true);
    await trace.close();
  });

  test("a log that ends within the recording is an error of its own", async () => {
    const path = join(folder, "fenced.mmt");
    const writer = await createTrace(path, { fence: "01020304" });
    await writer.close();
    const begun = [0x4d, 0x4d, 0x53, 0x01, 1, 2, 3, 4].map((byte) => {
      return `memory_region_ops_write cpu 0 mr 0x1 addr 0x80 value 0x${byte.toString(16)} size 1 name 'ioport80'\n`;
    });
    const trace = await openTrace(path);
    await expect(verify(trace, Buffer.from(begun.join("")))).rejects.toThrow(UnfinishedFenceError);
    await trace.close();
  });

  test("two different runs differ where they were made to", async () => {
    const first = await openTrace(recorded);
    const path = join(folder, "changed.mmt");
    const writer = await createTrace(path, first.header);
    let changed = 0;
    for await (const event of first.events()) {
      const isCtrl = event.kind === "write" && event.register === "CTRL";
      if (isCtrl) changed += 1;
      await writer.add(isCtrl ? { ...event, value: event.value ^ 1n } : event);
    }
    await writer.close();
    const second = await openTrace(path);
    const result = await diff(first, second);
    expect(result.same).toBe(false);
    expect(result.differences.length).toBe(changed);
    expect(new Set(result.differences.map(({ first: entry }) => entry?.register))).toEqual(new Set(["CTRL"]));
    expect((await diff(first, second, { masks: [{ register: "CTRL", bits: 1n }] })).same).toBe(true);
    for (const trace of [first, second]) await trace.close();
  });

  test("polls are found", async () => {
    const path = join(folder, "poll.mmt");
    const writer = await createTrace(path);
    for (const [index, value] of [0n, 0n, 0n, 2n].entries()) {
      await writer.add({ kind: "read", time_s: index, address: 0x1000n, width_bytes: 4, value });
    }
    await writer.close();
    const trace = await openTrace(path);
    const polls = [];
    for await (const poll of findPolls(trace)) polls.push(poll);
    expect(polls.length).toBe(1);
    expect(polls[0]).toMatchObject({ count: 4, ending: "until", words: "until bit 1 set", duration_s: 3 });
    expect(polls[0]?.last.value).toBe(2n);
    await trace.close();
  });
});

describe("written traces", () => {
  test("a copy, event by event, is the trace", async () => {
    const trace = await openTrace(recorded);
    const path = join(folder, "copy.mmt");
    const writer = await createTrace(path, trace.header);
    for await (const event of trace.events()) await writer.add(event);
    await writer.close();
    const copy = await openTrace(path);
    // symbols are other events there, and drivers that were bound meanwhile are no events
    const plain = (events: TraceEvent[]) =>
      events.map((event) => {
        const place = "place" in event && event.place !== null ? { ...event.place, driver: null } : null;
        return { ...event, number: 0, place };
      });
    expect(plain(await all(copy))).toEqual(plain(await all(trace)));
    expect(copy.summary).toEqual(trace.summary);
    for (const opened of [trace, copy]) await opened.close();
  });

  test("an event that can't be in a trace is refused", async () => {
    const writer = await createTrace(join(folder, "refused.mmt"));
    const access = { kind: "write", address: 0x1000n, width_bytes: 1, value: 1n } as const;
    const map = { kind: "map", mapping: 1, address: 0x1000n, length_bytes: 0x100n } as const;
    const refused: [object, RegExp][] = [
      [{ ...access, value: 256n }, /value is 256 \(bigint\), but must be a bigint from 0 to 0xff$/],
      [{ ...access, value: -1n }, /value is -1 /],
      [{ ...access, value: 1 }, /value is 1 \(number\), but must be a bigint/],
      [{ ...access, address: -1n }, /address is -1 /],
      [{ ...access, address: 1n << 52n }, /address is 4503599627370496 .* to 0xfffffffffffff$/],
      [{ ...access, address: 1 }, /address is 1 \(number\), but must be a bigint/],
      ...[0, 3, 400, 1.5, "4", undefined].map((width_bytes): [object, RegExp] => [
        { ...access, width_bytes },
        /width_bytes is .*, but must be one of 1, 2, 4, 8, 16, 32, 64$/,
      ]),
      [{ ...access, mapping: 2 ** 32 }, /mapping is 4294967296 /],
      [{ ...access, cpu: 70_000 }, /cpu is 70000 \(number\), but must be an integer from 0 to 65535$/],
      [{ ...access, cpu: -1 }, /cpu is -1 /],
      [{ ...access, pid: 2 ** 32 }, /pid is 4294967296 /],
      [{ ...access, tsc: 1n << 64n }, /tsc is 18446744073709551616 /],
      [{ ...access, tsc: 5 }, /tsc is 5 \(number\)/],
      [{ ...access, time_s: -1 }, /time_s is -1 /],
      [{ ...access, time_s: Number.NaN }, /time_s is NaN /],
      [{ ...access, context: "irq" }, /context is "irq" \(string\), but must be one of task, /],
      [{ ...access, flags: ["lcoked"] }, /flags is "lcoked" \(string\), but must be one of locked, /],
      [{ ...access, flags: "locked" }, /flags is "locked" \(string\), but must be an array/],
      [{ ...access, site: { address: 5 } }, /site\.address is 5 \(number\)/],
      [{ ...access, site: { address: 5n, symbol: 5 } }, /site\.symbol is 5 /],
      [{ ...access, caller: { address: 0x1000n } }, /caller\.address is 4096 \(bigint\)/],
      [{ ...map, length_bytes: -1n }, /length_bytes is -1 /],
      [{ ...map, mapping: 0 }, /mapping is 0 .* from 1 to 4294967295$/],
      [{ ...map, memoryType: "cached" }, /memoryType is "cached"/],
      [{ ...map, decoy: 1n << 64n }, /decoy is /],
      [{ kind: "unmap", mapping: -1, address: 0n, length_bytes: 0n }, /mapping is -1 /],
      [{ kind: "mark", text: 5 }, /text is 5 /],
      [
        { kind: "mark", text: "ä".repeat(8193) },
        /text is "ä{59}… \(string\), but must be a text of at most 16384 bytes$/,
      ],
      [{ kind: "lost", count: -1 }, /count is -1 /],
      [{ kind: "lost", count: 1.5 }, /count is 1\.5 /],
      [{ kind: "escape", address: 0n, instruction: "0f0" }, /instruction is "0f0"/],
      [{ kind: "module", name: "m", textAddress: 0n, text_bytes: 2 ** 32, gone: false }, /text_bytes is 4294967296 /],
      [{ kind: "module", name: "m", textAddress: 0n, text_bytes: 1, gone: 1 }, /gone is 1 /],
      [
        { kind: "unrecorded", address: 0n, length_bytes: 1n, way: "mmap" },
        /way is "mmap" .* one of several, vmap_pfn, /,
      ],
      [{ kind: "unrecorded", address: 0n, length_bytes: 1n, way: "fixmap", calls: 0 }, /calls is 0 /],
      [{ kind: "unknown" }, /kind is "unknown"/],
      [{}, /kind is undefined/],
    ];
    for (const [event, words] of refused) {
      const error = await writer.add(event as NewEvent).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      expect(error).toBeInstanceOf(InvalidValueError);
      expect((error as Error).message).toMatch(/^writing event 0 failed: /);
      expect((error as Error).message).toMatch(words);
    }
    await writer.add(access);
    await writer.close();
    const trace = await openTrace(join(folder, "refused.mmt"));
    expect((await all(trace)).length).toBe(1);
    await trace.close();
  });

  test("ports are a space of their own: in events, filters, statistics, tables and copies", async () => {
    const path = join(folder, "ports.mmt");
    const { pciFunctions } = madeUpHeader();
    const writer = await createTrace(path, { pciFunctions });
    const map = {
      kind: "map",
      mapping: 1,
      address: 0xc000n,
      space: "ports",
      length_bytes: 0x40n,
      memoryType: "ports",
    } as const;
    const read = { kind: "read", mapping: 1, address: 0xc008n, space: "ports", width_bytes: 1, value: 7n } as const;
    for (const event of [map, read, { ...read, address: 0x70n }, { ...read, space: "memory" }] as const)
      await writer.add(event);
    await writer.close();
    const trace = await openTrace(path);
    const events = await all(trace);
    const place = { device: "0000:00:04.0", bar: 1 };
    expect(events).toMatchObject([
      { ...map, place: { ...place, offset: 0n } },
      { ...read, place: { ...place, offset: 8n } },
      { space: "ports", address: 0x70n, place: null },
      { space: "memory", address: 0xc008n, place: null },
    ]);
    const count = async (filter: string) => (await statistics(trace, { filter })).events;
    expect(await count("space == ports")).toBe(3);
    expect(await count("address == 0xc008")).toBe(2);
    expect(await count("bar == 1")).toBe(2);
    const { registers } = await statistics(trace);
    expect(registers.map(({ bar, offset }) => `${bar} ${offset}`).sort()).toEqual([
      "1 0x8",
      "null 0xc008",
      "null port 0x70",
    ]);
    await trace.close();
    const failing = await createTrace(join(folder, "ports-refused.mmt"));
    await expect(failing.add({ ...read, address: 0x10000n })).rejects.toThrow(/address is 65536/);
    await failing.close();
  });

  test("a poll ends where records were lost", async () => {
    const path = join(folder, "polls.mmt");
    const writer = await createTrace(path);
    const read = { kind: "read", address: 0xfebc0000n, width_bytes: 4, value: 1n, site: { address: 5n } } as const;
    for (let time_s = 0; time_s < 8; time_s += 1) {
      if (time_s === 5) await writer.add({ kind: "lost", count: 3, time_s });
      await writer.add({ ...read, time_s });
    }
    await writer.close();
    const trace = await openTrace(path);
    expect((await statistics(trace)).polls).toMatchObject([{ polls: 2, reads: 8, longest: 5 }]);
    await trace.close();
  });

  test("a caller is in events, columns, filters, statistics, polls, tables and copies", async () => {
    const path = join(folder, "callers.mmt");
    const writer = await createTrace(path);
    const ioread = { address: 0xffff_ffff_8123_4567n, symbol: "ioread8+0x31" };
    const from = (place: string, address: bigint) => ({ address, symbol: `${place} [e100]` });
    const read = { kind: "read", address: 0xfebc0000n, width_bytes: 1, value: 1n, site: ioread } as const;
    const near = from("e100_eeprom_read+0x9a", 0xffff_ffff_c000_0123n);
    const far = from("e100_intr+0x20", 0xffff_ffff_ffff_fff0n);
    for (const caller of [near, near, near, far, undefined, null]) await writer.add({ ...read, caller });
    await writer.add({ kind: "escape", address: 0x1000n, instruction: "0f6f", site: ioread, caller: far });
    await writer.close();
    const trace = await openTrace(path);
    const events = await all(trace);
    expect(events.map((event) => ("caller" in event ? event.caller?.symbol : ""))).toEqual([
      ...[near.symbol, near.symbol, near.symbol, far.symbol, undefined, undefined, far.symbol],
    ]);
    expect(events[0]).toMatchObject({ caller: { ...near, function: "e100_eeprom_read", module: "e100" } });
    for await (const columns of trace.accessColumns()) {
      expect([...columns.caller]).toEqual([near.address, near.address, near.address, far.address, 0n, 0n]);
    }
    const count = async (filter: string) => (await statistics(trace, { filter })).events;
    expect(await count("caller == e100_eeprom_read")).toBe(3);
    expect(await count("caller == 0xfffffffffffffff0")).toBe(2);
    expect(await count("module == e100")).toBe(5);
    expect(await count("module == kernel")).toBe(7);
    expect((await statistics(trace)).sites).toMatchObject([
      { site: "ioread8+0x31 from e100_eeprom_read+0x9a [e100]", accesses: 3, module: "e100" },
      { site: "ioread8+0x31", accesses: 2, module: "kernel" },
      { site: "ioread8+0x31 from e100_intr+0x20 [e100]", accesses: 1, module: "e100" },
    ]);

    const copy = await createTrace(join(folder, "callers-copy.mmt"));
    for (const event of events) await copy.add(event);
    await copy.close();
    const copied = await openTrace(join(folder, "callers-copy.mmt"));
    expect((await all(copied)).map((event) => ("caller" in event ? event.caller : ""))).toEqual(
      events.map((event) => ("caller" in event ? event.caller : "")),
    );
    await copied.close();
    await trace.close();
  });

  test("with unrecorded mappings is incomplete, and reads back as it was written", async () => {
    const path = join(folder, "unrecorded.mmt");
    const writer = await createTrace(path);
    const event = { kind: "unrecorded", address: 0x1000n, length_bytes: 0x2000n, way: "remap_pfn_range" } as const;
    await writer.add({ ...event, pid: 812, site: { address: 5n, symbol: "f+0x1 [m]" } });
    await writer.add({ ...event, calls: 4 });
    await writer.close();
    const trace = await openTrace(path);
    expect(await all(trace)).toMatchObject([
      { ...event, calls: 1, pid: 812, place: null, site: { address: 5n, symbol: "f+0x1 [m]", module: "m" } },
      { ...event, calls: 4, pid: 0, site: null },
    ]);
    expect(trace.summary?.unrecorded).toBe(5);
    expect(trace.incomplete).toEqual(["5 mappings got no decoy: accesses through them are not in the trace"]);
    expect(await statistics(trace)).toMatchObject({ events: 2, unrecorded: 5 });
    await trace.close();
  });

  test("with interrupts and DMA reads back as it was written", async () => {
    const path = join(folder, "interrupts.mmt");
    const writer = await createTrace(path, { pciFunctions: madeUpHeader().pciFunctions });
    const device = "0000:00:04.0";
    const memory = { device, bus: 0x1_0000n, length_bytes: 0x1000n, way: "streaming", direction: "to-device" } as const;
    const written: NewEvent[] = [
      { kind: "dma-map", ...memory, physical: 0x1_0000n, site: { address: 5n, symbol: "f+0x1 [m]" } },
      { kind: "interrupt", phase: "entry", device, irq: 24, vector: 35, context: "hardirq", site: { address: 7n } },
      { kind: "interrupt", phase: "exit", device, irq: 24, handled: true, flags: ["thread"] },
      { kind: "dma-unmap", ...memory },
    ];
    for (const event of written) await writer.add(event);
    await writer.close();
    const trace = await openTrace(path);
    const events = await all(trace);
    expect(events).toMatchObject([
      { ...written[0], buffer: 1, caller: null, site: { address: 5n, symbol: "f+0x1 [m]", module: "m" } },
      { ...written[1], handled: false, wakesThread: false },
      { ...written[2], vector: null, wakesThread: false, site: null },
      { ...written[3], buffers: [1] },
    ]);
    const { interrupts, dma } = await statistics(trace);
    expect(interrupts).toMatchObject([
      { irq: 24, runs: 1, handled: 0, inThread: false },
      { irq: 24, runs: 0, handled: 1, inThread: true },
    ]);
    expect(dma).toMatchObject([{ device, way: "streaming", direction: "to-device", buffers: 1, ended: 1 }]);
    const copy = await createTrace(join(folder, "interrupts-copy.mmt"), { pciFunctions: trace.header.pciFunctions });
    for (const event of events) await copy.add(event);
    await copy.close();
    const copied = await openTrace(join(folder, "interrupts-copy.mmt"));
    expect(await all(copied)).toEqual(events);
    await copied.close();
    await trace.close();
  });

  test("is followed while it grows", async () => {
    const path = join(folder, "growing.mmt");
    const writer = await createTrace(path);
    const write = async (value: bigint) => {
      await writer.add({ kind: "write", time_s: Number(value), address: 0x1000n, width_bytes: 4, value });
      await writer.flush();
    };
    await write(1n);
    const trace = await openTrace(path);
    const values: bigint[] = [];
    for await (const event of trace.follow({ every_ms: 5 })) {
      if (!isAccess(event)) continue;
      values.push(event.value);
      if (event.value < 5n) await write(event.value + 1n);
      else await writer.close();
    }
    expect(values).toEqual([1n, 2n, 3n, 4n, 5n]);
    expect(trace.summary?.accesses).toBe(5);
    await trace.close();
  });

  test("following ends when it is told to", async () => {
    const path = join(folder, "endless.mmt");
    const writer = await createTrace(path);
    await writer.add({ kind: "mark", text: "begin", time_s: 0 });
    await writer.flush();
    const trace = await openTrace(path);
    const stop = new AbortController();
    const texts: string[] = [];
    for await (const event of trace.follow({ signal: stop.signal })) {
      if (event.kind === "mark") texts.push(event.text);
      stop.abort();
    }
    expect(texts).toEqual(["begin"]);
    await writer.close();
    await trace.close();
  });

  test("parts are merged into the whole again", async () => {
    const trace = await openTrace(recorded);
    const [early, late] = [join(folder, "early.mmt"), join(folder, "late.mmt")];
    await cut(trace, early, { to: { event: 5_000 } });
    await cut(trace, late, { from: { event: 5_001 } });
    const parts = [await openTrace(late), await openTrace(early)];
    await merge(parts, join(folder, "both.mmt"));
    const both = await openTrace(join(folder, "both.mmt"));
    expect((await diff(trace, both)).same).toBe(true);
    const part = parts.flatMap(({ summary }) => summary?.part ?? []);
    expect(part.map((what) => what.replace(/.* was kept: /, ""))).toEqual(["from event 5001 on", "to event 5000"]);
    expect(both.summary).toEqual({ ...trace.summary, part });
    await cut(trace, join(folder, "writes.mmt"), { filter: "write" });
    const writes = await openTrace(join(folder, "writes.mmt"));
    expect(writes.incomplete).toEqual(["only what fits the filter write was kept"]);
    for (const opened of [trace, both, writes, ...parts]) await opened.close();
  });

  test("the kernel's text comes out of its trace as it went in", async () => {
    const [there, back] = [join(folder, "kernel.mmt"), join(folder, "kernel.txt")];
    await convert(kernelLog, there);
    await convert(there, back);
    expect(readFileSync(back, "utf8")).toBe(kernelText);
    await expect(convert(there, join(folder, "kernel.doc"))).rejects.toThrow(/doesn't tell a format/);
  });
});

describe("registers", () => {
  test("are asked for by place", async () => {
    expect(builtInRegisterNames).toContain("e1000");
    const e1000 = builtInRegisters("e1000")!;
    expect(e1000.at({ bar: 0, offset: 0x8 })?.name).toBe("STATUS");
    expect(e1000.at({ bar: 3, offset: 0x8 })).toBeNull();
    expect(e1000.describe({ bar: 0, offset: 0x8n }, 3n)).toMatch(/^FD \| LU/);
    const fields = e1000.fields({ bar: 0, offset: 0x8 }, 0x80080783n);
    const sum = fields.reduce((bits, { low, value }) => bits | (value << BigInt(low)), 0n);
    expect(sum).toBe(0x00000783n);
    // a byte of it: only the fields that lie in it whole
    expect(e1000.fields({ bar: 0, offset: 0x8, width_bytes: 1 }, 0x83n).every(({ high }) => high < 8)).toBe(true);
    expect(builtInRegisters("no such")).toBeUndefined();
  });

  test("of one's own name a trace's accesses", async () => {
    const registers = loadRegisters(
      fileURLToPath(new URL("../registers/files/built-in/ahci.xml", import.meta.url)),
      "AHCI",
    );
    const trace = await openTrace(recorded, { registers });
    const [first] = (await all(trace)).filter(isAccess);
    expect(first?.register).toBe(registers.at({ bar: 0, offset: first?.place?.offset ?? 0n })?.name);
    expect(first?.register).not.toBe("STATUS");
    const nameless = await openTrace(recorded, { registers: () => undefined });
    expect((await all(nameless)).filter(isAccess).every(({ register }) => register === null)).toBe(true);
    for (const opened of [trace, nameless]) await opened.close();
  });
});

test("Btf reads a kernel's types, the same in Node and in a page", () => {
  const writer = new BtfWriter();
  const device = writer.add("forward", { name: "device" });
  const pointer = writer.add("pointer", { sizeOrType: device });
  const prototype = writer.add("prototype", { count: 1, words: ["dev", pointer] });
  writer.add("function", { name: "put_device", sizeOrType: prototype, count: 1 });
  for (const { read } of [Btf, browser.Btf]) {
    const btf = read(writer.bytes());
    expect(btf.functions("put_device").map(({ id }) => btf.declaration(id))).toEqual([
      "void put_device(struct device *dev)",
    ]);
    expect(() => read(new Uint8Array(30), { name: "vmlinux" })).toThrow(FormatError);
  }
});
