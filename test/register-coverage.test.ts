// tier: quick
// The built-in register databases against stock drivers: every access that QEMU logs while the drivers find their devices
// and use them has a register's name.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { projectDirectory } from "../src/base/paths.js";
import { findDatabase } from "../src/registers/files/index.js";
import type { RegisterDatabase } from "../src/registers/index.js";

const directory = mkdtempSync(join(tmpdir(), "mmiostrider-coverage-"));
const log = join(directory, "truth.log");
afterAll(() => rmSync(directory, { recursive: true }));

const devices = [
  "-netdev user,id=n0 -device e1000,netdev=n0,addr=0x10",
  "-netdev user,id=n1 -device e1000e,netdev=n1,addr=0x11",
  "-blockdev null-co,node-name=d0,size=67108864,read-zeroes=on -device nvme,drive=d0,serial=a,addr=0x12",
  "-blockdev null-co,node-name=d1,size=67108864,read-zeroes=on",
  "-device ich9-ahci,id=ah,addr=0x13 -device ide-hd,drive=d1,bus=ah.0",
  "-device qemu-xhci,id=xh,addr=0x14 -device usb-tablet,bus=xh.0",
  "-device bochs-display,addr=0x15",
  "-netdev user,id=n2 -device virtio-net-pci,netdev=n2,addr=0x16",
];

/** Loads the drivers, brings the links up, reads both disks, then prints each PCI function's numbers and BARs. */
const script = `
for m in e1000 e1000e nvme ahci sd_mod xhci_pci usbhid bochs virtio_net; do modprobe $m || exit 1; done
n=0; while [ ! -b /dev/nvme0n1 ] || [ ! -b /dev/sda ]; do n=$((n+1)); [ $n -gt 60 ] && exit 2; sleep 0.5; done
for i in /sys/class/net/*; do ip link set $(basename $i) up; done
sleep 2
for d in nvme0n1 sda; do dd if=/dev/$d of=/dev/null bs=64k count=16 2>/dev/null || exit 3; done
for m in e1000 e1000e; do modinfo -F alias $m | sed "s/^/ALIAS $m /"; done
for d in /sys/bus/pci/devices/*; do
  echo PCI $(basename $d) $(cat $d/vendor $d/device $d/class) $(od -An -v -tx1 $d/config | tr -d ' \\n')
  head -6 $d/resource
done`;

interface Function {
  address: string;
  database: RegisterDatabase | undefined;
  bars: { index: number; start: number; end: number }[];
}

/** Parses the script's output. */
function parseFunctions(text: string): Function[] {
  const functions: Function[] = [];
  for (const line of text.split("\n")) {
    const pci = /^PCI (\S+) (0x\w+) (0x\w+) (0x\w+) (\w+)$/.exec(line);
    if (pci !== null) {
      const [, address, vendor, device, classCode, config] = pci as unknown as string[];
      const bytes = Buffer.from(config!, "hex");
      const database = findDatabase(Number(vendor), Number(device), Number(classCode), bytes);
      functions.push({ address: address!, database, bars: [] });
    }
    const bar = /^(0x\w{16}) (0x\w{16}) (0x\w{16})$/.exec(line);
    const current = functions.at(-1);
    // Bit 9 of the flags: memory, not ports. Unused BARs count too, so that the index is right.
    if (bar !== null && current !== undefined) {
      const memory = (Number(bar[3]) & 0x200) !== 0;
      const index = current.bars.length;
      current.bars.push({ index, start: memory ? Number(bar[1]) : 1, end: memory ? Number(bar[2]) : 0 });
    }
  }
  return functions;
}

interface Coverage {
  accesses: number;
  names: Set<string>;
  unnamed: Set<string>;
}

describe("accesses of stock drivers", () => {
  const coverage = new Map<string, Coverage>();
  let printed = "";

  beforeAll(() => {
    const qemu = devices.flatMap((device) => ["--qemu", device]);
    const lab = ["bin/mmiostrider.js", "lab", "--timeout", "300", "--truth", log, ...qemu, "--", script];
    const run = spawnSync(process.execPath, lab, { cwd: projectDirectory, encoding: "utf8", timeout: 500_000 });
    expect(run.status, `${run.stdout}\n${run.stderr}`).toBe(0);
    printed = run.stdout;
    const functions = parseFunctions(printed);
    const line = /^.*memory_region_ops_(read|write) cpu \S+ mr \S+ addr (0x\w+) value (0x\w+) size (\d)/gm;
    for (const [, direction, address, value, size] of readFileSync(log, "utf8").matchAll(line)) {
      const at = Number(address);
      for (const found of functions) {
        const bar = found.bars.find(({ start, end }) => at >= start && at <= end);
        if (bar === undefined || found.database === undefined) continue;
        const { name } = found.database;
        const seen = coverage.get(name) ?? { accesses: 0, names: new Set(), unnamed: new Set() };
        coverage.set(name, seen);
        const offset = at - bar.start;
        const register = found.database.lookup(bar.index, offset, Number(size), direction as "read" | "write");
        seen.accesses++;
        if (register === undefined)
          seen.unnamed.add(`BAR ${bar.index} + 0x${offset.toString(16)} ${direction} ${size}`);
        else seen.names.add(register.name);
        if (direction === "read") {
          found.database = found.database.observe(bar.index, offset, Number(size), BigInt(value as string));
        }
      }
    }
  });

  // With the fewest accesses and different registers that prove that the driver did its work.
  test.each([
    ["e1000", 5000, 200],
    ["e1000e", 2000, 200],
    ["nvme", 300, 20],
    ["ahci", 500, 30],
    ["xhci", 300, 30],
    ["bochs", 100, 20],
    ["virtio-pci", 200, 25],
  ])("%s: each has a name", (name, accesses, names) => {
    const seen = coverage.get(name);
    expect([...(seen?.unnamed ?? ["no access at all"])]).toEqual([]);
    expect(seen?.accesses).toBeGreaterThan(accesses);
    expect(seen?.names.size).toBeGreaterThan(names);
  });

  test.each(["e1000", "e1000e"])("every device that %s claims is known as its", (driver) => {
    const alias = new RegExp(`^ALIAS ${driver} pci:v0000(\\w{4})d0000(\\w{4})`, "gm");
    const claimed = [...printed.matchAll(alias)].map(([, vendor, device]) =>
      [`0x${vendor}`, `0x${device}`].map(Number),
    );
    expect(claimed.length).toBeGreaterThan(30);
    for (const [vendor, device] of claimed) {
      expect(findDatabase(vendor!, device!)?.name, `${vendor!.toString(16)}:${device!.toString(16)}`).toBe(driver);
    }
  });
});
