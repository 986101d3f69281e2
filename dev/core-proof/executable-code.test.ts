// tier: quick
// Finding code in files: against readelf, against a real boot image, and with files that are broken.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { FormatError } from "../../src/base/errors.js";
import { prepareKernel } from "../../src/lab/kernel-package.js";
import { codeOfFile, executableSections, kernelOfBootImage } from "./executable-code.js";

const library = "/lib/x86_64-linux-gnu/libc.so.6";

test("the executable sections are those that readelf lists", () => {
  const listed = execFileSync("readelf", ["-SW", library], { encoding: "utf8" })
    .split("\n")
    .map((line) => /^\s*\[\s*\d+\] (\S+)\s+PROGBITS\s+\w+ (\w+) (\w+) \w+\s+\w*X/.exec(line))
    .filter((match) => match !== null)
    .map(([, name, offset, bytes]) => [name, Number.parseInt(offset!, 16), Number.parseInt(bytes!, 16)]);
  expect(listed.length).toBeGreaterThan(0);
  const content = readFileSync(library);
  const found = codeOfFile(library).map(({ name, bytes }) => [name, content.indexOf(bytes), bytes.length]);
  expect(found).toEqual(listed);
});

test("a boot image gives the kernel that it boots", { timeout: 15 * 60_000 }, async () => {
  const { imagePath, release } = await prepareKernel("debian:6.1", (line) => process.stderr.write(`${line}\n`));
  const image = readFileSync(imagePath);
  const kernel = kernelOfBootImage(imagePath, image);
  expect(kernel.includes(`Linux version ${release} `)).toBe(true);
  expect(executableSections(imagePath, kernel).map(({ name }) => name)).toContain(".init.text");
  expect(() => kernelOfBootImage("cut", image.subarray(0, image.length >> 1))).toThrow(FormatError);
  expect(() => kernelOfBootImage("cut", image.subarray(0, 0x240))).toThrow(FormatError);
});

test("an ELF file that is cut or corrupt is an error with its name, and nothing worse", () => {
  const content = readFileSync(library).subarray(0, 1 << 16);
  expect(() => executableSections("some.ko", content)).toThrow(/^some\.ko: at byte \d+: /);
  expect(() => executableSections("text", Buffer.from("x".repeat(100)))).toThrow(FormatError);
  const whole = readFileSync(library);
  const table = Number(whole.readBigUInt64LE(0x28));
  for (let at = 0; at < 64 * whole.readUInt16LE(0x3c); at++) {
    const corrupt = Buffer.from(whole);
    corrupt[table + at]! ^= 0x80;
    try {
      for (const { bytes } of executableSections("corrupt", corrupt)) expect(bytes.length).toBeGreaterThan(0);
    } catch (error) {
      expect(error).toBeInstanceOf(FormatError);
    }
  }
});
