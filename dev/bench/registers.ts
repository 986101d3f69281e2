// Nanoseconds to name an access's register and to put its value into words, in envytools' database, the largest one,
// and in a built-in one. `$MMIOSTRIDER_RNNDB` is the folder of envytools' database. demmio, envytools' own decoder of
// mmiotrace logs, is measured, too, if it is on the path.

import { spawnSync } from "node:child_process";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { assert } from "../../src/base/assert.js";
import { UserError } from "../../src/base/errors.js";
import { projectDirectory } from "../../src/base/paths.js";
import { findDatabase, loadDatabase } from "../../src/registers/files/index.js";
import type { RegisterDatabase } from "../../src/registers/index.js";
import { find } from "../../src/registers/search.js";
import { workFolder } from "../checks/run-check.js";
import {
  type GpuAccess,
  gpuAccesses,
  gpuLog,
  registerOffsets,
  runDemmio,
  seededRandom,
  whyNoDemmio,
} from "../test-support/gpu-log.js";
import { rnndbDirectory } from "../test-support/rnndb.js";
import { type Contender, measure, printMeasured } from "./measure.js";

const accesses = 500_000;
/** Different registers that a driver touches again and again: about as many as a GPU's driver between two mode sets. */
const hotRegisters = 4_000;

/** Makes up a driver's accesses: few registers get most of them, half of the values are repeated ones. */
function makeAccesses(database: RegisterDatabase): { offsets: Float64Array; values: BigUint64Array } {
  const random = seededRandom(12345);
  const domain = database.domains()[0] as string;
  const all = registerOffsets(database.view(domain).nodes, random).filter((offset) => offset % 4 === 0);
  const hot = Array.from({ length: hotRegisters }, () => all[Math.floor(random() * all.length)] as number);
  const offsets = new Float64Array(accesses);
  const values = new BigUint64Array(accesses);
  for (let n = 0; n < accesses; n++) {
    offsets[n] = hot[Math.floor(random() ** 3 * hot.length)] as number;
    values[n] = random() < 0.5 ? BigInt(Math.floor(random() * 16)) : BigInt(Math.floor(random() * 2 ** 32));
  }
  return { offsets, values };
}

function contenders(make: () => RegisterDatabase): Contender[] {
  const database = make();
  const { offsets, values } = makeAccesses(database);
  const nodes = database.view(database.domains()[0] as string).nodes;
  const walked = 20_000;
  return [
    {
      name: "name",
      units: accesses,
      work: () => {
        for (let n = 0; n < accesses; n++) database.lookup(0, offsets[n] as number, 4);
      },
    },
    {
      name: "name and value in words",
      units: accesses,
      work: () => {
        for (let n = 0; n < accesses; n++) {
          database.lookup(0, offsets[n] as number, 4);
          database.describe(0, offsets[n] as number, 4, values[n] as bigint);
        }
      },
    },
    {
      name: "the same, full, nothing remembered of values",
      units: accesses / 10,
      work: () => {
        for (let n = 0; n < accesses / 10; n++) {
          database.describe(0, offsets[n] as number, 4, values[n] as bigint, { style: "full" });
        }
      },
    },
    {
      name: "name by searching each time",
      units: walked,
      work: () => {
        for (let n = 0; n < walked; n++) find(nodes, offsets[n] as number, "rw");
      },
    },
  ];
}

export function run(): void {
  printMeasured(
    "registers: e1000",
    "access",
    measure(contenders(() => findDatabase(0x8086, 0x100e) as RegisterDatabase)),
  );
  const path = join(rnndbDirectory, "nv_mmio.xml");
  if (!existsSync(path)) {
    throw new UserError(`no register database at ${path}`, { advice: "set MMIOSTRIDER_RNNDB to envytools' rnndb" });
  }
  const started = process.hrtime.bigint();
  const database = loadDatabase(path).withVariant("chipset", "GF119");
  database.lookup(0, 0, 4);
  const loaded_ms = Number(process.hrtime.bigint() - started) / 1e6;
  process.stdout.write(`registers: envytools' nv_mmio.xml loaded and compiled in ${loaded_ms.toFixed(0)} ms\n`);
  printMeasured("registers: nv_mmio.xml, GF119", "access", measure(contenders(() => database)));
  againstDemmio();
}

/** Lines of the GPU driver's log: few registers get most of the accesses. */
const logLines = 1_000_000;
const logRounds = 2;

/** Compares us with envytools' demmio: both turn the same log into text, each as a process, from start to last line. */
function againstDemmio(): void {
  const missing = whyNoDemmio();
  if (missing !== undefined) {
    process.stdout.write(`registers: not compared with demmio: ${missing}\n`);
    return;
  }
  const folder = workFolder("bench");
  try {
    const random = seededRandom(99);
    const [identification, ...all] = gpuAccesses(rnndbDirectory, 0xd9, 1_000);
    const hot = all.filter(() => random() < hotRegisters / all.length);
    const accesses = Array.from({ length: logLines - 1 }, () => {
      const access = hot[Math.floor(random() ** 3 * hot.length)] as GpuAccess;
      return random() < 0.5 ? access : { ...access, value: Math.floor(random() * 2 ** (8 * access.width_bytes)) };
    });
    const log = join(folder, "gpu.txt");
    const trace = join(folder, "gpu.mmt");
    const text = gpuLog([identification as GpuAccess, ...accesses]);
    writeFileSync(log, text);
    // demmio only reads the lines of another vendor's card: the extra time for this one is decoding.
    const foreign = join(folder, "foreign.txt");
    writeFileSync(foreign, text.replace(" 10de", " 8086"));
    const decode = () => {
      const database = loadDatabase(join(rnndbDirectory, "nv_mmio.xml"), "NV_MMIO").withVariant("chipset", "GF119");
      let length = 0;
      for (const { offset, width_bytes, value } of accesses) {
        length += database.lookup(0, offset, width_bytes)?.name.length ?? 0;
        length += database.describe(0, offset, width_bytes, BigInt(value), { style: "full" })?.length ?? 0;
      }
      assert(length > accesses.length, "most accesses have a name");
    };
    const ours = (...args: string[]) => {
      const { status, stderr } = spawnSync(
        process.execPath,
        [join(projectDirectory, "bin", "mmiostrider.js"), ...args],
        {
          stdio: ["ignore", "ignore", "pipe"],
          encoding: "utf8",
        },
      );
      if (status !== 0) throw new UserError(`mmiostrider ${args.join(" ")} failed: ${stderr}`);
    };
    ours("convert", log, trace);
    const foreignTrace = join(folder, "foreign.mmt");
    ours("convert", foreign, foreignTrace);
    const registers = ["--registers", `${join(rnndbDirectory, "nv_mmio.xml")}:NV_MMIO`];
    const units = logLines;
    const contended: Contender[] = [
      { name: "demmio, the log", units, work: () => runDemmio(log, rnndbDirectory, false) },
      { name: "report, the log once imported", units, work: () => ours("report", ...registers, trace) },
      { name: "report, the log itself", units, work: () => ours("report", ...registers, log) },
      { name: "demmio, the same without decoding", units, work: () => runDemmio(foreign, rnndbDirectory, false) },
      { name: "report, the same without decoding", units, work: () => ours("report", foreignTrace) },
      { name: "decoding alone, names and values in words", units, work: decode },
      { name: "convert, the log to CSV", units, work: () => ours("convert", ...registers, "--to", "csv", log, "-") },
    ];
    printMeasured(`registers: a log of ${logLines} lines, GF119`, "line", measure(contended, logRounds));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
