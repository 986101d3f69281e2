// Measures for the benchmarks: does the same work several times, takes the median, and lets contenders take turns.

/** One thing to measure: `work` does `units` of it. */
export interface Contender {
  name: string;
  units: number;
  work: () => void;
}

export interface Measured {
  name: string;
  /** Nanoseconds a unit: median of the rounds, and the fastest. */
  median_ns: number;
  best_ns: number;
}

const roundsDefault = 7;

/** Measures contenders in turns, so that the machine's other work hits all of them; the first turn only warms up. */
export function measure(contenders: Contender[], rounds = roundsDefault): Measured[] {
  const times = contenders.map((): number[] => []);
  for (let round = 0; round <= rounds; round++) {
    for (const [index, { units, work }] of contenders.entries()) {
      const start = process.hrtime.bigint();
      work();
      const elapsed_ns = Number(process.hrtime.bigint() - start);
      if (round > 0) times[index]!.push(elapsed_ns / units);
    }
  }
  return contenders.map(({ name }, index) => {
    const sorted = times[index]!.sort((a, b) => a - b);
    return { name, median_ns: sorted[sorted.length >> 1]!, best_ns: sorted[0]! };
  });
}

/** Prints a line a contender: nanoseconds a unit, and the ratio to the first one. */
export function printMeasured(title: string, unit: string, results: Measured[]): void {
  process.stdout.write(`${title}\n`);
  const first = results[0]!;
  for (const { name, median_ns, best_ns } of results) {
    const ratio = (median_ns / first.median_ns).toFixed(2);
    process.stdout.write(
      `  ${name.padEnd(44)} ${median_ns.toFixed(1).padStart(8)} ns a ${unit} (best ${best_ns.toFixed(1)}), ×${ratio}\n`,
    );
  }
}
