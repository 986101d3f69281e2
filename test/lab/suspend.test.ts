// tier: all
// The machine suspends and resumes while a driver is recorded: to the kernel's test levels, and to RAM (S3), which takes the second
// CPU down and resets the device. The lab's `--suspendable` root is in the machine's memory. Suspend-to-idle isn't tested: on
// QEMU's machines a guest can set up nothing that wakes it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { type CaseOutcome, runCases } from "../../dev/test-support/lab/guest-cases.js";
import { labKernel, sharedDirectory } from "../../dev/test-support/lab/in-lab.js";
import { expectIdentical, isAccess, readTrace } from "../../dev/test-support/lab/trace-and-truth.js";

/** `pm_test`'s levels, and none for a real suspend. Each has its own name in the trace. */
const ways = [
  ["devices", "devices"],
  ["platform", "platform"],
  ["core", "core"],
  ["to RAM", "none"],
  ["to RAM again", "none"],
] as const;

const suspendings = ways
  .map(
    ([name, level]) => `
echo ${level} > /sys/power/pm_test
echo 0 > /sys/class/rtc/rtc0/wakealarm
echo +6 > /sys/class/rtc/rtc0/wakealarm
echo 'mark before ${name}' > /dev/mmiostrider
echo mem > /sys/power/state
echo 'mark after ${name}' > /dev/mmiostrider
ip addr flush dev eth0; network_up; pings 3`,
  )
  .join("\n");

const cases: Record<string, string> = {
  suspended: `
cat > steps <<'END'
. /share/cases/tools
modprobe e1000; network_up; pings 3
${suspendings}
modprobe -r e1000
END
echo deep > /sys/power/mem_sleep
echo 1 > /sys/module/suspend/parameters/pm_test_delay
mmiostrider record --driver e1000 -o /share/suspended.mmt -- sh -e steps
echo "ended with $?"
cat /sys/devices/system/cpu/online
rm steps
dmesg > /share/dmesg`,
};

describe.each([["debian:6.1"], ["debian:6.12"]])(
  "a driver is recorded while the machine suspends and resumes: %s",
  (kernel) => {
    const share = sharedDirectory();
    const truthFile = join(sharedDirectory(), "truth.log");
    const trace = join(share, "suspended.mmt");
    let outcomes: Map<string, CaseOutcome>;

    beforeAll(async () => {
      await labKernel(kernel);
      const qemu = "-netdev user,id=n0 -device e1000,netdev=n0 -trace system_wakeup_request";
      outcomes = await runCases(cases, { kernel, suspendable: true, share, qemu, truth: truthFile, timeout_s: 580 });
    });

    test("the network works afterwards, all CPUs are back, and nothing is left", () => {
      const outcome = outcomes.get("suspended")!;
      expect([outcome.stdout, outcome.stderr.match(/^no .*/gm)]).toEqual(["ended with 0\n0-1\n", null]);
      expect(outcome.left).toEqual([]);
    });

    test("it was suspended indeed", () => {
      const messages = readFileSync(join(share, "dmesg"), "latin1");
      const count = (text: RegExp) => messages.match(text)?.length ?? 0;
      expect(count(/PM: suspend entry \(deep\)/g)).toBe(ways.length);
      expect(count(/PM: suspend exit/g)).toBe(ways.length);
      // for "core" and for the real suspend
      expect(count(/smpboot: CPU 1 is now offline/g)).toBe(3);
      expect(count(/CPU1 is up/g)).toBe(3);
      expect(count(/ACPI: PM: Low-level resume complete/g)).toBe(2);
      // QEMU's own trace confirms it
      expect(readFileSync(truthFile, "latin1")).toMatch(/^system_wakeup_request /m);
    });

    test("the trace is what the device received, in order", async () => {
      await expectIdentical(trace, truthFile, 12_001);
    });

    test("the driver's accesses for suspend and resume are in it", async () => {
      const { events } = await readTrace(trace);
      const place = (text: string) => events.findIndex((event) => event.kind === "mark" && event.text === text);
      for (const [name] of ways) {
        const [from, to] = [place(`before ${name}`), place(`after ${name}`)];
        expect([name, from >= 0, to > from]).toEqual([name, true, true]);
        // on resume the card is reset and set up anew
        expect(events.slice(from, to).filter(isAccess).length, name).toBeGreaterThan(500);
      }
      // the clock never goes back
      const marks = events.flatMap((event) => (event.kind === "mark" ? [event.tsc] : []));
      expect(marks).toEqual([...marks].sort((a, b) => (a < b ? -1 : 1)));
    });
  },
);
