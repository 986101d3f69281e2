// tier: quick
// The built-in databases against devices that others built: reads registers of QEMU's devices whose values their
// specifications or QEMU's documentation fix. The function's own PCI numbers choose the database.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { QtestMachine, whyNoQemu } from "../../dev/test-support/qemu-registers.js";
import type { RegisterDatabase } from "./database.js";
import { findDatabase } from "./files/index.js";

const whyNot = whyNoQemu();
const note = whyNot === undefined ? "" : ` (${whyNot})`;

const devices = [
  "e1000,mac=52:54:00:12:34:56",
  "e1000e,mac=52:54:00:12:34:57",
  "nvme,serial=s",
  "ich9-ahci,id=ahci",
  "qemu-xhci,id=xhci",
  "virtio-net-pci,mac=52:54:00:12:34:58,disable-legacy=on",
  "bochs-display",
  "virtio-rng-pci,disable-legacy=on,page-per-vq=on",
] as const;
type Device = (typeof devices)[number];

describe.skipIf(whyNot !== undefined)(`QEMU's devices${note}`, () => {
  let machine: QtestMachine;
  const bars = new Map<string, number>();
  const databases = new Map<Device, RegisterDatabase>();

  const slotOf = (device: Device) => devices.indexOf(device) + 4;

  beforeAll(async () => {
    machine = new QtestMachine(devices);
    for (const device of devices) {
      const slot = slotOf(device);
      const id = await machine.readConfig(slot, 0);
      const classCode = (await machine.readConfig(slot, 8)) >>> 8;
      const config = await machine.configSpace(slot);
      const database = findDatabase(id & 0xffff, id >>> 16, classCode, config);
      if (database === undefined)
        throw new Error(`no database for ${device}: ${id.toString(16)} ${classCode.toString(16)}`);
      databases.set(device, database);
    }
  });

  afterAll(() => machine.close());

  async function addressOf(device: Device, bar: number): Promise<number> {
    const key = `${device} ${bar}`;
    const address = bars.get(key) ?? (await machine.placeBar(slotOf(device), bar));
    bars.set(key, address);
    return address;
  }

  /** Reads a register found by its name; returns the database's description of the value. */
  async function read(device: Device, bar: number, name: string, width_bytes: 1 | 2 | 4 | 8 = 4): Promise<string> {
    const database = databases.get(device) as RegisterDatabase;
    const offset = offsetOf(database, bar, name);
    const value = await machine.read((await addressOf(device, bar)) + offset, width_bytes);
    databases.set(device, database.observe(bar, offset, width_bytes, value));
    return database.describe(bar, offset, width_bytes, value) ?? `0x${value.toString(16)}`;
  }

  async function write(device: Device, bar: number, name: string, value: bigint, width_bytes: 1 | 2 | 4 | 8 = 4) {
    const offset = offsetOf(databases.get(device) as RegisterDatabase, bar, name);
    await machine.write((await addressOf(device, bar)) + offset, width_bytes, value);
  }

  it("e1000", async () => {
    const device = devices[0];
    expect(await read(device, 0, "STATUS")).toMatch(/^FD \| LU \| SPEED=1000MB_S \| ASDV=1000MB_S/);
    expect(await read(device, 0, "RAL[0]")).toBe("0x12005452");
    expect(await read(device, 0, "RAH[0]")).toBe("RAH=0x5634 | ASEL=DESTINATION | AV");
    // The EEPROM's first word is the address' first two bytes.
    await write(device, 0, "EERD", 0x0001n);
    expect(await read(device, 0, "EERD")).toBe("DONE | DATA=0x5452");
    // PHY 1, register 2: upper half of the identifier of QEMU's 82540EM's PHY.
    await write(device, 0, "MDIC", 0x0822_0000n);
    expect(await read(device, 0, "MDIC")).toBe("DATA=0x141 | REG=PHY_ID1 | PHY=1 | OP=READ | READY");
    await write(device, 0, "IMS", 0x0000_009dn);
    expect(await read(device, 0, "IMS")).toBe("TXDW | LSC | RXSEQ | RXDMT0 | RXT0");
    await write(device, 0, "IMC", 0xffff_ffffn);
    expect(await read(device, 0, "IMS")).toBe("0");
    await write(device, 0, "ICS", 0x0000_0004n);
    expect(await read(device, 0, "ICR")).toMatch(/^LSC( \| INT_ASSERTED)?$/);
    await write(device, 0, "RDLEN", 0x1000n);
    expect(await read(device, 0, "RDLEN")).toBe("0x1000");
  });

  it("e1000e", async () => {
    const device = devices[1];
    expect(await read(device, 0, "STATUS")).toMatch(/^FD \| LU \| SPEED=1000MB_S .*GIO_MASTER_ENABLE/);
    expect(await read(device, 0, "RAL[0]")).toBe("0x12005452");
    expect(await read(device, 0, "RAH[0]")).toBe("RAH=0x5734 | ASEL=DESTINATION | AV");
    await write(device, 0, "EERD", 0x0001n);
    expect(await read(device, 0, "EERD")).toBe("DONE | DATA=0x5452");
    await write(device, 0, "IVAR", 0x800a_0908n);
    expect(await read(device, 0, "IVAR")).toMatch(
      /^RXQ0=\{ VALID \} \| .*TXQ0=\{ VECTOR=1 \| VALID \}.* \| OTHER=\{ VECTOR=2 \| VALID \} \| INT_ON_ALL_WB$/,
    );
    expect(databases.get(device)?.lookup(3, 0x1c, 4)?.name).toBe("VECTOR[0x1].CTRL");
    await write(device, 3, "VECTOR[0x1].CTRL", 1n);
    expect(await read(device, 3, "VECTOR[0x1].CTRL")).toBe("MASKED");
  });

  it("nvme", async () => {
    const device = devices[2];
    expect(await read(device, 0, "VS")).toBe("MINOR=4 | MAJOR=1");
    expect(await read(device, 0, "CAP", 8)).toMatch(/^MQES=2047 \| CQR .*CSS_NVM/);
    expect(await read(device, 0, "CSTS")).toBe("SHST=NORMAL");
    await write(device, 0, "CC", 0x0046_0000n);
    expect(await read(device, 0, "CC")).toBe("CSS=NVM | AMS=ROUND_ROBIN | SHN=NO_SHUTDOWN | IOSQES=6 | IOCQES=4");
    await write(device, 0, "AQA", 0x001f_001fn);
    expect(await read(device, 0, "AQA")).toBe("ASQS=31 | ACQS=31");
    // The interrupt table lies behind the doorbells, in the same BAR.
    const table = databases
      .get(device)
      ?.layout.get(0)
      ?.find((segment) => segment.domain === "MSIX");
    expect(table?.start).toBe(0x2000);
    expect(databases.get(device)?.lookup(0, 0x1008, 4)?.name).toBe("SQTDBL[0x1]");
    expect(await read(device, 0, "VECTOR[0].CTRL")).toBe("MASKED");
  });

  it("ahci", async () => {
    const device = devices[3];
    expect(await read(device, 5, "CAP")).toMatch(/^NP=5 \| NCS=31 \| .*ISS=GEN1.*SNCQ \| S64A$/);
    expect(await read(device, 5, "PI")).toBe("0x3f");
    expect(await read(device, 5, "VS")).toBe("MAJOR=0x1");
    await write(device, 5, "GHC", 0x8000_0002n);
    expect(await read(device, 5, "GHC")).toBe("IE | AE");
    expect(await read(device, 5, "PORT[0].SSTS")).toBe("DET=NONE | SPD=NONE | IPM=NONE");
    await write(device, 5, "PORT[0x5].IE", 0x8000_0001n);
    expect(await read(device, 5, "PORT[0x5].IE")).toBe("DHR | CPD");
  });

  it("xhci, whose parts are known once it has said where they are", async () => {
    const device = devices[4];
    expect(databases.get(device)?.lookup(0, 0x44, 4)).toBeUndefined();
    // Reads both at once, as drivers do.
    expect(await read(device, 0, "CAPLENGTH")).toBe("CAPLENGTH: 0x40; HCIVERSION: 0x100");
    for (const name of ["HCCPARAMS1", "DBOFF", "RTSOFF"]) await read(device, 0, name);
    expect(await read(device, 0, "HCSPARAMS1")).toBe("MAX_SLOTS=64 | MAX_INTRS=16 | MAX_PORTS=8");
    expect(await read(device, 0, "USBSTS")).toBe("HCH");
    expect(await read(device, 0, "PAGESIZE")).toBe("PAGESIZE=0x1000");
    await write(device, 0, "CONFIG", 8n);
    expect(await read(device, 0, "CONFIG")).toBe("MAX_SLOTS_EN=8");
    expect(await read(device, 0, "PORT[0].PORTSC")).toMatch(/PLS=RX_DETECT \| PP/);
    await write(device, 0, "IR[0x1].IMOD", 0x0fa0n);
    expect(await read(device, 0, "IR[0x1].IMOD")).toBe("IMODI=4000");
    const table = databases
      .get(device)
      ?.layout.get(0)
      ?.map((segment) => segment.domain);
    expect(table).toEqual(["XHCI_CAP", "XHCI_XECP", "XHCI_OP", "XHCI_RT", "XHCI_DB", "MSIX", "MSIX_PBA"]);
  });

  it("virtio-pci, placed by its capabilities", async () => {
    const device = devices[5];
    expect(await read(device, 4, "NUM_QUEUES", 2)).toBe("3");
    await write(device, 4, "DEVICE_STATUS", 3n, 1);
    expect(await read(device, 4, "DEVICE_STATUS", 1)).toBe("ACKNOWLEDGE | DRIVER");
    expect(await read(device, 4, "CONFIG_MSIX_VECTOR", 2)).toBe("VECTOR=NO_VECTOR");
    expect(await read(device, 4, "QUEUE_SIZE", 2)).toBe("256");
    expect(await read(device, 4, "NET_MAC[0x5]", 1)).toBe("0x58");
    expect(await read(device, 4, "NET_STATUS", 2)).toMatch(/^(0|LINK_UP)$/);
    await write(device, 4, "DRIVER_FEATURE_SELECT", 1n);
    expect(await read(device, 4, "DRIVER_FEATURE_SELECT")).toBe("1");
    // Bit 32: VIRTIO_F_VERSION_1.
    await write(device, 4, "DEVICE_FEATURE_SELECT", 1n);
    expect(BigInt(await read(device, 4, "DEVICE_FEATURE")) & 1n).toBe(1n);
    // The built-in layout, for traces without capabilities, is QEMU's.
    expect(starts(databases.get(device), 4)).toEqual(starts(findDatabase(0x1af4, 0x1041), 4));
    // This device's notifications lie a page apart and take up more room.
    expect(starts(databases.get(devices[7]), 4)).toEqual(starts(databases.get(device), 4));
  });

  it("bochs", async () => {
    const device = devices[6];
    expect(await read(device, 2, "ID", 2)).toMatch(/^0xb0c[0-5]$/);
    await write(device, 2, "XRES", 800n, 2);
    expect(await read(device, 2, "XRES", 2)).toBe("800");
    await write(device, 2, "ENABLE", 0x41n, 2);
    expect(await read(device, 2, "ENABLE", 2)).toBe("ENABLED | LFB");
    expect(await read(device, 2, "EXT_ENDIAN")).toBe("ENDIAN=LITTLE");
    // EDID begins with a fixed pattern.
    expect(await read(device, 2, "EDID[0x1]", 1)).toBe("0xff");
  });
});

function starts(database: RegisterDatabase | undefined, bar: number): unknown {
  return database?.layout.get(bar)?.map(({ domain, start }) => [domain, start]);
}

/** Finds the register called `name` by trying all offsets: there is no reverse look-up, and a BAR's start is small. */
function offsetOf(database: RegisterDatabase, bar: number, name: string): number {
  for (let offset = 0; offset < 0x1_0000; offset++) {
    if (database.lookup(bar, offset, 1)?.name === name) return offset;
  }
  throw new Error(`${database.name} has no ${name} in BAR ${bar}`);
}
