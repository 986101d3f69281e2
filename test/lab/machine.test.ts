// tier: quick
// The lab's machine: its input, its output, and its end.
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import {
  bothKernels,
  endKernels,
  expectQuietKernel,
  failureInLab,
  inLab,
  labKernel,
  succeedInLab,
  temporaryDirectory,
  truthAccesses,
} from "../../dev/test-support/lab/in-lab.js";
import { casesByTier } from "../../dev/test-support/tiers.js";
import { projectDirectory } from "../../src/base/paths.js";
import { prepareKernel } from "../../src/lab/kernel-package.js";
import { LabError } from "../../src/lab/virtual-machine.js";

test("output and exit code come through, and nothing else", async () => {
  const { exitCode, output, consoleLog } = await inLab("echo to stdout; echo to stderr >&2; exit 37");
  expect(output).toBe("to stdout\nto stderr\n");
  expect(exitCode).toBe(37);
  expectQuietKernel(consoleLog);
});

test("every byte of a long binary output comes through", async () => {
  const share = temporaryDirectory();
  const output = await succeedInLab("head -c 3000000 /dev/urandom | tee /share/copy", { share });
  const hash = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
  expect(output.length).toBe(3_000_000);
  expect(hash(Buffer.from(output, "latin1"))).toBe(hash(readFileSync(join(share, "copy"))));
});

test.each(casesByTier<string>({ quick: bothKernels, rest: ["debian:6.1-rt", ...endKernels] }))(
  "%s boots with two CPUs, its modules and its headers",
  async (name) => {
    const kernel = await labKernel(name);
    const output = await succeedInLab(
      "uname -r; cat /sys/devices/system/cpu/online; modprobe e1000 && lsmod | grep -o '^e1000 '; " +
        "grep -c . /lib/modules/$(uname -r)/build/.config; mmiostrider --version; echo $MMIOSTRIDER_LAB",
      { kernel: name },
    );
    const configuration = readFileSync(join(dirname(kernel.imagePath), `config-${kernel.release}`), "utf8");
    const { version } = JSON.parse(readFileSync(join(projectDirectory, "package.json"), "utf8"));
    expect(output.split("\n")).toEqual([
      kernel.release,
      "0-1",
      "e1000 ",
      expect.stringMatching(/^\d{4,}$/),
      version,
      "1",
      "",
    ]);
    expect(configuration).toContain("CONFIG_SMP=y");
  },
);

test("a kernel from a folder", async () => {
  const debian = await labKernel();
  const kernel = await prepareKernel(dirname(dirname(debian.imagePath)), () => {});
  expect(kernel.imagePath).toBe(debian.imagePath);
  expect(kernel.release).toBe(debian.release);
});

test("/share is the host's folder, both ways; writes elsewhere stay in the machine", async () => {
  const share = temporaryDirectory();
  writeFileSync(join(share, "question"), "from the host");
  const outside = join(temporaryDirectory(), "stays");
  writeFileSync(outside, "untouched");
  const left = join(projectDirectory, "left-by-the-lab");
  const output = await succeedInLab(
    `cat /share/question; echo from the machine > /share/answer; echo changed > ${outside}; cat ${outside}; ` +
      `echo x > ${left}; cat ${left}; rm -r /etc/apt; ls /etc/apt 2>/dev/null | wc -l`,
    { share },
  );
  expect(output).toBe("from the hostchanged\nx\n0\n");
  expect(readFileSync(join(share, "answer"), "utf8")).toBe("from the machine\n");
  expect(readFileSync(outside, "utf8")).toBe("untouched");
  expect(existsSync(left)).toBe(false);
  expect(readdirSync("/etc/apt")).not.toEqual([]);
});

test("the truth has each access to a device, in order, with address, width and value; and writes to ports", async () => {
  // STATUS is at 8, CTRL_EXT at 0x18; see the manual of Intel's 8254x, 13.4
  const { output, truthFile } = await inLab(
    `set -e
for device in /sys/bus/pci/devices/*; do
  if [ "$(cat $device/device)" = 0x100e ]; then
    bar=$(sed -n '1s/ .*//p' $device/resource)
    echo 1 > $device/enable
  fi
done
busybox=/run/lab/busybox
echo $bar $($busybox devmem $((bar + 8)) 32) 
$busybox devmem $((bar + 0x18)) 32 0x12345678
$busybox devmem $((bar + 0x18)) 32
printf 'M' | dd of=/dev/port bs=1 seek=128 2>/dev/null
$busybox devmem $((bar + 8)) 32`,
    { qemu: "-netdev user,id=n0 -device e1000,netdev=n0", truth: true },
  );
  const [bar, status] = output.split(/\s+/);
  const base = BigInt(bar!);
  const accesses = truthAccesses(truthFile);
  const read = accesses.findIndex(({ region, direction }) => region === "e1000-mmio" && direction === "read");
  const here = accesses
    .slice(read)
    .filter(({ region, value }) => region === "e1000-mmio" || (region === "ioport80" && value === 0x4dn));
  const mmio = (direction: string, offset: bigint, value: unknown) => ({
    direction,
    address: base + offset,
    value,
    width: 4,
    region: "e1000-mmio",
  });
  expect(here).toEqual([
    mmio("read", 8n, BigInt(status!)),
    mmio("write", 0x18n, 0x12345678n),
    mmio("read", 0x18n, expect.any(BigInt)),
    { direction: "write", address: 0x80n, value: 0x4dn, width: 1, region: "ioport80" },
    mmio("read", 8n, BigInt(status!)),
  ]);
});

test("a panic is an error that shows the console from where it begins", async () => {
  const failure = await failureInLab("echo going down; echo c > /proc/sysrq-trigger; sleep 60");
  expect(failure).toBeInstanceOf(LabError);
  expect(failure.message).toBe("the machine crashed before the command ended");
  expect(failure.advice).toContain("Kernel panic - not syncing: sysrq triggered crash");
  expect(failure.consoleLog).toContain("Kernel panic");
});

test("QEMU's own complaint is shown", async () => {
  const failure = await failureInLab("true", { qemu: "-device no-such-device" });
  expect(failure).toBeInstanceOf(LabError);
  expect(failure.message).toMatch(/^QEMU ended with code 1: .*'no-such-device' is not a valid device model name/);
});
