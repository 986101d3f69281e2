// tier: quick
// Every importer on damaged and hostile logs: it makes a trace that can be read to its end, or throws a FormatError that names
// the line, or says that no line is of the format; never anything else. And a log gives the same records in pieces of any size.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { FormatError } from "../../base/errors.js";
import { convert } from "../node/convert.js";
import { createTrace } from "../node/create-trace.js";
import { openTrace } from "../node/file-source.js";
import { detectInput } from "./formats.js";
import { importText, type TextImport } from "./log-import.js";
import { MmiotraceImport } from "./mmiotrace.js";
import { QemuImport } from "./qemu.js";
import { RwmmioImport } from "./rwmmio.js";
import { VfioImport } from "./vfio.js";

const directory = mkdtempSync(join(tmpdir(), "mmiostrider-fuzz-"));
afterAll(() => rmSync(directory, { recursive: true }));

const logs: Record<string, { make: () => TextImport; lines: string[] }> = {
  mmiotrace: {
    make: () => new MmiotraceImport("log"),
    lines: [
      "VERSION 20070824",
      "MARK 0.000000 Lost 17 events.",
      "PCIDEV 0018 8086100e b febc0000 c001 0 0 0 0 feb80000 20000 40 0 0 0 0 40000 e1000",
      "LSPCI 00:03.0",
      "MAP 1.000001 1 0xfebc0000 0xffffc90000080000 0x20000 0x0 0",
      "R 4 1.000010 1 0xfebc0008 0x80080783 0x0 0",
      "W 8 12345.678901 1 0xfebc0010 0xffffffffffffffff 0xffffffffc0000123 0",
      "UNKNOWN 12345.678902 1 0xfebc0020 0f,6f,00 0xffffffffc0000456 0",
      "rw what?",
      "MARK 12345.700000 ring test: link up",
      "UNMAP 12345.800000 -1 0x0 0",
    ],
  },
  qemu: {
    make: () => new QemuImport("log"),
    lines: [
      "memory_region_ops_read cpu 0 mr 0x5654c59098a0 addr 0x71 value 0x0 size 1 name 'rtc'",
      "7@1700000000.000001:memory_region_ops_write cpu -1 mr 0x5 addr 0xfee00000 value 0x0 size 4 name 'apic-msi'",
      "memory_region_ram_device_read cpu 1 mr 0x5 addr 0xfebc0008 value 0x80080783 size 8",
      "apic_register_read register 0x02 = 0x0",
    ],
  },
  vfio: {
    make: () => new VfioImport("log"),
    lines: [
      "9@1700000000.000001:vfio_pci_read_config  (0000:01:00.0, @0x0, len=0x4) 0x100e8086",
      "9@1700000000.000003:vfio_region_write  (0000:01:00.0:region0+0x28, 0x21cc000, 4)",
      "vfio_region_read  (0000:01:00.1:region2+0x8, 4) = 0xffffffff",
      "vfio_region_read  (0000:01:00.0:region8+0x3c0, 1) = 0x1",
    ],
  },
  rwmmio: {
    make: () => new RwmmioImport("log"),
    lines: [
      "# tracer: nop",
      "  <idle>-0  [003] d.h1.   101.000001: rwmmio_post_read: gic_handle_irq+0x30/0x100 width=32 val=0x3ff addr=0xffffffc00800000c",
      "  kworker/u8:1-77 [001] .....   101.000100: rwmmio_write: a+0x14/0x80 [foo] -> b+0x8/0x10 width=64 val=0x1 addr=0xffffffc008100010",
      "CPU:1 [LOST 12 EVENTS]",
    ],
  },
};

const digits = fc.constantFrom(
  "0",
  "1",
  "9",
  "f",
  "-1",
  "0x",
  "99999999999999999999",
  "ffffffffffffffffff",
  "4294967296",
);

/** Damages a line: other fields, missing ones, other bytes, a missing part, strange numbers. */
const damage: fc.Arbitrary<(line: Buffer) => Buffer> = fc.oneof(
  fc.constant((line: Buffer) => line),
  fc.tuple(fc.nat(), fc.uint8Array({ maxLength: 9 })).map(([at, bytes]) => (line: Buffer) => {
    const place = at % (line.length + 1);
    return Buffer.concat([line.subarray(0, place), bytes, line.subarray(place)]);
  }),
  fc.tuple(fc.nat(), fc.nat()).map(([from, length]) => (line: Buffer) => {
    const place = from % (line.length + 1);
    return Buffer.concat([line.subarray(0, place), line.subarray(place + (length % 12))]);
  }),
  fc.tuple(fc.nat(), digits).map(([which, text]) => (line: Buffer) => {
    const fields = line.toString("latin1").split(" ");
    fields[which % fields.length] = text;
    return Buffer.from(fields.join(" "), "latin1");
  }),
  fc.nat().map((which) => (line: Buffer) => {
    const fields = line.toString("latin1").split(" ");
    fields.splice(which % fields.length, 1);
    return Buffer.from(fields.join(" "), "latin1");
  }),
  fc.tuple(fc.nat(), fc.nat(255)).map(([at, byte]) => (line: Buffer) => {
    const other = Buffer.from(line);
    other[at % other.length] = byte;
    return other;
  }),
);

/** Makes a log with one or a few damaged lines; sometimes without the last line's end. */
function damagedLog(lines: string[]): fc.Arbitrary<Buffer> {
  const whole = fc.constantFrom(...lines).map((line) => Buffer.from(line));
  const damaged = fc.tuple(whole, damage).map(([line, spoil]) => spoil(line));
  const line = fc.oneof({ weight: 12, arbitrary: whole }, { weight: 1, arbitrary: damaged });
  return fc
    .tuple(fc.array(line, { maxLength: 30 }), fc.nat(20))
    .map(([all, cut]) =>
      Buffer.concat(all.flatMap((one) => [one, Buffer.from("\n")])).subarray(0, cut > 10 ? -cut : undefined),
    );
}

async function* inPieces(bytes: Buffer, piece_bytes: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += piece_bytes) yield bytes.subarray(at, at + piece_bytes);
}

/** Imports a log, and reads the result to its end: returns its events as text, or the error's message. */
async function outcome(make: () => TextImport, bytes: Buffer, piece_bytes: number): Promise<string> {
  const path = join(directory, "trace.mmt");
  const reader = make();
  try {
    await importText(reader, inPieces(bytes, piece_bytes), (header) => createTrace(path, header));
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    if (error.line === undefined && !error.what.startsWith("there is no ")) throw error;
    return error.message;
  }
  const trace = await openTrace(path);
  expect(trace.damage).toBeNull();
  const events = [];
  for await (const { event } of trace.eventsWithState()) events.push(event);
  await trace.close();
  expect(trace.summary!.accesses).toBe(events.filter(({ kind }) => kind === "read" || kind === "write").length);
  return JSON.stringify([trace.header, trace.updates, events], (_, value) =>
    typeof value === "bigint" ? `${value}n` : value,
  );
}

describe("a damaged log makes a trace that can be read, or one clear error:", () => {
  for (const [name, { make, lines }] of Object.entries(logs)) {
    test(name, async () => {
      const property = fc.asyncProperty(
        damagedLog(lines),
        fc.integer({ min: 1, max: 200 }),
        async (log, piece_bytes) => {
          expect(await outcome(make, log, piece_bytes)).toBe(await outcome(make, log, log.length + 1));
        },
      );
      await fc.assert(property, { numRuns: 250 });
    });

    test(`${name}: anything at all`, async () => {
      const property = fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), async (bytes) => {
        await outcome(make, Buffer.from(bytes), 64);
      });
      await fc.assert(property, { numRuns: 100 });
    });
  }
});

test("mmiotrace: every line comes back as it was, or is counted as unusual", async () => {
  const { lines } = logs.mmiotrace!;
  const more = [
    "# tracer: mmiotrace",
    "# entries-in-buffer/entries-written: 1/9   #P:1",
    "CPU:1 [LOST 5 EVENTS]",
    "CPU:1 [LOST EVENTS]",
  ];
  const path = join(directory, "back.mmt");
  let exact = 0;
  const property = fc.asyncProperty(damagedLog([...lines, ...more]), fc.boolean(), async (damaged, returns) => {
    const log = returns ? Buffer.from(damaged.toString("latin1").replaceAll("\n", "\r\n"), "latin1") : damaged;
    const reader = new MmiotraceImport("log");
    try {
      await importText(reader, inPieces(log, 50), (header) => createTrace(path, header));
    } catch (error) {
      expect(error).toBeInstanceOf(FormatError);
      return;
    }
    const out = join(directory, "back.txt");
    await convert(path, out, { to: "mmiotrace", producer: "test" });
    const again = readFileSync(out);
    const isCut = reader.incomplete.some((what) => what.startsWith("the log is cut within its last line"));
    const whole = isCut ? log.subarray(0, log.lastIndexOf(0x0a) + 1) : log;
    const end = whole.at(-1) === 0x0a ? "" : whole.includes("\r\n") ? "\r\n" : "\n";
    const expected = Buffer.concat([whole, Buffer.from(end)]);
    expect(count(again)).toBe(count(expected));
    if (reader.totals.unusualLines > 0) return;
    exact += 1;
    expect(again.toString("latin1")).toBe(expected.toString("latin1"));
  });
  await fc.assert(property, { numRuns: 200 });
  expect(exact).toBeGreaterThan(50);
});

test.each(["qemu", "vfio", "rwmmio"])(
  "%s: every access's line is an event, or is told among what is missing",
  async (name) => {
    const { make, lines } = logs[name]!;
    const events = {
      qemu: /memory_region_(?:ops|ram_device)_(?:read|write) cpu /,
      vfio: /vfio_region_(?:read|write) {1,2}\(/,
      rwmmio: /: rwmmio_(?:post_read|write): /,
    }[name as "qemu" | "vfio" | "rwmmio"];
    let accounted = 0;
    const property = fc.asyncProperty(damagedLog(lines), async (log) => {
      const reader = make();
      try {
        await importText(reader, inPieces(log, 50), (header) => createTrace(join(directory, "all.mmt"), header));
      } catch (error) {
        expect(error).toBeInstanceOf(FormatError);
        return;
      }
      const told = (pattern: RegExp) =>
        [...reader.notes, ...reader.incomplete].reduce((sum, what) => sum + Number(pattern.exec(what)?.[1] ?? 0), 0);
      const leftOut =
        told(/^(\d+) (?:port access|access(?:es)? to no BAR)/) + told(/^(\d+) lines? ha(?:s|ve) a .* behind/);
      const isCut = reader.incomplete.some((what) => what.startsWith("the log is cut within its last line"));
      const all = log.toString("latin1").split("\n");
      if (isCut) all.pop();
      expect(reader.totals.accesses + leftOut).toBe(all.filter((line) => events.test(line)).length);
      accounted += 1;
    });
    await fc.assert(property, { numRuns: 200 });
    expect(accounted).toBeGreaterThan(50);
  },
);

const count = (bytes: Uint8Array) => bytes.filter((byte) => byte === 0x0a).length;

test("convert leaves nothing behind of what it can't convert", async () => {
  const folder = mkdtempSync(join(directory, "convert-"));
  const log = join(folder, "log");
  const outputs = ["out.mmt", "out.jsonl", "out.parquet", "out.json.gz"];
  const everything = fc.constantFrom(...Object.values(logs).map(({ lines }) => lines)).chain(damagedLog);
  const property = fc.asyncProperty(everything, fc.constantFrom(...outputs), async (bytes, name) => {
    writeFileSync(log, bytes);
    const to = ({ "out.mmt": "mmt", "out.jsonl": "jsonl", "out.parquet": "parquet" } as const)[name] ?? "perfetto";
    let failed = false;
    try {
      await convert(log, join(folder, name), { to, producer: "test" });
    } catch (error) {
      expect(error).toBeInstanceOf(FormatError);
      failed = true;
    }
    const left = readdirSync(folder).sort();
    rmSync(join(folder, name), { force: true });
    expect(left).toEqual(failed ? ["log"] : ["log", name]);
  });
  await fc.assert(property, { numRuns: 200 });
});

test("telling a format never fails, whatever it is shown", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2_000 }), (bytes) => {
      detectInput(bytes);
    }),
  );
  for (const [name, { lines }] of Object.entries(logs)) expect(detectInput(Buffer.from(lines.join("\n")))).toBe(name);
});
