// tier: quick
import { expect, test } from "vitest";
import { madeUpHeader } from "../../dev/test-support/made-up-records.js";
import { EventTasks, noCpu } from "./event-task.js";
import type { TraceEvent } from "./events.js";
import type { TraceHeader } from "./header.js";
import { RecordFlag } from "./record.js";

const base = { number: 0, sequence: 1, tsc: 1n, cpu: 3, pid: 7, flags: RecordFlag.softirq };
const access: TraceEvent = {
  ...{ ...base, kind: "read", address: 0n, width_bytes: 4, value: 0n, site: 0n, caller: 0n, mapping: 1, target: -1 },
};
const lost: TraceEvent = { ...base, kind: "lost", count: 1n };
const mark: TraceEvent = { ...base, kind: "mark", text: "" };

/** Returns CPU, process and context of the event in a trace with this header. */
function taskOf(event: TraceEvent, header: Partial<TraceHeader> = {}) {
  const tasks = new EventTasks(madeUpHeader(header));
  return [tasks.cpuOf(event), tasks.pidOf(event), tasks.contextOf(event)];
}

test("an event has the task of its record", () => {
  for (const event of [access, mark]) {
    for (const engine of ["emulate", "import"] as const) expect(taskOf(event, { engine })).toEqual([3, 7, "softirq"]);
  }
});

test("a loss has no process, and a CPU only where a log tells it", () => {
  expect(taskOf(lost, { engine: "emulate" })).toEqual([null, null, null]);
  expect(taskOf(lost, { engine: "import" })).toEqual([3, null, null]);
  expect(taskOf({ ...lost, cpu: noCpu }, { engine: "import" })).toEqual([null, null, null]);
});

test("no event but an access is on CPU 65535", () => {
  expect(taskOf({ ...mark, cpu: noCpu })).toEqual([null, 7, "softirq"]);
  expect(taskOf({ ...access, cpu: noCpu })).toEqual([noCpu, 7, "softirq"]);
  expect(taskOf({ ...access, kind: "write", cpu: noCpu })).toEqual([noCpu, 7, "softirq"]);
});

test("a fact that the log lacks is null", () => {
  expect(taskOf(access, { lacks: ["cpu"] })).toEqual([null, 7, "softirq"]);
  expect(taskOf(access, { lacks: ["pid"] })).toEqual([3, null, "softirq"]);
  expect(taskOf(access, { lacks: ["context"] })).toEqual([3, 7, null]);
});
