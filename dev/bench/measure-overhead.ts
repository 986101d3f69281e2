// The cost of rewritten code that touches no device, measured in one boot of the lab: a transfer between two virtio-net cards, and work
// on an ext4 file system on dm-crypt on a virtio disk. The original modules and the rewritten ones take turns. overhead.ts prints it.
//
// The core is loaded, and records nothing. None of the modules has a decoy then: all of their memory is ordinary, as is all of what
// virtio's drivers share with a device; their doorbells are rung by virtio_pci. virtio, virtio_ring and virtio_pci stay as they are,
// because the lab's own channels hold them.
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { UserError } from "../../src/base/errors.js";
import { runTool } from "../../src/base/run-tool.js";
import { buildCore, exportedVersion } from "../../src/capture/emulate/core-build.js";
import { installTools } from "../../src/lab/debian.js";
import { type LabKernel, prepareKernel } from "../../src/lab/kernel-package.js";
import { probeKvm } from "../../src/lab/kvm-probe.js";
import { benchTools, labTools } from "../../src/lab/needs.js";
import { runInLab } from "../../src/lab/virtual-machine.js";
import { accessCheck } from "../../src/rewrite/access-check.js";
import { coreEntry } from "../../src/rewrite/instrument-order.js";
import { rewriteModule } from "../../src/rewrite/rewrite-module.js";
import { workFolder } from "../checks/run-check.js";

export interface OverheadRequest {
  /** The machine's clock counts instructions, one tick each. */
  counted: boolean;
  rounds: number;
}

/**
 * The modules' forms: as they are; with all checks; laid out anew without any, which is what `--profile` makes of code that made no
 * access in the former trace.
 */
export const forms = ["original", "checked", "profiled"] as const;
export type Form = (typeof forms)[number];

/** A transfer by TCP; copying, reading and removing small files; writing and reading a large one. */
export const workloads = ["network", "files", "stream"] as const;
export type Workload = (typeof workloads)[number];

export interface OverheadLine {
  workload: Workload;
  form: Form;
  round: number;
  /** The machine's clock: nanoseconds, or instructions. */
  elapsed: number;
  /** The same without the time in which its one CPU had nothing to do. */
  busy: number;
}

/** In the order in which they are loaded, below the kernel's folder. */
const networkModules = ["net/core/failover.ko", "drivers/net/net_failover.ko", "drivers/net/virtio_net.ko"];
const diskModules = [
  ...["drivers/block/virtio_blk.ko", "drivers/md/dm-mod.ko", "drivers/md/dm-crypt.ko"],
  ...["fs/mbcache.ko", "fs/jbd2/jbd2.ko", "fs/ext4/ext4.ko"],
];

const disk_MB = 192;
const transfer_MB = 48;
const stream_MB = 64;
const smallFiles = 1_500;
const smallFolders = 40;
const smallFile_bytesMax = 16_000;

/** The guest's shell script. */
function guestScript(core: string, { rounds }: OverheadRequest): string {
  const load = (modules: readonly string[]) =>
    modules.map((module) => `insmod /share/$form/${basename(module)}`).join(" && ");
  const unload = (modules: readonly string[]) =>
    modules
      .toReversed()
      .map((module) => `rmmod ${basename(module, ".ko")}`)
      .join(" && ");
  return `set -e
# two numbers: the time, and its part in which the CPU had nothing to do
clock() { awk '/^now at/ { now = $3 } /\\.idle_sleeptime|\\.iowait_sleeptime/ { idle += $(NF - 1) } END { printf "%.0f %.0f", now, idle }' /proc/timer_list; }
measured() { # WORKLOAD COMMAND…
  workload=$1; shift
  before=$(clock)
  "$@"
  after=$(clock)
  echo "overhead: $workload $form $round $before $after"
}
network() { bash -c 'exec 3<> /dev/tcp/10.9.0.2/7; dd of=/dev/null bs=64k status=none <&3'; }
files() {
  cp -r /tmp/tree /tmp/mnt/tree
  sync
  echo 3 > /proc/sys/vm/drop_caches
  find /tmp/mnt/tree -type f -exec cat {} + > /dev/null
  rm -r /tmp/mnt/tree
  sync
}
stream() {
  dd if=/dev/zero of=/tmp/mnt/large bs=1M count=${stream_MB} conv=fsync status=none
  echo 3 > /proc/sys/vm/drop_caches
  dd if=/tmp/mnt/large of=/dev/null bs=1M status=none
}
on_network() {
  ${load(networkModules)}
  ip netns add one; ip netns add two
  ip link set eth0 netns one; ip link set eth1 netns two
  ip -n one addr add 10.9.0.1/24 dev eth0; ip -n one link set eth0 up
  ip -n two addr add 10.9.0.2/24 dev eth1; ip -n two link set eth1 up
  ip netns exec two /run/lab/busybox nc -ll -p 7 -e /bin/dd if=/dev/zero bs=64k count=${transfer_MB * 16} status=none &
  server=$!
  ip netns exec one /run/lab/busybox ping -c 1 10.9.0.2 > /dev/null
  measured network ip netns exec one bash -c "$(declare -f network); network"
  kill $server; wait $server || true
  ip netns del one; ip netns del two
  sleep 1
  ${unload(networkModules)}
}
on_disk() {
  ${load(diskModules)}
  # without udev nobody else makes and waits for device files
  export DM_DISABLE_UDEV=1
  dmsetup create crypted --table "0 $(cat /sys/block/vda/size) crypt aes-xts-plain64 ${"0123456789abcdef".repeat(8)} 0 /dev/vda 0"
  mkfs.ext4 -q -F -U 00000000-0000-0000-0000-000000000001 -E hash_seed=00000000-0000-0000-0000-000000000002,lazy_itable_init=0,lazy_journal_init=0 /dev/dm-0
  mount /dev/dm-0 /tmp/mnt
  measured files files
  measured stream stream
  umount /tmp/mnt
  dmsetup remove crypted
  ${unload(diskModules)}
}
insmod ${core}
mkdir -p /tmp/mnt /tmp/tree
tar -x -C /tmp/tree -f /share/tree.tar
modprobe -a crc16 crc32c_generic crc32c_intel xts aesni_intel
for round in $(seq ${rounds}); do
  for form in ${forms.join(" ")}; do
    on_network
    on_disk
  done
done
`;
}

/** Boots and measures. Throws UserError, with the machine's words, when it fails. */
export async function measureOverhead(request: OverheadRequest, kernelName = "debian:6.1"): Promise<OverheadLine[]> {
  const say = (line: string) => process.stderr.write(`${line}\n`);
  await installTools([...labTools, ...benchTools], say);
  const kernel = await prepareKernel(kernelName, say);
  const core = (await buildCore(kernel)).path;
  const work = workFolder("bench");
  try {
    writeModules(work, kernel, exportedVersion(core, coreEntry));
    await writeTree(work);
    writeFileSync(join(work, "bench.sh"), guestScript(core, request));
    writeFileSync(join(work, "disk.img"), new Uint8Array(disk_MB * 1024 ** 2));
    let output = "";
    const result = await runInLab({
      kernel,
      cpus: 1,
      threads: "single",
      memory_MB: 2048,
      kvm: !request.counted && (await probeKvm(kernel.imagePath)).works,
      qemuArguments: [
        ...["-drive", `file=${join(work, "disk.img")},format=raw,if=none,id=disk,cache=unsafe`],
        ...["-device", "virtio-blk-pci,drive=disk"],
        ...["-netdev", "hubport,id=one,hubid=0", "-device", "virtio-net-pci,netdev=one,mac=52:54:00:00:00:01"],
        ...["-netdev", "hubport,id=two,hubid=0", "-device", "virtio-net-pci,netdev=two,mac=52:54:00:00:00:02"],
        ...(request.counted ? ["-icount", "shift=0,sleep=off"] : []),
      ],
      shareDirectory: work,
      command: "bash /share/bench.sh",
      timeout_s: 1_800,
      onOutput: (chunk) => {
        output += chunk.toString();
      },
    });
    const lines = parse(output);
    const wanted = request.rounds * forms.length * workloads.length;
    if (result.exitCode !== 0 || lines.length !== wanted)
      throw new UserError(`the benchmark's machine failed:\n${output}`);
    return lines;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Writes each module in each form into a folder of the form's name. */
function writeModules(work: string, { modulesDirectory, release }: LabKernel, crc: number | undefined): void {
  for (const form of forms) {
    mkdirSync(join(work, form));
    for (const module of [...networkModules, ...diskModules]) {
      const original = join(modulesDirectory, release, "kernel", module);
      const made = join(work, form, basename(module));
      if (form === "original") {
        cpSync(original, made);
        continue;
      }
      const instrumentation = accessCheck(form === "checked" ? { crc } : { crc, sites: [] });
      writeFileSync(made, rewriteModule(original, readFileSync(original), instrumentation).bytes);
    }
  }
}

/** Packs the small files, which the machine unpacks into its memory. */
async function writeTree(work: string): Promise<void> {
  const tree = join(work, "tree");
  for (let number = 0; number < smallFiles; number += 1) {
    const folder = join(tree, String(number % smallFolders));
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, String(number)), new Uint8Array((number * 37) % smallFile_bytesMax));
  }
  const packed = await runTool("tar", ["-c", "-C", tree, "-f", join(work, "tree.tar"), "."]);
  if (packed.code !== 0) throw new UserError(`packing the benchmark's files failed: ${packed.stderr}`);
}

function parse(output: string): OverheadLine[] {
  const pattern = /^overhead: (\w+) (\w+) (\d+) (\d+) (\d+) (\d+) (\d+)\r?$/gm;
  return [...output.matchAll(pattern)].map(([, workload, form, round, ...clocks]) => {
    const [begin, beginIdle, end, endIdle] = clocks.map(Number) as [number, number, number, number];
    const elapsed = end - begin;
    return {
      workload: workload as Workload,
      form: form as Form,
      round: Number(round),
      elapsed,
      busy: elapsed - (endIdle - beginIdle),
    };
  });
}
