// The guest's first file system: busybox, the modules that reach the host, and an init that hands over to the host's root.
import { cpSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { UserError } from "../base/errors.js";
import { cacheDirectory } from "../base/paths.js";
import { unpackPackages } from "./debian.js";
import type { LabKernel } from "./kernel-package.js";
import { publishDirectory } from "./publish.js";

/** In the order of need; what they depend on comes along by modules.dep. A kernel may have some built in. */
const guestModules = ["virtio_pci", "9pnet_virtio", "9p", "overlay", "virtio_console"];

/** One entry of a cpio archive. */
interface Entry {
  name: string;
  mode: number;
  content: Uint8Array;
}

const mode = { directory: 0o040755, file: 0o100644, program: 0o100755 };

/**
 * The initrd that boots `kernel` and runs `script` (a shell script's text) with the host's root around it.
 *
 * Returns the gzipped cpio archive.
 */
export async function makeInitrd(kernel: LabKernel, script: string): Promise<Buffer> {
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
  entries.push({ name: "init", mode: mode.program, content: Buffer.from(init(kernel, files)) });
  entries.push({ name: "script", mode: mode.program, content: Buffer.from(script) });
  return gzipSync(cpio(entries), { level: 1 });
}

/** busybox-static from Debian, in the cache. */
async function busybox(): Promise<string> {
  const place = join(cacheDirectory(), "busybox");
  const path = join(place, "bin/busybox");
  if (existsSync(path)) return path;
  await publishDirectory(place, async (work) => {
    await unpackPackages(["busybox-static"], work);
    // where /bin is a link to /usr/bin, the package says usr/bin
    if (existsSync(join(work, "usr/bin/busybox")))
      cpSync(join(work, "usr/bin"), join(work, "bin"), { recursive: true });
  });
  return path;
}

/** The paths of the guest's modules, each behind those that it needs. */
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
    // modules.dep lists the deepest need last
    for (const need of [...(needs.get(path) ?? [])].reverse()) visit(need);
    order.push(path);
  };
  for (const name of guestModules) {
    const path = pathOf.get(name);
    if (path !== undefined) visit(path);
    else if (!builtin.has(name)) {
      throw new UserError(`the lab can't boot ${kernel.release}: it lacks the module ${name}, which reaches the host`, {
        advice: "--kernel debian:6.1, debian:6.12, debian:6.1-rt and debian:6.12-rt have all that it takes",
      });
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

/** The guest's first process. Everything it says goes to the console; the command's output to the first virtio port. */
function init(kernel: LabKernel, modules: string[]): string {
  return `#!/bin/busybox sh
export PATH=/bin
fail() { echo "lab: $1"; sync; poweroff -f; }
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
for module in ${modules.join(" ")}; do
  insmod "$module" || fail "can't load $module"
done
mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=524288,cache=loose host /host || fail "can't mount the host's root"
mount -t tmpfs tmpfs /write
mkdir /write/upper /write/work
mount -t overlay -o lowerdir=/host,upperdir=/write/upper,workdir=/write/work overlay /root || fail "can't mount the overlay"
mkdir -p /root/lib/modules /root/share /root/run /root/tmp
mount --bind "/root${kernel.modulesDirectory}" /root/lib/modules || fail "can't mount the modules"
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
mount -t 9p -o trans=virtio,version=9p2000.L,rw,msize=524288,cache=none share /root/share || fail "can't mount /share"
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
echo "exit $?" > "$exit"
sync
poweroff -f
`;
}

/** The "newc" archive that the kernel unpacks: Documentation/driver-api/early-userspace/buffer-format.rst. */
function cpio(entries: readonly Entry[]): Buffer {
  const parts: Buffer[] = [];
  const padded = (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
  const all = [...entries, { name: "TRAILER!!!", mode: 0, content: new Uint8Array() }];
  for (const [index, entry] of all.entries()) {
    const name = Buffer.from(`${entry.name}\0`);
    const fields = [index + 1, entry.mode, 0, 0, 1, 0, entry.content.length, 0, 0, 0, 0, name.length, 0];
    const header = `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`;
    parts.push(padded(Buffer.concat([Buffer.from(header), name])), padded(Buffer.from(entry.content)));
  }
  return Buffer.concat(parts);
}
