// tier: quick
// Opening inputs of every kind: what they are, what is wrong with them, and how far they have been read. And outputs: who may read
// them, and what is left of them.
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import { recordedText, recordedTrace } from "../../../dev/test-support/recorded-traces.js";
import { FormatError, UserError } from "../../base/errors.js";
import { openTrace } from "./file-source.js";
import { type InputOptions, openAsTrace, openInput } from "./open-log.js";
import { Output } from "./output.js";

const directory = mkdtempSync(join(tmpdir(), "mmiostrider-inputs-"));
afterAll(() => rmSync(directory, { recursive: true }));

function file(name: string, content: string | Uint8Array): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

async function failure(path: string, options: InputOptions = {}): Promise<UserError> {
  try {
    (await openInput(path, options)).close();
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
  throw new Error(`${path} was opened`);
}

const trace = readFileSync(recordedTrace);
const log = recordedText();

async function accessesIn(path: string, options: InputOptions = {}) {
  const input = await openInput(path, options);
  const { reader, notes } = await openAsTrace(input, options);
  input.close();
  const found = { format: input.format, accesses: reader.summary?.accesses, name: reader.source.name, notes };
  const { incomplete } = reader.source;
  await reader.close();
  return { ...found, incomplete: incomplete ?? [] };
}

describe("an input", () => {
  test("is a trace or a log, packed or not, whatever its name", async () => {
    const plain = file("a.txt", trace);
    expect(await accessesIn(plain)).toMatchObject({ format: "mmt", accesses: 13_889, name: plain });
    const packed = file("b.txt", gzipSync(trace));
    expect(await accessesIn(packed)).toMatchObject({ format: "mmt", accesses: 13_889, name: packed, incomplete: [] });
    const text = file("c.mmt", log);
    expect(await accessesIn(text)).toMatchObject({ format: "mmiotrace", accesses: 13_974, name: text });
    const packedText = file("d.mmt", gzipSync(log));
    expect(await accessesIn(packedText)).toMatchObject({ format: "mmiotrace", accesses: 13_974, name: packedText });
  });

  test("that is packed and cut has a reason why it isn't whole", async () => {
    const whole = gzipSync(trace);
    const { accesses, incomplete } = await accessesIn(file("cut.gz", whole.subarray(0, whole.length / 2)));
    expect(accesses).toBeUndefined();
    expect(incomplete).toEqual([expect.stringMatching(/^the packed file is cut/)]);
  });

  test("is of the format that it is said to be", async () => {
    const odd = file("odd.log", `a line of somebody's own\n${log.slice(0, 2_000)}`);
    const error = await failure(odd, { from: "mmt" }).catch((opened: Error) => opened);
    expect(error.message).toContain("was opened");
    const input = await openInput(odd, { from: "qemu" });
    expect(input.format).toBe("qemu");
    await expect(openAsTrace(input)).rejects.toThrow(/there is no memory_region_ops event in it/);
  });

  test("tells how far it has been read", async () => {
    const path = file("long.log", log.repeat(3));
    const told: [number, number][] = [];
    await accessesIn(path, { onProgress: (done, whole) => told.push([done, whole]) });
    const { size } = statSync(path);
    expect(told.length).toBeGreaterThan(1);
    expect(told.every(([, whole]) => whole === size)).toBe(true);
    expect(told.map(([done]) => done)).toEqual([...told.map(([done]) => done)].sort((a, b) => a - b));
    expect(told.at(-1)![0]).toBe(size);
  });
});

describe("refused is", () => {
  test.each([
    ["nothing", "absent", undefined, /^opening \S+absent failed: /],
    ["an empty file", "empty", "", /empty: at byte 0: the file is empty$/],
    ["an empty file, packed", "empty.gz", gzipSync(""), /the file is empty$/],
    ["another kind of file", "strange", "nothing that anybody traced\n", /strange: at byte 0: this is no trace of/],
    ["two bytes of gzip", "short.gz", Buffer.from([0x1f, 0x8b]), /short\.gz/],
    ["damaged gzip", "damaged.gz", Buffer.from([0x1f, 0x8b, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9]), /it can't be unpacked: /],
  ])("%s", async (_what, name, content, message) => {
    const path = content === undefined ? join(directory, name) : file(name, content);
    expect((await failure(path)).message).toMatch(message);
  });

  test("a folder", async () => {
    expect((await failure(directory)).message).toBe(`${directory} is a folder, not a trace`);
    await expect(openTrace(directory)).rejects.toThrow(new UserError(`${directory} is a folder, not a file`));
  });

  test.each([
    ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
    ["zstd", [0x28, 0xb5, 0x2f, 0xfd, 0x04]],
    ["bzip2", [0x42, 0x5a, 0x68, 0x39]],
    ["lz4", [0x04, 0x22, 0x4d, 0x18, 0x64]],
  ])("what %s packed, with the command that unpacks it", async (program, first) => {
    const error = await failure(file(`log.${program}`, Buffer.from([...first, ...Buffer.alloc(500)])), {
      advice: "other",
    });
    expect(error).toBeInstanceOf(FormatError);
    expect(error.message).toContain(`it is packed with ${program}; only gzip is unpacked here`);
    expect(error.advice).toBe(`${program} -dc unpacks it into a pipe, which - reads`);
    // the first bytes alone tell: one of them changed is another kind of file
    for (let at = 0; at < 3; at += 1) {
      const other = [...first];
      other[at] = 0x20;
      const strange = await failure(file("other", Buffer.from([...other, ...Buffer.alloc(500)])), { advice: "other" });
      expect([strange.message.includes("packed"), strange.advice]).toEqual([false, "other"]);
    }
  });
});

describe("an output", () => {
  const modeOf = (path: string) => statSync(path).mode & 0o777;

  test("of a recorder is for its owner alone, though anybody could read the older file", async () => {
    const path = file("old", "secret of somebody else, which is longer");
    chmodSync(path, 0o644);
    const output = Output.create(path);
    expect(modeOf(path)).toBe(0o600);
    await output.append(Buffer.from("new"));
    output.close();
    output.close();
    expect(readFileSync(path, "utf8")).toBe("new");
    expect([output.regular, output.replaceable, output.length, output.name]).toEqual([true, true, 3, path]);
  });

  test("that the caller renames later has its final name in messages, and the mode of new files", () => {
    const path = join(directory, "temporary");
    const umask = process.umask();
    const output = Output.create(path, "final.mmt");
    expect([output.name, modeOf(path)]).toEqual(["final.mmt", 0o666 & ~umask]);
    output.close();
    expect(() => Output.create(join(directory, "no/where"), "final.mmt")).toThrow(/^making final\.mmt failed: /);
  });

  test("that is discarded is gone; a closed one isn't", () => {
    const [gone, kept] = [join(directory, "gone"), join(directory, "kept")];
    Output.create(gone).discard();
    const output = Output.create(kept);
    output.close();
    output.discard();
    expect([existsSync(gone), existsSync(kept)]).toEqual([false, true]);
  });

  test("that was open before gets more behind what it has, and stays open", async () => {
    const path = file("lent", "before ");
    const descriptor = openSync(path, "a");
    const output = Output.create(`/dev/fd/${descriptor}`);
    expect([output.name, output.replaceable]).toEqual([`/dev/fd/${descriptor}`, false]);
    await output.append(Buffer.from("and after"));
    output.discard();
    output.close();
    writeFileSync(descriptor, ", and more");
    closeSync(descriptor);
    expect(readFileSync(path, "utf8")).toBe("before and after, and more");
  });

  test.skipIf(process.getuid?.() !== 0)("on a full device is an error that says what to do (needs root)", async () => {
    // a node of our own of Linux's device that is always full
    const path = join(directory, "full");
    execFileSync("mknod", [path, "c", "1", "7"]);
    const output = Output.create(path);
    expect([output.regular, output.replaceable]).toEqual([false, false]);
    await expect(output.append(Buffer.from("x"))).rejects.toMatchObject({
      ...{ message: `writing to ${path} failed: the disk is full`, advice: "make room, or write to another disk" },
    });
    expect(existsSync(path)).toBe(true);
  });

  test("that can't grow any more is removed, or keeps what is useful alone", async () => {
    const lengthMax_bytes = 100_000;
    const appendTooMuch = async (name: string, isUseful: boolean) => {
      const output = Output.create(join(directory, name));
      await output.append(new Uint8Array(10));
      if (isUseful) output.keep();
      return output.append(new Uint8Array(lengthMax_bytes)).catch((error: unknown) => error);
    };
    const prlimit = (...options: string[]) =>
      execFileSync("prlimit", ["--pid", `${process.pid}`, ...options], { encoding: "utf8" }).trim();
    const before = prlimit("--fsize", "--output", "SOFT", "--noheadings");
    const ignore = () => {};
    // the signal would end this process
    process.on("SIGXFSZ", ignore);
    prlimit(`--fsize=${lengthMax_bytes}:`);
    try {
      const [useless, useful] = [join(directory, "useless"), join(directory, "useful")];
      expect(await appendTooMuch("useless", false)).toMatchObject({
        ...{ message: `writing to ${useless} failed: EFBIG: file too large, write`, advice: undefined },
      });
      expect(existsSync(useless)).toBe(false);
      expect(await appendTooMuch("useful", true)).toMatchObject({
        message: `writing to ${useful} failed: EFBIG: file too large, write; what was written before can be read`,
      });
      expect(statSync(useful).size).toBe(10);
    } finally {
      prlimit(`--fsize=${before}:`);
      process.off("SIGXFSZ", ignore);
    }
  });

  test("that can't be written is an error with its name", async () => {
    const path = file("read-only", "before");
    const descriptor = openSync(path, "r");
    const output = Output.create(`/dev/fd/${descriptor}`);
    await expect(output.append(Buffer.from("x"))).rejects.toThrow(`writing to /dev/fd/${descriptor} failed: EBADF`);
    closeSync(descriptor);
    expect(readFileSync(path, "utf8")).toBe("before");
  });
});
