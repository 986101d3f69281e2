// `npm run bench -- kernel`: an access's cost by engine, in cycles in one boot (two CPUs; mmiotrace switches the second off), and
// in instructions, counted, in another.
import {
  type CostLabel,
  type CostLine,
  type CostRequest,
  leastCost,
  measureAccesses,
  medianCost,
} from "./access-cost.js";

// short measurements, so that some of them have the processors for themselves
export const timed: CostRequest = { counted: false, loops: 4_000, rounds: 3, repeats: 5 };
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
  const lines = await measureAccesses(timed);
  printCycles(lines);
  printRatios(lines);
  printInstructions(await measureAccesses(counted));
}

function printCycles(lines: readonly CostLine[]): void {
  const yardstick = medianCost(lines, "mmiotrace", 1, ({ read }) => read);
  const floor = medianCost(lines, "floor", 1, ({ read }) => read);
  process.stdout.write(
    `Cycles an access (median of ${timed.rounds} rounds of ${timed.repeats} times ${timed.loops} in one boot; each CPU has 64 bytes of its own)\n` +
      `  ${"".padEnd(42)}    read    write   µs a read   mmiotrace takes   the floor takes\n`,
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
          `${`×${(floor / read).toFixed(2)}`.padStart(15)}\n`,
      );
    }
  }
}

/** Prints how much longer the others take than a rewritten driver, for a read and a write, by medians and by the least. */
function printRatios(lines: readonly CostLine[]): void {
  const both = (line: CostLine) => line.read + line.write;
  process.stdout.write("An access by a rewritten driver, compared by medians, and by the least of each\n");
  for (const cpus of [1, 2]) {
    // mmiotrace has one CPU only
    for (const [label, others] of [
      ["strict", cpus],
      ["mmiotrace", 1],
    ] as const) {
      const ratio = (cost: typeof medianCost) =>
        `×${(cost(lines, label, others, both) / cost(lines, "rewritten", cpus, both)).toFixed(1)}`;
      const name = `${cpus} CPU${cpus > 1 ? "s" : ""}, ${titles[label]} takes`;
      process.stdout.write(`  ${name.padEnd(42)} ${ratio(medianCost).padStart(7)} ${ratio(leastCost).padStart(8)}\n`);
    }
  }
}

function printInstructions(lines: readonly CostLine[]): void {
  process.stdout.write("Instructions an access (counted, one CPU: the same in every run)\n");
  for (const label of Object.keys(titles) as CostLabel[]) {
    const read = medianCost(lines, label, 1, (line) => line.read);
    const write = medianCost(lines, label, 1, (line) => line.write);
    process.stdout.write(`  ${titles[label].padEnd(42)} ${String(read).padStart(7)} ${String(write).padStart(8)}\n`);
  }
}
