// tier: quick
// The reports of a kernel's complaints, in the words of Debian's 6.1 and 6.12.
import { describe, expect, test } from "vitest";
import { complaintIn, complaintsIn, crashIn } from "./console-log.js";

/** A console's lines with their times. */
const consoleOf = (...lines: string[]) => lines.map((line, at) => `[    0.${100_000 + at}] ${line}\n`).join("");
const firstLine = (report: string | undefined) => report?.split("\n")[0]?.replace(/^\[ *[\d.]+\] /, "");

const hello = "Linux version 6.1.0-57-amd64";
const heading = "CPU: 1 PID: 134 Comm: sh Not tainted 6.1.0-57-amd64 #1  Debian 6.1.192-3";
const hardware = "Hardware name: QEMU Standard PC (Q35 + ICH9, 2009), BIOS 1.16.2 04/01/2014";
const backtrace = ["Call Trace:", " <TASK>", " driver_probe+0x10/0x20 [driver]", " </TASK>"];
const end = "---[ end trace 0000000000000000 ]---";
const warning = [
  "------------[ cut here ]------------",
  "WARNING: CPU: 0 PID: 0 at arch/x86/kernel/fpu/xstate.c:971 get_xsave_addr+0x7d/0xa0",
  heading,
  ...backtrace,
  end,
];
const fatal = "Kernel panic - not syncing: Fatal exception";

const oopses: [string, string[]][] = [
  [
    "kernel BUG at drivers/net/driver.c:42!",
    [
      "------------[ cut here ]------------",
      "kernel BUG at drivers/net/driver.c:42!",
      "invalid opcode: 0000 [#1] PREEMPT SMP NOPTI",
    ],
  ],
  ["divide error: 0000 [#1] PREEMPT SMP NOPTI", ["divide error: 0000 [#1] PREEMPT SMP NOPTI"]],
  ["stack segment: 0000 [#1] PREEMPT SMP NOPTI", ["stack segment: 0000 [#1] PREEMPT SMP NOPTI"]],
  ["Oops: invalid opcode: 0000 [#1] PREEMPT SMP NOPTI", ["Oops: invalid opcode: 0000 [#1] PREEMPT SMP NOPTI"]],
  [
    "BUG: kernel NULL pointer dereference, address: 0000000000000000",
    [
      "BUG: kernel NULL pointer dereference, address: 0000000000000000",
      "#PF: supervisor write access in kernel mode",
      "Oops: 0002 [#1] PREEMPT SMP NOPTI",
    ],
  ],
  [
    "general protection fault, probably for non-canonical address 0x8badf00d8badf00d: 0000 [#1] PREEMPT SMP NOPTI",
    ["general protection fault, probably for non-canonical address 0x8badf00d8badf00d: 0000 [#1] PREEMPT SMP NOPTI"],
  ],
];

describe("the report of a crash begins at its cause", () => {
  test.each(oopses)("%s", (cause, lines) => {
    const log = consoleOf(
      hello,
      ...lines,
      heading,
      hardware,
      ...backtrace,
      end,
      "RIP: 0010:driver_probe+0x10/0x20",
      fatal,
    );
    expect(firstLine(crashIn(log))).toBe(cause);
    expect(firstLine(complaintIn(log))).toBe(cause);
    expect(crashIn(log)).toContain(fatal);
  });

  test("a panic without an oops", () => {
    const line = "Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)";
    expect(firstLine(crashIn(consoleOf(hello, line, heading, ...backtrace)))).toBe(line);
  });

  test("an earlier warning, which the kernel survived, isn't the cause", () => {
    const line = "Kernel panic - not syncing: IO-APIC + timer doesn't work!";
    const log = consoleOf(hello, ...warning, "a thousand other lines", line, heading, ...backtrace);
    expect(firstLine(crashIn(log))).toBe(line);
    expect(firstLine(complaintIn(log))).toMatch(/^WARNING: CPU: 0/);
    const [cause, lines] = oopses[1]!;
    expect(firstLine(crashIn(consoleOf(...warning, ...lines, heading, ...backtrace, end, fatal)))).toBe(cause);
  });

  test("a warning that is made a panic is the cause", () => {
    const line = "Kernel panic - not syncing: kernel: panic_on_warn set ...";
    expect(firstLine(crashIn(consoleOf(...warning, ...warning.slice(0, 3), line, ...backtrace)))).toBe(warning[1]);
    expect(firstLine(crashIn(consoleOf(line)))).toBe(line);
  });

  test("a report that is longer than the lines shown ends with the panic", () => {
    const report = crashIn(consoleOf(...oopses[1]![1], ...Array<string>(60).fill(" ? driver+0x1/0x2"), end, fatal))!;
    expect(firstLine(report)).toBe(oopses[1]![0]);
    expect(report.split("\n").slice(-2)).toEqual(["…", expect.stringContaining(fatal)]);
  });
});

test("a backtrace alone is shown from its heading on, with the line before it", () => {
  const log = consoleOf(hello, "driver: no answer", heading, hardware, ...backtrace);
  expect(firstLine(complaintIn(log))).toBe("driver: no answer");
  expect(firstLine(complaintIn(consoleOf(hello, ...backtrace)))).toBe("Call Trace:");
  expect(firstLine(crashIn(log))).toBe("driver: no answer");
});

test("a warning in the words of 7.3 begins with its own line", () => {
  const line = "WARNING: drivers/net/driver.c:971 at driver_probe+0x7d/0xa0, CPU#1: modprobe/134";
  const modules = "Modules linked in: driver(+) ext4 sd_mod";
  expect(firstLine(complaintIn(consoleOf(hello, warning[0]!, line, modules, heading, ...backtrace, end)))).toBe(line);
});

describe("each complaint has its report", () => {
  const first = "UBSAN: array-index-out-of-bounds in drivers/driver.c:42:7";
  const report = ["------------[ cut here ]------------", first, "index 2 is out of range", heading, ...backtrace, end];
  const firstLines = (...lines: string[]) => complaintsIn(consoleOf(hello, ...lines)).map(firstLine);

  test("a complaint and its own backtrace are one", () => {
    expect(firstLines(...report, "a line between", ...warning)).toEqual([first, warning[1]]);
    expect(firstLines(...report, ...report)).toEqual([first, first]);
    expect(firstLines()).toEqual([]);
  });

  test("another complaint within a report is one more", () => {
    expect(firstLines(...report.slice(0, 3), "BUG: sleeping function", ...report.slice(3))).toEqual([
      first,
      "BUG: sleeping function",
    ]);
  });

  test("a backtrace is one more after a report's end, after its own backtrace, and far from the report", () => {
    const alone = ["driver: no answer", heading, ...backtrace];
    expect(firstLines(...report, ...alone)).toEqual([first, alone[0]]);
    expect(firstLines(...report.slice(0, -1), ...alone)).toEqual([first, alone[0]]);
    const other = Array<string>(20).fill("another line");
    expect(firstLines(first, ...other, ...alone)).toEqual([first, alone[0]]);
  });
});

test("a quiet console has no complaint", () => {
  expect([complaintIn(consoleOf(hello)), crashIn(consoleOf(hello)), crashIn("")]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});
