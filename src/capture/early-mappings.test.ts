// tier: quick
// Mappings that processes made before recording began, found in a made-up /proc and /sys.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readPciFunctions } from "../machine/pci.js";
import { findEarlyMappings, type WantedMemory } from "./early-mappings.js";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "mmiostrider-test-"));
  mkdirSync(join(root, "proc"));
  addFunction("0000:00:04.0", [["0xfebc0000", "0xfebdffff", "0x40200"]], "e1000");
  addFunction("0000:00:05.0", [["0xfd000000", "0xfdffffff", "0x42208"]], "bochs-drm");
});
afterEach(() => rmSync(root, { recursive: true }));

function write(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

function link(path: string, target: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  symlinkSync(target, join(root, path));
}

function addFunction(address: string, bars: string[][], driver: string): void {
  write(`sys/devices/pci0000:00/${address}/resource`, `${bars.map((bar) => bar.join(" ")).join("\n")}\n`);
  link(`sys/bus/pci/devices/${address}`, join(root, "sys/devices/pci0000:00", address));
  link(`sys/devices/pci0000:00/${address}/driver`, `../../../bus/pci/drivers/${driver}`);
}

/** Adds a process with one line of `maps`. The node of every mapping in /dev is the character device 1:3. */
function addProcess(pid: number, range: string, offset: string, path: string): void {
  write(`proc/${pid}/comm`, `program-${pid}\n`);
  write(
    `proc/${pid}/maps`,
    `55d0c8a00000-55d0c8a02000 r--p 00000000 08:01 1234 /usr/bin/cat\n${range} rw-s ${offset} 00:15 99    ${path}\n`,
  );
  link(`proc/${pid}/map_files/${range}`, "/dev/null");
}

const two = "7f0000000000-7f0000002000";
const nic: WantedMemory = {
  ...{ ranges: [{ first: 0xfebc0000n, last: 0xfebdffffn }], leftOut: [], excludeWriteCombining: false },
};
const found = (wanted: WantedMemory = nic) => {
  const sysfs = join(root, "sys");
  return findEarlyMappings(wanted, readPciFunctions(sysfs), { proc: join(root, "proc"), sysfs });
};

describe("a process's mapping is found", () => {
  test.each([
    ["an offset in the BAR", "00001000", "0xfebc1000-0xfebc2fff"],
    ["the address in the offset's place", "febc2000", "0xfebc2000-0xfebc3fff"],
  ])("of sysfs's resource0, with %s", (_, offset, range) => {
    const file = "/sys/devices/pci0000:00/0000:00:04.0/resource0";
    addProcess(7, two, offset, file);
    addProcess(8, two, "00000000", "/sys/devices/pci0000:00/0000:00:05.0/resource0_wc");
    const sentence = `the mapping ${range} of ${file} by process 7 (program-7) was made before recording began`;
    expect(found()).toEqual([sentence]);
    expect(found({ ...nic, leftOut: nic.ranges as [] })).toEqual([]);
    expect(found({ ...nic, ranges: "all" })).toHaveLength(2);
    expect(found({ ...nic, ranges: "all", excludeWriteCombining: true })).toEqual([sentence]);
  });

  test("of /dev/mem", () => {
    addProcess(7, two, "febc0000", "/dev/mem");
    addProcess(8, two, "fec00000", "/dev/mem");
    expect(found()).toEqual([
      "the mapping 0xfebc0000-0xfebc1fff of /dev/mem by process 7 (program-7) was made before recording began",
    ]);
  });

  test("of UIO, by the map's number", () => {
    const uio = "sys/devices/pci0000:00/0000:00:04.0/uio/uio0";
    write(`${uio}/maps/map0/addr`, "0xfed00000\n");
    write(`${uio}/maps/map1/addr`, "0xfebc4000\n");
    link("sys/dev/char/1:3", join(root, uio));
    addProcess(7, two, "00001000", "/dev/uio0");
    addProcess(8, two, "00000000", "/dev/uio0");
    expect(found()).toEqual([
      "the mapping 0xfebc4000-0xfebc5fff of /dev/uio0 by process 7 (program-7) was made before recording began",
    ]);
  });

  test("of VFIO, by the group that the process has open", () => {
    link("sys/kernel/iommu_groups/9/devices/0000:00:04.0", "../../../../devices/pci0000:00/0000:00:04.0");
    addProcess(7, two, "00001000", "anon_inode:[vfio-device]");
    addProcess(8, two, "00001000", "anon_inode:[vfio-device]");
    link("proc/7/fd/5", "/dev/vfio/9");
    expect(found()).toEqual([
      "the mapping 0xfebc1000-0xfebc2fff of anon_inode:[vfio-device] by process 7 (program-7) was made before recording began",
    ]);
  });

  test("of a node that the device's driver made: its memory may be behind it", () => {
    const card = "sys/devices/pci0000:00/0000:00:05.0/drm/card0";
    mkdirSync(join(root, card), { recursive: true });
    link("sys/dev/char/1:3", join(root, card));
    addProcess(7, two, "100000000", "/dev/dri/card0");
    expect(found()).toEqual([]);
    expect(found({ ...nic, ranges: [{ first: 0xfd000000n, last: 0xfd000fffn }] })).toEqual([
      "a mapping of /dev/dri/card0 by process 7 (program-7), which may be of 0000:00:05.0's memory, was made before recording began",
    ]);
  });
});

test("ordinary memory and files are no device's", () => {
  addProcess(7, two, "00000000", "/dev/zero (deleted)");
  addProcess(8, two, "febc0000", "/dev/shm/mine");
  addProcess(9, two, "febc0000", "anon_inode:[io_uring]");
  expect(found({ ...nic, ranges: "all" })).toEqual([]);
});

test("the kernel's own mappings without addresses are told if a recorded device's driver made them", () => {
  const line = (module: string) =>
    `0x000000009eb3fa45-0x00000000d6e80d29   12288 ${module}_map+0xca/0x100 [${module}] ioremap\n`;
  write("proc/vmallocinfo", line("e1000") + line("bochs_drm") + line("e1000").replace("ioremap", "vmap"));
  expect(found()).toEqual([
    "a mapping of 0x2000 bytes by e1000_map+0xca/0x100 [e1000], whose addresses the kernel doesn't tell, was made before recording began",
  ]);
});
