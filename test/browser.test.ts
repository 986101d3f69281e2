// tier: quick
// The library and the trace's reader in Chromium, the compiled modules loaded as they are: the same events, columns and results as in
// Node. The bundle that pages get is loaded, too.
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { testData } from "../dev/test-support/test-data.js";
import { projectDirectory } from "../src/base/paths.js";
import { findTool } from "../src/base/run-tool.js";
import type { openTrace as openInPage } from "../src/browser.js";
import { createTrace, diff, findPolls, openTrace, statistics, type TraceWriter } from "../src/index.js";
import type { Codec } from "../src/trace/file/compression.js";
import { TraceReader } from "../src/trace/file/reader.js";
import { MemorySource } from "../src/trace/file/source.js";
import { nodeCodec } from "../src/trace/node/codec.js";

const trace = readFileSync(testData("e1000.mmt"));
const launch_ms = 240_000;
const flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"];
const moreFlags = ["--disable-component-update", "--disable-sync"];

const profile = mkdtempSync(join(tmpdir(), "mmiostrider-chromium-"));
const asked: string[] = [];
const files = new Map<string, Uint8Array>([
  ["/", Buffer.from("<!doctype html><title>reader</title>")],
  ["/whole.mmt", trace],
  ["/cut.mmt", trace.subarray(0, 20_000)],
  ["/kernel.txt.gz", readFileSync(testData("e1000-mmiotrace.txt.gz"))],
  ["/bundle/browser.js", readFileSync(join(projectDirectory, "dist/library/browser.js"))],
]);
let server: Server;
let context: BrowserContext;
let page: Page;

beforeAll(async () => {
  if (!existsSync(join(projectDirectory, "dist/src/browser.js"))) throw new Error("run `npm run build` first");
  const executablePath = findTool("chromium");
  if (executablePath === undefined)
    throw new Error("run `mmiostrider install --tests` first: chromium isn't installed");
  server = createServer(({ url = "/" }, response) => {
    asked.push(url);
    const path = join(projectDirectory, "dist/src", url);
    const known = files.get(url) ?? (extname(url) === ".js" && existsSync(path) ? readFileSync(path) : undefined);
    const types: Record<string, string> = { ".js": "text/javascript", "": "text/html" };
    response.writeHead(known === undefined ? 404 : 200, {
      "content-type": types[extname(url)] ?? "application/octet-stream",
    });
    response.end(known);
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  context = await chromium.launchPersistentContext(profile, {
    executablePath,
    headless: true,
    args: [...flags, ...moreFlags],
    timeout: launch_ms,
  });
  page = await context.newPage();
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, { timeout: launch_ms });
}, launch_ms);

afterAll(async () => {
  await context?.close();
  server?.close();
  rmSync(profile, { recursive: true, force: true });
});

interface Modules {
  TraceReader: typeof TraceReader;
  MemorySource: typeof MemorySource;
}

/** Returns a trace's whole content as text, and a sum over all its columns' bytes. Runs in both places: uses nothing around it. */
async function tellAll({ TraceReader, MemorySource }: Modules, bytes: Uint8Array, codec: Codec | undefined) {
  const reader = await TraceReader.open(new MemorySource(bytes), codec);
  const lines: string[] = [
    JSON.stringify(reader.header),
    JSON.stringify(reader.summary),
    JSON.stringify(reader.damage),
  ];
  let sum = 0;
  let numbers = 0;
  const add = (value: unknown): void => {
    if (ArrayBuffer.isView(value)) {
      for (const byte of new Uint8Array(value.buffer, value.byteOffset, value.byteLength))
        sum = (Math.imul(sum, 31) + byte) | 0;
      numbers += value.byteLength;
    } else if (typeof value === "object" && value !== null) for (const part of Object.values(value)) add(part);
    else if (typeof value !== "function") lines.push(String(value));
  };
  for await (const { columns, events, state } of reader.batches()) {
    add(columns);
    for (const event of events) {
      const text = JSON.stringify(event, (_name, value) =>
        typeof value === "bigint" ? `0x${value.toString(16)}` : value,
      );
      lines.push(`${text} ${"site" in event ? state.symbolOf(event.site) : ""}`);
    }
  }
  return { lines, sum, numbers };
}

async function inBrowser(path: string): ReturnType<typeof tellAll> {
  return (await page.evaluate(`(async () => {
    const modules = { ...(await import("/trace/file/reader.js")), ...(await import("/trace/file/source.js")) };
    const bytes = new Uint8Array(await (await fetch(${JSON.stringify(path)})).arrayBuffer());
    return (${tellAll.toString()})(modules, bytes, undefined);
  })()`)) as Awaited<ReturnType<typeof tellAll>>;
}

for (const path of ["/whole.mmt", "/cut.mmt"]) {
  test(`${path}: the same events and columns`, async () => {
    const there = await inBrowser(path);
    const here = await tellAll({ TraceReader, MemorySource }, files.get(path)!, nodeCodec);
    expect(here.lines.length).toBeGreaterThan(path === "/whole.mmt" ? 13_889 : 1_000);
    expect(here.numbers).toBeGreaterThan(path === "/whole.mmt" ? 100_000 : 10_000);
    expect(there).toEqual(here);
    expect(here.lines[2] === "null").toBe(path === "/whole.mmt");
  });
}

test("a file that a page was given is read piece by piece", async () => {
  const told = await page.evaluate(`(async () => {
    const { TraceReader } = await import("/trace/file/reader.js");
    const { BlobSource } = await import("/trace/file/source.js");
    const file = await (await fetch("/whole.mmt")).blob();
    const reader = await TraceReader.open(new BlobSource(file, "whole.mmt"));
    await reader.readColumns(reader.blockOfEvent(reader.events >> 1));
    return [reader.events, reader.complete];
  })()`);
  const here = await TraceReader.open(new MemorySource(trace), nodeCodec);
  expect(told).toEqual([here.events, true]);
});

interface Library {
  openTrace: typeof openInPage;
  statistics: typeof statistics;
  diff: typeof diff;
  findPolls: typeof findPolls;
  createMemoryTrace(header: object): Promise<{ writer: TraceWriter; bytes(): Uint8Array<ArrayBuffer> }>;
}

/** Returns the library's view of a trace, and of a copy that it writes, as text. Runs in both places: uses nothing around it. */
async function tellLibrary(library: Library, input: Blob) {
  const text = (value: unknown) =>
    JSON.stringify(value, (name, part) =>
      // a copy's symbols are other events; the devices of a page have no registers
      name === "number" || name === "register" || name === "meaning"
        ? null
        : typeof part === "bigint"
          ? `${part}n`
          : part,
    );
  const trace = await library.openTrace(input);
  const lines = [text(trace.header), text(trace.summary), text(trace.damage), text(trace.pciFunctions)];
  const copy = await library.createMemoryTrace(trace.header);
  for await (const event of trace.events({ filter: "cpu == 0 or not access" })) {
    lines.push(text(event));
    await copy.writer.add(event);
  }
  await copy.writer.close();
  const copied = await library.openTrace(new Blob([copy.bytes()]));
  const { same, devices } = await library.diff(copied, copied);
  lines.push(text({ same, devices }), text(copied.summary), text((await library.statistics(trace)).cpus));
  let polls = 0;
  for await (const poll of library.findPolls(trace)) polls += poll.count;
  let values = 0n;
  for await (const { value } of trace.accessColumns()) for (const one of value) values += one;
  lines.push(`${polls} ${values}`);
  return lines;
}

for (const path of ["/browser.js", "/bundle/browser.js"]) {
  test(`${path}: the library tells and writes the same`, async () => {
    const there = (await page.evaluate(`(async () => {
      const library = await import(${JSON.stringify(path)});
      return (${tellLibrary.toString()})(library, await (await fetch("/whole.mmt")).blob());
    })()`)) as string[];
    const sink = join(profile, "copy.mmt");
    const here = await tellLibrary(
      {
        ...{ statistics, diff, findPolls },
        openTrace: (input) => openTrace(input as Blob, { registers: () => undefined }),
        createMemoryTrace: async (header) => {
          const writer = await createTrace(sink, header);
          return { writer, bytes: () => new Uint8Array(readFileSync(sink)) };
        },
      },
      new Blob([trace]),
    );
    expect(here.length).toBeGreaterThan(5_000);
    expect(there).toEqual(here);
  });
}

test("a page opens the kernel's text, packed, from a stream", async () => {
  const told = await page.evaluate(`(async () => {
    const { openTrace, statistics } = await import("/browser.js");
    const trace = await openTrace((await fetch("/kernel.txt.gz")).body, { name: "kernel.txt.gz" });
    const { accesses, reads } = await statistics(trace);
    return { name: trace.name, accesses, reads };
  })()`);
  expect(told).toEqual({ name: "kernel.txt.gz", accesses: 13_974, reads: 7_425 });
});

test("a page loads no file of Node's part", () => {
  const modules = asked.filter((url) => url.endsWith(".js"));
  expect(modules.length).toBeGreaterThan(20);
  const rooms = /^\/(bundle\/browser\.js$|browser\.js$|(api|analysis|registers|trace|elf|btf|base)\/)/;
  expect(modules.filter((url) => !rooms.test(url) || /\/(node|files)\//.test(url))).toEqual([]);
});
