// tier: quick
// Lines of QEMU's log, one by one: fields of accesses, accesses to configuration space, memory moves of devices.
import { describe, expect, test } from "vitest";
import { DeviceMoves } from "./device-moves.js";
import { ConfigurationLines, type DataAccess, findConfigurationEvent, isDataLine } from "./truth-configuration.js";
import { LineScanner } from "./truth-line.js";

/** Scans a line that stands between other digits: what lies behind its end must not matter. */
function scannerOf(line: string): LineScanner {
  const scanner = new LineScanner();
  scanner.bytes = Buffer.from(`${line}7f`);
  scanner.end = line.length;
  return scanner;
}

describe("a line's fields", () => {
  test.each([
    ["0", 0, true, 1],
    ["42 x", 42, true, 2],
    ["-1 x", -1, true, 2],
    ["123456789", 123_456_789, true, 9],
    ["1234567890", 1_234_567_890, false, 10],
    ["-", -0, false, 1],
    ["x", 0, false, 0],
    ["/", 0, false, 0],
    [":", 0, false, 0],
    ["", 0, false, 0],
  ])("decimal: %j", (line, value, sound, at) => {
    const scanner = scannerOf(line);
    expect([scanner.decimal(), scanner.sound, scanner.at]).toEqual([value, sound, at]);
  });

  test.each([
    ["0x0", 0, 0, true, 3],
    ["0xabcdef09 x", 0xabcd_ef09, 0, true, 10],
    ["0x8000000000000001", 1, 0x8000_0000, true, 18],
    ["0xffffffffffffffff", 0xffff_ffff, 0xffff_ffff, true, 18],
    ["0x10000000000000000", 0, 0, false, 19],
    ["0x1g", 1, 0, true, 3],
    ["0x1`", 1, 0, true, 3],
    ["0x1/", 1, 0, true, 3],
    ["0x1:", 1, 0, true, 3],
    ["0xA", 0, 0, false, 2],
    ["0x", 0, 0, false, 2],
    ["1x1", 1, 0, false, 3],
    ["0y1", 1, 0, false, 3],
  ])("hexadecimal: %j", (line, low, high, sound, at) => {
    const scanner = scannerOf(line);
    scanner.hex();
    expect([scanner.low, scanner.high, scanner.sound, scanner.at]).toEqual([low, high, sound, at]);
  });

  test.each([
    [" cpu 0", true],
    [" cpu  0", true],
    ["xcpu 0", false],
    [" cpx 0", false],
    [" cpux0", false],
  ])("a word: %j", (line, sound) => {
    const scanner = scannerOf(line);
    scanner.word("cpu");
    expect([scanner.sound, scanner.at]).toEqual([sound, 5]);
  });
});

describe("configuration space", () => {
  const lines = new ConfigurationLines();
  const event = (text: string, line = 9) => {
    const bytes = Buffer.from(`..${text}..`);
    return lines.event(bytes, 2, bytes.length - 2, line);
  };
  const data = (more: Partial<DataAccess> = {}): DataAccess => ({
    write: false,
    cpu: 1,
    width_bytes: 4,
    value: 0x107,
    ...more,
  });
  const read = "pci_cfg_read e1000 00:04.0 @0x4 -> 0x107";
  const write = "pci_cfg_write e1000 00:04.0 @0x4 <- 0x107";
  // 7 << 49, bus 0, device 4, offset 4
  const address = 0xe_0000_0002_0004;
  const whole = { cpu: 1, width_bytes: 4, value: 0x107, address, name: "e1000", function: "0000:00:04.0", line: 9 };

  test("a read's line comes before the CPU's", () => {
    expect([event(read), lines.data(data())]).toEqual([undefined, { ...whole, write: false }]);
    // each completes one
    expect(lines.data(data())).toBeUndefined();
  });

  test("a write's comes behind it", () => {
    expect([lines.data(data({ write: true })), event(write)]).toEqual([undefined, { ...whole, write: true }]);
    expect(event(write)).toBe("unclear");
  });

  test("the place is the function's, with a name of any words", () => {
    expect(event("pci_cfg_read QEMU PCI bridge c2:1f.7 @0xffc -> 0x0")).toBeUndefined();
    expect(lines.data(data({ value: 0 }))).toMatchObject({
      ...{ name: "QEMU PCI bridge", function: "0000:c2:1f.7", address: 0xe_0000_0c2f_fffc },
    });
  });

  test.each([
    // one byte and two: only these are compared
    [1, 0x1207, 0x07, true],
    [1, 0x1207, 0x08, false],
    [2, 0x1_2107, 0x2107, true],
    [4, 0x8000_0000, 0x8000_0000, true],
    [4, 0x8000_0000, 0, false],
    [8, 0x8000_0000, 0x8000_0000, true],
  ])("%i bytes of 0x%i and 0x%i are one access: %s", (width_bytes, told, value, isOne) => {
    expect(event(`pci_cfg_read e1000 00:04.0 @0x4 -> 0x${told.toString(16)}`)).toBeUndefined();
    const access = lines.data(data({ width_bytes, value }));
    expect(access === undefined ? undefined : access.width_bytes).toBe(isOne ? width_bytes : undefined);
    lines.data(data({ write: true, width_bytes, value }));
    const written = event(`pci_cfg_write e1000 00:04.0 @0x4 <- 0x${told.toString(16)}`);
    expect(written === "unclear").toBe(!isOne);
  });

  test("two reads without a CPU's access between them are unclear, and both forgotten", () => {
    expect([event(read), event(read), lines.data(data())]).toEqual([undefined, "unclear", undefined]);
  });

  test.each([
    "pci_cfg_read e1000 00:04.0 @0x4 <- 0x107",
    "pci_cfg_write e1000 00:04.0 @0x4 -> 0x107",
    "pci_cfg_read e1000 00:04.8 @0x4 -> 0x107",
    "pci_cfg_read e1000 0:04.0 @0x4 -> 0x107",
    "pci_cfg_read e1000 00:04.0 @0x1000 -> 0x107",
    "pci_cfg_read e1000 00:04.0 @0x4 -> 0x123456789",
    "pci_cfg_read e1000 00:04.0 @0x4 -> 0x107 x",
    "pci_cfg_read 00:04.0 @0x4 -> 0x107",
    "pci_cfg_other e1000 00:04.0 @0x4 -> 0x107",
  ])("unclear: %s", (text) => {
    expect(event(text)).toBe("unclear");
    // it also ends what was begun
    expect([event(read), event(text), lines.data(data())]).toEqual([undefined, "unclear", undefined]);
  });

  test("the regions and the events are known by their names", () => {
    const isData = (line: string) => isDataLine(Buffer.from(`${line}'x`), line.length);
    expect(isData(".. size 4 name 'pci-conf-data'")).toBe(true);
    expect(isData(".. size 4 name 'pcie-mmcfg-mmio'")).toBe(true);
    expect(isData(".. size 4 name 'pci-conf-idx'")).toBe(false);
    expect(isData(".. size 4 name 'pci-conf-data' ")).toBe(false);
    const place = (line: string) => findConfigurationEvent(Buffer.from(line), 0, line.length);
    expect([place(read), place(`77@17.000001:${read}`), place("pci_update_mappings_add")]).toEqual([0, 13, -1]);
  });
});

describe("a device's moves of memory", () => {
  /** Tells a move, and returns a function that says which of the accesses are its own. */
  function after(line: string, more = "") {
    const moves = new DeviceMoves();
    const bytes = Buffer.from(`..${line}${more}`);
    moves.hear(bytes, 2, 2 + line.length);
    return (...accesses: [write: boolean, address: number, width_bytes: number][]) =>
      accesses.map((access) => moves.made(...access));
  }
  const move = "lsi_memcpy memcpy dest 0x1000 src 0x2000 count 8";

  test("are its accesses one after the other, up to their end, in each direction by itself", () => {
    const own = after(move, "0");
    expect(own([true, 0x1000, 4], [false, 0x2000, 8], [true, 0x1004, 4])).toEqual([true, true, true]);
    expect(own([true, 0x1008, 1], [false, 0x2008, 1])).toEqual([false, false]);
  });

  test("others are none: at other places, again, beyond the end", () => {
    const own = after(`77@17.000001:${move}`);
    expect(own([true, 0x2000, 4], [false, 0x1000, 4], [true, 0x1004, 4], [false, 0x2000, 16])).toEqual([
      ...[false, false, false, false],
    ]);
    expect(own([false, 0x2000, 4], [false, 0x2000, 4], [false, 0x2004, 4])).toEqual([true, false, true]);
  });

  test("a new move takes the old one's place", () => {
    const moves = new DeviceMoves();
    for (const line of [move, "lsi_memcpy memcpy dest 0x3000 src 0x4000 count 10"]) {
      moves.hear(Buffer.from(line), 0, line.length);
    }
    expect([moves.made(true, 0x1000, 4), moves.made(true, 0x3000, 10), moves.made(false, 0x4000, 10)]).toEqual([
      ...[false, true, true],
    ]);
  });

  test.each([
    "memcpy memcpy dest 0x1000 src 0x2000 count 8",
    "lsi_memcpy memcpy dest 0x1000 src 0x2000 count x",
    "lsi_memcpy memcpy dest 1000 src 0x2000 count 8",
    "lsi_memcpy memcpy dest 0x1000 src 0x2000 count 8 ",
    `${"x".repeat(200 - move.length + 1)}${move}`,
  ])("not by the line %s", (line) => {
    expect(after(line)([true, 0x1000, 4], [false, 0x2000, 4])).toEqual([false, false]);
  });

  test("nor is anything before the first; the longest line is one", () => {
    expect(new DeviceMoves().made(false, 0, 1)).toBe(false);
    expect(after(`${"x".repeat(200 - move.length)}${move}`)([true, 0x1000, 4])).toEqual([true]);
  });
});
