// tier: quick
// The state at a point of a trace: mappings, symbols, PCI functions, and the places of addresses in them.
import { describe, expect, test } from "vitest";
import { madeUpHeader } from "../../dev/test-support/made-up-records.js";
import type { AccessEvent, TraceEvent } from "./events.js";
import type { Bar, PciFunction } from "./header.js";
import { barName, barRange, isLacking, portRanges, timeDigitsOf } from "./header.js";
import { TraceState } from "./state.js";

const [nic] = madeUpHeader().pciFunctions as [PciFunction];
const bar = (index: number, start: string, length: string, flags = "0x200") =>
  ({ index, start, length_bytes: length, flags }) as Bar;
const functionWith = (address: string, ...bars: Bar[]): PciFunction => ({ ...nic, address, bars });
const stateOf = (...functions: PciFunction[]) => new TraceState(madeUpHeader({ pciFunctions: functions }));

/** Formats the place of an address: `0000:00:04.0 0+0x8`. */
function placeText(state: TraceState, address: bigint): string {
  const place = state.placeOf(address);
  return place === undefined ? "" : `${place.function.address} ${place.bar}+0x${place.offset.toString(16)}`;
}

describe("places", () => {
  const state = stateOf(
    functionWith("0000:00:05.0", bar(0, "0x2000", "0x100"), bar(2, "0xc000", "0x20", "0x101")),
    functionWith("0000:00:04.0", bar(1, "0x1000", "0x100"), bar(3, "0x9000", "0x0"), bar(6, "0x4000", "0x10", "0x0")),
  );
  const ports = 0xc_0000_0000_0000n;
  const configuration = 0xe_0000_0000_0000n;

  test.each([
    [0xfffn, ""],
    [0x1000n, "0000:00:04.0 1+0x0"],
    [0x10ffn, "0000:00:04.0 1+0xff"],
    [0x1100n, ""],
    [0x2000n, "0000:00:05.0 0+0x0"],
    [0x1000n, "0000:00:04.0 1+0x0"],
    // ports are no memory of the same number
    [0xc000n, ""],
    [ports + 0xc000n, "0000:00:05.0 2+0x0"],
    [ports + 0xc01fn, "0000:00:05.0 2+0x1f"],
    [ports + 0xc020n, ""],
    [ports + 0x1000n, ""],
    // of no length, and of no kind
    [0x9000n, ""],
    [0x4000n, ""],
    [configuration + 0x2_0010n, "0000:00:04.0 7+0x10"],
    [configuration + 0x2_8fffn, "0000:00:05.0 7+0xfff"],
    [configuration + 0x2_9000n, ""],
  ])("an address: %#", (address, text) => {
    expect(placeText(state, address)).toBe(text);
    // earlier questions change nothing
    for (const before of [0x1000n, ports + 0xc000n, configuration + 0x2_0000n]) {
      state.placeOf(before);
      expect(placeText(state, address)).toBe(text);
    }
  });

  test("of one target are asked for once, until a function changes", () => {
    const own = stateOf(functionWith("0000:00:04.0", bar(0, "0x1000", "0x100")));
    const access = { kind: "read", address: 0x1004n, target: 5 } as AccessEvent;
    const place = own.placeOfAccess(access);
    expect([place?.offset, own.placeOfAccess(access)]).toEqual([4n, place]);
    expect(own.placeOfAccess(access)).toBe(place);
    expect(own.placeOfAccess({ ...access, address: 0x8000n, target: 6 })).toBeUndefined();
    own.update({ pciFunctions: [functionWith("0000:00:04.0", bar(0, "0x1000", "0x100"), bar(1, "0x8000", "0x10"))] });
    expect(own.placeOfAccess({ ...access, address: 0x8000n, target: 6 })?.bar).toBe(1);
    // an unknown target has no memory
    expect(own.placeOfAccess({ ...access, target: -1 })?.offset).toBe(4n);
    expect(own.placeOfAccess({ ...access, address: 0x1008n, target: -1 })?.offset).toBe(8n);
  });
});

test("an update's functions take the place of those of the same address, in the order of addresses", () => {
  const state = stateOf(functionWith("0000:00:05.0", bar(0, "0x2000", "0x100")), functionWith("0000:00:04.0"));
  expect(state.pciFunctions.map(({ address }) => address)).toEqual(["0000:00:04.0", "0000:00:05.0"]);
  expect(placeText(state, 0x2000n)).toBe("0000:00:05.0 0+0x0");
  state.update({
    pciFunctions: [functionWith("0000:00:05.0", bar(1, "0x3000", "0x100")), functionWith("0000:00:03.0")],
  });
  expect(state.pciFunctions.map(({ address }) => address)).toEqual(["0000:00:03.0", "0000:00:04.0", "0000:00:05.0"]);
  expect([placeText(state, 0x2000n), placeText(state, 0x3000n)]).toEqual(["", "0000:00:05.0 1+0x0"]);
  state.update({ modules: [] });
  expect(state.pciFunctions).toHaveLength(3);
  expect([state.functionAt("0000:00:03.0")?.address, state.functionAt("0000:00:09.0")]).toEqual([
    "0000:00:03.0",
    undefined,
  ]);
  expect(new TraceState().pciFunctions).toEqual([]);
});

describe("symbols", () => {
  test("are those told last", () => {
    const state = new TraceState();
    state.nameSite(1n, "f");
    state.apply({ kind: "symbol", site: 2n, text: "g" } as TraceEvent);
    expect([state.symbolOf(1n), state.symbolOf(2n), state.symbolOf(3n)]).toEqual(["f", "g", undefined]);
    state.nameSite(1n, "h");
    expect(state.symbolOf(1n)).toBe("h");
  });

  test("have a version, which changes with an answer that was given", () => {
    const state = new TraceState();
    const changes = (work: () => void) => {
      const before = state.symbolsVersion;
      work();
      return state.symbolsVersion !== before;
    };
    // nobody has asked for a name that wasn't there
    expect(changes(() => state.nameSite(1n, "f"))).toBe(false);
    expect(changes(() => state.nameSite(1n, "f"))).toBe(false);
    expect(changes(() => state.nameSite(1n, "g"))).toBe(true);
    expect(changes(() => state.symbolOf(1n))).toBe(false);
    expect(changes(() => state.nameSite(2n, "f"))).toBe(false);
    state.symbolOf(3n);
    expect(changes(() => state.nameSite(3n, "f"))).toBe(true);
  });
});

test("mappings live from their MAP to their UNMAP", () => {
  const state = new TraceState();
  const map: TraceEvent = {
    ...{ number: 0, sequence: 1, tsc: 1n, cpu: 0, pid: 0, flags: 0, kind: "map", mapping: 4, address: 0x1000n },
    ...{ length_bytes: 0x20n, decoy: 0x3000n, memoryType: "write-combining", site: 5n },
  };
  state.apply(map);
  expect([...state.mappings]).toEqual([
    [4, { id: 4, address: 0x1000n, length_bytes: 0x20n, decoy: 0x3000n, memoryType: "write-combining", site: 5n }],
  ]);
  for (const kind of ["read", "write", "mark", "lost", "escape", "module", "unrecorded", "interrupt", "unknown"]) {
    state.apply({ ...map, kind } as unknown as TraceEvent);
  }
  expect(state.mappings.size).toBe(1);
  state.apply({ ...map, kind: "unmap", mapping: 5 } as TraceEvent);
  expect(state.mappings.size).toBe(1);
  state.apply({ ...map, kind: "unmap" } as TraceEvent);
  expect(state.mappings.size).toBe(0);
});

describe("a header's facts", () => {
  test("names of BARs", () => {
    expect([0, 5, 6, 7].map(barName)).toEqual(["BAR0", "BAR5", "ROM", "CONFIG"]);
  });

  test("ranges of BARs, and of ports that have a place", () => {
    expect(barRange(bar(0, "0x1000", "0x100"))).toEqual({ first: 0x1000n, last: 0x10ffn });
    const bars = [bar(0, "0x1000", "0x100"), bar(1, "0xc000", "0x20", "0x101"), bar(2, "0x0", "0x20", "0x101")];
    expect(portRanges({ bars })).toEqual([{ first: 0xc000n, last: 0xc01fn }]);
  });

  test("digits of times", () => {
    const digits = (tscFrequency_hz: number) =>
      timeDigitsOf({ clock: { tsc: "0x0", wall_ns: "0x0", tscFrequency_hz } });
    expect([digits(1), digits(1e6), digits(1e6 + 1), digits(2e9)]).toEqual([6, 6, 9, 9]);
  });

  test("facts that it lacks", () => {
    expect([isLacking({}, "cpu"), isLacking({ lacks: [] }, "cpu"), isLacking({ lacks: ["cpu"] }, "cpu")]).toEqual([
      ...[false, false, true],
    ]);
    expect(isLacking({ lacks: ["pid"] }, "cpu")).toBe(false);
  });
});
