// tier: quick
// The ranges of ordinary memory in /proc/iomem, as Debian's 6.1 shows it to root, and to others.
import { expect, test } from "vitest";
import { parseSystemRam } from "./system-ram.js";

const text = `00000000-00000fff : Reserved
00001000-0009fbff : System RAM
000a0000-000bffff : PCI Bus 0000:00
00100000-3ffdffff : System RAM
  01000000-01e00fff : Kernel code
  30000000-300fffff : System RAM (kmem)
febc0000-febdffff : 0000:00:04.0
`;

test("top-level ranges only; none where addresses are hidden", () => {
  expect(parseSystemRam(text)).toEqual([
    { first: 0x1000n, last: 0x9fbffn },
    { first: 0x100000n, last: 0x3ffdffffn },
  ]);
  expect(parseSystemRam(text.replaceAll(/^( *)[0-9a-f]{8}-[0-9a-f]{8}/gm, "$100000000-00000000"))).toEqual([]);
});
