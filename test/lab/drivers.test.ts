// The bar: stock drivers recorded from load to unload, on two CPUs, compared access by access with QEMU's own log.
import { closeSync, ftruncateSync, openSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { verify } from "../../src/analysis/verify.js";
import { bootDrivers, filesOf, placeCases } from "../../src/checks/driver-boot.js";
import { driverCases } from "../../src/checks/driver-cases.js";
import { machineScript } from "../../src/checks/driver-guest.js";
import { playedTimes } from "../../src/checks/driver-host.js";
import { judgeEmulated, newMessages } from "../../src/checks/driver-results.js";
import { openTrace } from "../../src/trace/file-source.js";
import { expectQuietKernel, inLab, labKernel, temporaryDirectory, truthAccesses } from "./in-lab.js";

/** A network driver from load through link up and pings to unload. */
const network = (driver: string) => `set -e
modprobe ${driver}
ip link set eth0 up
ip addr add 10.0.2.15/24 dev eth0
for i in $(seq 100); do [ "$(cat /sys/class/net/eth0/carrier)" = 1 ] && break; sleep 0.2; done
ping -c 40 -i 0.1 10.0.2.2
cat /sys/devices/system/cpu/online
modprobe -r ${driver}`;

const disk = `set -e
modprobe nvme
for i in $(seq 100); do [ -b /dev/nvme0n1 ] && break; sleep 0.2; done
head -c 1024000 /dev/urandom > /tmp/pattern
dd if=/tmp/pattern of=/dev/nvme0n1 bs=4k oflag=direct
dd if=/dev/nvme0n1 bs=4k count=250 iflag=direct | cmp - /tmp/pattern
cat /sys/devices/system/cpu/online
modprobe -r nvme`;

interface Case {
  driver: string;
  kernel: string;
  workload: string;
  /** QEMU's arguments; `disk` is made for those that name it. */
  qemu: string;
  region: string;
  accessesMin: number;
  /** The firmware looks for something to boot from. */
  firmwareUsesIt?: true;
}

const card = (model: string) => `-netdev user,id=n0 -device ${model},netdev=n0`;

const cases: Case[] = [
  ...["debian:6.1", "debian:6.12", "debian:6.1-rt"].map((kernel) => ({
    ...{ driver: "e1000", kernel, workload: network("e1000"), qemu: card("e1000") },
    ...{ region: "e1000-mmio", accessesMin: 14_000 },
  })),
  {
    ...{ driver: "e1000e", kernel: "debian:6.1", workload: network("e1000e"), qemu: card("e1000e") },
    ...{ region: "e1000e-mmio", accessesMin: 1_000 },
  },
  {
    ...{ driver: "nvme", kernel: "debian:6.1", workload: disk },
    ...{ qemu: "-drive file=DISK,if=none,format=raw,id=d0 -device nvme,serial=lab,drive=d0" },
    ...{ region: "nvme", accessesMin: 1_000, firmwareUsesIt: true },
  },
];

test.each(cases)("$driver on $kernel: the trace is the truth", async (wanted) => {
  const { share, truthFile } = await record(wanted, "once.mmt");
  await expectIdentical(join(share, "once.mmt"), truthFile, wanted);
});

test("e1000 loaded and unloaded 20 times in one recording: the trace is the truth", async () => {
  const load = network("e1000").replace("-c 40", "-c 2");
  const wanted = {
    ...cases[0]!,
    workload: `for round in $(seq 20); do sh -ec '${load}' || exit 1; done`,
    accessesMin: 200_000,
  };
  const { share, truthFile } = await record(wanted, "often.mmt");
  const maps = await expectIdentical(join(share, "often.mmt"), truthFile, wanted);
  expect(maps).toBe(20);
});

// a sample of `npm run check:drivers`, which has the other drivers, kernels and numbers of CPUs
test("a disk and a keyboard on USB, a RAID controller and a sound card in one machine: the traces are the truth", async () => {
  const sample = ["xhci_pci", "megaraid_sas", "snd-hda-intel"];
  const placed = placeCases(driverCases.filter(({ name }) => sample.includes(name)));
  expect(placed.length).toBe(sample.length);
  const script = machineScript(placed, { emulate: true, mmiotrace: false });
  const kernel = await labKernel("debian:6.12");
  const work = temporaryDirectory();
  const boot = await bootDrivers(work, { kernel, cpus: 2, cases: placed, script, timeout_s: 500 }, () => {});
  expect(boot.died).toBeUndefined();
  expect(boot.complaint).toBeUndefined();
  expect(boot.problems).toEqual([]);
  for (const { driver } of placed) {
    expect(boot.runs.get(`${driver.name}.bare`)?.exitCode, driver.name).toBe(0);
    const judged = await judgeEmulated(boot, driver.name);
    expect(judged, driver.name).toMatchObject({ identical: true, workload: true, lost: 0, escaped: 0, reasons: [] });
    expect(judged.events, driver.name).toBeGreaterThan(200);
    expect(judged.events, driver.name).toBe(judged.truth);
    expect(newMessages(boot, driver.name), driver.name).toEqual([]);
    // once bare, once recorded
    if (driver.wave !== undefined) expect(playedTimes(join(filesOf(work, driver.name), driver.wave))).toBe(2);
  }
});

/** Records the workload in a machine; what the recorder and the kernel say must be good. */
async function record(wanted: Case, trace: string): Promise<{ share: string; truthFile: string }> {
  const share = temporaryDirectory();
  const image = join(share, "disk");
  const file = openSync(image, "w");
  ftruncateSync(file, 64 * 1024 * 1024);
  closeSync(file);
  const { exitCode, output, consoleLog, truthFile } = await inLab(
    `cat > /tmp/workload <<'END'\n${wanted.workload}\nEND
cat /sys/devices/system/cpu/online
mmiostrider record --driver ${wanted.driver} -o /share/${trace} -- sh /tmp/workload`,
    { kernel: wanted.kernel, qemu: wanted.qemu.replace("DISK", image), share, truth: true, timeout_s: 500 },
  );
  expect(exitCode, output).toBe(0);
  expect(output).toMatch(/ events in .*, 0 lost, 0 escaped, /);
  // before and, at least once, during
  const online = output.split("\n").filter((line) => /^[\d,-]+$/.test(line));
  expect(online.length).toBeGreaterThanOrEqual(2);
  expect(new Set(online)).toEqual(new Set(["0-1"]));
  expectQuietKernel(consoleLog);
  return { share, truthFile };
}

/** Returns how many mappings the trace has. */
async function expectIdentical(trace: string, truthFile: string, wanted: Case): Promise<number> {
  const reader = await openTrace(trace);
  try {
    const result = await verify(reader, truthFile);
    expect(result.reasons).toEqual([]);
    expect(result.identical).toBe(true);
    const region = result.regions.find(({ name }) => name === wanted.region);
    expect(region).toMatchObject({ differences: 0 });
    expect(region!.trace).toBe(region!.truth);
    expect(region!.trace).toBeGreaterThanOrEqual(wanted.accessesMin);
    if (!wanted.firmwareUsesIt) {
      // counted once more, by other code: the driver's accesses are all that the device ever got
      expect(region!.truth).toBe(truthAccesses(truthFile).filter(({ region: name }) => name === wanted.region).length);
    }
    let maps = 0;
    for await (const batch of reader.batches()) {
      for (const event of batch.events) if (event.kind === "map") maps++;
    }
    return maps;
  } finally {
    await reader.close();
  }
}
