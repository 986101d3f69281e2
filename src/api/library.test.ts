// tier: quick
// The library as other programs see it, held against what we did not write: the kernel's own text, QEMU's log, and against itself.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import {
  type AccessEvent,
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
  loadRegisters,
  merge,
  openTrace,
  placeName,
  statistics,
  type Trace,
  type TraceEvent,
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
    const trace = await openTrace(recorded);
    await expect(all({ events: () => trace.events({ filter: "cpu ==" }) } as Trace)).rejects.toThrow(/column 7/);
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
    const { writeFileSync } = await import("node:fs");
    writeFileSync(log, gunzipSync(readFileSync(data("e1000-truth.log.gz"))));
    const result = await verify(trace, log);
    expect(result.compared).toBe(kernelAccesses.length);
    expect(result.identical).toBe(true);
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
    await expect(writer.add({ ...access, value: 256n })).rejects.toThrow(/a value wider than its 1 bytes/);
    await expect(writer.add({ ...access, address: -1n })).rejects.toThrow(/the address -1/);
    await expect(writer.add({ ...access, width_bytes: 0 })).rejects.toThrow(/a width of 0 bytes/);
    await writer.add(access);
    await writer.close();
    const trace = await openTrace(join(folder, "refused.mmt"));
    expect((await all(trace)).length).toBe(1);
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
    expect(both.summary).toEqual(trace.summary);
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
    expect(sum).toBe(0x00080783n);
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
