// tier: quick
// All that is said about one event, and that a filter can ask for: field by field, for each kind of event.
import { describe, expect, test } from "vitest";
import { madeUpHeader } from "../../../dev/test-support/made-up-records.js";
import type { AccessEvent, TraceEvent } from "../../trace/events.js";
import type { TraceHeader } from "../../trace/header.js";
import { RecordFlag } from "../../trace/record.js";
import { TraceState } from "../../trace/state.js";
import { dmaBefore } from "../cut-merge/dma-before.js";
import { compileFilter } from "../filter/filter.js";
import { AccessRegisters } from "./access-registers.js";
import { EventView } from "./event-view.js";

const start = 0x1_0000_0000_0000n;
const base = { number: 12, sequence: 1, tsc: start + 3_000_000_000n, cpu: 1, pid: 7, flags: 0 };
const [own, kernel, caller] = [0xffff_ffff_c000_0010n, 0xffff_ffff_8100_0020n, 0xffff_ffff_c000_0030n];
const access: AccessEvent = {
  ...{ ...base, kind: "read", address: 0xfebc_0008n, width_bytes: 4, value: 0x8000_1040n, site: kernel, caller },
  ...{ mapping: 1, target: -1 },
};
const memory = { ...base, device: "0000:00:04.0", bus: 0x8000_1000n, length_bytes: 0x100n, way: "coherent" } as const;
const dmaMap: TraceEvent = {
  ...{ ...memory, kind: "dma-map", direction: "both", site: own, caller: 0n, buffer: 0, physical: 0x5000n },
};
const interrupt: TraceEvent = {
  ...{ ...base, kind: "interrupt", phase: "exit", device: "0000:00:04.0", irq: 24, vector: 35, site: own },
  ...{ handled: true, wakesThread: false },
};
const mark: TraceEvent = { ...base, kind: "mark", text: "here" };
const module: TraceEvent = { ...base, kind: "module", name: "snd", textAddress: own, text_bytes: 1, gone: false };

/** Shows an event in a trace with symbols and one living DMA buffer, dma#1. */
function viewOf(event: TraceEvent, header: Partial<TraceHeader> = {}): EventView {
  const state = new TraceState(madeUpHeader(header));
  state.nameSite(own, "e1000_intr+0x10/0x40 [e1000]");
  state.nameSite(kernel, "ioread32+0x20/0x60");
  state.nameSite(caller, "e1000_reset+0x30/0x80 [e1000]");
  state.apply({ ...dmaMap });
  const shown = { ...event };
  state.apply(shown);
  const view = new EventView(madeUpHeader(header), new AccessRegisters(() => undefined));
  view.show(shown, state);
  return view;
}

describe("names of code", () => {
  test("function, with its offset, with its module; the kernel's own code has the module kernel", () => {
    const view = viewOf(access);
    expect([view.symbol, view.module, view.siteNames]).toEqual([
      ...["ioread32+0x20", "kernel", ["ioread32", "ioread32+0x20", "ioread32+0x20"]],
    ]);
    expect([view.callerSymbol, view.callerModule, view.callerNames]).toEqual([
      ...["e1000_reset+0x30 [e1000]", "e1000", ["e1000_reset", "e1000_reset+0x30", "e1000_reset+0x30 [e1000]"]],
    ]);
    expect(view.siteAndCaller).toBe("ioread32+0x20 from e1000_reset+0x30 [e1000]");
  });

  test.each([
    [{ caller: 0n }, "ioread32+0x20"],
    [{ site: 0x123n, caller: 0n }, "0x123"],
    [{ site: 0x123n, caller: 0x456n }, "0x123 from 0x456"],
    [{ site: 0n }, ""],
  ])("of an access without some of them: %#", (changes, text) => {
    expect(viewOf({ ...access, ...changes }).siteAndCaller).toBe(text);
  });

  test("an event without code has none", () => {
    const view = viewOf(mark);
    expect([view.site, view.symbol, view.module, view.siteNames, view.caller, view.callerSymbol]).toEqual([
      ...[undefined, undefined, undefined, [], 0n, undefined],
    ]);
    expect([view.callerNames, view.callerModule, view.siteAndCaller]).toEqual([[], undefined, ""]);
    expect(viewOf(module).module).toBe("snd");
  });
});

test("places, addresses and spaces", () => {
  const port = viewOf({ ...access, address: 0xc_0000_0000_c004n });
  expect([port.address, port.space, port.place?.bar, port.place?.offset, port.function?.driver]).toEqual([
    ...[0xc004n, "ports", 1, 4n, "e1000"],
  ]);
  const outside = viewOf({ ...access, address: 0x1000n });
  expect([outside.address, outside.space, outside.place, outside.function]).toEqual([
    0x1000n,
    "memory",
    undefined,
    undefined,
  ]);
  expect([viewOf(mark).address, viewOf(mark).space, viewOf(mark).place]).toEqual([undefined, undefined, undefined]);
  expect([viewOf(dmaMap).address, viewOf({ ...dmaMap, physical: 0n }).address]).toEqual([0x5000n, undefined]);
  expect(viewOf(interrupt).function?.address).toBe("0000:00:04.0");
  expect(viewOf({ ...interrupt, device: "0000:00:05.0" }).function).toBeUndefined();
});

test("times: of a log without one, none", () => {
  expect(viewOf(access).time_s).toBe(1.5);
  expect(viewOf({ ...access, tsc: 0n }).time_s).toBeNaN();
});

describe("a filter asks for", () => {
  const wide = { ...access, flags: RecordFlag.locked | RecordFlag.user | RecordFlag.hardirq };

  test.each<[string, TraceEvent, TraceEvent]>([
    ["event == 12", access, { ...access, number: 13 }],
    ["cpu == 1", access, { ...access, cpu: 2 }],
    ["pid == 7", access, { ...access, pid: 8 }],
    ["pid == 7", mark, { ...base, kind: "lost", count: 1n }],
    ["context == hardirq", wide, access],
    ["context == task", access, wide],
    ["op == read", access, { ...access, kind: "write" }],
    ["op == w", { ...access, kind: "write" }, access],
    ["op == dma-map", dmaMap, access],
    ["op == interrupt", interrupt, access],
    ["width == 4", access, mark],
    ["space == memory", access, { ...access, address: 0xc_0000_0000_0070n }],
    ["space == ports", { ...access, address: 0xc_0000_0000_0070n }, access],
    ["space == configuration", { ...access, address: 0xe_0000_0000_0000n }, access],
    ["address == 0xfebc0008", access, mark],
    ["address == 0x5000", dmaMap, mark],
    ["device == 0000:00:04.0", access, { ...access, address: 0x1000n }],
    ["device == 00:04.0", access, { ...access, address: 0x1000n }],
    ["device == 8086:100e", interrupt, { ...interrupt, device: "0000:00:05.0" }],
    ["driver == e1000", access, { ...access, address: 0x1000n }],
    ["bar == 0", access, { ...access, address: 0xc_0000_0000_c000n }],
    ["offset == 8", access, { ...access, address: 0xfebc_000cn }],
    ["value == 0x80001040", access, { ...access, value: 1n }],
    ["value & 0xf0 == 0x40", access, { ...access, value: 0x80n }],
    ["site == ioread32", access, { ...access, site: own }],
    ["site == ioread32+0x20", access, { ...access, site: 0n }],
    ["site == 0x123", { ...access, site: 0x123n }, access],
    ['site == "e1000_intr+0x10 [e1000]"', dmaMap, access],
    ["caller == e1000_reset", access, { ...access, caller: 0n }],
    ["caller == 0xffffffffc0000030", access, { ...access, caller: own }],
    ["module == e1000", access, { ...access, caller: 0n }],
    ["module == kernel", access, dmaMap],
    ["module == snd", module, access],
    ["mapping == 1", access, { ...access, mapping: 2 }],
    ["irq == 24", interrupt, access],
    ["vector == 35", interrupt, { ...interrupt, vector: 0 }],
    ["irq < 25", interrupt, mark],
    ["bus == 0x80001000", dmaMap, access],
    ["dma == dma#2", dmaMap, access],
    ["dma == dma#1", access, { ...access, value: 0x8000_1100n }],
    ["dma == dma#1+0x40", access, { ...access, value: 0x8000_1041n }],
    ["dma == coherent", dmaMap, access],
    ["dma == both", dmaMap, access],
    ["text == here", mark, access],
    ["text == snd", module, mark],
    ['text == "exit: handled"', interrupt, { ...interrupt, handled: false }],
    ["text == entry", { ...interrupt, phase: "entry" }, interrupt],
    [
      "text == fixmap",
      { ...base, kind: "unrecorded", address: 1n, length_bytes: 2n, way: "fixmap", calls: 3n, site: 0n },
      mark,
    ],
    ["read", access, { ...access, kind: "write" }],
    ["write", { ...access, kind: "write" }, access],
    ["access", access, mark],
    ["locked", wide, access],
    ["user", wide, access],
    ["string", { ...access, flags: RecordFlag.string }, wide],
    ["unordered", { ...access, flags: RecordFlag.unordered }, wide],
    ["time == 1.5", access, { ...access, tsc: base.tsc + 2n }],
    ["time >= 1.5", access, { ...access, tsc: base.tsc - 2n }],
    ["time <= 1.5", access, { ...access, tsc: base.tsc + 2n }],
    ["time < 1.5", { ...access, tsc: base.tsc - 2n }, access],
    ["time > 1.5", { ...access, tsc: base.tsc + 2n }, access],
    ["time == 1.4..1.5", access, { ...access, tsc: base.tsc + 2n }],
    ["event == 11..12", access, { ...access, number: 13 }],
    ["event >= 12", access, { ...access, number: 11 }],
    ["event <= 12", access, { ...access, number: 13 }],
    ["event > 11", access, { ...access, number: 11 }],
  ])("%s", (expression, fitting, other) => {
    const filter = compileFilter(expression);
    expect([filter(viewOf(fitting)), filter(viewOf(other))]).toEqual([true, false]);
  });

  test("what an event doesn't have is never equal, and always unequal", () => {
    for (const field of ["irq", "vector", "bus", "bar", "offset", "value", "width", "mapping", "address"]) {
      expect(
        [compileFilter(`${field} == 0`)(viewOf(mark)), compileFilter(`${field} != 0`)(viewOf(mark))],
        field,
      ).toEqual([false, true]);
    }
    for (const field of ["device", "driver", "register", "meaning", "site", "caller", "module", "dma", "space"]) {
      const value = field === "space" ? "memory" : "x";
      expect(
        [compileFilter(`${field} == ${value}`)(viewOf(mark)), compileFilter(`${field} != ${value}`)(viewOf(mark))],
        field,
      ).toEqual([...[false, true]]);
    }
  });
});

describe("the DMA buffers alive before an event", () => {
  /** Returns the next number and the living ones before the event, which is the trace's third about DMA. */
  function before(event: TraceEvent): [number, number[]] {
    const state = new TraceState(madeUpHeader());
    for (const bus of [0x1000n, 0x2000n]) state.apply({ ...dmaMap, bus } as TraceEvent);
    const taken = { ...event };
    state.apply(taken);
    const { next, buffers } = dmaBefore(state, taken);
    return [next, buffers.map(({ number }) => number).sort()];
  }
  const end = { ...memory, kind: "dma-unmap", direction: "both", site: own, caller: 0n, buffers: [] } as const;

  test("are those before it: a new one isn't among them, one that ends is", () => {
    expect(before(mark)).toEqual([3, [1, 2]]);
    expect(before({ ...dmaMap, bus: 0x3000n } as TraceEvent)).toEqual([3, [1, 2]]);
    expect(before({ ...end, bus: 0x2000n })).toEqual([3, [1, 2]]);
    expect(before({ ...end, bus: 0x9000n })).toEqual([3, [1, 2]]);
    // of several that end at once nothing is known but their range
    expect(before({ ...end, bus: 0x1000n, length_bytes: 0x2000n })).toEqual([3, []]);
  });
});
