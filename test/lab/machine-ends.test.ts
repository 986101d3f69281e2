// tier: all
// The end of the lab's machine, also in cases when it shouldn't end, and its other options; see machine.test.ts.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { failureInLab, inLab, patience, succeedInLab, temporaryDirectory } from "../../dev/test-support/lab/in-lab.js";
import { LabError } from "../../src/lab/virtual-machine.js";

test("a command that a signal ends has the shell's code for it", async () => {
  expect((await inLab("kill -9 $$")).exitCode).toBe(137);
});

test("as many CPUs as asked for, also more than the host has", async () => {
  const wanted = cpus().length + 1;
  expect((await succeedInLab("nproc", { cpus: wanted })).trim()).toBe(String(wanted));
});

test("the gateway of QEMU's user network answers a ping", async () => {
  const output = await succeedInLab(
    "modprobe e1000; ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0; ping -c 1 -w 30 10.0.2.2",
    { qemu: "-netdev user,id=n0 -device e1000,netdev=n0" },
  );
  expect(output).toContain("1 packets received");
});

test("a machine that goes down by itself is an error", async () => {
  const failure = await failureInLab("/run/lab/busybox poweroff -f");
  expect(failure).toBeInstanceOf(LabError);
  expect(failure.message).toBe("the machine went down before the command ended");
});

test("a machine that takes too long is ended, and leaves no process", async () => {
  const share = temporaryDirectory();
  const failure = await failureInLab("echo > /share/began; sleep 1000", { share, timeout_s: 15 });
  expect(failure).toBeInstanceOf(LabError);
  expect(failure.message).toBe(`the machine was ended after ${15 * patience} s without an exit code`);
  expect(processesNaming(share)).toEqual([]);
});

test("a machine can be ended early, and leaves no process", async () => {
  const share = temporaryDirectory();
  const abort = new AbortController();
  const running = failureInLab("echo > /share/began; sleep 1000", { share, signal: abort.signal });
  while (!existsSync(join(share, "began"))) {
    if ((await Promise.race([running, pause_ms(100)])) !== undefined) break;
  }
  expect(processesNaming(share).length).toBeGreaterThan(0);
  abort.abort();
  expect((await running).message).toBe("the lab was interrupted");
  expect(processesNaming(share)).toEqual([]);
});

function pause_ms(time_ms: number): Promise<undefined> {
  return new Promise((done) => setTimeout(done, time_ms, undefined));
}

/** The processes that have `text` in their command line. */
function processesNaming(text: string): string[] {
  return readdirSync("/proc").filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return readFileSync(`/proc/${name}/cmdline`, "latin1").includes(text);
    } catch {
      return false;
    }
  });
}
