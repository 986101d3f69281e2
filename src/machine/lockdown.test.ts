// tier: quick
// The kernel's own texts about lockdown and tracefs, as its sources print them, are understood.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { isLockedDown, lockdownAdvice, lockdownLevel } from "./lockdown.js";
import { hasTracefs, isTracefsMounted, whyNoTracefs } from "./tracefs.js";

const folder = mkdtempSync(join(tmpdir(), "mmiostrider-lockdown-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("the level is the one in brackets", () => {
  const file = join(folder, "lockdown");
  const of = (text: string) => {
    writeFileSync(file, text);
    return lockdownLevel(file);
  };
  expect(of("[none] integrity confidentiality\n")).toBe("none");
  expect(of("none [integrity] confidentiality\n")).toBe("integrity");
  expect(of("none integrity [confidentiality]\n")).toBe("confidentiality");
  expect(of("[else]\n")).toBeUndefined();
  expect(lockdownLevel(join(folder, "none"))).toBeUndefined();
});

test("the level decides what is forbidden and what is still possible", () => {
  expect([undefined, "none", "integrity", "confidentiality"].map((level) => isLockedDown(level as "none"))).toEqual([
    ...[false, false, true, true],
  ]);
  expect(lockdownAdvice("none")).toBeUndefined();
  expect(lockdownAdvice("integrity")).toContain("--engine singlestep needs no module");
  expect(lockdownAdvice("confidentiality")).toContain("no engine can record here");
  expect(whyNoTracefs("confidentiality")).toContain("closes tracefs");
});

test("tracefs: in the kernel, and mounted in its place", () => {
  expect(hasTracefs("nodev\tsysfs\nnodev\ttracefs\n\text4\n")).toBe(true);
  expect(hasTracefs("nodev\tsysfs\nnodev\tnottracefs\n")).toBe(false);
  expect(isTracefsMounted("tracefs /sys/kernel/tracing tracefs rw,relatime 0 0\n")).toBe(true);
  expect(
    isTracefsMounted("tracefs /sys/kernel/debug/tracing tracefs rw 0 0\nnone /sys/kernel/tracing tmpfs rw 0 0\n"),
  ).toBe(false);
});
