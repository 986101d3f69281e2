// tier: quick
// verify on ports that no mapping covers, as rewritten drivers access them by in and out: made-up recordings.
import { describe, expect, test } from "vitest";
import { madeUpHeader } from "../../../dev/test-support/made-up-records.js";
import { Recording } from "../../../dev/test-support/made-up-truth.js";
import { RecordKind } from "../../trace/record.js";
import { inSpace } from "../../trace/space.js";

const port = 0xc000n;

class PortRecording extends Recording {
  made(kind: "read" | "write", offset: number, value: bigint): this {
    const address = inSpace("ports", port + BigInt(offset));
    this.list.add({ kind: RecordKind[kind], address, width: 1, value: [value, 0n], mapping: 0 });
    return this;
  }

  seen(kind: "read" | "write", offset: number, value: bigint): this {
    const at = `addr 0x${(port + BigInt(offset)).toString(16)} value 0x${value.toString(16)}`;
    this.log.push(`memory_region_ops_${kind} cpu 0 mr 0x7 ${at} size 1 name 'ne2000'`);
    return this;
  }

  recorded(functions?: readonly string[]) {
    const { options } = madeUpHeader();
    return this.verify({ options: { ...options, ...(functions === undefined ? {} : { ports: functions }) } });
  }
}

const good = () => new PortRecording().made("read", 7, 0x21n).seen("read", 7, 0x21n).map().both(0, 1n);

describe("ports without a mapping", () => {
  test("are compared in one order with memory where the trace has them", async () => {
    const result = await good().made("write", 0, 5n).seen("write", 0, 5n).recorded(["0000:00:04.0"]);
    expect(result).toMatchObject({ identical: true, compared: 3, order: "all regions" });
    expect(result.regions).toContainEqual(expect.objectContaining({ name: "ne2000", trace: 2, truth: 2 }));
  });

  test.each([
    ["another value", (r: PortRecording) => r.made("read", 1, 1n).seen("read", 1, 2n)],
    ["another port", (r: PortRecording) => r.made("read", 1, 1n).seen("read", 2, 1n)],
    ["one more in the log", (r: PortRecording) => r.seen("write", 1, 1n)],
    ["one more in the trace", (r: PortRecording) => r.made("write", 1, 1n)],
  ])("%s is a difference", async (_, add) => {
    expect((await add(good()).recorded(["0000:00:04.0"])).identical).toBe(false);
  });

  test("aren't compared where the trace doesn't have them all", async () => {
    const result = await good().seen("write", 1, 1n).recorded();
    expect(result).toMatchObject({ identical: true, compared: 1 });
    const other = await good().seen("write", 1, 1n).recorded(["0000:00:05.0"]);
    expect(other).toMatchObject({ identical: true, compared: 1 });
  });
});
