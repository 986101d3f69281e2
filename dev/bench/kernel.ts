// `npm run bench -- kernel`: an access's cost by engine, in cycles in one boot (two CPUs; mmiotrace switches the second off), and
// in instructions, counted, in another.
import { type CostLabel, type CostLine, type CostRequest, measureAccesses, medianCost } from "./access-cost.js";

export const timed: CostRequest = { counted: false, loops: 20_000, rounds: 3 };
export const counted: CostRequest = { counted: true, loops: 2_000, rounds: 1 };

export const titles: Record<CostLabel, string> = {
  bare: "bare",
  floor: "floor: a #GP that the kernel fixes",
  strict: "emulate",
  relaxed: "emulate --relaxed",
  rewritten: "emulate, the driver rewritten",
  calls: "the same, by ioread32() and iowrite32()",
  mmiotrace: "mmiotrace",
};

export async function run(): Promise<void> {
  printCycles(await measureAccesses(timed));
  printInstructions(await measureAccesses(counted));
}

function printCycles(lines: readonly CostLine[]): void {
  const yardstick = medianCost(lines, "mmiotrace", 1, ({ read }) => read);
  const floor = medianCost(lines, "floor", 1, ({ read }) => read);
  process.stdout.write(
    `Cycles an access (median of ${timed.rounds} rounds of ${timed.loops} in one boot; each CPU has 64 bytes of its own)\n` +
      `  ${"".padEnd(42)}    read    write   µs a read   mmiotrace takes   the floor takes   emulate takes\n`,
  );
  for (const label of Object.keys(titles) as CostLabel[]) {
    for (const cpus of [1, 2]) {
      const read = medianCost(lines, label, cpus, (line) => line.read);
      if (Number.isNaN(read)) continue;
      const write = medianCost(lines, label, cpus, (line) => line.write);
      const name = `${titles[label]}, ${cpus} CPU${cpus > 1 ? "s" : ""}`;
      process.stdout.write(
        `  ${name.padEnd(42)} ${String(read).padStart(7)} ${String(write).padStart(8)} ` +
          `${((read * 1000) / lines[0]!.tsc_khz).toFixed(3).padStart(11)}   ${`×${(yardstick / read).toFixed(2)}`.padStart(15)}   ` +
          `${`×${(floor / read).toFixed(2)}`.padStart(15)}   ${takes(lines, label, cpus).padStart(13)}\n`,
      );
    }
  }
}

/** The time that emulate takes on as many CPUs for a read and a write, by that of this way. */
function takes(lines: readonly CostLine[], label: CostLabel, cpus: number): string {
  const both = (line: CostLine) => line.read + line.write;
  const ratio = medianCost(lines, "strict", cpus, both) / medianCost(lines, label, cpus, both);
  return Number.isNaN(ratio) ? "" : `×${ratio.toFixed(2)}`;
}

function printInstructions(lines: readonly CostLine[]): void {
  process.stdout.write("Instructions an access (counted, one CPU: the same in every run)\n");
  for (const label of Object.keys(titles) as CostLabel[]) {
    const read = medianCost(lines, label, 1, (line) => line.read);
    const write = medianCost(lines, label, 1, (line) => line.write);
    process.stdout.write(`  ${titles[label].padEnd(42)} ${String(read).padStart(7)} ${String(write).padStart(8)}\n`);
  }
}
