// tier: quick
// Rewritten modules are proven to be the original with something put in, and the proof notices each planted mistake.
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { ElfFile } from "../../src/elf/elf-file.js";
import { prepareKernel } from "../../src/lab/kernel-package.js";
import { accessCheck } from "../../src/rewrite/access-check.js";
import { type RewrittenModule, rewriteModule } from "../../src/rewrite/rewrite-module.js";
import { probe, proveProbe } from "../test-support/rewrite-probe.js";
import { casesByTier, sampleByTier } from "../test-support/tiers.js";
import { Random } from "./byte-strings.js";
import { runRewriteJob } from "./rewrite-job.js";
import { proveRewriting } from "./rewrite-proof/prove.js";
import { proveChecks } from "./rewrite-proof/prove-checks.js";

const say = (line: string) => process.stderr.write(`${line}\n`);

async function modulesOf(kernel: string): Promise<string[]> {
  const { release, modulesDirectory } = await prepareKernel(kernel, say);
  const folder = join(modulesDirectory, release);
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.ko(\.xz)?$/.test(name))
    .sort()
    .map((name) => join(folder, name));
}

describe.each(casesByTier({ quick: ["debian:6.1", "debian:6.12"], rest: ["debian:newest"] }))("%s", (kernel) => {
  test("a sample of its modules is rewritten and proven", { timeout: 15 * 60_000 }, async () => {
    const all = await modulesOf(kernel);
    const count = sampleByTier({ quick: 60, all: 400 });
    const sample = all.filter((_, index) => index % Math.floor(all.length / count) === 7);
    const { proven, refused, mistakes, places } = runRewriteJob(sample);
    expect(mistakes).toEqual([]);
    expect(refused).toEqual([]);
    expect(proven).toBe(sample.length);
    expect(places).toBeGreaterThan(200 * sample.length);
  });
});

describe.each([
  { what: "the probe", instrumentation: probe, proof: proveProbe },
  { what: "checks of accesses", instrumentation: accessCheck({ crc: 0x1234 }), proof: proveChecks(0x1234) },
])("a planted mistake, with $what", ({ instrumentation, proof }) => {
  let original: Buffer;
  let rewritten: RewrittenModule;

  beforeAll(async () => {
    // it is small, and has most kinds of tables
    const file = (await modulesOf("debian:6.1")).find((path) => basename(path) === "sdhci.ko")!;
    original = readFileSync(file);
    rewritten = rewriteModule("sdhci.ko", original, instrumentation);
  }, 15 * 60_000);

  const mistakesAfter = (change: (bytes: Buffer, elf: ElfFile) => void) => {
    const bytes = Buffer.from(rewritten.bytes);
    change(bytes, new ElfFile("changed", bytes));
    const planted = { ...rewritten, bytes: new Uint8Array(bytes) };
    try {
      return proveRewriting("sdhci.ko", original, planted, proof);
    } catch (error) {
      // a file so broken that its reader refuses it
      return [String(error)];
    }
  };

  test("there is none without one", () => {
    expect(mistakesAfter(() => {})).toEqual([]);
  });

  test.each([
    ...[".rela.text", ".rela__jump_table", ".rela__bug_table", ".rela.return_sites", ".rela__mcount_loc"],
    ...[".rela.orc_unwind_ip", ".rela.smp_locks", ".rela.parainstructions", ".rela.altinstructions"],
    ...[".rela.static_call_sites", ".rela.retpoline_sites", ".rela__ksymtab_gpl"],
  ])("a reference in %s that is off by three", (name) => {
    for (let entry = 0; entry < 20; entry += 1) {
      const mistakes = mistakesAfter((bytes, elf) => {
        const section = elf.section(name)!;
        const count = section.size_bytes / 24;
        const addend = section.offset + 24 * ((entry * 7) % count) + 16;
        bytes.writeBigInt64LE(bytes.readBigInt64LE(addend) + 3n, addend);
      });
      expect(mistakes).not.toEqual([]);
    }
  });

  test("any changed bit in any section that is loaded, or in its relocations", { timeout: 15 * 60_000 }, () => {
    const elf = new ElfFile("rewritten", rewritten.bytes);
    const sections = elf.sections.filter(
      ({ type, size_bytes, name }) =>
        type !== 0 && type !== 8 && size_bytes > 0 && !/^\.(symtab|strtab|shstrtab)$/.test(name),
    );
    const random = new Random(1, 0);
    const unnoticed: string[] = [];
    for (let round = 0; round < sampleByTier({ quick: 150, all: 500 }); round += 1) {
      const section = sections[random.below(sections.length)]!;
      const at = random.below(section.size_bytes);
      const bit = random.below(8);
      const mistakes = mistakesAfter((bytes) => {
        bytes[section.offset + at]! ^= 1 << bit;
      });
      if (mistakes.length === 0) unnoticed.push(`${section.name}+0x${at.toString(16)} bit ${bit}`);
    }
    expect(unnoticed).toEqual([]);
  });

  test("inserted code that is another instruction, or lies elsewhere", () => {
    const { offset } = rewritten.inserted.find(({ kind, section }) => kind === "before" && section === ".text")!;
    const changed = mistakesAfter((bytes, elf) => {
      bytes[elf.section(".text")!.offset + offset + 1] = 0x0b;
    });
    expect(changed[0]).toMatch(/not the (probe's empty instruction|check of the base register that follows)/);
    const inserted = rewritten.inserted.map((range) =>
      range.offset === offset ? { ...range, offset: offset + 1 } : range,
    );
    expect(proveRewriting("x.ko", original, { ...rewritten, inserted }, proof)).not.toEqual([]);
  });
});

describe("a planted mistake in a driver that calls the kernel's accessors", () => {
  const name = "virtio_pci_modern_dev.ko";
  let original: Buffer;
  let rewritten: RewrittenModule;

  beforeAll(async () => {
    original = readFileSync((await modulesOf("debian:6.1")).find((path) => basename(path) === name)!);
    rewritten = rewriteModule(name, original, accessCheck({ crc: 0x1234 }));
  }, 15 * 60_000);

  /** Rewrites a copy with one change, and proves it. */
  const mistakesAfter = (change: (bytes: Buffer, elf: ElfFile) => void) => {
    const bytes = Buffer.from(rewritten.bytes);
    change(bytes, new ElfFile("changed", bytes));
    return proveRewriting(name, original, { ...rewritten, bytes: new Uint8Array(bytes) }, proveChecks(0x1234));
  };

  /** The places of the sites of calls in their table. */
  const callSites = (bytes: Buffer, elf: ElfFile) => {
    const { offset, size_bytes } = elf.section(".mms_sites")!;
    return Array.from({ length: size_bytes / 40 }, (_, place) => offset + 40 * place).filter(
      (at) => bytes[at + 4]! >= 32,
    );
  };

  test("there is none without one, and calls have sites", () => {
    expect(mistakesAfter((bytes, elf) => expect(callSites(bytes, elf).length).toBeGreaterThan(20))).toEqual([]);
  });

  test.each([
    ["another kind", 4, 1],
    ["another width", 6, 3],
    ["another register", 7, 1],
    ["another value's register", 18, 1],
    ["a jump for a call", 21, 1],
  ])("a site of %s", (_, at, change) => {
    const [mistake] = mistakesAfter((bytes, elf) => {
      bytes[callSites(bytes, elf)[3]! + at]! ^= change;
    });
    expect(mistake).toMatch(/: \.mms_sites\+0x\w+: not the description of io(?:read|write)\d+/);
  });

  test("a site of another function", () => {
    const [mistake] = mistakesAfter((bytes, elf) => {
      const table = elf.section(".rela.mms_sites")!;
      const entries = Array.from({ length: table.size_bytes / 24 }, (_, entry) => table.offset + 24 * entry);
      const functions = entries.filter((at) => bytes.readUInt32LE(at) % 40 === 36);
      const other = functions.find((at) => bytes.readUInt32LE(at + 12) !== bytes.readUInt32LE(functions[0]! + 12))!;
      bytes.copyWithin(functions[0]! + 12, other + 12, other + 16);
    });
    expect(mistake).toMatch(/a site of another function's call/);
  });

  test("a check of another argument, and a call of another function", () => {
    const before = rewritten.inserted.filter(({ kind, section }) => kind === "before" && section === ".text");
    const text = new ElfFile("rewritten", rewritten.bytes).section(".text")!;
    const call = before.find(
      ({ offset, length_bytes }) => rewritten.bytes[text.offset + offset + length_bytes] === 0xe8,
    )!;
    const [mistake] = mistakesAfter((bytes) => {
      // rdi and rsi
      bytes[text.offset + call.offset + 3]! ^= 1;
    });
    expect(mistake).toMatch(/not the check of the base register that follows/);
    const mistakes = mistakesAfter((bytes, elf) => {
      const table = elf.section(".rela.text")!;
      const field = call.offset + call.length_bytes + 1;
      const entry = Array.from({ length: table.size_bytes / 24 }, (_, number) => table.offset + 24 * number).find(
        (at) => bytes.readUInt32LE(at) === field,
      )!;
      bytes.writeUInt32LE(bytes.readUInt32LE(entry + 12) + 1, entry + 12);
    });
    expect(mistakes).not.toEqual([]);
  });
});
