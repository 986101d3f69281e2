// tier: quick
// The accesses and mapped ranges that are compared: repeated reads are one, ranges that overlap are one.
import { describe, expect, test } from "vitest";
import { madeUpHeader, RecordList } from "../../../dev/test-support/made-up-records.js";
import { traceOf } from "../../../dev/test-support/recorded-traces.js";
import { RecordKind } from "../../trace/record.js";
import { AccessRegisters } from "../view/access-registers.js";
import { collectDiffAccesses } from "./access-sequence.js";

const start = BigInt(madeUpHeader().clock.tsc);

class Accesses {
  readonly list = new RecordList();
  private tsc = start;

  add(kind: number, address: bigint, length = 0n, mapping = 1, more = {}): this {
    this.tsc += 2_000_000_000n;
    this.list.add({ kind, address, value: [length, 0n], mapping, tsc: this.tsc, ...more });
    return this;
  }
  map(mapping: number, address: bigint, length: bigint): this {
    return this.add(RecordKind.map, address, length, mapping);
  }
  unmap(mapping: number): this {
    return this.add(RecordKind.unmap, 0n, 0n, mapping);
  }
  read(address: bigint, value: bigint, mapping = 1, width = 4): this {
    return this.add(RecordKind.read, address, value, mapping, { width });
  }
  write(address: bigint, value: bigint): this {
    return this.add(RecordKind.write, address, value, 1, { width: 4 });
  }
}

async function collected({ list }: Accesses, header = madeUpHeader({ pciFunctions: [] })) {
  const reader = await traceOf(list.records, header);
  const found = await collectDiffAccesses(reader, new AccessRegisters(() => undefined), {});
  await reader.close();
  return found;
}

const hex = (value: bigint) => value.toString(16);
const areasOf = async (accesses: Accesses) =>
  (await collected(accesses)).areas.map(({ address, length_bytes }) => `${hex(address)}+${hex(length_bytes)}`);

describe("accesses", () => {
  test("a read of the same place and width goes on with the one before it, with the last value", async () => {
    const { accesses } = await collected(
      new Accesses().read(0x1000n, 1n).read(0x1000n, 2n).read(0x1000n, 3n, 1, 2).read(0x1004n, 4n).read(0x1004n, 5n),
    );
    expect(
      accesses.map(({ address, width_bytes, value, count, event, time_s }) => [
        address,
        width_bytes,
        value,
        count,
        event,
        time_s,
      ]),
    ).toEqual([
      [0x1000n, 4, 2n, 2, 0, 1],
      [0x1000n, 2, 3n, 1, 2, 3],
      [0x1004n, 4, 5n, 2, 3, 4],
    ]);
  });

  test("a write parts reads, and is never joined", async () => {
    const { accesses } = await collected(
      new Accesses().read(0x1000n, 1n).write(0x1000n, 1n).write(0x1000n, 1n).read(0x1000n, 1n),
    );
    expect(accesses.map(({ kind, count }) => `${kind} ${count}`)).toEqual(["read 1", "write 1", "write 1", "read 1"]);
  });

  test("without a time they have none", async () => {
    const accesses = new Accesses();
    accesses.list.add({ kind: RecordKind.read, address: 0x1000n, width: 4 });
    expect((await collected(accesses)).accesses).toMatchObject([{ time_s: null }]);
  });
});

describe("mapped ranges", () => {
  test("have the order of their mapping; a range that is mapped again counts once", async () => {
    expect(
      await areasOf(new Accesses().map(1, 0x3000n, 0x100n).map(2, 0x1000n, 0x100n).map(3, 0x3000n, 0x100n)),
    ).toEqual([...["3000+100", "1000+100"]]);
  });

  test("that overlap are one, those that touch are two", async () => {
    expect(await areasOf(new Accesses().map(1, 0x1000n, 0x100n).map(2, 0x1100n, 0x100n))).toEqual([
      "1000+100",
      "1100+100",
    ]);
    expect(await areasOf(new Accesses().map(1, 0x1000n, 0x101n).map(2, 0x1100n, 0x100n))).toEqual(["1000+200"]);
    expect(await areasOf(new Accesses().map(1, 0x1000n, 0x1000n).map(2, 0x1100n, 0x100n))).toEqual(["1000+1000"]);
    // the place in the order is that of the first of them
    expect(
      await areasOf(new Accesses().map(1, 0x1180n, 0x100n).map(2, 0x5000n, 0x10n).map(3, 0x1000n, 0x200n)),
    ).toEqual(["1000+280", "5000+10"]);
    expect(await areasOf(new Accesses().map(1, 0x1000n, 0n))).toEqual([]);
  });

  test("that are gone before their block ends are known, if anything was accessed through them", async () => {
    const accesses = new Accesses().map(7, 0x9000n, 0x100n).read(0x9004n, 1n, 7).unmap(7).map(1, 0x1000n, 0x100n);
    expect(await areasOf(accesses)).toEqual(["9000+100", "1000+100"]);
  });

  test("hold accesses from their first byte to their last", async () => {
    const accesses = new Accesses().map(1, 0x1000n, 0x100n).map(2, 0x2000n, 0x100n);
    for (const address of [0xfffn, 0x1000n, 0x10ffn, 0x1100n, 0x1fffn, 0x2000n, 0x20ffn, 0x2100n])
      accesses.write(address, 0n);
    const found = await collected(accesses);
    expect(found.accesses.map(({ area }) => (area === undefined ? "" : hex(area.address)))).toEqual([
      ...["", "1000", "1000", "", "", "2000", "2000", ""],
    ]);
  });
});

test("devices are those with accesses first, each with its memory BARs", async () => {
  const [nic] = madeUpHeader().pciFunctions;
  const disk = {
    ...nic!,
    address: "0000:00:03.0",
    driver: null,
    bars: [{ index: 2, start: "0xfea00000", length_bytes: "0x1000", flags: "0x200" } as const],
  };
  const idle = {
    ...disk,
    address: "0000:00:02.0",
    bars: [{ index: 0, start: "0x0", length_bytes: "0x0", flags: "0x200" } as const],
  };
  const found = await collected(
    new Accesses().read(0xfebc_0008n, 1n).read(0xfea0_0004n, 2n),
    madeUpHeader({ pciFunctions: [idle, disk, nic!] }),
  );
  expect([...found.devices.values()].map(({ device, driver, bars }) => [device, driver, bars])).toEqual([
    ["0000:00:04.0", "e1000", [0]],
    ["0000:00:03.0", null, [2]],
    ["0000:00:02.0", null, []],
  ]);
  expect([...found.accessed]).toEqual(["0000:00:04.0", "0000:00:03.0"]);
  expect(found.accesses.map(({ place }) => place)).toEqual([
    { device: "0000:00:04.0", bar: 0, offset: 8n },
    { device: "0000:00:03.0", bar: 2, offset: 4n },
  ]);
  expect([found.madeUpAddresses, found.timeDigits]).toEqual([false, 9]);
});
