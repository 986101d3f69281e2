// tier: quick
// A kernel's own complaint isn't a recorder's fault, whatever else is.
import { expect, test } from "vitest";
import { sortComplaints } from "./soak-complaints.js";

/** Returns the report of a warning or the like, as dmesg has it. */
function report(first: string, { time = "43.437567", cpu = 0, pid = 232 } = {}): string {
  const lines = [
    "------------[ cut here ]------------",
    first,
    `CPU: ${cpu} UID: 0 PID: ${pid} Comm: modprobe Tainted: G           OE       7.3.4+deb13-amd64 #1 PREEMPT(lazy)`,
    "Call Trace:",
    " <TASK>",
    " mptsas_probe+0x3ef/0x400 [mptsas]",
    " </TASK>",
    "---[ end trace ]---",
  ];
  return lines.map((line) => `[${time.padStart(12)}] ${line}\n`).join("");
}

const ubsan = "UBSAN: array-index-out-of-bounds in drivers/message/fusion/mptsas.c:5195:18";
const oldWarning = (cpu: number, pid: number) => `WARNING: CPU: ${cpu} PID: ${pid} at mm/page.c:7 free+0x1/0x2 [sym]`;
const newWarning = (cpu: number, process: string) => `WARNING: mm/page.c:7 at free+0x1/0x2, CPU#${cpu}: ${process}`;
const fault = (address: string) => `BUG: unable to handle page fault for address: ${address}`;

test.each([
  [ubsan, ubsan],
  [oldWarning(0, 232), oldWarning(3, 4_001)],
  [newWarning(0, "modprobe/232"), newWarning(3, "kworker/0:1/77")],
  [fault("ffffc90000123000"), fault("ffffc90000456000")],
])("the same complaint before a recording makes it the kernel's own: %s", (before, now) => {
  const later = report(now, { time: "729.762823", cpu: 1, pid: 1_503 });
  expect(sortComplaints(later + later, report(before))).toEqual({ faults: [], own: [now, now] });
  expect(sortComplaints(later, "")).toEqual({ faults: [expect.stringContaining(now)], own: [] });
});

test("the console's words are those of dmesg", () => {
  const console = report(ubsan).replaceAll("\n", "\r\n");
  expect(sortComplaints(console, report(ubsan))).toEqual({ faults: [], own: [ubsan] });
});

test.each([
  [ubsan, ubsan.replace("5195", "5196")],
  [ubsan, ubsan.replace("array-index-out-of-bounds", "shift-out-of-bounds")],
  [oldWarning(0, 1), oldWarning(0, 1).replace("page.c:7", "page.c:8")],
  [newWarning(0, "modprobe/1"), newWarning(0, "modprobe/1").replace("free", "alloc")],
  [newWarning(0, "modprobe/1"), fault("ffffc90000123000")],
])("another complaint is a fault: after %s, %s", (before, now) => {
  const { faults, own } = sortComplaints(report(before) + report(now), report(before));
  expect(faults).toEqual([expect.stringContaining(now)]);
  expect(own).toEqual([before]);
});

test("a complaint in the midst of the kernel's own one is a fault", () => {
  const lines = report(ubsan).split("\n");
  const within = [...lines.slice(0, 3), "[   43.437568] INFO: task sh blocked for 120 seconds", ...lines.slice(3)];
  expect(sortComplaints(within.join("\n"), report(ubsan)).faults).toEqual([expect.stringContaining("task sh blocked")]);
});

test("a backtrace that nothing explains is a fault, even if there was one before", () => {
  const alone = "[   43.437567] Call Trace:\n[   43.437567]  <TASK>\n";
  expect(sortComplaints(alone, alone).faults).toHaveLength(1);
});
