// tier: quick
// writeJson writes the same as JSON.stringify.
import { Writable } from "node:stream";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { writeJson } from "./json-output.js";
import { TextOutput } from "./text-output.js";

async function written(object: object): Promise<string> {
  let text = "";
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString();
      done();
    },
  });
  await writeJson(new TextOutput(stream), object);
  return text;
}

test("any object, as JSON.stringify with two spaces has it", async () => {
  await fc.assert(
    fc.asyncProperty(fc.dictionary(fc.string(), fc.jsonValue()), async (object) => {
      expect(await written(object)).toBe(`${JSON.stringify(object, null, 2)}\n`);
    }),
    { numRuns: 500 },
  );
});

test("undefined values are left out, and bigints are hexadecimal", async () => {
  const object = { a: undefined, b: [undefined, 0x1fn], c: { d: 16n, e: undefined }, f: [] };
  expect(JSON.parse(await written(object))).toEqual({ b: [null, "0x1f"], c: { d: "0x10" }, f: [] });
});
