// tier: quick
// Drivers that use ports instead of memory, by /proc/ioports as Debian's 6.1 shows it with QEMU's tulip.
import { describe, expect, test } from "vitest";
import type { PciFunction } from "../trace/header.js";
import { inSpace } from "../trace/space.js";
import { PortWatch } from "./port-watch.js";

const tulip: PciFunction = {
  ...{ address: "0000:00:04.0", vendor: "0x1011", device: "0x19", subsystemVendor: "0x0", subsystemDevice: "0x0" },
  ...{ class: "0x20000", revision: "0x0", irq: 10, driver: null },
  bars: [
    { index: 0, start: "0xc000", length_bytes: "0x80", flags: "0x40101" },
    { index: 1, start: "0xfebc0000", length_bytes: "0x80", flags: "0x40200" },
  ],
};
const before = `0000-0cf7 : PCI Bus 0000:00
  0000-001f : dma1
0cf8-0cff : PCI conf1
0d00-ffff : PCI Bus 0000:00
  c000-c07f : 0000:00:04.0
  c080-c0bf : 0000:00:03.0
`;
const after = before.replace("0000:00:04.0\n", "0000:00:04.0\n    c000-c07f : tulip\n");

describe("a driver that has its device's ports", () => {
  test("and maps none of its memory: said, though it has gone when recording ends", () => {
    let ports = before;
    const watch = new PortWatch([tulip], [], () => ports);
    expect(watch.sentences()).toEqual([]);
    ports = after;
    watch.look();
    ports = before;
    watch.look();
    expect(watch.sentences()).toEqual([
      "no memory of 0000:00:04.0 was mapped; tulip has its I/O ports 0xc000-0xc07f, and its accesses by in and out are not recorded",
    ]);
  });

  test("and maps memory, too: nothing to say", () => {
    const watch = new PortWatch([tulip], [], () => after);
    watch.addMapping(0xfebc0080n);
    expect(watch.sentences()).toHaveLength(1);
    watch.addMapping(0xfebc007fn);
    expect(watch.sentences()).toEqual([]);
    const early = [{ first: 0xfebc0000n, last: 0xfebc0fffn }];
    expect(new PortWatch([tulip], early, () => after).sentences()).toEqual([]);
  });

  test("and maps them: nothing to say", () => {
    const watch = new PortWatch([tulip], [], () => after);
    watch.addMapping(0xc000n);
    expect(watch.sentences()).toHaveLength(1);
    watch.addMapping(inSpace("ports", 0xc000n));
    expect(watch.sentences()).toEqual([]);
  });

  test("and that nobody shows", () => {
    expect(new PortWatch([tulip], [], () => undefined).sentences()).toEqual([]);
    expect(
      new PortWatch([tulip], [], () => after.replace("c000-c07f : tulip", "0000-0000 : tulip")).sentences(),
    ).toEqual([]);
  });
});
