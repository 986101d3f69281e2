// tier: all
// Drivers that use accessors and libraries: their accesses name the place in the driver. e100's are compared with its own code.
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { expectCallers } from "../../dev/test-support/lab/callers.js";
import { inLab, labKernel, temporaryDirectory } from "../../dev/test-support/lab/in-lab.js";
import { openTrace } from "../../src/trace/node/file-source.js";

const kernel = "debian:6.1";

const commands = `
record() { mmiostrider record $1 -o /share/$2.mmt -- sh -ec "$3"; }
up='modprobe $DRIVER; for i in $(seq 100); do [ -d /sys/class/net/eth0 ] && break; sleep 0.2; done; ip link set eth0 up; sleep 2; ip link set eth0 down'
record "--driver e100" e100 "DRIVER=e100; $up; modprobe -r e100" || exit 1
modprobe -a virtio_net sd_mod
echo 0000:00:05.0 > /sys/bus/pci/drivers/virtio-pci/unbind
record '--device 00:05.0' virtio 'echo 0000:00:05.0 > /sys/bus/pci/drivers/virtio-pci/bind; sleep 2; ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0; ping -c 300 -i 0.01 10.0.2.2 >/dev/null; ip link set eth0 down; echo 0000:00:05.0 > /sys/bus/pci/drivers/virtio-pci/unbind' || exit 1
record '--driver ahci' ahci 'modprobe -a ahci sd_mod; for i in $(seq 100); do [ -b /dev/sda ] && break; sleep 0.2; done; dd if=/dev/sda of=/dev/null bs=64k count=8; modprobe -r ahci'`;

test("e100, virtio-net and ahci: nearly all accesses from outside of the driver have a caller in it", async () => {
  const share = temporaryDirectory();
  const disk = join(temporaryDirectory(), "disk");
  writeFileSync(disk, new Uint8Array(1 << 20));
  const { exitCode, output } = await inLab(commands, {
    kernel,
    share,
    qemu:
      "-netdev user,id=n0 -device i82557b,netdev=n0,addr=4 -netdev user,id=n1 -device virtio-net-pci,netdev=n1,addr=5,ioeventfd=off " +
      `-drive file=${disk},if=none,format=raw,id=d0 -device ide-hd,drive=d0,bus=ide.0`,
    timeout_s: 400,
  });
  expect(exitCode, output).toBe(0);
  const { modulesDirectory, release } = await labKernel(kernel);
  const folder = join(modulesDirectory, release, "kernel/drivers/net/ethernet/intel");
  const file = join(folder, readdirSync(folder).find((name) => name.startsWith("e100.ko"))!);
  const pairs = await expectCallers(join(share, "e100.mmt"), { name: "e100", file });
  expect(pairs.filter(({ site, called }) => called !== site)).toEqual([]);
  expect(pairs.reduce((sum, { accesses }) => sum + accesses, 0)).toBeGreaterThan(5_000);

  const virtio = ["virtio_pci", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio", "virtio_ring"];
  await expectMostCalled(join(share, "virtio.mmt"), virtio);
  await expectMostCalled(join(share, "ahci.mmt"), ["ahci", "libahci", "libata"]);
});

/**
 * Expects a caller in one of the driver's modules for at least 95 of 100 accesses from outside of them. The kernel makes some by itself: it
 * moves an interrupt to another CPU.
 */
async function expectMostCalled(path: string, modules: readonly string[]): Promise<void> {
  let accesses = 0;
  let outside = 0;
  let called = 0;
  const isIn = (symbol: string | undefined) => modules.some((module) => symbol?.endsWith(` [${module}]`));
  const reader = await openTrace(path);
  try {
    for await (const { event, state } of reader.eventsWithState()) {
      if (event.kind !== "read" && event.kind !== "write") continue;
      accesses += 1;
      if (isIn(state.symbolOf(event.site))) continue;
      outside += 1;
      if (event.caller !== 0n && isIn(state.symbolOf(event.caller))) called += 1;
    }
  } finally {
    await reader.close();
  }
  expect(accesses).toBeGreaterThan(50);
  expect(called, `${path}: ${outside} of ${accesses} accesses from outside`).toBeGreaterThanOrEqual(0.95 * outside);
}
