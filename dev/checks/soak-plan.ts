// The plan of one machine of `npm run check:soak`, drawn from a seed: its drivers, its recordings one after the other, their
// beginnings and ends, and the events meanwhile. The same seed gives the same plan.
import { randomNumbers } from "../test-support/made-up-records.js";
import type { DriverCase } from "./driver-cases.js";
import { opening, type PlacedCase } from "./driver-guest.js";

export interface SoakSession {
  /** For example `s1`, whose trace is /share/s1.mmt. */
  name: string;
  /** The drivers are already at work when recording begins: their mappings are real and not recorded. */
  late: boolean;
  /** The recorder's end: by Ctrl-C, by kill -9, or by itself after its duration. */
  end: "interrupt" | "kill" | "duration";
  /** Time at work; one that ends by itself lasts a driver's lap longer, so that there is one in it on a busy host, too. */
  duration_s: number;
  relaxed: boolean;
  /** A second recorder is started, and must be refused. */
  second: boolean;
}

export interface SoakPlan {
  seed: number;
  kernel: string;
  cpus: number;
  drivers: DriverCase[];
  sessions: SoakSession[];
}

export const soakKernels: readonly string[] = ["debian:6.1", "debian:6.12", "debian:6.1-rt"];
const sessionsPerMachine = 5;
const driversMin = 3;
const driversMax = 5;

/** The name under which the lap before the first recording leaves its files. */
export const lapBefore = "before";
const lapBefore_s = 600;

/** This driver frees memory with interrupts off when it is unloaded; the kernel warns of that, recorded or not. */
const warnsByItself = "sym53c8xx";

/** Returns the cases for a soak: not those with a framebuffer, which QEMU doesn't log and which fills any ring. */
export function soakDrivers(cases: readonly DriverCase[]): DriverCase[] {
  return cases.filter(({ name, workload }) => name !== warnsByItself && !/\bpicture\b/.test(workload));
}

export function planSoak(seed: number, cases: readonly DriverCase[], kernels = soakKernels): SoakPlan {
  const random = randomNumbers(seed);
  // the first numbers of neighbouring seeds are alike
  for (let n = 0; n < 16; n += 1) random();
  const below = (limit: number) => random() % limit;
  const left = [...cases];
  const drivers: DriverCase[] = [];
  for (let count = driversMin + below(driversMax - driversMin + 1); count > 0 && left.length > 0; count -= 1) {
    drivers.push(...left.splice(below(left.length), 1));
  }
  const ends = ["interrupt", "kill", "duration"] as const;
  const sessions = Array.from({ length: sessionsPerMachine }, (_, index) => ({
    name: `s${index + 1}`,
    late: below(4) === 0,
    end: ends[below(ends.length)]!,
    duration_s: 5 + below(15),
    relaxed: below(4) === 0,
    second: below(4) === 0,
  }));
  return { seed, kernel: kernels[below(kernels.length)]!, cpus: below(2) === 0 ? 2 : 4, drivers, sessions };
}

/** Returns a machine's time limit, generous enough for a busy host. */
export function soakTimeout_s({ sessions }: SoakPlan): number {
  return 90 + lapBefore_s + sessions.reduce((sum, { duration_s }) => sum + duration_s + 600, 0);
}

/**
 * Returns a shell function that takes the place of modprobe. Drivers that share a module, as e100 and 8139cp share mii, unload it
 * under each other: one's `modprobe -r` takes it away when another's modprobe has just found it loaded. So whoever unloads is
 * alone, by a lock on the file `lock`.
 */
export function modprobeInTurns(lock: string): string {
  return `modprobe() { if [ "$1" = -r ]; then flock -x ${lock} modprobe "$@"; else flock -s ${lock} modprobe "$@"; fi; }`;
}

/**
 * Makes the machine's script. It leaves NAME.mmt, NAME.out, NAME.code, NAME.laps and NAME.kernel of each session in /share, and
 * failures as failed.NAME.*. Before all sessions the drivers make one lap without a recording, whose messages of the kernel are
 * kept, too.
 */
export function soakScript(plan: SoakPlan, placed: readonly PlacedCase[]): string {
  const names = placed.map(({ driver }) => driver.name).join(" ");
  return `${opening(placed)}
# CPUs come and go: what pins itself to one would fail by itself
for name in ${names}; do
  { echo 'taskset() { shift 2; "$@"; }'; echo '${modprobeInTurns("/tmp/modules")}'; cat "/share/$name.sh"; } > "/tmp/$name.sh"
done
echo 0 > /proc/sys/kernel/printk_ratelimit

worker() { # loads, drives and unloads it again and again, but at least once
  laps=0
  while :; do
    if /bin/sh "/tmp/$1.sh" > "/tmp/$1.out" 2>&1 < /dev/null; then laps=$((laps+1))
    else cp "/tmp/$1.out" "/share/failed.$2.$1"; sleep 1; fi
    [ ! -e /tmp/stop ] || break
  done
  echo "$1 $laps" >> "/share/$2.laps"
}
hotplug() {
  while :; do
    for cpu in $(seq 1 ${plan.cpus - 1} | shuf); do
      echo 0 > /sys/devices/system/cpu/cpu$cpu/online; sleep 0.$(shuf -i 0-9 -n 1)
      until echo 1 > /sys/devices/system/cpu/cpu$cpu/online; do sleep 0.1; done; sleep 0.$(shuf -i 0-9 -n 1)
    done
    [ ! -e /tmp/stop ] || break
  done
}
# a shell would make a file where the core has just gone
marks() { while [ ! -e /tmp/stop ]; do echo "mark at $(cut -d' ' -f1 /proc/uptime)" | dd of=/dev/mmiostrider conv=nocreat,notrunc; sleep 0.2; done 2> /dev/null; }
at_work() {
  jobs=
  for name in ${names}; do worker "$name" "$1" & jobs="$jobs $!"; done
  hotplug & jobs="$jobs $!"
}
recording() { for i in $(seq 300); do grep -qs 'state recording' /dev/mmiostrider && return; sleep 0.1; done; echo "no recording" > "/share/failed.$1.start"; }
# on a busy host the first may have come to its end meanwhile: then a second one is right to record
second() { if mmiostrider record --all -o /tmp/second.mmt -- true > /tmp/second.out 2>&1 && kill -0 $2 2> /dev/null; then cp /tmp/second.out "/share/failed.$1.second"; fi; }
# a recorder that is ended before a driver has mapped anything has recorded nothing that could be compared
mapped() { for i in $(seq 900); do grep -qs '^recorded [1-9]' /dev/mmiostrider && return; sleep 0.1; done; echo "nothing mapped" > "/share/failed.$1.map"; }
# nor one that is killed before it has got to write that: on a busy host, real-time threads may leave it little time
written() {
  mapped "$1"
  for i in $(seq 20); do mmiostrider stat "/share/$1.mmt" 2> /dev/null | grep -q '^[1-9][0-9,]* access' && return; sleep 1; done
  echo "nothing written" > "/share/failed.$1.write"
}
# the drivers' lap before all: its time tells how fast this machine is
began=$(cut -d. -f1 /proc/uptime)
touch /tmp/stop
at_work ${lapBefore}
wait $jobs
lap_s=$(($(cut -d. -f1 /proc/uptime) - began))
dmesg -c > /share/${lapBefore}.kernel
${plan.sessions.map(sessionScript).join("\n")}
exit 0
`;
}

function sessionScript({ name, late, end, duration_s, relaxed, second }: SoakSession): string {
  const options = `--all --ring-size 256M${relaxed ? " --relaxed" : ""}${end === "duration" ? ` --duration $((${duration_s} + lap_s))` : ""}`;
  const ending = {
    interrupt: `mapped ${name}; sleep ${duration_s}; kill -INT $recorder`,
    kill: `written ${name}; sleep ${duration_s}; kill -KILL $recorder`,
    duration: "true",
  }[end];
  return `
rm -f /tmp/stop
${late ? `at_work ${name}; sleep 3` : ""}
mmiostrider record ${options} -o /share/${name}.mmt > /share/${name}.out 2>&1 < /dev/null & recorder=$!
recording ${name}
${late ? "" : `at_work ${name}`}
marks & marker=$!
${second ? `second ${name} $recorder` : ""}
${ending}
wait $recorder; echo $? > /share/${name}.code
# the drivers go on without anybody recording
sleep 1
touch /tmp/stop
wait $jobs $marker
[ "$(cat /sys/devices/system/cpu/online)" = "0-${"$"}(($(getconf _NPROCESSORS_CONF) - 1))" ] || echo "CPUs" > /share/failed.${name}.cpus
for module in $(lsmod | grep -o '^mmiostrider'); do rmmod $module || cp /dev/mmiostrider /share/failed.${name}.rmmod; done
dmesg -c > /share/${name}.kernel
echo "session ${name} ended"
sync`;
}
