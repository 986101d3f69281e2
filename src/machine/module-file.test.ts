// tier: quick
// Reads modules' files made by gcc and ld, and refuses anything else in one line.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FormatError, UserError } from "../base/errors.js";
import { checkModule } from "../capture/emulate/core-build.js";
import { parseModuleFile, readModuleFile } from "./module-file.js";

let folder: string;
let made: string;

/** The parts that modpost adds to a module, compiled and linked as Kbuild does. */
const source = `
  #define INFO(name, text) static const char name[] __attribute__((used, section(".modinfo"))) = text
  INFO(license, "license=GPL");
  INFO(name, "name=mmiostrider");
  INFO(vermagic, "vermagic=6.1.0-56-amd64 SMP preempt mod_unload modversions ");
  int zeroed[1000];
  int code(void) { return zeroed[3]; }
`;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "mmiostrider-test-"));
  writeFileSync(join(folder, "module.c"), source);
  execFileSync("gcc", ["-c", "-o", join(folder, "module.o"), join(folder, "module.c")]);
  made = join(folder, "module.ko");
  execFileSync("ld", ["-r", "--build-id=0x00112233445566778899aabbccddeeff", "-o", made, join(folder, "module.o")]);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("readModuleFile", () => {
  test("reads name, release and build id", () => {
    expect(readModuleFile(made)).toEqual({
      name: "mmiostrider",
      release: "6.1.0-56-amd64",
      vermagic: "6.1.0-56-amd64 SMP preempt mod_unload modversions ",
      buildId: "00112233445566778899aabbccddeeff",
    });
  });

  test("refuses what isn't ELF, a program, and an object that is no module", () => {
    const text = join(folder, "text.ko");
    writeFileSync(text, "#!/bin/sh\n");
    expect(() => readModuleFile(text)).toThrow(/text\.ko: at byte 0: not a kernel module: not an ELF file/);
    expect(() => readModuleFile(process.execPath)).toThrow(/not a relocatable ELF file/);
    writeFileSync(join(folder, "plain.c"), "int answer(void) { return 42; }");
    execFileSync("gcc", ["-c", "-o", join(folder, "plain.o"), join(folder, "plain.c")]);
    expect(() => readModuleFile(join(folder, "plain.o"))).toThrow(/no \.modinfo section/);
    expect(() => readModuleFile(join(folder, "absent.ko"))).toThrow(UserError);
  });

  test("a file cut anywhere is refused as such or still tells its release, and never fails otherwise", () => {
    const whole = readFileSync(made);
    let refused = 0;
    for (let length = 0; length < whole.length; length += 1) {
      try {
        expect(parseModuleFile(whole.subarray(0, length), "cut.ko").release).toBe("6.1.0-56-amd64");
      } catch (error) {
        expect(error).toBeInstanceOf(FormatError);
        refused += 1;
      }
    }
    // The section headers are at the end, so nearly every cut loses them.
    expect(refused).toBeGreaterThan(whole.length * 0.9);
  });

  test("random damage is refused as such or read, and never fails otherwise", () => {
    const whole = readFileSync(made);
    let seed = 12345;
    const random = (below: number) => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return (seed >>> 8) % below;
    };
    for (let round = 0; round < 20_000; round += 1) {
      const damaged = Buffer.from(whole);
      for (let changes = 0; changes < 4; changes += 1) {
        // Half of the changes hit the ELF header, whose 64 bytes matter most.
        damaged[random(2) === 0 ? random(64) : random(damaged.length)] = random(256);
      }
      try {
        parseModuleFile(damaged, "damaged.ko");
      } catch (error) {
        expect(error).toBeInstanceOf(FormatError);
      }
    }
  });
});

describe("checkModule", () => {
  test("takes the core for its own kernel only", () => {
    checkModule(made, "6.1.0-56-amd64");
    expect(() => checkModule(made, "6.1.0-55-amd64")).toThrow(
      /was built for kernel 6\.1\.0-56-amd64, but this is 6\.1/,
    );
  });
});
