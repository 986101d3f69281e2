// Makes the guest's first file system: busybox, modules to reach the host, and an init that changes to the host's root.
import { cpSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { cacheDirectory } from "../base/paths.js";
import { cpio, type Entry, mode } from "./cpio.js";
import { unpackPackages } from "./debian.js";
import { LabKernelError } from "./errors.js";
import type { LabKernel } from "./kernel-package.js";
import { memoryRoot } from "./memory-root.js";
import { publishDirectory } from "./publish.js";

/** The guest's modules in load order; modules.dep adds their dependencies. A kernel may have some built in. */
const guestModules = ["virtio_pci", "9pnet_virtio", "9p", "overlay", "virtio_console"];

/**
 * Makes the initrd that boots `kernel` and runs `script` (a shell script's text) with the host's root around it, or, if
 * `suspendable`, with a root in the machine's memory.
 *
 * Returns a cpio archive, gzipped unless it has the root: the machine would need longer to unpack that than to read it.
 */
export async function makeInitrd(kernel: LabKernel, script: string, suspendable = false): Promise<Buffer> {
  const modules = modulesInOrder(kernel);
  const entries: Entry[] = ["bin", "modules", "proc", "sys", "dev", "host", "write", "root"].map((name) => ({
    name,
    mode: mode.directory,
    content: new Uint8Array(),
  }));
  entries.push({ name: "bin/busybox", mode: mode.program, content: readFileSync(await busybox()) });
  const files: string[] = [];
  for (const [index, path] of modules.entries()) {
    // numbered: insmod takes them in this order. busybox unpacks .xz itself.
    const file = `modules/${String(index).padStart(2, "0")}-${path.split("/").at(-1)}`;
    files.push(`/${file}`);
    entries.push({ name: file, mode: mode.file, content: readFileSync(path) });
  }
  const memory = suspendable ? await memoryRoot(kernel) : undefined;
  if (memory !== undefined) entries.push(...memory.entries);
  const root = memory === undefined ? onHost(kernel) : inMemory(memory.script, files);
  entries.push({ name: "init", mode: mode.program, content: Buffer.from(init(files, root)) });
  entries.push({ name: "script", mode: mode.program, content: Buffer.from(script) });
  return suspendable ? cpio(entries) : gzipSync(cpio(entries), { level: 1 });
}

/** Returns the path of Debian's busybox-static, in the cache. */
async function busybox(): Promise<string> {
  const place = join(cacheDirectory(), "busybox");
  const path = join(place, "bin/busybox");
  if (existsSync(path)) return path;
  await publishDirectory(place, async (work) => {
    await unpackPackages(["busybox-static"], work);
    // newer packages have it in usr/bin
    if (existsSync(join(work, "usr/bin/busybox")))
      cpSync(join(work, "usr/bin"), join(work, "bin"), { recursive: true });
  });
  return path;
}

/** Lists the paths of the guest's modules, each after those that it needs. */
function modulesInOrder(kernel: LabKernel): string[] {
  const base = join(kernel.modulesDirectory, kernel.release);
  const needs = new Map<string, string[]>();
  const pathOf = new Map<string, string>();
  for (const line of readFileSync(join(base, "modules.dep"), "utf8").split("\n")) {
    const [path, rest] = line.split(":");
    if (path === undefined || rest === undefined) continue;
    needs.set(
      path,
      rest.split(" ").filter((name) => name !== ""),
    );
    pathOf.set(moduleName(path), path);
  }
  const builtin = new Set(readFileSync(join(base, "modules.builtin"), "utf8").split("\n").map(moduleName));
  const order: string[] = [];
  const visit = (path: string): void => {
    if (order.includes(path)) return;
    // modules.dep lists the deepest dependency last
    for (const need of [...(needs.get(path) ?? [])].reverse()) visit(need);
    order.push(path);
  };
  for (const name of guestModules) {
    const path = pathOf.get(name);
    if (path !== undefined) visit(path);
    else if (!builtin.has(name)) {
      const message = `the lab can't boot ${kernel.release}: it lacks the module ${name}, which reaches the host`;
      throw new LabKernelError("unfit", message);
    }
  }
  return order.map((path) => join(base, path));
}

function moduleName(path: string): string {
  return path
    .replace(/^.*\//, "")
    .replace(/\.ko(\.[a-z]+)?$/, "")
    .replaceAll("-", "_");
}

/** Init's commands that set up a root with the shares at /root, and those after the command's end. */
interface Root {
  begin: string;
  end: string;
  /** The command that ends the machine. */
  off: string;
}

/** A root over the host's; all changes stay in memory. */
function onHost(kernel: LabKernel): Root {
  return {
    begin: `mount -t tmpfs tmpfs /write
mkdir /write/upper /write/work
mount -t overlay -o lowerdir=/host,upperdir=/write/upper,workdir=/write/work overlay /root || fail "can't mount the overlay"
mkdir -p /root/lib/modules /root/share /root/run /root/tmp
mount --bind "/root${kernel.modulesDirectory}" /root/lib/modules || fail "can't mount the modules"
mount_share /root/share`,
    end: "sync",
    off: "poweroff -f",
  };
}

/**
 * A root in memory. No 9p mount is left while the command runs, because it wouldn't survive suspend. /share is copied into
 * the machine before; new and changed files are copied out after.
 */
function inMemory(script: string, modules: readonly string[]): Root {
  const [modules9p, names] = [modules.filter((path) => /\/\d+-9p/.test(path)), ["9p", "9pnet_virtio", "9pnet"]];
  return {
    begin: `${script}
mount_share /write
cp -a /write/. /root/share/
umount /write
rmmod ${names.join(" ")}
(cd /root/share && find . ! -type d | sort) > /shared-before
touch /shared-since`,
    end: `for module in ${modules9p.join(" ")}; do insmod "$module" || fail "can't load $module again"; done
mount_share /write
cd /root/share
{ find . ! -type d -newer /shared-since; find . ! -type d | sort | comm -23 - /shared-before; } | sort -u > /shared-new
copy_listed /shared-new /write || fail "can't copy /share out"
sync
umount /write`,
    // after a resume ACPI's power-off does nothing on QEMU's machines; a reset ends QEMU, too
    off: "reboot -f",
  };
}

/** Makes the script of the guest's first process. Its messages go to the console, the command's output to the first virtio port. */
function init(modules: readonly string[], root: Root): string {
  return `#!/bin/busybox sh
export PATH=/bin
fail() { echo "lab: $1"; sync; poweroff -f; }
mount_share() { mount -t 9p -o trans=virtio,version=9p2000.L,rw,msize=524288,cache=none share "$1" || fail "can't mount /share"; }
copy_listed() { # the files that $1 lists, from here into $2
  while IFS= read -r file; do mkdir -p "$2/\${file%/*}" && cp -P -p "$file" "$2/$file" || return 1; done < "$1"
}
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
for module in ${modules.join(" ")}; do
  insmod "$module" || fail "can't load $module"
done
mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=524288,cache=loose host /host || fail "can't mount the host's root"
${root.begin}
for online in /sys/devices/system/cpu/cpu[0-9]*/online; do
  [ -e "$online" ] && { echo 1 > "$online" || fail "can't bring up \${online%/online}"; }
done
mount --move /proc /root/proc
mount --move /sys /root/sys
mount --move /dev /root/dev
mount -t tmpfs tmpfs /root/run
mkdir -p /root/dev/pts /root/dev/shm
mount -t devpts devpts /root/dev/pts
mount -t tmpfs tmpfs /root/dev/shm
mount -t debugfs debugfs /root/sys/kernel/debug 2>/dev/null
mount -t tracefs tracefs /root/sys/kernel/tracing 2>/dev/null
mount -t securityfs securityfs /root/sys/kernel/security 2>/dev/null
mkdir -p /root/run/lab
cp /bin/busybox /root/run/lab/busybox
cp /script /root/run/lab/script
mkdir -p /root/run/lab/applets
chroot /root /run/lab/busybox --install -s /run/lab/applets
hostname lab
ifconfig lo 127.0.0.1 up
i=0
while [ ! -e /root/dev/vport*p2 ] && [ $i -lt 100 ]; do i=$((i+1)); usleep 50000; done
output=$(echo /root/dev/vport*p1)
exit=$(echo /root/dev/vport*p2)
[ -e "$exit" ] || fail "no port to the host"
chroot /root /run/lab/busybox sh /run/lab/script > "$output" 2>&1 < /root/dev/null
code=$?
${root.end}
echo "exit $code" > "$exit"
sync
${root.off}
`;
}
