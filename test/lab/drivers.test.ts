// tier: quick
// The bar: stock drivers recorded from load to unload, on two CPUs, compared access by access with QEMU's own log.
import { closeSync, ftruncateSync, openSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { bootDrivers, filesOf, placeCases } from "../../dev/checks/driver-boot.js";
import { driverCases, qxlCase } from "../../dev/checks/driver-cases.js";
import { machineScript, traceFile } from "../../dev/checks/driver-guest.js";
import { playedTimes } from "../../dev/checks/driver-host.js";
import { judgeRecorded, newMessages } from "../../dev/checks/driver-results.js";
import {
  endKernels,
  expectQuietKernel,
  inLab,
  labKernel,
  temporaryDirectory,
  truthAccesses,
} from "../../dev/test-support/lab/in-lab.js";
import { casesByTier } from "../../dev/test-support/tiers.js";
import { verify } from "../../src/analysis/verify/verify.js";
import { openTrace, withFileSource } from "../../src/trace/node/file-source.js";
import { RecordFlag } from "../../src/trace/record.js";

/** Drives a network driver from load through link up and pings to unload. */
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
  workload: string;
  /** QEMU's arguments; if they name `disk`, it is made. */
  qemu: string;
  region: string;
  accessesMin: number;
  mappings?: number;
  /** The firmware looks for something to boot from. */
  firmwareUsesIt?: true;
}

const e1000: Case = {
  ...{ driver: "e1000", workload: network("e1000"), qemu: "-netdev user,id=n0 -device e1000,netdev=n0" },
  ...{ region: "e1000-mmio", accessesMin: 14_000 },
};
const e1000e: Case = {
  ...{ driver: "e1000e", workload: network("e1000e"), qemu: "-netdev user,id=n1 -device e1000e,netdev=n1" },
  ...{ region: "e1000e-mmio", accessesMin: 1_000 },
};
const nvme: Case = {
  ...{ driver: "nvme", workload: disk },
  ...{ qemu: "-drive file=DISK,if=none,format=raw,id=d0 -device nvme,serial=lab,drive=d0" },
  ...{ region: "nvme", accessesMin: 1_000, firmwareUsesIt: true },
};
const laps = 20;
const oneLap = e1000.workload.replace("-c 40", "-c 2");
const e1000Often: Case = {
  ...e1000,
  ...{ workload: `for round in $(seq ${laps}); do sh -ec '${oneLap}' || exit 1; done` },
  ...{ qemu: "", accessesMin: laps * 10_000, mappings: laps },
};

// recorded one after the other
test.each(
  casesByTier({
    quick: [
      { kernel: "debian:6.1", drivers: "e1000e", cases: [e1000e] },
      { kernel: "debian:6.12", drivers: "e1000 and nvme", cases: [e1000, nvme] },
    ],
    rest: [
      {
        kernel: "debian:6.1",
        drivers: "e1000, e1000e, nvme, and e1000 loaded 20 times",
        cases: [e1000, e1000e, nvme, e1000Often],
      },
      { kernel: "debian:6.1-rt", drivers: "e1000", cases: [e1000] },
      ...endKernels.map((kernel) => ({ kernel, drivers: "e1000 and nvme", cases: [e1000, nvme] })),
    ],
  }),
)("$drivers on $kernel: the trace is the truth", async ({ kernel, cases }) => {
  const { share, truthFile } = await record(kernel, cases);
  const inTraces = new Map<string, number>();
  for (const [index, wanted] of cases.entries()) {
    const { events, mappings } = await expectIdentical(join(share, `${index}.mmt`), truthFile, wanted);
    if (wanted.mappings !== undefined) expect(mappings).toBe(wanted.mappings);
    inTraces.set(wanted.region, (inTraces.get(wanted.region) ?? 0) + events);
  }
  // counted once more, by other code: the devices got no other accesses than the drivers'
  const logged = truthAccesses(truthFile);
  for (const { region, firmwareUsesIt } of cases) {
    if (firmwareUsesIt) continue;
    expect(logged.filter(({ region: name }) => name === region).length, region).toBe(inTraces.get(region));
  }
});

// a sample of `npm run check:drivers`, which has the other drivers, kernels and numbers of CPUs
test.each(
  casesByTier({
    quick: [],
    rest: [
      {
        devices: "a disk and a keyboard on USB, a RAID controller and a sound card",
        sample: ["xhci_pci", "megaraid_sas", "snd-hda-intel"],
      },
    ],
  }),
)("$devices in one machine: the traces are the truth", async ({ sample }) => {
  const placed = placeCases(driverCases.filter(({ name }) => sample.includes(name)));
  expect(placed.length).toBe(sample.length);
  const script = machineScript(placed, ["bare", "emulate"]);
  const kernel = await labKernel("debian:6.12");
  const work = temporaryDirectory();
  const boot = await bootDrivers(work, { kernel, cpus: 2, cases: placed, script, timeout_s: 500 }, () => {});
  expect(boot.died).toBeUndefined();
  expectQuietKernel(boot.consoleLog);
  expect(boot.problems).toEqual([]);
  for (const { driver } of placed) {
    expect(boot.runs.get(`${driver.name}.bare`)?.exitCode, driver.name).toBe(0);
    const judged = await judgeRecorded(boot, driver.name);
    expect(judged, driver.name).toMatchObject({ identical: true, workload: true, lost: 0, escaped: 0, reasons: [] });
    expect(judged.events, driver.name).toBeGreaterThan(200);
    expect(judged.events, driver.name).toBe(judged.truth);
    expect(newMessages(boot, driver.name), driver.name).toEqual([]);
    // bare and recorded
    if (driver.wave !== undefined) expect(playedTimes(join(filesOf(work, driver.name), driver.wave))).toBe(2);
  }
});

// qxl fills its framebuffer by memcpy(), and QEMU logs nothing of it: the picture on its screen tells that every store was made.
// It is not loaded twice: it leaves its interrupt handler behind when it goes.
test.each(casesByTier({ quick: [], rest: [{ cpus: 2 }, { cpus: 4 }] }))(
  "a framebuffer, filled by a driver on $cpus CPUs: nothing is lost at the defaults",
  async ({ cpus }) => {
    const placed = placeCases([qxlCase]);
    const kernel = await labKernel("debian:6.1");
    const work = temporaryDirectory();
    const script = machineScript(placed, ["emulate"]);
    const boot = await bootDrivers(work, { kernel, cpus, cases: placed, script, timeout_s: 500 }, () => {});
    expect(boot.died).toBeUndefined();
    expectQuietKernel(boot.consoleLog);
    expect(boot.problems).toEqual([]);
    const run = boot.runs.get("qxl.emulate");
    expect(run?.output).toMatch(/ events in .*, 0 lost, 0 escaped, /);
    expect(run?.exitCode).toBe(0);
    const reader = await openTrace(join(boot.share, traceFile("qxl", "emulate")));
    try {
      let stores = 0;
      for await (const { events } of reader.batches())
        for (const event of events) if (event.kind === "write" && event.flags & RecordFlag.string) stores += 1;
      expect(stores).toBeGreaterThan(1_000_000);
    } finally {
      await reader.close();
    }
  },
);

/** Records the workloads in one machine, into traces named by their numbers; neither recorder nor kernel may complain. */
async function record(kernel: string, cases: readonly Case[]): Promise<{ share: string; truthFile: string }> {
  const share = temporaryDirectory();
  const image = join(share, "disk");
  const file = openSync(image, "w");
  ftruncateSync(file, 64 * 1024 * 1024);
  closeSync(file);
  const commands = cases.map(
    ({ driver, workload }, index) => `cat > /tmp/workload <<'END'\n${workload}\nEND
mmiostrider record --driver ${driver} -o /share/${index}.mmt -- sh /tmp/workload || exit 1`,
  );
  const qemu = cases.map((wanted) => wanted.qemu.replace("DISK", image)).join(" ");
  const { exitCode, output, consoleLog, truthFile } = await inLab(
    `cat /sys/devices/system/cpu/online\n${commands.join("\n")}`,
    { kernel, qemu, share, truth: true, timeout_s: 590 },
  );
  expect(exitCode, output).toBe(0);
  expect(output.match(/ events in .*, 0 lost, 0 escaped, /g)).toHaveLength(cases.length);
  // before all, and at least once during each
  const online = output.split("\n").filter((line) => /^[\d,-]+$/.test(line));
  expect(online.length).toBeGreaterThanOrEqual(1 + cases.length);
  expect(new Set(online)).toEqual(new Set(["0-1"]));
  expectQuietKernel(consoleLog);
  return { share, truthFile };
}

async function expectIdentical(
  trace: string,
  truthFile: string,
  wanted: Case,
): Promise<{ events: number; mappings: number }> {
  const reader = await openTrace(trace);
  try {
    const result = await withFileSource(truthFile, (log) => verify(reader, log));
    expect(result.reasons).toEqual([]);
    expect(result.identical).toBe(true);
    const region = result.regions.find(({ name }) => name === wanted.region);
    expect(region).toMatchObject({ differences: 0 });
    expect(region!.trace).toBe(region!.truth);
    expect(region!.trace).toBeGreaterThanOrEqual(wanted.accessesMin);
    const configuration = result.regions.find(({ name }) => name === `${wanted.driver} configuration`);
    expect(configuration).toMatchObject({ differences: 0, trace: configuration!.truth });
    expect(configuration!.trace).toBeGreaterThan(10);
    let mappings = 0;
    for await (const batch of reader.batches()) {
      for (const event of batch.events) if (event.kind === "map") mappings++;
    }
    return { events: region!.trace, mappings };
  } finally {
    await reader.close();
  }
}
