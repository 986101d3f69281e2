// The scripts that `npm run check:drivers` runs inside the machine: the shell functions that workloads call, and the script
// that runs each case bare, recorded by one engine or several, and under the kernel's own mmiotrace.
import { assertUnreachable } from "../../src/base/assert.js";
import { fenceBytes } from "../../src/base/fence-bytes.js";
import { shellQuoted } from "../../src/base/shell-quote.js";
import type { DriverCase } from "./driver-cases.js";

/** A case with its place in one machine. */
export interface PlacedCase {
  driver: DriverCase;
  /** `00:08.0` */
  place: string;
  /** Its slot, which is part of the names of its network and of the devices behind it. */
  slot: number;
  /** Eight hexadecimal digits: the fence around its run under mmiotrace. */
  fence: string;
}

/** Limit of a run: one that takes longer is ended, and has failed. Like all limits here it fits a busy host. */
export const run_s = 400;
/** Limit of a run of all cases at once. */
export const together_s = 1800;

/** Prefix of the lines in the machine's output that ask the host for something or report progress. */
export const signalPrefix = "@@";

/** Shell functions. $PLACE is the device's PCI address, $SLOT its slot, $SCRATCH an empty folder. */
const functions = `
fail() { echo "FAILED: $*" >&2; exit 1; }
# until the command succeeds
await() { for i in $(seq 1200); do "$@" > /dev/null 2>&1 && return; sleep 0.1; done; fail "waited in vain: $*"; }
host() { echo "${signalPrefix}$*" > /tmp/signals; }
device=/sys/bus/pci/devices/0000:$PLACE
bind() { echo "0000:$PLACE" > "/sys/bus/pci/drivers/$1/bind"; }
unbind() { if [ -e "/sys/bus/pci/drivers/$1/0000:$PLACE" ]; then echo "0000:$PLACE" > "/sys/bus/pci/drivers/$1/unbind"; fi; }
cpus() { seq 0 $(($(nproc) - 1)); }
# all that stands behind "&" must have ended well
join() { for job in "$@"; do wait "$job" || fail "job $job"; done; }

# a network card: every CPU sends random bytes and gets them back, in one TCP connection each
card() { ls -d $device/net/* $device/virtio*/net/* 2> /dev/null | head -n 1 | grep .; }
echo_once() {
  head -c 300000 /dev/urandom > "$SCRATCH/out.$1"
  taskset -c "$1" timeout 240 /run/lab/busybox nc "10.0.$SLOT.100" 7 < "$SCRATCH/out.$1" > "$SCRATCH/back.$1" || return 1
  [ "$(sha256sum < "$SCRATCH/out.$1")" = "$(sha256sum < "$SCRATCH/back.$1")" ]
}
transfer() {
  await card
  net=$(basename "$(card)")
  ip link set "$net" up
  ip addr add "10.0.$SLOT.15/24" dev "$net"
  await grep -q 1 "/sys/class/net/$net/carrier"
  jobs=
  for cpu in $(cpus); do echo_once "$cpu" & jobs="$jobs $!"; done
  join $jobs
  ip link set "$net" down
}

# a disk: a file system, a file of random bytes from every CPU, read again after everything cached is gone
block() { for found in /sys/block/*; do case "$(readlink -f "$found")" in */0000:$PLACE/*) echo "$found"; return;; esac; done; return 1; }
write_once() { head -c 1000000 /dev/urandom > "$SCRATCH/out.$1"; taskset -c "$1" cp "$SCRATCH/out.$1" "$SCRATCH/mount/file.$1"; }
files() {
  await block
  disk=/dev/$(basename "$(block)")
  await [ -b "$disk" ]
  mkdir -p "$SCRATCH/mount"
  mkfs.ext2 "$disk" > /dev/null || /run/lab/busybox mkfs.ext2 "$disk" > /dev/null
  mount -t ext4 "$disk" "$SCRATCH/mount"
  jobs=
  for cpu in $(cpus); do write_once "$cpu" & jobs="$jobs $!"; done
  join $jobs
  umount "$SCRATCH/mount"
  blockdev --flushbufs "$disk"
  mount -t ext4 -o ro "$disk" "$SCRATCH/mount"
  for cpu in $(cpus); do
    [ "$(sha256sum < "$SCRATCH/out.$cpu")" = "$(sha256sum < "$SCRATCH/mount/file.$cpu")" ] || fail "file $cpu has other bytes"
  done
  umount "$SCRATCH/mount"
}

# a keyboard that the host plugs into the bus $1: what the host types must come. One at a time: the last one plugged gets it.
event() { for found in /sys/class/input/event*; do case "$(readlink -f "$found")" in */0000:$PLACE/*) echo "$found"; return;; esac; done; return 1; }
no_event() { ! event; }
keys() {
  exec 7> /tmp/keyboard; flock 7
  host plug "$1"
  await event
  input=/dev/input/$(basename "$(event)")
  await [ -c "$input" ]
  # struct input_event has 24 bytes: a key down and up are two and two SYN, and two MSC
  exec 4< "$input"
  host type "$1"
  timeout 240 head -c 720 <&4 > "$SCRATCH/keys" || fail "no keys came"
  exec 4<&-
  # of every event the type, code and value, of EV_KEY pressed only
  typed=$(od -An -v -w24 -t u2 "$SCRATCH/keys" | awk '$9 == 1 && $11 == 1 { printf "%s ", $10 }')
  [ "$typed" = "30 48 46 32 18 " ] || fail "typed: $typed"
  host unplug "$1"
  await no_event
  flock -u 7; exec 7>&-
}

# a screen: another mode and a picture, which the host looks at
drm() { ls -d $device/drm/card* $device/virtio*/drm/card* 2> /dev/null | head -n 1 | grep .; }
picture() {
  await drm
  name=$(basename "$(drm)")
  await [ -c "/dev/dri/$name" ]
  mkfifo "$SCRATCH/hold"
  /share/programs/mode-set "/dev/dri/$name" 800 600 < "$SCRATCH/hold" > "$SCRATCH/shown" &
  shower=$!
  exec 6> "$SCRATCH/hold"
  await grep shown "$SCRATCH/shown"
  host screen "$1"
  await [ -e "/share/$1.seen" ]
  rm "/share/$1.seen"
  exec 6>&-
  wait $shower || fail "the mode could not be set"
}

# a sound card: a second of samples
play() {
  modprobe snd-pcm-oss
  await [ -c /dev/dsp ]
  timeout 240 /share/programs/play /dev/dsp || fail "playing"
}

# a watchdog: fed twice, then told to stop
watchdog() { await [ -c /dev/watchdog ]; for food in . . V; do printf %s $food; sleep 0.3; done > /dev/watchdog; }

# a TPM: random bytes extend a register, which must then be the hash of what it was and of them
# the number counts up where the kernel keeps the former one (IMA does)
tpm() { for found in /sys/bus/platform/drivers/tpm_tis/*/tpm/tpm*; do [ -c "/dev/\${found##*/}" ] && echo "$found" && return; done; return 1; }
register() { cat "$(tpm)/pcr-sha256/16"; }
hex() { od -An -v -tx1 | tr -d ' \\n' | tr a-f A-F; }
extend() {
  await tpm
  chip=/dev/$(basename "$(tpm)")
  # TPM2_PCR_Extend of register 16, by a password that is empty, in SHA-256
  head -c 32 /dev/urandom > "$SCRATCH/random"
  printf '\\200\\002\\000\\000\\000\\101\\000\\000\\001\\202\\000\\000\\000\\020\\000\\000\\000\\011' > "$SCRATCH/command"
  printf '\\100\\000\\000\\011\\000\\000\\000\\000\\000\\000\\000\\000\\001\\000\\013' >> "$SCRATCH/command"
  cat "$SCRATCH/random" >> "$SCRATCH/command"
  for round in 1 2 3; do
    before=$(register)
    exec 5<> "$chip"
    cat "$SCRATCH/command" >&5
    dd bs=4096 count=1 <&5 2> /dev/null > "$SCRATCH/answer"
    exec 5>&-
    [ "$(od -An -j6 -N4 -tx1 "$SCRATCH/answer")" = " 00 00 00 00" ] || fail "the TPM refuses: $(hex < "$SCRATCH/answer")"
    wanted=$({ echo "$before" | /run/lab/busybox xxd -r -p; cat "$SCRATCH/random"; } | sha256sum | cut -d' ' -f1 | tr a-f A-F)
    [ "$(register)" = "$wanted" ] || fail "the register is $(register), not $wanted"
  done
}
`;

/** Makes a script of a workload. If all is right it prints its beginning and end, in seconds since the machine's boot: workloadTime_s() reads them. */
export function workloadScript({ driver, place, slot }: PlacedCase, shell: string): string {
  const text = shell.replaceAll("@S", slot.toString(16)).replaceAll("@D", String(slot));
  return `PLACE=${place} SLOT=${slot} SCRATCH=/tmp/scratch/${driver.name}
rm -rf "$SCRATCH"; mkdir -p "$SCRATCH"
${functions}
read -r began rest < /proc/uptime
set -ex
${text}
{ set +x; } 2> /dev/null
read -r ended rest < /proc/uptime
echo "the workload took from $began s to $ended s"
`;
}

/** Returns the time of a workload that ended well, by its output: to 10 ms, by the machine's monotonic clock. */
export function workloadTime_s(output: string): number | undefined {
  const [, began, ended] = /^the workload took from (\d+\.\d+) s to (\d+\.\d+) s$/m.exec(output) ?? [];
  return ended === undefined ? undefined : Math.round(100 * (Number(ended) - Number(began))) / 100;
}

/** Returns the recorder's options that select the device. */
function selection({ driver, place }: PlacedCase): string {
  return `${driver.record ?? `--device ${place}`}`;
}

const octal = (byte: number) => `\\${byte.toString(8).padStart(3, "0")}`;

/** Returns a command that writes the fence's bytes to port 0x80. */
function fence(kind: 1 | 2, id: string): string {
  const bytes = fenceBytes(kind, id).map(octal).join(" ");
  return `for byte in '${bytes.replaceAll(" ", "' '")}'; do printf "$byte" | dd of=/dev/port bs=1 seek=128 conv=notrunc 2> /dev/null; done`;
}

/** Returns the beginning of a machine's script: `run`, and the channel for its signals to the host. */
export function opening(cases: readonly PlacedCase[], limit_s = run_s): string {
  return `mkdir -p /tmp/scratch
# the kernel asks for modules in the first root, where there is no modprobe
printf '#!/bin/busybox sh\\nexec /bin/busybox chroot /root /sbin/modprobe "$@"\\n' > /proc/1/root/bin/request-module
chmod +x /proc/1/root/bin/request-module
echo /bin/request-module > /proc/sys/kernel/modprobe
mkfifo /tmp/signals
exec 8<> /tmp/signals
cat <&8 &
run() { # NAME PHASE COMMAND...: output, exit code and kernel messages go to /share/NAME.PHASE.*
  at=/share/$1.$2; name=$1; phase=$2; shift 2
  echo "${signalPrefix}begin $name $phase" > /tmp/signals
  dmesg -c > /dev/null
  timeout -k 5 ${limit_s} "$@" > $at.out 2>&1 < /dev/null
  echo $? > $at.code
  dmesg > $at.dmesg
  cat /sys/devices/system/cpu/online > $at.cpus
  sync
  echo "${signalPrefix}end $name $phase" > /tmp/signals
}
${cases
  .filter(({ driver }) => driver.prepare !== undefined)
  .map((placed) => {
    const said = `/share/${placed.driver.name}.prepare.out`;
    return `/bin/sh -c ${shellQuoted(workloadScript(placed, placed.driver.prepare!))} > ${said} 2>&1 || cat ${said}`;
  })
  .join("\n")}
`;
}

const unrecorded = ({ driver: { name } }: PlacedCase, kind: RunKind) => `run ${name} ${kind} /bin/sh /share/${name}.sh`;

const recorded = (placed: PlacedCase, engine: RecordingEngine) =>
  `run ${placed.driver.name} ${engine} mmiostrider record --engine ${engine} ${selection(placed)} -o /share/${traceFile(placed.driver.name, engine)} -- /bin/sh /share/${placed.driver.name}.sh`;

/** Returns the name of the trace of a case's run. */
export function traceFile(name: string, engine: RecordingEngine): string {
  return `${name}.${engine}.mmt`;
}

function mmiotraced({ driver: { name }, fence: id }: PlacedCase): string {
  return `cd /sys/kernel/tracing
echo nop > current_tracer
echo 65536 > buffer_size_kb
echo 1 > tracing_on
${fence(1, id)}
echo mmiotrace > current_tracer
cat trace_pipe > /tmp/mmiotrace & reader=$!
run ${name} mmiotrace /bin/sh /share/${name}.sh
size=-1
for i in $(seq 60); do
  now=$(stat -c %s /tmp/mmiotrace)
  [ "$now" = "$size" ] && break
  size=$now; sleep 0.5
done
${fence(2, id)}
kill $reader; wait $reader 2> /dev/null
echo nop > current_tracer
cp /tmp/mmiotrace /share/${name}.mmiotrace
cd /
echo "${signalPrefix}end ${name} all" > /tmp/signals`;
}

/** An engine that records in the machine. */
export type RecordingEngine = "emulate" | "instrument";

/** A run of a case: without recording, the first time or again; recorded by an engine; under mmiotrace. */
export type RunKind = "first" | "bare" | RecordingEngine | "mmiotrace";

function runOf(placed: PlacedCase, kind: RunKind): string {
  switch (kind) {
    case "first":
    case "bare":
      return unrecorded(placed, kind);
    case "emulate":
    case "instrument":
      return recorded(placed, kind);
    case "mmiotrace":
      return mmiotraced(placed);
    default:
      return assertUnreachable(kind);
  }
}

/** Makes the machine's script: each case in all these ways, one case after the other. */
export function machineScript(cases: readonly PlacedCase[], kinds: readonly RunKind[]): string {
  const parts = [opening(cases)];
  for (const placed of cases) parts.push(...kinds.map((kind) => runOf(placed, kind)));
  return `${parts.join("\n")}\nsleep 0.3\nexit 0\n`;
}

/** Makes the machine's script for all cases at once: all bare, then all recorded by one recorder. */
export function togetherScript(cases: readonly PlacedCase[]): string {
  const all = cases
    .map(({ driver: { name } }) => `/bin/sh /share/${name}.sh > /share/${name}.part 2>&1 & jobs="$jobs $!:${name}"`)
    .join("\n");
  return `${opening(cases, together_s)}
cat > /tmp/together <<'END'
jobs=
${all}
status=0
for job in $jobs; do
  if wait "\${job%%:*}"; then continue; fi
  echo "\${job#*:}: $(tail -n 2 "/share/\${job#*:}.part" | tr '\\n' ' ')"
  status=1
done
exit $status
END
run together bare /bin/sh /tmp/together
run together emulate mmiostrider record --all --ring-size 1G -o /share/${traceFile("together", "emulate")} -- /bin/sh /tmp/together
sleep 0.3
exit 0
`;
}
