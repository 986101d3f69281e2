// tier: quick
// Merges of logs whose devices' addresses or sites are made up: each log numbers its own from the first on.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { mapSelected } from "../../../dev/test-support/recorded-traces.js";
import type { TraceReader } from "../../trace/file/reader.js";
import { importText, type TextImport } from "../../trace/import/log-import.js";
import { MmiotraceImport } from "../../trace/import/mmiotrace.js";
import { RwmmioImport } from "../../trace/import/rwmmio.js";
import { VfioImport } from "../../trace/import/vfio.js";
import { madeUpAddress, madeUpDevice, madeUpDevicesMax } from "../../trace/made-up-addresses.js";
import { createTrace } from "../../trace/node/create-trace.js";
import { openTrace } from "../../trace/node/file-source.js";
import { mergeTraces } from "./merge-traces.js";

const directory = mkdtempSync(join(tmpdir(), "mmiostrider-places-"));
afterAll(() => rmSync(directory, { recursive: true }));

async function* inOne(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

/** Imports a log into a trace of this name. */
async function imported(name: string, reader: TextImport, ...lines: string[]): Promise<TraceReader> {
  const path = join(directory, name);
  await importText(reader, inOne(lines.map((line) => `${line}\n`).join("")), (header) => createTrace(path, header));
  return openTrace(path);
}

async function merged(...readers: TraceReader[]): Promise<{ reader: TraceReader; repeated: number }> {
  const path = join(directory, "merged");
  const options = { commandLine: [], create: (header: TraceReader["header"]) => createTrace(path, header) };
  const { repeated } = await mergeTraces(readers, options);
  for (const reader of readers) await reader.close();
  return { reader: await openTrace(path), repeated };
}

const [one, two, three] = ["0000:01:00.0", "0000:02:00.0", "0000:03:00.0"];

describe("VFIO's devices", () => {
  const write = (time: number, device: string, region: number, offset: number) =>
    `9@1700000000.00000${time}:vfio_region_write  (${device}:region${region}+0x${offset.toString(16)}, 0x${time}, 4)`;
  const ids = (device: string, value: string) =>
    `9@1700000000.000001:vfio_pci_read_config  (${device}, @0x0, len=0x4) ${value}`;
  const vfio = (name: string, ...lines: string[]) => imported(name, new VfioImport(name), ...lines);
  const placesOf = (reader: TraceReader) =>
    mapSelected(reader, {}, ({ place, access }) => [place?.function.address, place?.bar, place?.offset, access?.value]);

  test("have one number each, whatever theirs were, with the greatest lengths and the known ids", async () => {
    const first = await vfio("first", write(1, one, 0, 8), write(2, two, 2, 0x3000));
    const second = await vfio(
      "second",
      write(2, two, 2, 0x3000),
      write(3, two, 0, 4),
      write(4, two, 2, 0x20),
      write(5, one, 0, 0x5000),
    );
    const third = await vfio("third", write(3, three, 1, 0), ids(two, "0x100e8086"), write(6, two, 2, 0x10));
    const { reader, repeated } = await merged(first, second, third);
    expect(await placesOf(reader)).toEqual([
      [one, 0, 8n, 1n],
      [two, 2, 0x3000n, 2n],
      [two, 2, 0x3000n, 2n],
      [two, 0, 4n, 3n],
      [three, 1, 0n, 3n],
      [two, 2, 0x20n, 4n],
      [one, 0, 0x5000n, 5n],
      [two, 2, 0x10n, 6n],
    ]);
    expect(repeated).toBe(1);
    const lengths = reader.header.pciFunctions.map(({ address, vendor, device, bars }) => {
      return [address, vendor, device, bars.map(({ index, length_bytes }) => [index, length_bytes])];
    });
    expect(lengths).toEqual([
      [one, "0x0", "0x0", [[0, "0x8000"]]],
      [
        two,
        "0x8086",
        "0x100e",
        expect.arrayContaining([
          [2, "0x4000"],
          [0, "0x1000"],
        ]),
      ],
      [three, "0x0", "0x0", [[1, "0x1000"]]],
    ]);
    expect(reader.updates).toEqual([]);
    await reader.close();
  });

  test("are as many as have addresses", async () => {
    const names = Array.from({ length: madeUpDevicesMax + 1 }, (_, at) => `${(at >> 8).toString(16)}:${at % 256}`);
    const all = (from: number, to: number) => names.slice(from, to).map((name) => write(1, name, 0, 8));
    const [most, last, another] = [
      await vfio("most", ...all(0, madeUpDevicesMax - 1)),
      await vfio("last", ...all(madeUpDevicesMax - 1, madeUpDevicesMax)),
      await vfio("another", ...all(madeUpDevicesMax, madeUpDevicesMax + 1)),
    ];
    const options = { commandLine: [], create: () => Promise.reject(new Error("made")) };
    await expect(mergeTraces([most, last], options)).rejects.toThrow("made");
    await expect(mergeTraces([most, last, another], options)).rejects.toThrow("more than 256 devices");
    for (const reader of [most, last, another]) await reader.close();
  });

  test("of other ids at one place are of different machines", async () => {
    const first = await vfio("nic", ids(one, "0x100e8086"), write(1, one, 0, 8));
    const second = await vfio("disk", ids(one, "0x59001af4"), write(1, one, 0, 8));
    const failed = mergeTraces([first, second], { commandLine: [], create: () => Promise.reject(new Error("made")) });
    await expect(failed).rejects.toThrow(`they are of different machines: ${one} isn't the same device`);
    for (const reader of [first, second]) await reader.close();
  });
});

test("a made-up address names its device, and keeps its place in another one", () => {
  const place = (2n << 39n) + 0x1238n;
  const address = madeUpAddress(3, (1n << 50n) + place);
  expect(address).toBe((1n << 50n) + (3n << 42n) + place);
  expect(madeUpDevice(address)).toBe(3);
  expect(madeUpAddress(0, address)).toBe((1n << 50n) + place);
  expect([madeUpDevice((1n << 50n) - 1n), madeUpDevice(0xfebc0000n)]).toEqual([undefined, undefined]);
  expect(madeUpDevice(madeUpAddress(madeUpDevicesMax - 1, address))).toBe(madeUpDevicesMax - 1);
  expect(madeUpDevice(madeUpAddress(madeUpDevicesMax, address))).toBeUndefined();
});

describe("rwmmio's sites", () => {
  const write = (time: number, names: string) =>
    ` cat-7 [001] ..s1. 1.00000${time}: rwmmio_write: ${names} width=32 val=0x1 addr=0xffffffc008100018`;
  const sitesOf = (reader: TraceReader) => mapSelected(reader, {}, ({ siteAndCaller }) => siteAndCaller);

  test("have one number for a name, whatever theirs were", async () => {
    const rwmmio = (name: string, ...lines: string[]) => imported(name, new RwmmioImport(name), ...lines);
    const first = await rwmmio("first", write(1, "a+0x1/0x9"), write(2, "b+0x1/0x9 -> c+0x1/0x9"));
    const second = await rwmmio(
      "second",
      write(2, "b+0x1/0x9 -> c+0x1/0x9"),
      write(3, "a+0x1/0x9"),
      write(4, "d+0x1/0x9"),
    );
    const { reader, repeated } = await merged(first, second);
    expect(await sitesOf(reader)).toEqual(["a+0x1", "c+0x1 from b+0x1", "c+0x1 from b+0x1", "a+0x1", "d+0x1"]);
    expect(repeated).toBe(1);
    const sites = await mapSelected(reader, {}, ({ access }) => [access!.site, access!.caller]);
    expect(sites[0]).toEqual(sites[3]);
    expect(sites[1]).toEqual(sites[2]);
    expect(new Set(sites.flat()).size).toBe(5);
    await reader.close();
  });

  test("are kept apart from a log's real ones, and callers can be asked for", async () => {
    const text = "R 4 1.000002 1 0xd0000000 0x1 0xffffffffc0000123 0";
    const kernel = await imported("kernel", new MmiotraceImport("kernel"), "VERSION 20070824", text);
    const events = await imported("events", new RwmmioImport("events"), write(1, "b+0x1/0x9 -> c+0x1/0x9"));
    const { reader } = await merged(kernel, events);
    expect(await sitesOf(reader)).toEqual(["c+0x1 from b+0x1", "0xffffffffc0000123"]);
    expect(reader.header.lacks).toEqual(["cpu", "pid", "context", "flags", "mapping"]);
    await reader.close();
  });
});
