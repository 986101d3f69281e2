// tier: quick
// The modules of a made-up sysfs.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { isModuleLoaded, readModules } from "./kernel-modules.js";

let sysfs: string;
beforeEach(() => {
  sysfs = mkdtempSync(join(tmpdir(), "mmiostrider-sysfs-"));
});
afterEach(() => rmSync(sysfs, { recursive: true }));

function addModule(name: string, text: string, size_bytes: number): void {
  const folder = join(sysfs, "module", name);
  mkdirSync(join(folder, "sections"), { recursive: true });
  writeFileSync(join(folder, "refcnt"), "0\n");
  writeFileSync(join(folder, "coresize"), `${size_bytes}\n`);
  writeFileSync(join(folder, "sections/.text"), `${text}\n`);
}

test("modules are sorted by address and don't overlap; what is built in, and the kernel's own file there, are none", () => {
  addModule("overlay", "0xffffffffc05e0000", 0x2000);
  addModule("e1000", "0xffffffffc05df000", 0x2000);
  mkdirSync(join(sysfs, "module/printk/parameters"), { recursive: true });
  // a kernel that unpacks modules itself has the method there: b1ae6dc41eaa, 5.17
  writeFileSync(join(sysfs, "module/compression"), "xz\n");
  expect(readModules(sysfs)).toEqual([
    { name: "e1000", textAddress: "0xffffffffc05df000", text_bytes: 0x1000, buildId: null },
    { name: "overlay", textAddress: "0xffffffffc05e0000", text_bytes: 0x2000, buildId: null },
  ]);
  expect(isModuleLoaded("compression", sysfs)).toBe(false);
});
