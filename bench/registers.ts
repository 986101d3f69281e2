// Nanoseconds to name an access's register and to put its value into words, in envytools' database, which is the
// largest there is; and in a built-in one. `$MMIOSTRIDER_RNNDB` says where envytools' database is.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../src/base/errors.js";
import type { Node } from "../src/registers/compile.js";
import { findDatabase, loadDatabase, type RegisterDatabase } from "../src/registers/index.js";
import { rnndbDirectory } from "../src/registers/rnndb-for-tests.js";
import { find } from "../src/registers/search.js";
import { type Contender, measure, printMeasured } from "./measure.js";

const accesses = 500_000;
/** Different registers that a driver touches again and again: about what a GPU's driver does between two mode sets. */
const hotRegisters = 4_000;

/** Offsets of registers, each of a copy somewhere in its arrays. */
function offsetsOf(nodes: readonly Node[], base: number, random: () => number): number[] {
  return nodes.flatMap((node) => {
    const copies = Math.min(node.length, 64);
    const start = base + (node.offsets?.[0] ?? node.offset) + Math.floor(random() * copies) * node.stride;
    return node.register === undefined ? offsetsOf(node.children, start, random) : [start];
  });
}

/** Accesses of a driver: few registers get most of them, half of the values have been there before. */
function makeAccesses(database: RegisterDatabase): { offsets: Float64Array; values: BigUint64Array } {
  let state = 12345;
  const random = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  const domain = database.domains()[0] as string;
  const all = offsetsOf(database.view(domain).nodes, 0, random).filter((offset) => offset % 4 === 0);
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
}
