// tier: quick
import { describe, expect, test } from "vitest";
import { configurationOf, configurationText, inSpace, spaceOf, withinSpace } from "./space.js";
import { addressText } from "./text.js";

// core/record.h: MMS_PORT_SPACE is 3 << 50, MMS_CONFIGURATION_SPACE 7 << 49
const ports = 0xc_0000_0000_0000n;
const configuration = 0xe_0000_0000_0000n;

test.each([
  [0n, "memory", 0n],
  [ports - 1n, "memory", ports - 1n],
  [ports, "ports", 0n],
  [ports + 0xffffn, "ports", 0xffffn],
  [ports + 0x1_0000n, "memory", ports + 0x1_0000n],
  [configuration - 1n, "memory", configuration - 1n],
  [configuration, "configuration", 0n],
  [(1n << 52n) - 1n, "configuration", (1n << 49n) - 1n],
  [1n << 52n, "memory", 1n << 52n],
] as const)("0x%x lies in %s", (address, space, number) => {
  expect([spaceOf(address), withinSpace(address)]).toEqual([space, number]);
  expect(inSpace(space, number)).toBe(address);
});

describe("a function's configuration space", () => {
  test.each([
    ["0000:00:00.0", 0n],
    ["0000:00:03.0", 0x1_8000n],
    ["0001:c2:1f.7", 0x1c2f_f000n],
    ["10000:e1:00.1", 0x1000_0e10_1000n],
    ["0000:00:1F.7", 0xf_f000n],
  ])("%s begins at %d", (address, number) => {
    // domain << 28 | bus << 20 | device << 15 | function << 12
    expect(configurationOf(address)).toBe(configuration + number);
  });

  test.each([
    "",
    "00:03.0",
    "000:00:03.0",
    "0000:0:03.0",
    "0000:00:3.0",
    "0000:00:03.8",
    "0000:00:03.0 ",
    " 0000:00:03.0",
  ])('"%s" has none', (address) => {
    expect(configurationOf(address)).toBeUndefined();
  });

  test("its addresses are shown with the function and the offset, ports with their number", () => {
    expect(configurationText(configuration + 0x1c2f_fffcn)).toBe("0001:c2:1f.7 CONFIG+0xffc");
    expect(addressText(configuration + 0x1_8004n)).toBe("0000:00:03.0 CONFIG+0x004");
    expect(addressText(ports + 0x70n)).toBe("port 0x70");
    expect(addressText(0xfed0_0000n)).toBe("0xfed00000");
  });
});
