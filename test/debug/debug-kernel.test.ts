// tier: check
// On a kernel that checks itself (src/lab/source-kernel.ts) recording works as elsewhere, and none of its checkers complains: KASAN,
// lockdep, RCU, the search for sleepers in atomic contexts. Run by `npm run check:debug-kernel`.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { recordGroups } from "../../dev/test-support/lab/access-module.js";
import { expectEveryContext } from "../../dev/test-support/lab/every-context.js";
import { expectQuietKernel, inLab, labKernel, temporaryDirectory } from "../../dev/test-support/lab/in-lab.js";
import { expectSameAccesses, recordedAccesses } from "../../dev/test-support/lab/recorded-accesses.js";
import { expectIdentical } from "../../dev/test-support/lab/trace-and-truth.js";

/** The folder with the kernel. */
const kernel = process.env.MMIOSTRIDER_DEBUG_KERNEL ?? "";
const timeout_s = 1500;

describe("a debug kernel", () => {
  beforeAll(async () => {
    expect(kernel, "MMIOSTRIDER_DEBUG_KERNEL: npm run check:debug-kernel sets it").not.toBe("");
    const { headersDirectory } = await labKernel(kernel);
    const configuration = readFileSync(join(headersDirectory!, ".config"), "utf8");
    for (const wanted of ["KASAN", "PROVE_LOCKING", "PROVE_RCU", "DEBUG_ATOMIC_SLEEP"]) {
      expect(configuration).toMatch(new RegExp(`^CONFIG_${wanted}=y$`, "m"));
    }
  });

  test("tells what is wrong, and the lab sees it", async () => {
    // a made-up line couldn't fail; this one is the kernel's
    const { exitCode, output, consoleLog } = await inLab("dmesg", {
      kernel,
      timeout_s,
    });
    expect(exitCode).toBe(0);
    expect(output).toMatch(/kasan: KernelAddressSanitizer initialized/);
    expect(output).toMatch(/Lock dependency validator/);
    expectQuietKernel(consoleLog);
  });

  test("e1000 on two CPUs: the trace is the truth, and nothing leaks", async () => {
    const share = temporaryDirectory();
    const { exitCode, output, consoleLog, truthFile } = await inLab(
      `cat > /tmp/workload <<'END'
modprobe e1000
ip link set eth0 up
ip addr add 10.0.2.15/24 dev eth0
for i in $(seq 300); do [ "$(cat /sys/class/net/eth0/carrier)" = 1 ] && break; sleep 0.2; done
ping -q -c 40 -i 0.1 10.0.2.2
cat /sys/devices/system/cpu/online
modprobe -r e1000
END
mmiostrider record --driver e1000 -o /share/e1000.mmt -- sh -e /tmp/workload || exit 1
lsmod | grep mmiostrider && exit 1
# the first scan only takes note
sleep 6; echo scan > /sys/kernel/debug/kmemleak; sleep 6; echo scan > /sys/kernel/debug/kmemleak
sed 's/^/leak: /' /sys/kernel/debug/kmemleak`,
      {
        ...{ kernel, share, truth: true, timeout_s, qemu: "-netdev user,id=n0 -device e1000,netdev=n0" },
        append: "kmemleak=on",
      },
    );
    expect(exitCode, output).toBe(0);
    expect(output).toMatch(/^0-1$/m);
    expect(output).toMatch(/ 0 lost, 0 escaped, /);
    expect(output.split("\n").filter((line) => /^leak: .*(mms|mmiostrider)/.test(line))).toEqual([]);
    expectQuietKernel(consoleLog);
    await expectIdentical(join(share, "e1000.mmt"), truthFile, 10_000);
  });

  test("every kind of access", async () => {
    const groups = ["accessors", "integer", "strings", "vectors", "user", "patching", "oracle"];
    const { trace, expected, consoleLog } = await recordGroups(groups, { kernel, timeout_s });
    expectQuietKernel(consoleLog);
    expectSameAccesses(await recordedAccesses(trace), expected);
  });

  test("mappings that get no decoy", async () => {
    const { output, consoleLog } = await recordGroups(["mapped"], { kernel, timeout_s });
    expectQuietKernel(consoleLog);
    expect(output).toMatch(/^record 3$/m);
    expect(output).toMatch(/ was mapped in the fixmap, called by mapped_in_fixmap/);
  });

  test("every context", async () => {
    const { trace, truthFile, consoleLog } = await recordGroups(["contexts", "nmi"], {
      kernel,
      truth: true,
      timeout_s,
    });
    expectQuietKernel(consoleLog);
    await expectEveryContext(trace, truthFile, 2);
    expect(existsSync(trace)).toBe(true);
  });
});
