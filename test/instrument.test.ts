// tier: quick
// `mmiostrider instrument`: the module that it makes is proven, and a module that can't be rewritten is refused in one line.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { proveRewriting } from "../dev/core-proof/rewrite-proof/prove.js";
import { proveChecks } from "../dev/core-proof/rewrite-proof/prove-checks.js";
import { madeUpHeader, madeUpSummary, RecordList } from "../dev/test-support/made-up-records.js";
import { programFile } from "../dev/test-support/program.js";
import { buildCore } from "../src/capture/emulate/core-build.js";
import { ElfFile } from "../src/elf/elf-file.js";
import { prepareKernel } from "../src/lab/kernel-package.js";
import { readRewriting } from "../src/machine/rewritten-module.js";
import { accessCheck } from "../src/rewrite/access-check.js";
import { rewriteModule } from "../src/rewrite/rewrite-module.js";
import { createTrace } from "../src/trace/node/create-trace.js";
import { RecordKind } from "../src/trace/record.js";

let folder: string;
let drivers: string;
let e1000: string;
let core: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "mmiostrider-instrument-"));
  const kernel = await prepareKernel("debian:6.1", (line) => process.stderr.write(`${line}\n`));
  core = (await buildCore(kernel)).path;
  drivers = join(kernel.modulesDirectory, kernel.release, "kernel");
  e1000 = join(drivers, "drivers/net/ethernet/intel/e1000/e1000.ko");
}, 15 * 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const e100 = () => join(drivers, "drivers/net/ethernet/intel/e100.ko");

function instrument(file: string, ...words: string[]) {
  const output = join(folder, "made.ko");
  rmSync(output, { force: true });
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [programFile, "instrument", file, "-o", output, ...words],
    {
      encoding: "utf8",
    },
  );
  return { status, stdout, stderr, made: existsSync(output) ? readFileSync(output) : undefined };
}

const given = (name: string, bytes: Uint8Array) => {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
};

describe("a module of Debian's", () => {
  test("is rewritten, which is proven, and calls the core by its checksum", () => {
    const { status, stdout, stderr, made } = instrument(e1000);
    expect([status, stdout]).toEqual([0, ""]);
    const [, count] = /^([\d,]+) instructions of .*e1000\.ko may call the core in .*made\.ko\n$/.exec(stderr)!;
    // the places that may lead to the device, of 2,440 plain moves
    expect(Number(count!.replace(",", ""))).toBeGreaterThan(500);
    const versions = readFileSync(join(dirname(core), "Module.symvers"), "utf8");
    const crc = Number(/^(0x[0-9a-f]{8})\tmms_rewritten_access_2\t/m.exec(versions)![1]);
    const original = readFileSync(e1000);
    const expected = rewriteModule("e1000.ko", original, accessCheck({ crc }));
    expect(made!.equals(expected.bytes)).toBe(true);
    expect(proveRewriting("e1000.ko", original, expected, proveChecks(crc))).toEqual([]);
  });

  // the kernel's own decoder of xz knows no other checksum than crc32
  test.each([
    [".gz", "gzip", "\x1f\x8b"],
    [".xz", "xz", "\xfd7zXZ\0\0\x01"],
    [".zst", "zstd", "\x28\xb5\x2f\xfd"],
  ])("packed with %s or not, it becomes the same, and is packed as its name says", (ending, program, magic) => {
    const pack = (input: Buffer) => execFileSync(program, ["-c"], { input, maxBuffer: 1 << 28 });
    const packed = given(`e1000.ko${ending}`, pack(readFileSync(e1000)));
    const output = join(folder, `made.ko${ending}`);
    const words = [programFile, "instrument", packed, "-o", output];
    const { status, stderr } = spawnSync(process.execPath, words, { encoding: "utf8" });
    expect(status, stderr).toBe(0);
    const content = readFileSync(output);
    expect(content.toString("latin1", 0, magic.length)).toBe(magic);
    const plain = execFileSync(program, ["-dc"], { input: content, maxBuffer: 1 << 28 });
    expect(plain.equals(instrument(e1000).made!)).toBe(true);
  });

  test("--only rewrites the functions that are named", () => {
    const checked = (...only: string[]) =>
      Number(/^([\d,]+) /.exec(instrument(e1000, ...only).stderr)![1]!.replace(",", ""));
    const [one, two] = [checked("--only", "e1000_intr"), checked("--only", "e1000_intr", "e1000_clean")];
    expect(one).toBeGreaterThan(0);
    expect(two).toBeGreaterThan(one);
    expect(checked()).toBeGreaterThan(10 * two);
  });
});

describe("--accesses", () => {
  const ne2k = () => join(drivers, "drivers/net/ethernet/8390/ne2k-pci.ko");
  const checked = (...words: string[]) => Number(/^([\d,]+) /.exec(instrument(ne2k(), ...words).stderr)![1]);

  test("rewrites loads and stores, or instructions on ports, or both", () => {
    const [mmio, ports] = [checked("--accesses", "mmio"), checked("--accesses", "ports")];
    const text = execFileSync("objdump", ["-d", "--no-show-raw-insn", ne2k()], { encoding: "utf8" });
    expect(ports).toBe(text.match(/\t(?:rep )?(?:in|out|ins|outs)[bwl]? /g)!.length);
    expect(mmio).toBeGreaterThan(0);
    expect([checked("--accesses", "ports,mmio"), checked()]).toEqual([mmio + ports, mmio + ports]);
  });

  test.each([[["mmio"]], [["ports"]]] as const)("what is left is told, and proven: %s", (accesses) => {
    const original = readFileSync(ne2k());
    const rewritten = rewriteModule("ne2k-pci.ko", original, accessCheck({ crc: 1, accesses }));
    expect(proveRewriting("ne2k-pci.ko", original, rewritten, proveChecks(1))).toEqual([]);
    const { portsLeft } = readRewriting("ne2k-pci.ko", rewritten.bytes);
    expect(portsLeft > 0).toBe(accesses[0] === "mmio");
  });
});

describe("--profile", () => {
  /** Writes a trace with one access by each of these sites. */
  async function traceOf(name: string, ...symbols: string[]): Promise<string> {
    const list = new RecordList();
    symbols.forEach((text, number) => {
      const site = 0xffffffffc0000000n + BigInt(number);
      list.addText({ kind: RecordKind.symbol, site }, text);
      list.add({ kind: RecordKind.read, address: 0xfebc0000n, width: 4, value: [1n, 0n], site });
    });
    const path = join(folder, name);
    const writer = await createTrace(path, madeUpHeader());
    await writer.append(list.records);
    await writer.close(madeUpSummary);
    return path;
  }

  /** The places in a function that read or write memory by a plain move, by objdump. */
  function movesOf(name: string): string[] {
    const text = execFileSync("objdump", ["-dw", "--no-show-raw-insn", `--disassemble=${name}`, e1000], {
      encoding: "utf8",
    });
    const start = Number.parseInt(new RegExp(`^([0-9a-f]+) <${name}>:$`, "m").exec(text)![1]!, 16);
    const moves = [...text.matchAll(/^\s*([0-9a-f]+):\tmov +0x[0-9a-f]+\(%r(?!sp|ip)\w+\),%[er]\w+$/gm)];
    return moves.map(([, at]) => `${name}+0x${(Number.parseInt(at!, 16) - start).toString(16)}`);
  }

  test("rewrites the instructions that made accesses, and no others", async () => {
    const [one, two] = movesOf("e1000_intr") as [string, string];
    const trace = await traceOf(
      "profile.mmt",
      ...[`${one}/0x90 [e1000]`, `${two}/0x90 [e1000]`, `${one}/0x90 [e1000e]`, "ioread32+0x10/0x20"],
    );
    const { status, stderr, made } = instrument(e1000, "--profile", trace);
    expect(status, stderr).toBe(0);
    expect(stderr).toMatch(/^2 instructions of /);
    const text = execFileSync(
      "objdump",
      ["-dw", "--no-show-raw-insn", "--disassemble=e1000_intr", join(folder, "made.ko")],
      {
        encoding: "utf8",
      },
    );
    expect(text.match(/\tbt +\$0x3e,/g)).toHaveLength(2);
    expect(made!.length).toBeGreaterThan(readFileSync(e1000).length);
  });

  test("rewrites the calls of functions that made accesses", async () => {
    const list = new RecordList();
    const [site, caller] = [0xffffffff81000010n, 0xffffffffc000094fn];
    list.addText({ kind: RecordKind.symbol, site }, "ioread8+0x10/0x40");
    // behind its first call of ioread8()
    list.addText({ kind: RecordKind.symbol, site: caller }, `${firstCall("e100_eeprom_read", "ioread8")}/0x110 [e100]`);
    const access = { kind: RecordKind.read, address: 0xfebc0000n, width: 1, value: [1n, 0n] as [bigint, bigint] };
    list.add({ ...access, site, caller: Number(caller & 0xffff_ffffn) });
    const path = join(folder, "called.mmt");
    const writer = await createTrace(path, madeUpHeader());
    await writer.append(list.records);
    await writer.close(madeUpSummary);
    const { status, stderr } = instrument(e100(), "--profile", path);
    expect(status, stderr).toBe(0);
    expect(stderr).toMatch(/^1 instruction of /);
  });

  /** The place behind a function's first call of another, by objdump. */
  function firstCall(name: string, called: string): string {
    const text = execFileSync("objdump", ["-drw", "--no-show-raw-insn", `--disassemble=${name}`, e100()], {
      encoding: "utf8",
    });
    const start = Number.parseInt(new RegExp(`^([0-9a-f]+) <${name}>:$`, "m").exec(text)![1]!, 16);
    const at = new RegExp(`^\\s*([0-9a-f]+):\tcall .*\t${called}-0x4$`, "m").exec(text)![1]!;
    return `${name}+0x${(Number.parseInt(at, 16) + 5 - start).toString(16)}`;
  }

  test.each([
    ["a trace of another build", ["e1000_intr+0x1/0x90 [e1000]"], /^mmiostrider: no site of .* can be rewritten$/],
    ["a trace without sites in modules", ["ioread32+0x10/0x20"], /has no access by a module's own code/],
  ])("%s is refused", async (_, symbols, message) => {
    const { status, stderr, made } = instrument(e1000, "--profile", await traceOf("other.mmt", ...symbols));
    expect([status, made]).toEqual([1, undefined]);
    expect(stderr.split("\n")[0]).toMatch(message);
  });
});

interface Refusal {
  what: string;
  file: () => string;
  words?: string[];
  exitCode: number;
  message: RegExp;
}

const refusals: Refusal[] = [
  {
    what: "a file that isn't there",
    file: () => join(folder, "absent.ko"),
    exitCode: 1,
    message: /^mmiostrider: reading the kernel module .* failed: ENOENT/,
  },
  {
    what: "a program",
    file: () => process.execPath,
    exitCode: 1,
    message: /not a kernel module: not a relocatable ELF file$/,
  },
  {
    what: "a cut module",
    file: () => given("cut.ko", readFileSync(e1000).subarray(0, 300_000)),
    exitCode: 1,
    message: /cut\.ko: at byte 40: not a kernel module: its section headers lie outside the file$/,
  },
  {
    what: "a module of another machine's",
    // e_machine, 183 is aarch64's
    file: () => given("arm.ko", changed(readFileSync(e1000), 18, 183)),
    exitCode: 1,
    message: /^mmiostrider: \S*arm\.ko: not a kernel module for x86-64: made for another architecture$/,
  },
  {
    what: "a text that is named like a packed module",
    file: () => given("text.ko.zst", Buffer.from("no module")),
    exitCode: 1,
    message: /text\.ko\.zst: at byte 0: compressed in a way that isn't known here \(gzip, xz and zstd are\)$/,
  },
  {
    what: "a module that was rewritten before",
    file: () => given("again.ko", instrument(e1000).made!),
    exitCode: 1,
    message: /again\.ko: section .*: it refers to mms_rewritten_access_2 already: it was rewritten before$/,
  },
  {
    what: "a cut packed module",
    file: () => given("cut.ko.gz", gzipSync(readFileSync(e1000)).subarray(0, 3000)),
    exitCode: 1,
    message: /cut\.ko\.gz could not be decompressed: unexpected end of file$/,
  },
  {
    what: "a module of another build of the kernel",
    file: () => given("other.ko", replaced(readFileSync(e1000), "mod_unload modversions", "mod_unload modversionz")),
    exitCode: 1,
    message:
      /other\.ko is of another build of the kernel: its vermagic is ".* modversionz ", the core's ".* modversions "$/,
  },
  {
    what: "a module of a kernel without headers here",
    file: () => given("newer.ko", replaced(readFileSync(e1000), "vermagic=6.1.0", "vermagic=6.9.9")),
    exitCode: 1,
    message: /^mmiostrider: building the core failed: no headers for kernel 6\.9\.9-\d+-amd64/,
  },
  {
    what: "a module with code that is none",
    file: () => given("broken.ko", withoutFirstInstruction(readFileSync(e1000))),
    exitCode: 1,
    message: /broken\.ko: section \.text, offset 0x\w+: no instruction, or one that isn't known here$/,
  },
  {
    what: "an unknown function",
    file: () => e1000,
    words: ["--only", "e1000_nothing"],
    exitCode: 2,
    message: /e1000\.ko has no function e1000_nothing$/,
  },
];

/** Puts a byte that begins no instruction at the begin of the code. */
const withoutFirstInstruction = (bytes: Buffer) =>
  changed(bytes, new ElfFile("e1000.ko", bytes).section(".text")!.offset, 0x06);
const replaced = (bytes: Buffer, from: string, to: string) =>
  Buffer.from(bytes.toString("latin1").replace(from, to), "latin1");

const changed = (bytes: Buffer, offset: number, value: number) => {
  bytes[offset] = value;
  return bytes;
};

describe("refused", () => {
  test.each([
    ["all", "all is no kind of accesses"],
    ["mmio,", "an empty word is no kind of accesses"],
  ])("--accesses %s", (value, message) => {
    const { status, stderr, made } = instrument(e1000, "--accesses", value);
    expect([status, made]).toEqual([2, undefined]);
    expect(stderr).toBe(
      `mmiostrider: --accesses ${value}: ${message}\n  mmio, ports, or several with commas between them\n`,
    );
  });

  test.each(refusals)("$what", ({ file, words = [], exitCode, message }) => {
    const { status, stdout, stderr, made } = instrument(file(), ...words);
    expect(stderr.split("\n")[0]).toMatch(message);
    expect([status, stdout, made]).toEqual([exitCode, "", undefined]);
    // nor is anything half written beside it
    expect(readdirSync(folder).filter((name) => name.includes("made.ko") && !/^made\.ko\.\w+$/.test(name))).toEqual([]);
  });

  test("no output is named", () => {
    const { status, stderr } = spawnSync(process.execPath, [programFile, "instrument", e1000], { encoding: "utf8" });
    expect(status).toBe(2);
    expect(stderr).toMatch(/required option '-o, --output <file>' not specified/);
  });
});
