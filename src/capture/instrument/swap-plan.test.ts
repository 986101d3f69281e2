// tier: quick
// The choice of modules that are swapped, and the refusals, on a made-up machine: its sysfs, depmod's list, and modules' files.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { InvalidValueError, UserError } from "../../base/errors.js";
import { readPciFunction } from "../../machine/pci.js";
import { planSwap, type SwapPlan } from "./swap-plan.js";

/** depmod's list: a disk controller's driver with its libraries, another user of one of them, and a driver without any. */
const list = {
  "kernel/drivers/ata/ahci.ko": ["libahci", "libata", "scsi_mod", "crc-t10dif"],
  "kernel/drivers/ata/libahci.ko": ["libata", "scsi_mod", "crc-t10dif"],
  "kernel/drivers/ata/libata.ko": ["scsi_mod", "crc-t10dif"],
  "kernel/drivers/scsi/sd_mod.ko": ["scsi_mod", "crc-t10dif"],
  "kernel/drivers/scsi/scsi_mod.ko": ["crc-t10dif"],
  "kernel/lib/crc-t10dif.ko": [],
  "kernel/drivers/net/e1000.ko.xz": [],
  "updates/dkms/card.ko": ["card-core"],
  "updates/dkms/card-core.ko": [],
};
const disk = "0000:00:1f.2";
const otherDisk = "0000:00:08.0";

let made: string;
let machine: string;
let places: { sysfs: string; modulesFolder: string };

/** Compiles a module with a build id. */
function compile(name: string, buildId: string): { file: string; notes: string } {
  const source = `
    #define INFO(name, text) static const char name[] __attribute__((used, section(".modinfo"))) = text
    INFO(name, "name=${name}"); INFO(vermagic, "vermagic=6.1.0-57-amd64 SMP "); int code(void) { return 3; }`;
  const [object, file, notes] = ["o", "ko", "notes"].map((ending) => join(made, `${name}-${buildId}.${ending}`)) as [
    string,
    string,
    string,
  ];
  execFileSync("gcc", ["-c", "-x", "c", "-o", object, "-"], { input: source });
  execFileSync("ld", ["-r", `--build-id=0x${buildId}`, "-o", file, object]);
  execFileSync("objcopy", ["-O", "binary", "--only-section=.note.gnu.build-id", file, notes]);
  return { file, notes };
}

let one: { file: string; notes: string };
let another: { file: string; notes: string };

beforeAll(() => {
  made = mkdtempSync(join(tmpdir(), "mmiostrider-swap-"));
  one = compile("one", "11".repeat(16));
  another = compile("another", "22".repeat(16));
});

afterAll(() => {
  rmSync(made, { recursive: true, force: true });
});

beforeEach(() => {
  machine = mkdtempSync(join(made, "machine-"));
  places = { sysfs: join(machine, "sys"), modulesFolder: join(machine, "modules") };
  const paths = new Map(Object.keys(list).map((path) => [basename(path).replace(/\.ko.*$/, ""), path]));
  const lines = Object.entries(list).map(([path, uses]) =>
    `${path}: ${uses.map((name) => paths.get(name)).join(" ")}`.trim(),
  );
  for (const path of Object.keys(list)) {
    const file = join(places.modulesFolder, path);
    mkdirSync(dirname(file), { recursive: true });
    const content = readFileSync(one.file);
    writeFileSync(file, path.endsWith(".xz") ? execFileSync("xz", ["-zc"], { input: content }) : content);
  }
  writeFileSync(join(places.modulesFolder, "modules.dep"), `${lines.join("\n")}\n`);
  for (const address of [disk, otherDisk]) {
    mkdirSync(join(places.sysfs, "bus/pci/devices", address), { recursive: true });
    writeFileSync(join(places.sysfs, "bus/pci/devices", address, "resource"), "0xfe000000 0xfe000fff 0x40200\n");
  }
});

/** Has a module loaded: by whom it is used, the number of its users, its devices. */
function load(
  name: string,
  {
    holders = [],
    users = holders.length,
    devices = [],
    notes = one.notes,
  }: {
    holders?: string[];
    users?: number;
    devices?: string[];
    notes?: string;
  } = {},
): void {
  const folder = join(places.sysfs, "module", name);
  for (const part of ["holders", "notes", "drivers"]) mkdirSync(join(folder, part), { recursive: true });
  writeFileSync(join(folder, "refcnt"), `${users}\n`);
  writeFileSync(join(folder, "notes/.note.gnu.build-id"), readFileSync(notes));
  for (const holder of holders) writeFileSync(join(folder, "holders", holder), "");
  writeFileSync(join(folder, `drivers/pci:${name}`), "");
  mkdirSync(join(places.sysfs, "bus/pci/drivers", name), { recursive: true });
  for (const address of devices) {
    symlinkSync(`../../../../bus/pci/drivers/${name}`, join(places.sysfs, "bus/pci/devices", address, "driver"));
  }
}

const ata = { drivers: ["ahci"], libraries: ["crc_t10dif", "libahci", "libata", "scsi_mod"] };

function plan({ drivers, libraries } = ata, { rebind = false, builtIn = false } = {}): SwapPlan {
  const functions = [readPciFunction(disk, places.sysfs)!];
  const scope = { functions, modules: { builtIn, drivers, libraries }, asked: ["driver x"] };
  return planSwap({ scope, rebind }, places);
}

const names = ({ modules }: SwapPlan) => modules.map(({ name }) => name);

test("the driver and its libraries that may touch devices are swapped, each behind those that it uses", () => {
  const found = plan();
  expect(names(found)).toEqual(["scsi_mod", "libata", "libahci", "ahci"]);
  expect(found.left).toEqual([]);
  expect(found.modules.map(({ isDriver, loaded }) => [isDriver, loaded])).toEqual([
    ...Array(3).fill([false, false]),
    [true, false],
  ]);
  expect(found.modules[3]!.file).toBe(join(places.modulesFolder, "kernel/drivers/ata/ahci.ko"));
});

test("a module from elsewhere than the kernel's folders counts as one that may touch devices", () => {
  expect(names(plan({ drivers: ["card"], libraries: ["card_core"] }))).toEqual(["card_core", "card"]);
});

test("a loaded library that another module uses stays, with those that it uses itself", () => {
  load("scsi_mod", { holders: ["libata", "sd_mod"] });
  load("libata", { holders: ["ata_piix"] });
  const found = plan();
  expect(names(found)).toEqual(["libahci", "ahci"]);
  expect(found.left).toEqual([
    { name: "libata", why: "used by ata_piix" },
    { name: "scsi_mod", why: "used by libata, sd_mod" },
  ]);
});

test("a library that stays holds those below it", () => {
  load("libahci", { users: 1 });
  load("libata", { holders: ["libahci"] });
  load("scsi_mod", { holders: ["libata"] });
  expect(plan()).toMatchObject({
    modules: [{ name: "ahci" }],
    left: [
      { name: "libahci", why: "in use" },
      { name: "libata", why: "used by libahci" },
      { name: "scsi_mod", why: "used by libata" },
    ],
  });
});

test("loaded modules that only the driver uses are swapped with it, when its devices are taken from it", () => {
  load("scsi_mod", { holders: ["libata"] });
  load("libata", { holders: ["ahci", "libahci"] });
  load("libahci", { holders: ["ahci"] });
  load("ahci", { devices: [disk] });
  expect(() => plan()).toThrow(`the loaded module ahci can't be swapped: it drives ${disk}`);
  const found = plan(ata, { rebind: true });
  expect(found.modules.map(({ name, loaded }) => [name, loaded])).toEqual([
    ["scsi_mod", true],
    ["libata", true],
    ["libahci", true],
    ["ahci", true],
  ]);
});

test("a driver that has another device, too, would lose it", () => {
  load("ahci", { devices: [disk, otherDisk] });
  const refused = () => plan(ata, { rebind: true });
  expect(refused).toThrow(`the loaded module ahci can't be swapped: it drives ${otherDisk}`);
  expect(refused).toThrow(expect.objectContaining({ advice: expect.stringContaining("all of its devices") }));
});

test("a driver in use is refused, and it is said by whom", () => {
  load("ahci", { holders: ["sd_mod"], users: 1 });
  expect(() => plan()).toThrow("the loaded module ahci can't be swapped: sd_mod uses it");
  load("ahci", { users: 3 });
  rmSync(join(places.sysfs, "module/ahci/holders/sd_mod"));
  expect(() => plan()).toThrow("the loaded module ahci can't be swapped: it has 3 users, such as open devices");
});

test("a module that was loaded from another file isn't swapped for one that it isn't", () => {
  load("ahci", { notes: another.notes });
  expect(() => plan()).toThrow(/the loaded module ahci can't be swapped: it isn't the one in .*\/ahci\.ko/);
  load("ahci");
  load("scsi_mod", { notes: another.notes });
  expect(plan().left).toEqual([{ name: "scsi_mod", why: "loaded from another file" }]);
  // packed files have build ids, too
  load("e1000");
  expect(names(plan({ drivers: ["e1000"], libraries: [] }))).toEqual(["e1000"]);
  load("e1000", { notes: another.notes });
  expect(() => plan({ drivers: ["e1000"], libraries: [] })).toThrow(/it isn't the one in .*\/e1000\.ko\.xz/);
});

test("without a driver's module there is nothing to rewrite", () => {
  const none = { drivers: [], libraries: [] };
  const scope = { functions: [], modules: { builtIn: false, ...none }, asked: ["range 0x1000-0x1fff"] };
  expect(() => planSwap({ scope, rebind: false }, places)).toThrow(InvalidValueError);
  expect(() => plan(none, { builtIn: true })).toThrow("no module drives the device");
  mkdirSync(join(places.sysfs, "bus/pci/drivers/tpm"), { recursive: true });
  symlinkSync("../../../../bus/pci/drivers/tpm", join(places.sysfs, "bus/pci/devices", disk, "driver"));
  expect(() => plan(none, { builtIn: true })).toThrow("the driver tpm is built into this kernel");
  expect(() => plan({ drivers: ["gone"], libraries: [] })).toThrow(UserError);
  expect(() => plan({ drivers: ["gone"], libraries: [] })).toThrow("the module gone has no file in");
});
