// tier: all
// A recording has the places of its devices' registers, from their capabilities: virtio's structures and MSI-X tables have
// names in a report made elsewhere, without the devices.
import { execFileSync } from "node:child_process";
import { closeSync, ftruncateSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { succeedInLab, temporaryDirectory } from "../../dev/test-support/lab/in-lab.js";
import { projectDirectory } from "../../src/base/paths.js";
import { openTrace } from "../../src/trace/node/file-source.js";

const nvme = "0000:00:0a.0";
const network = "0000:00:0b.0";

test("nvme's and virtio-net's registers are named by what their capabilities say", async () => {
  const share = temporaryDirectory();
  const disk = join(share, "disk");
  const file = openSync(disk, "w");
  ftruncateSync(file, 16 << 20);
  closeSync(file);
  const workload = `modprobe nvme
for i in $(seq 100); do [ -b /dev/nvme0n1 ] && break; sleep 0.2; done
dd if=/dev/nvme0n1 of=/dev/null bs=4k count=20 iflag=direct
modprobe virtio_net
echo ${network} > /sys/bus/pci/drivers/virtio-pci/bind
for i in $(seq 100); do [ -e /sys/class/net/eth0 ] && break; sleep 0.2; done
ip link set eth0 up`;
  await succeedInLab(
    `set -e
echo ${network} > /sys/bus/pci/drivers/virtio-pci/unbind
cat > /tmp/workload <<'END'\n${workload}\nEND
mmiostrider record --device ${nvme} --device ${network} -o /share/both.mmt -- sh -e /tmp/workload
for d in ${nvme} ${network}; do od -An -v -tx1 /sys/bus/pci/devices/$d/config | tr -d ' \\n' > /share/$d.hex; done`,
    {
      share,
      qemu: `-drive file=${disk},if=none,format=raw,id=d0 -device nvme,serial=lab,drive=d0,addr=0xa -netdev user,id=n0 -device virtio-net-pci,netdev=n0,disable-legacy=on,addr=0xb`,
    },
  );
  const trace = join(share, "both.mmt");
  const reader = await openTrace(trace);
  for (const address of [nvme, network]) {
    const recorded = reader.header.pciFunctions.find((found) => found.address === address)?.config;
    const whole = readFileSync(join(share, `${address}.hex`), "latin1");
    expect(recorded?.length).toBeGreaterThan(128);
    expect(recorded!.length).toBeLessThanOrEqual(512);
    // The recorded bytes are those that the machine itself shows; the command and status registers change with the driver.
    for (let at = 16; at < 128; at += 2) expect(recorded!.slice(at, at + 2)).toBe(whole.slice(at, at + 2));
  }
  await reader.close();
  const report = execFileSync(process.execPath, [join(projectDirectory, "bin", "mmiostrider.js"), "report", trace], {
    encoding: "utf8",
  });
  const named = (where: RegExp) => report.split("\n").filter((line) => where.test(line)).length;
  expect(named(/nvme BAR0\+0x0200c +VECTOR\[0\]\.CTRL /)).toBeGreaterThan(0);
  expect(named(/nvme BAR0\+0x010\w\w +SQTDBL\[0x[12]\] /)).toBeGreaterThanOrEqual(20);
  expect(named(/virtio-pci BAR1\+0x0001c +VECTOR\[0x1\]\.CTRL /)).toBeGreaterThan(0);
  expect(named(/virtio-pci BAR4\+0x00014 +DEVICE_STATUS /)).toBeGreaterThan(0);
  expect(named(/virtio-pci BAR4\+0x030\d\d +QUEUE_NOTIFY/)).toBeGreaterThan(0);
});
