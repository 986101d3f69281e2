// tier: quick
// `mmiostrider registers`: its output, its JSON, its exit codes, and wrong usage.
import { join } from "node:path";
import { Command } from "commander";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { temporaryFolder, writeFiles } from "../../../dev/test-support/made-up-files.js";
import { UserError } from "../../base/errors.js";
import { ExitCode } from "../shared/exit-code.js";
import { shownError } from "../shared/shown-error.js";
import { addRegisters } from "./registers.js";

const folder = temporaryFolder();
let output = "";
let complaints = "";

beforeEach(() => {
  output = "";
  complaints = "";
  process.exitCode = undefined;
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    output += text;
    return true;
  });
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    complaints += text;
    return true;
  });
});

afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

async function registers(...words: string[]): Promise<void> {
  const program = new Command("mmiostrider").exitOverride();
  addRegisters(program);
  await program.parseAsync(["registers", ...words], { from: "user" });
}

describe("lookup", () => {
  it("names a register and reads a value", async () => {
    await registers("lookup", "--registers", "e1000", "0x8", "0x80080783");
    expect(output).toBe(
      "STATUS = 0x80080783   (e1000 BAR 0 + 0x8, 32 bits)\n" +
        "  FD | LU | SPEED=1000MB_S | ASDV=1000MB_S | MTXCKOK | PCIXSPD=50_66MHZ | unknown=0x80080000\n",
    );
    expect(process.exitCode).toBeUndefined();
  });

  it("lists the fields when there is no value", async () => {
    await registers("lookup", "--registers", "nvme", "0x1c");
    expect(output).toContain("CSTS   (nvme BAR 0 + 0x1c, 32 bits: status)\n      0  RDY\n");
    expect(output).toContain("    3:2  SHST   0 NORMAL, 1 IN_PROGRESS, 2 COMPLETE\n");
  });

  it("takes a BAR, a width, a direction and a style", async () => {
    await registers("lookup", "--registers", "virtio-pci", "--bar", "4", "--width", "2", "0x16", "0x0300");
    expect(output).toContain("QUEUE_SELECT = 0x300");
    output = "";
    await registers("lookup", "--registers", "e1000", "--full", "--direction", "write", "0x2820", "0");
    expect(output).toContain("{ DELAY = 0 }");
  });

  it("prints JSON", async () => {
    await registers("lookup", "--json", "--registers", "ahci", "0x128", "0x113");
    const { parts, ...rest } = JSON.parse(output);
    expect(rest).toEqual({
      ...{ database: "ahci", bar: 5, offset: "0x128", value: "0x113", undecided: [], name: "PORT[0].SSTS" },
    });
    expect(parts[0]).toMatchObject({ width_bits: 32, value: "0x113", meaning: "DET=LINK_UP | SPD=GEN1 | IPM=ACTIVE" });
    expect(parts[0].fields[0]).toMatchObject({ name: "DET", low: 0, high: 3 });
  });

  it("exits 1 when there is nothing", async () => {
    await registers("lookup", "--registers", "e1000", "0x1ffff0000");
    expect(output).toBe("");
    expect(complaints).toBe("mmiostrider: e1000 BAR 0 + 0x1ffff0000: the database e1000 has nothing there\n");
    expect(process.exitCode).toBe(1);
  });

  it("says when a variant would decide", async () => {
    await registers("lookup", "--registers", "virtio-pci", "--bar", "4", "0x2000");
    expect(complaints).toContain("choose with --variant, a value of virtio-device");
    complaints = output = "";
    await registers("lookup", "--registers", "virtio-pci", "--bar", "4", "--variant", "BLOCK", "0x2000", "0x800");
    expect(complaints).toBe("");
    expect(output).toContain("BLK_CAPACITY = 0x800");
    expect(output).toContain("\n  2048\n");
  });

  it.each([
    [["zz"], /the offset "zz" isn't a number/],
    [["0x10000000000000000"], /has more than 64 bits/],
    [["0xfffffffffffff000"], /no PCI function's BAR on this machine has the physical address/],
    [["--registers", "nothing", "0"], /there is neither a built-in register database nor a file called nothing/],
    [["--registers", "e1000", "--bar", "2", "0"], /e1000 has nothing for BAR 2/],
    [["--registers", "e1000", "--width", "9", "0"], /the width 9 isn't 1 to 8 bytes/],
    [["--registers", "e1000", "0x8", "0x100000000"], /the value 0x100000000 has more than the 32 bits accessed/],
    [
      ["--registers", "e1000", "--width", "2", "0x8", "0x10000"],
      /the value 0x10000 has more than the 16 bits accessed/,
    ],
    [["--registers", "e1000", "--variant", "Z", "0"], /has no variant Z of gbe-family/],
    [["--registers", "nvme", "--variant", "Z", "0"], /nothing in the register database nvme depends on a variant/],
    [["--registers", "e1000", "0xffffffffffffffff"], /is beyond any BAR/],
  ])("%j is wrong usage", async (words, message) => {
    const error = await registers("lookup", ...words).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UserError);
    const shown = shownError(error as UserError);
    expect(shown.exitCode).toBe(ExitCode.usage);
    expect(shown.message).toMatch(message);
    expect(output).toBe("");
  });
});

it.each([["lookup", "0"], ["list"]])("%s of a database with a fault says so, and fails", async (command, ...words) => {
  writeFiles(folder, {
    "broken.xml": "<domain name='D'><reg8 name='A'/></domain>",
    "lacking.xml": "<domain name='D'><reg8 name='A' offset='0' type='T'/></domain>",
  });
  const path = join(folder, "broken.xml");
  const choice = (file: string) => (command === "lookup" ? ["--registers", file] : [file]);
  const error = await registers(command, ...choice(path), ...words).catch((reason: unknown) => reason);
  expect(shownError(error as UserError)).toMatchObject({
    message: expect.stringMatching(/broken\.xml:\d+: register A has no offset$/),
    exitCode: ExitCode.failed,
  });
  if (command !== "lookup") return;
  // a type is looked for where a value is described
  await registers(command, ...choice(join(folder, "lacking.xml")), ...words);
  expect(complaints).toMatch(/^mmiostrider: \S+lacking\.xml:\d+: there is no type T\n$/);
  expect(process.exitCode).toBe(1);
});

describe("list", () => {
  it("lists the built-in databases", async () => {
    await registers("list", "--json");
    const rows = JSON.parse(output) as { name: string; domains: { registers: number }[] }[];
    const names = ["e1000", "e1000e", "nvme", "ahci", "xhci", "virtio-pci", "bochs", "pci-config"];
    expect(rows.map((row) => row.name)).toEqual(names);
    for (const row of rows) for (const domain of row.domains) expect(domain.registers).toBeGreaterThan(0);
  });

  it("lists a database's registers", async () => {
    await registers("list", "e1000");
    const lines = output.trimEnd().split("\n");
    expect(lines[0]).toBe("BAR 0 + 0x00000  32  CTRL");
    expect(lines).toContain("BAR 0 + 0x05400  32  RAL[]  ×16 every 0x8");
    const offsets = lines.map((line) => Number(line.split(" ")[3]));
    expect(offsets).toEqual([...offsets].sort((a, b) => a - b));
  });
});

describe("check", () => {
  it("prints faults with file and line, and exits 1", async () => {
    writeFiles(folder, {
      "good.xml": "<domain name='D'><reg8 name='A' offset='0'/></domain>",
      "bad.xml": "<domain name='D'>\n<reg8 name='A' offset='0' type='T'/></domain>",
    });
    const [good, bad] = [join(folder, "good.xml"), join(folder, "bad.xml")];
    await registers("check", good);
    expect(output).toBe(`${good}: nothing wrong\n`);
    expect(process.exitCode).toBeUndefined();
    output = "";
    await registers("check", good, bad);
    expect(output).toBe(`${good}: nothing wrong\n${bad}:4: there is no type T\n${bad}: 1 fault\n`);
    expect(process.exitCode).toBe(1);
  });
});
