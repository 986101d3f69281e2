// tier: quick
// verify on accesses to configuration space: made-up recordings with the lines that QEMU 7.2 writes.
import { describe, expect, test } from "vitest";
import { madeUpHeader } from "../../../dev/test-support/made-up-records.js";
import { Recording } from "../../../dev/test-support/made-up-truth.js";
import { RecordKind } from "../../trace/record.js";
import { configurationOf } from "../../trace/space.js";

const function_ = "0000:00:04.0";
const other = (lines: string[]) =>
  lines.push("memory_region_ops_write cpu 1 mr 0x9 addr 0xfee000b0 value 0x0 size 4 name 'apic-msi'");

class ConfigurationRecording extends Recording {
  made(kind: "read" | "write", width: number, offset: number, value: bigint, mapping = 0): this {
    const address = configurationOf(function_)! + BigInt(offset);
    this.list.add({ kind: RecordKind[kind], address, width, value: [value, 0n], mapping, cpu: 1 });
    return this;
  }

  data(kind: "read" | "write", width: number, offset: number, value: bigint): void {
    const port = 0xcfc + (offset & 3);
    this.log.push(
      `memory_region_ops_${kind} cpu 1 mr 0x8 addr 0x${port.toString(16)} value 0x${value.toString(16)} size ${width} name 'pci-conf-data'`,
    );
  }

  seen(kind: "read" | "write", width: number, offset: number, value: bigint, data = value): this {
    const line = (arrow: string) =>
      `pci_cfg_${kind} e1000 00:04.0 @0x${offset.toString(16)} ${arrow} 0x${value.toString(16)}`;
    if (kind === "write") this.data(kind, width, offset, data);
    other(this.log);
    this.log.push(line(kind === "read" ? "->" : "<-"));
    other(this.log);
    if (kind === "read") this.data(kind, width, offset, data);
    return this;
  }

  recorded(functions: readonly string[] | "all" = [function_]) {
    const { options } = madeUpHeader();
    return this.verify({ options: { ...options, configuration: functions } });
  }
}

const good = () => new ConfigurationRecording().map().both(0, 1n).made("read", 2, 4, 0x107n).seen("read", 2, 4, 0x107n);

describe("configuration space", () => {
  test("is compared in one order with memory", async () => {
    const recording = good().made("write", 1, 0xd, 0x40n).seen("write", 1, 0xd, 0x40n).both(4, 2n);
    const result = await recording.recorded();
    expect(result).toMatchObject({ identical: true, compared: 4, otherCpu: 0, order: "all regions" });
    expect(result.regions.map(({ device, name, trace, truth }) => [device, name, trace, truth])).toContainEqual([
      expect.stringMatching(/^0000:00:04\.0.* CONFIG$/),
      ...["e1000 configuration", 2, 2],
    ]);
  });

  test.each([
    ["another value", (r: ConfigurationRecording) => r.made("read", 2, 6, 1n).seen("read", 2, 6, 2n)],
    ["another width", (r: ConfigurationRecording) => r.made("read", 2, 6, 1n).seen("read", 4, 6, 1n)],
    ["another place", (r: ConfigurationRecording) => r.made("read", 2, 6, 1n).seen("read", 2, 8, 1n)],
    ["a write for a read", (r: ConfigurationRecording) => r.made("write", 2, 6, 1n).seen("read", 2, 6, 1n)],
    ["one more in the log", (r: ConfigurationRecording) => r.seen("read", 2, 6, 1n)],
    ["one more in the trace", (r: ConfigurationRecording) => r.made("read", 2, 6, 1n)],
  ])("%s is a difference", async (_, add) => {
    const result = await add(good()).recorded();
    expect(result.identical).toBe(false);
    expect(result.differences[0]).toMatchObject({
      [result.differences[0]!.trace === null ? "truth" : "trace"]: {
        address: expect.stringMatching(/^0000:00:04\.0 CONFIG\+0x00[68]$/),
      },
    });
  });

  test("an access whose two lines don't fit proves no sameness", async () => {
    const result = await good().made("write", 2, 4, 7n).seen("write", 2, 4, 7n, 8n).recorded();
    expect(result.identical).toBe(false);
    const torn = good();
    torn.log.push("pci_cfg_read e1000 00:04.0 @0x4 ->");
    expect((await torn.recorded()).identical).toBe(false);
  });

  test("other functions, and functions whose space wasn't recorded, don't count", async () => {
    const recording = good();
    recording.log.push("pci_cfg_read nvme 00:05.0 @0x4 -> 0x107");
    recording.data("read", 2, 4, 0x107n);
    expect(await recording.recorded()).toMatchObject({ identical: true, compared: 2 });
    const unrecorded = new ConfigurationRecording().map().both(0, 1n).seen("read", 2, 4, 0x107n);
    expect(await unrecorded.verify()).toMatchObject({ identical: true, compared: 1 });
  });

  test("a log without such lines leaves them out, and says so", async () => {
    const result = await new ConfigurationRecording().map().both(0, 1n).made("read", 2, 4, 1n).recorded();
    expect(result).toMatchObject({ compared: 1, leftOut: { notLogged: 1 } });
  });
});
