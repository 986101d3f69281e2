// tier: quick
// Folders that are whole or don't exist.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { publishDirectory } from "./publish.js";

const directory = mkdtempSync(join(tmpdir(), "mmiostrider-publish-"));
afterAll(() => rmSync(directory, { recursive: true }));

test("a folder gets its name when it is complete", async () => {
  const place = join(directory, "whole");
  await publishDirectory(place, async (work) => {
    expect(existsSync(place)).toBe(false);
    writeFileSync(join(work, "file"), "content");
  });
  expect(readFileSync(join(place, "file"), "utf8")).toBe("content");
});

test("one that is there isn't made again", async () => {
  const place = join(directory, "there");
  mkdirSync(place);
  await publishDirectory(place, () => Promise.reject(new Error("made again")));
  expect(readdirSync(place)).toEqual([]);
});

test("a failure leaves nothing", async () => {
  const place = join(directory, "failed");
  const failing = publishDirectory(place, async (work) => {
    writeFileSync(join(work, "half"), "");
    throw new Error("the network went away");
  });
  await expect(failing).rejects.toThrow("the network went away");
  expect(readdirSync(directory).filter((name) => name.startsWith("failed"))).toEqual([]);
});

test("if another run is faster, its folder stays", async () => {
  const place = join(directory, "raced");
  await publishDirectory(place, async (work) => {
    writeFileSync(join(work, "ours"), "");
    mkdirSync(place);
    writeFileSync(join(place, "theirs"), "");
  });
  expect(readdirSync(place)).toEqual(["theirs"]);
  expect(readdirSync(directory).filter((name) => name.startsWith("raced"))).toEqual(["raced"]);
});

test("a dead run's folder is removed, a living run's isn't", async () => {
  const place = join(directory, "left");
  const dead = spawnSync(process.execPath, ["-e", "0"]).pid;
  mkdirSync(`${place}.part-${dead}`);
  mkdirSync(`${place}.part-${process.ppid}`);
  await publishDirectory(place, async () => {});
  expect(existsSync(`${place}.part-${dead}`)).toBe(false);
  expect(existsSync(`${place}.part-${process.ppid}`)).toBe(true);
});
