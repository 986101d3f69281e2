// tier: quick
// The judges of picture and sound must notice mistakes: they get the right data, and the same with one mistake.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { pictureFault, playedTimes } from "./driver-host.js";

const directory = mkdtempSync(join(tmpdir(), "mmiostrider-host-"));
afterAll(() => rmSync(directory, { recursive: true }));

test("a picture with one wrong pixel is told", () => {
  const head = Buffer.from("P6\n800 600\n255\n");
  const pixels = Buffer.alloc(800 * 600 * 3);
  for (let at = 0; at < 800 * 600; at += 1) {
    const [x, y] = [at % 800, Math.floor(at / 800)];
    pixels.set([x & 255, y & 255, (x ^ y) & 255], 3 * at);
  }
  expect(pictureFault(Buffer.concat([head, pixels]))).toBe("");
  pixels[3 * 1234] = pixels[3 * 1234]! ^ 1;
  expect(pictureFault(Buffer.concat([head, pixels]))).toBe("1 pixels of the screen are wrong");
  expect(pictureFault(Buffer.concat([Buffer.from("P6\n640 480\n255\n"), pixels]))).toMatch(/640 by 480/);
  expect(pictureFault(Buffer.from("nothing"))).toMatch(/no picture/);
});

test("sound counts when most of it came in order, and none of it is wrong", () => {
  // as play.c describes them: the low 16 bits of the product's upper half, and the frame's number
  const sound = Buffer.alloc(4 * 44_100);
  for (let frame = 0; frame < 44_100; frame += 1) {
    sound.writeUInt16LE(Number(((BigInt(frame) * 2_654_435_761n) >> 16n) & 0xffffn), 4 * frame);
    sound.writeUInt16LE(frame & 0x7fff, 4 * frame + 2);
  }
  const silence = Buffer.alloc(4 * 500);
  const times = (...parts: Buffer[]) => {
    const path = join(directory, "wave");
    writeFileSync(path, Buffer.concat([Buffer.alloc(44), ...parts]));
    return playedTimes(path);
  };
  expect(times(silence, sound, silence, sound, silence)).toBe(2);
  expect(times(sound.subarray(0, 4 * 20_000), sound.subarray(4 * 22_048), silence)).toBe(1);
  expect(times(sound.subarray(0, 4 * 20_000), silence)).toBe(0);
  expect(times(sound.subarray(4 * 22_100), sound.subarray(0, 4 * 22_000))).toBe(0);
  const wrong = Buffer.from(sound);
  wrong[4 * 300] = wrong[4 * 300]! ^ 1;
  expect(() => times(wrong)).toThrow(/frame 300 /);
  expect(playedTimes(join(directory, "nothing"))).toBe(0);
});
