// tier: quick
// Interrupts and DMA: three drivers at work at once, recorded, and beside us by the kernel's own ftrace, whose events are the truth. The
// devices' registers must name the memory that the drivers had given them. A machine of its own, because ftrace runs in it.
import { closeSync, ftruncateSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  dmaProbes,
  type FtraceDma,
  type FtraceLine,
  ftraceDma,
  ftraceLines,
} from "../../dev/test-support/lab/ftrace-log.js";
import { endKernels, expectQuietKernel, inLab, temporaryDirectory } from "../../dev/test-support/lab/in-lab.js";
import { casesByTier } from "../../dev/test-support/tiers.js";
import type { AccessEvent, DmaMapEvent, InterruptEvent, TraceEvent } from "../../src/api/events.js";
import { openTrace } from "../../src/api/node/open.js";

const workload = `set -e
modprobe e1000; modprobe nvme; modprobe xhci_pci
ip link set eth0 up
ip addr add 10.0.2.15/24 dev eth0
for i in $(seq 300); do [ "$(cat /sys/class/net/eth0/carrier)" = 1 ] && break; /run/lab/busybox usleep 100000; done
for i in $(seq 300); do [ -b /dev/nvme0n1 ] && break; /run/lab/busybox usleep 100000; done
ping -q -c 10 -i 0.1 10.0.2.2
dd if=/dev/zero of=/dev/nvme0n1 bs=64k count=20 oflag=direct
dd if=/dev/nvme0n1 of=/dev/null bs=4k count=50 iflag=direct
for i in $(seq 300); do ls /sys/bus/usb/devices | grep -q '[0-9]-[0-9]:' && break; /run/lab/busybox usleep 100000; done
modprobe -r e1000; modprobe -r nvme; modprobe -r xhci_pci`;

const script = `set -e
cd /sys/kernel/tracing
echo 16384 > buffer_size_kb
echo 1 > events/irq/irq_handler_entry/enable
echo 1 > events/irq/irq_handler_exit/enable
echo 'p:mms/mms_handler e1000:e1000_intr' >> kprobe_events
if [ -d events/dma ]; then
  for event in events/dma/dma_map_* events/dma/dma_unmap_* events/dma/dma_alloc* events/dma/dma_free*; do
    echo 1 > $event/enable
  done
else
  ${dmaProbes.map((probe) => `echo '${probe}' >> kprobe_events`).join("\n  ")}
fi
echo 1 > events/mms/enable
mmiostrider record --driver e1000 --driver nvme --driver xhci_hcd -o /share/events.mmt -- sh /share/workload
echo 0 > tracing_on
cat trace > /share/ftrace.txt`;

const devices =
  "-netdev user,id=n0 -device e1000,netdev=n0 -drive file=DISK,if=none,format=raw,id=d0 -device nvme,serial=lab,drive=d0 " +
  "-device qemu-xhci,id=usb -device usb-kbd,bus=usb.0";

test.each(casesByTier({ quick: ["debian:stable"], rest: ["debian:6.12", "debian:6.12-rt", ...endKernels] }))(
  "interrupts and DMA on %s",
  async (kernel) => {
    const share = temporaryDirectory();
    const disk = openSync(join(share, "disk"), "w");
    ftruncateSync(disk, 16 << 20);
    closeSync(disk);
    writeFileSync(join(share, "workload"), workload);
    const qemu = devices.replace("DISK", join(share, "disk"));
    const { exitCode, output, consoleLog } = await inLab(script, { kernel, share, qemu });
    expect(exitCode, output).toBe(0);
    expectQuietKernel(consoleLog);
    const trace = await openTrace(join(share, "events.mmt"));
    const events: TraceEvent[] = [];
    for await (const event of trace.events()) events.push(event);
    expect(trace.incomplete).toEqual([]);
    const missed = (trace.summary?.notes ?? []).map((note) => Number(/^(\d+) calls? of dma_/.exec(note)?.[1] ?? 0));
    await trace.close();
    const lines = ftraceLines(join(share, "ftrace.txt"));
    expectSameInterrupts(events, lines);
    expectSameDma(
      events,
      ftraceDma(lines),
      missed.reduce((sum, one) => sum + one, 0),
    );
    expectRegistersNameBuffers(events, ftraceDma(lines));
  },
);

const isInterrupt = (event: TraceEvent): event is InterruptEvent => event.kind === "interrupt";

/** Each CPU's handlers, in hard interrupts, in their order; and all runs of a handler, in threads or not. */
function expectSameInterrupts(events: readonly TraceEvent[], lines: readonly FtraceLine[]): void {
  const hard = events.filter(isInterrupt).filter(({ flags }) => !flags.includes("thread"));
  const irqs = new Set(hard.map(({ irq }) => irq));
  expect(irqs.size).toBeGreaterThanOrEqual(3);
  const words = ({ phase, irq, handled, wakesThread }: InterruptEvent) =>
    phase === "entry" ? `entry ${irq}` : `exit ${irq} ${handled || wakesThread ? "handled" : "unhandled"}`;
  const told = lines.flatMap(({ event, text, cpu }) => {
    const irq = /irq=(\d+)/.exec(text)?.[1];
    if (!event.startsWith("irq_handler_") || !irqs.has(Number(irq))) return [];
    const what = event === "irq_handler_entry" ? `entry ${irq}` : `exit ${irq} ${/ret=(\w+)/.exec(text)?.[1]}`;
    return [{ key: `${cpu}`, what }];
  });
  expect(grouped(hard.map((event) => ({ key: `${event.cpu}`, what: words(event) })))).toEqual(grouped(told));
  const begun = events
    .filter(isInterrupt)
    .filter(({ phase, site }) => phase === "entry" && site?.function === "e1000_intr");
  expect(begun.length).toBe(lines.filter(({ event }) => event === "mms_handler").length);
  expect(begun.length).toBeGreaterThan(10);
}

/** Collects what happened under each key, in order. */
function grouped(events: readonly { key: string; what: string }[]): Record<string, string[]> {
  const groups: Record<string, string[]> = {};
  for (const { key, what } of events) {
    groups[key] ??= [];
    groups[key].push(what);
  }
  return groups;
}

/** Within one task, and within the interrupts on top of it, calls are made one after the other. */
function keyOf(pid: number | null, cpu: number | null, context: string | null): string {
  return pid === 0 ? `CPU ${cpu} ${context}` : `${pid} ${context}`;
}

/** All beginnings and ends, in the order of their contexts; `missed`: less those that the trace says it may lack. */
function expectSameDma(events: readonly TraceEvent[], truth: readonly FtraceDma[], missed: number): void {
  const hasEvents = truth.some(({ line }) => line.event.startsWith("dma_"));
  const devices = new Set(events.flatMap((event) => (event.kind === "dma-map" ? [event.device] : [])));
  expect(devices.size).toBe(3);
  const ours = events.flatMap((event) => {
    if (event.kind !== "dma-map" && event.kind !== "dma-unmap") return [];
    const isBegin = event.kind === "dma-map";
    // the probes see no lists, and of memory that is allocated only the end
    if (!hasEvents && (event.way === "list" || (isBegin && event.way === "coherent"))) return [];
    const isSizeTold = hasEvents ? isBegin || event.way !== "list" : !isBegin;
    const bytes = isSizeTold ? event.length_bytes : undefined;
    return [
      { key: keyOf(event.pid, event.cpu, event.context), what: memoryText(isBegin ? "M" : "U", event.bus, bytes) },
    ];
  });
  const told = truth
    .filter(({ device }) => device === "" || devices.has(device))
    // drivers free what they haven't allocated, which does nothing
    .filter(({ what, bytes }) => what === "M" || bytes !== 0n)
    .map(({ line, what, bus, bytes }) => {
      return { key: keyOf(line.pid, line.cpu, line.context), what: memoryText(what, bus, bytes) };
    });
  expect(ours.length).toBeGreaterThan(500);
  const [recorded, wanted] = [grouped(ours), grouped(told)];
  if (missed > 0) expect(takeLacking(wanted, recorded)).toBeLessThanOrEqual(missed);
  expect(recorded).toEqual(wanted);
}

/** Takes out of `wanted` what `recorded` lacks; returns the number of these. */
function takeLacking(wanted: Record<string, string[]>, recorded: Record<string, string[]>): number {
  let lacking = 0;
  for (const [key, whats] of Object.entries(wanted)) {
    const own = recorded[key] ?? [];
    let at = 0;
    const kept = whats.filter((what) => {
      const isThere = own[at] === what;
      if (isThere) at += 1;
      return isThere;
    });
    lacking += whats.length - kept.length;
    if (kept.length > 0) wanted[key] = kept;
    else delete wanted[key];
  }
  return lacking;
}

const memoryText = (what: "M" | "U", bus: bigint, bytes: bigint | undefined) =>
  `${what} ${bus.toString(16)} ${bytes ?? ""}`;

/** Registers that hold the addresses of memory which the driver has allocated; the lowest bits of some are flags. */
const addressRegisters: Record<string, number> = {
  ...{ TDBAL: 0, RDBAL: 0, ASQ: 0, ACQ: 0, DCBAAP: 0, CRCR: 1 },
};

function expectRegistersNameBuffers(events: readonly TraceEvent[], truth: readonly FtraceDma[]): void {
  const buffers = new Map(
    events.flatMap((event): [number, DmaMapEvent][] => (event.kind === "dma-map" ? [[event.buffer, event]] : [])),
  );
  const allocated = new Set(
    truth.filter(({ line }) => /^dma_alloc|^mms_end_memory/.test(line.event)).map(({ bus }) => bus),
  );
  for (const [register, flags] of Object.entries(addressRegisters)) {
    const writes = events.filter(
      (event): event is AccessEvent => event.kind === "write" && event.register === register && event.value !== 0n,
    );
    expect(writes.length, register).toBeGreaterThan(0);
    const [first] = writes;
    expect(first!.dma, register).toMatchObject({ offset: flags });
    const buffer = buffers.get(first!.dma!.buffer)!;
    expect(buffer.device).toBe(first!.place!.device);
    expect(allocated, register).toContain(buffer.bus);
  }
  // the interrupters' event rings, through a segment table that itself is memory for the device
  const tables = events.filter(
    (event): event is AccessEvent =>
      event.kind === "write" && /ERSTBA/.test(event.register ?? "") && event.value !== 0n,
  );
  expect(tables.length).toBeGreaterThan(0);
  for (const { dma } of tables) expect(dma).not.toBeNull();
}
