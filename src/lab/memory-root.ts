// Makes a root file system in the machine's memory, for a machine that suspends: the lab's usual root is the host's, over 9p,
// and 9p doesn't survive suspend. It holds little: busybox, Node, mmiostrider, kmod, and the modules of the machine's devices,
// copied inside the machine, because only there they are known.
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { UserError } from "../base/errors.js";
import { cacheDirectory, projectDirectory } from "../base/paths.js";
import { findTool, runTool } from "../base/run-tool.js";
import { shellQuoted } from "../base/shell-quote.js";
import { type Entry, mode } from "./cpio.js";
import type { LabKernel } from "./kernel-package.js";

/** Our own files that `record`, `mark` and the reading commands need. */
const ownFiles = ["package.json", "bin", "dist/program", "core", "src/registers/files/built-in"];
/** Empty folders to mount and write into. */
const folders = ["proc", "sys", "dev", "run", "share", "tmp", "etc", "usr/bin", "usr/sbin", "lib/modules"];
/** The names of kmod's one program. */
const kmodNames = ["modprobe", "insmod", "rmmod", "lsmod", "modinfo"];

export interface MemoryRoot {
  /** The additional entries of the initrd: all below root/. */
  entries: Entry[];
  /** Init's shell commands for files known only inside the machine. The host's root is at /host. */
  script: string;
}

export async function memoryRoot(kernel: LabKernel): Promise<MemoryRoot> {
  const modprobe = findTool("modprobe");
  if (modprobe === undefined) {
    throw new UserError("the lab needs modprobe, and it isn't installed", { advice: "as root: apt-get install kmod" });
  }
  const tree = new Tree();
  for (const folder of folders) tree.addFolder(`/${folder}`);
  const kmod = realpathSync(modprobe);
  for (const path of [process.execPath, kmod, ...(await librariesOf([process.execPath, kmod]))]) tree.add(path);
  for (const name of kmodNames) tree.addLink(`/usr/sbin/${name}`, kmod);
  tree.addLink("/bin/sh", "/run/lab/busybox");
  const own = ownFiles.map((name) => join(projectDirectory, name));
  for (const path of [...own, ...coresOf(kernel.release), "/etc/passwd", "/etc/group"]) tree.add(path);
  return { entries: tree.entries, script: modulesScript(kernel, modprobe) };
}

/** Collects files below root/, by their paths on the host. Makes the links in folders' paths there, too. */
class Tree {
  readonly entries: Entry[] = [];
  private readonly known = new Set(["/"]);

  /** Adds a file, or a folder with its content. Links to files become files. */
  add(path: string): void {
    if (statSync(path).isDirectory()) {
      this.addFolder(path);
      for (const name of readdirSync(path)) this.add(join(path, name));
      return;
    }
    const place = this.placeOf(path);
    if (this.known.has(place)) return;
    const isProgram = (statSync(path).mode & 0o111) !== 0;
    this.put(place, { mode: isProgram ? mode.program : mode.file, content: readFileSync(path) });
  }

  addFolder(path: string): void {
    if (this.known.has(path)) return;
    this.addFolder(dirname(path));
    const isLink = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
    if (!isLink) this.put(path, { mode: mode.directory, content: new Uint8Array() });
    else {
      this.put(path, { mode: mode.link, content: Buffer.from(readlinkSync(path)) });
      this.addFolder(realpathSync(path));
    }
  }

  addLink(path: string, target: string): void {
    this.put(this.placeOf(path), { mode: mode.link, content: Buffer.from(target) });
  }

  /** Returns a file's path after following the links in its folder's path. */
  private placeOf(path: string): string {
    this.addFolder(dirname(path));
    const folder = existsSync(dirname(path)) ? realpathSync(dirname(path)) : dirname(path);
    this.addFolder(folder);
    return join(folder, basename(path));
  }

  private put(path: string, entry: Omit<Entry, "name">): void {
    this.known.add(path);
    this.entries.push({ name: `root${path}`, ...entry });
  }
}

/** Makes commands that copy the modules that modprobe finds for the machine's devices. */
function modulesScript(kernel: LabKernel, modprobe: string): string {
  const base = dirname(dirname(kernel.modulesDirectory));
  return `cd ${shellQuoted(`/host${kernel.modulesDirectory}`)}
ls ${kernel.release}/modules.* > /modules-wanted
chroot /host ${shellQuoted(modprobe)} -d ${shellQuoted(base)} -S ${kernel.release} -a --show-depends $(cat /sys/bus/pci/devices/*/modalias) 2> /dev/null |
  sed -n 's|^insmod .*/\\(${kernel.release}/[^ ]*\\).*|\\1|p' | sort -u >> /modules-wanted
copy_listed /modules-wanted /root/lib/modules || fail "can't copy the modules"
cd /
umount /host`;
}

/** Lists the libraries that the dynamic linker loads for the programs, by the names that it looks for. */
async function librariesOf(programs: readonly string[]): Promise<string[]> {
  const told = await runTool("ldd", programs);
  const paths = [...told.stdout.matchAll(/^\s+(?:\S+ => )?(\/\S+) \(0x/gm)].map((match) => match[1]!);
  if (told.code !== 0 || paths.length === 0) {
    throw new UserError(`asking for the libraries of ${programs.join(", ")} failed: ${told.stderr.trim()}`, {
      advice: "is ldd (Debian: libc-bin) installed?",
    });
  }
  return paths;
}

/** Lists the cores built for the kernel. */
function coresOf(release: string): string[] {
  const cores = cacheDirectory("core", release);
  return readdirSync(cores)
    .filter((name) => !name.startsWith("."))
    .map((name) => join(cores, name, "mmiostrider.ko"))
    .filter((path) => existsSync(path));
}
