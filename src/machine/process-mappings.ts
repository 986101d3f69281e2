// Reads which files of devices processes have mapped: /proc/PID/maps. Doesn't know what a file's offset means.
import { readdirSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { readKernelFile } from "./kernel-files.js";

/** A mapping of a device's file: a node in /dev, a file of sysfs, or one of VFIO, which has no name. */
export interface ProcessMapping {
  pid: number;
  /** The process's name, at most 15 characters. */
  program: string;
  /** The file, as the process had it when it opened it: `/dev/mem`, `anon_inode:[vfio-device]`. */
  path: string;
  /** Place in the file, in bytes. */
  offset: bigint;
  length_bytes: bigint;
  /** `226:0`, of a character device; otherwise undefined. */
  characterDevice: string | undefined;
}

export const vfioFile = "anon_inode:[vfio-device]";
/** Of the files in /dev, those of no device. */
const ordinaryMemory = /^\/dev\/(?:zero|null|shm\/.*|hugepages\/.*|mqueue\/.*)(?: \(deleted\))?$/;

/** Finds all processes' mappings of devices' files. A process that ends meanwhile has none. */
export function readProcessMappings(proc = "/proc"): ProcessMapping[] {
  return readdirSync(proc)
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => mappingsOf(proc, pid));
}

function mappingsOf(proc: string, pid: string): ProcessMapping[] {
  const maps = readKernelFile(join(proc, pid, "maps")) ?? "";
  const mappings: ProcessMapping[] = [];
  for (const line of maps.split("\n")) {
    const match = /^([0-9a-f]+)-([0-9a-f]+) \S+ ([0-9a-f]+) \S+ \d+ +(\/sys\/.*|\/dev\/.*|anon_inode:.*)$/.exec(line);
    if (match === null) continue;
    const [first, end, offset] = [match[1], match[2], match[3]].map((digits) => BigInt(`0x${digits}`)) as [
      bigint,
      bigint,
      bigint,
    ];
    const path = match[4]!;
    if (ordinaryMemory.test(path) || (!path.startsWith("/") && path !== vfioFile)) continue;
    const characterDevice = path.startsWith("/dev/")
      ? numbersOf([join(proc, pid, "map_files", `${match[1]}-${match[2]}`), path])
      : undefined;
    if (path.startsWith("/dev/") && characterDevice === undefined) continue;
    const program = readKernelFile(join(proc, pid, "comm"))?.trim() ?? "";
    mappings.push({ pid: Number(pid), program, path, offset, length_bytes: end - first, characterDevice });
  }
  return mappings;
}

/** Returns the numbers of the first of these files that can be asked, if it is a character device. */
function numbersOf(paths: readonly string[]): string | undefined {
  for (const path of paths) {
    try {
      const found = statSync(path);
      if (!found.isCharacterDevice()) return undefined;
      // Linux's dev_t in user space: bits 8 to 19 and 32 up are the major number.
      const major = ((found.rdev >>> 8) & 0xfff) | (Math.floor(found.rdev / 2 ** 32) & ~0xfff);
      return `${major}:${(found.rdev & 0xff) | ((found.rdev >>> 12) & 0xfff00)}`;
    } catch {
      // Another process's namespace, or the process has ended.
    }
  }
  return undefined;
}

/** Returns the names of the files that a process has open. */
export function openFilesOf(pid: number, proc = "/proc"): string[] {
  const folder = join(proc, `${pid}`, "fd");
  try {
    return readdirSync(folder).map((descriptor) => readlinkSync(join(folder, descriptor)));
  } catch {
    return [];
  }
}
