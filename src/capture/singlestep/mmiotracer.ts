// Controls the kernel's own mmiotrace through tracefs: switches it on, and restores everything afterwards, even if the process that
// switched it on is killed.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isSystemError, messageOf, UserError } from "../../base/errors.js";
import { parseCpuList } from "../../machine/cpu-list.js";
import { chosenWord } from "../../machine/kernel-files.js";
import { mountTracefs, tracefs, unmountTracefs } from "../../machine/tracefs.js";
import { Guardian } from "../guardian.js";

const tracerName = "mmiotrace";
const cpuFolder = "/sys/devices/system/cpu";
/** Time limit of restoring: switching CPUs on again takes a while. */
const restore_ms = 60_000;

/** Settings to restore: tracefs's, and the CPUs that were online. */
interface Settings {
  clock: string;
  tracingOn: string;
  /** tracefs's file of each CPU's buffer, and its size in KiB. */
  buffers_KiB: [file: string, size: number][];
  /** Numbers of the CPUs that were online; CPU 0 can't go offline. */
  online: number[];
  /** tracefs wasn't mounted. */
  unmounted: boolean;
}

/** Returns the CPUs that are online now. */
export function onlineCpus(): number[] {
  return parseCpuList(readFileSync(join(cpuFolder, "online"), "latin1"));
}

function read(file: string): string {
  return readFileSync(join(tracefs, file), "latin1").trim();
}

function write(file: string, text: string): void {
  writeFileSync(join(tracefs, file), text);
}

/** Returns true if mmiotrace is switched on, by any process. */
export function isTracing(): boolean {
  try {
    return read("current_tracer") === tracerName;
  } catch {
    return false;
  }
}

/** Puts a marker among mmiotrace's events. Throws UserError. */
export function writeMarker(text: string): void {
  if (/[\n\0]/.test(text)) throw new UserError("a marker is one line of text");
  try {
    write("trace_marker", text);
  } catch (error) {
    const onlyRoot = isSystemError(error, "EACCES");
    throw new UserError(`setting the marker failed: ${onlyRoot ? "only root may" : messageOf(error)}`, {
      ...(onlyRoot ? { advice: "try again with sudo" } : {}),
      cause: error,
    });
  }
}

/** Parses the size of a CPU's buffer in KiB: `1408`, or `7 (expanded: 1408)` before its first use. */
export function bufferSize_KiB(text: string): number {
  return Number(/expanded: (\d+)/.exec(text)?.[1] ?? /^\d+/.exec(text)?.[0]);
}

function readSettings(unmounted: boolean): Settings {
  const buffers_KiB = readdirSync(join(tracefs, "per_cpu"))
    .map((name) => join("per_cpu", name, "buffer_size_kb"))
    .map((file): [string, number] => [file, bufferSize_KiB(read(file))])
    .filter(([, size]) => Number.isSafeInteger(size));
  return {
    clock: chosenWord(read("trace_clock")) ?? "local",
    tracingOn: read("tracing_on"),
    buffers_KiB,
    online: onlineCpus(),
    unmounted,
  };
}

/** Unmounts tracefs, unless somebody has begun to use it meanwhile. */
const unmountScript = `cd /
for try in 1 2 3 4 5 6 7 8 9 10; do
  umount ${tracefs} 2> /dev/null && break
  sleep 0.1
done
`;

/** Makes the guardian's script. */
function restoreScript({ clock, tracingOn, buffers_KiB, online, unmounted }: Settings): string {
  const cpus = online.filter((cpu) => existsSync(join(cpuFolder, `cpu${cpu}`, "online")));
  return `cd ${tracefs} || exit 1
# a dead process may not have closed trace_pipe yet, and the tracer stays while that is open
for try in $(seq 100); do
  echo nop > current_tracer
  [ "$(cat current_tracer)" = nop ] && break
  sleep 0.1
done 2> /dev/null
echo ${clock} > trace_clock
${buffers_KiB.map(([file, size]) => `echo ${size} > ${file}`).join("\n")}
echo ${tracingOn} > tracing_on
# with other CPUs at work mmiotrace would miss accesses and not say so
[ "$(cat current_tracer)" = nop ] || exit 1
status=0
for cpu in ${cpus.join(" ")}; do
  online=${cpuFolder}/cpu$cpu/online
  for try in 1 2 3 4 5; do
    [ "$(cat $online)" = 1 ] && break
    echo 1 > $online
    sleep 0.2
  done
  [ "$(cat $online)" = 1 ] || status=1
done
${unmounted ? unmountScript : ""}exit $status`;
}

export class Mmiotracer {
  private readonly settings: Settings;
  private readonly guardian: Guardian;
  /** The CPUs that mmiotrace has switched off. */
  cpusOff: number[] = [];

  /** Throws UserError if mmiotrace isn't available: not in this kernel, or another tracer is at work. tracefs is mounted. */
  private static check(): void {
    let available: string;
    let current: string;
    try {
      available = read("available_tracers");
      current = read("current_tracer");
    } catch (error) {
      throw new UserError(
        `engine singlestep drives mmiotrace through ${tracefs}, which can't be read: ${messageOf(error)}`,
        { cause: error },
      );
    }
    if (!available.split(/\s+/).includes(tracerName)) {
      throw new UserError("this kernel has no mmiotrace (CONFIG_MMIOTRACE), which engine singlestep drives", {
        advice: `its tracers: ${available === "" ? "none" : available}; engine emulate needs none of them`,
      });
    }
    if (current !== "nop") {
      throw new UserError(`the kernel's tracer ${current} is at work, and there can be one at a time`, {
        advice: `if nobody needs it: echo nop > ${tracefs}/current_tracer`,
      });
    }
  }

  /**
   * Prepares switching mmiotrace on: mounts tracefs if necessary, and makes sure that all later changes are undone, even if we are
   * killed. Throws UserError; then nothing has changed.
   */
  static async prepare(): Promise<Mmiotracer> {
    const unmounted = await mountTracefs();
    try {
      Mmiotracer.check();
      return new Mmiotracer(readSettings(unmounted));
    } catch (error) {
      if (unmounted) await unmountTracefs();
      throw error;
    }
  }

  /**
   * Switches mmiotrace on, with a buffer of `buffer_bytes` on the one CPU that it leaves online.
   * Throws UserError; call `restore` then, too.
   */
  start(buffer_bytes: number): void {
    const before = this.settings;
    try {
      // the recorder's own clock, so that the trace's times can be tied to the wall clock
      write("trace_clock", "mono");
      write(
        join("per_cpu", `cpu${Math.min(...before.online)}`, "buffer_size_kb"),
        String(Math.ceil(buffer_bytes / 1024)),
      );
      write("tracing_on", "1");
      write("current_tracer", tracerName);
    } catch (error) {
      throw new UserError(`switching mmiotrace on failed: ${messageOf(error)}`, {
        advice: "the kernel's log (dmesg) may say why; a smaller --ring-size needs less memory",
        cause: error,
      });
    }
    const online = new Set(onlineCpus());
    this.cpusOff = before.online.filter((cpu) => !online.has(cpu));
  }

  private constructor(settings: Settings) {
    this.settings = settings;
    this.guardian = new Guardian(restoreScript(settings));
  }

  /** Stops mmiotrace from keeping more; the events that it has can still be read. */
  pause(): void {
    write("tracing_on", "0");
  }

  /** Restores everything. Returns a sentence about a failure, or undefined. */
  async restore(): Promise<string | undefined> {
    const code = await this.guardian.undo(restore_ms);
    if (code === 0 && !isTracing()) return undefined;
    return (
      "putting the kernel's tracer and the CPUs back failed; by hand: " +
      `echo nop > ${tracefs}/current_tracer, then echo 1 > ${cpuFolder}/cpuN/online`
    );
  }
}
