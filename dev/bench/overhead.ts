// `npm run bench -- overhead`: how much slower rewritten code is that touches no device, in time and in counted instructions.
import { type Form, forms, measureOverhead, type OverheadLine, type Workload, workloads } from "./measure-overhead.js";

const timed = { counted: false, rounds: 5 } as const;
const counted = { counted: true, rounds: 3 } as const;

const titles: Record<Form, string> = {
  original: "original",
  checked: "--accesses mmio,ports",
  profiled: "--profile, without an access in it",
};

export async function run(): Promise<void> {
  const time = await measureOverhead(timed);
  print(`Time on one CPU, idle time included (${timed.rounds} rounds in one boot)`, time, ({ elapsed }) => elapsed);
  print("Time in which the CPU was busy, of the same rounds", time, ({ busy }) => busy);
  const count = await measureOverhead(counted);
  print(
    `Instructions, idle ones left out (counted, ${counted.rounds} rounds in another boot)`,
    count,
    (line) => line.busy,
  );
}

/** Prints the median of the rounds' ratios to the original in the same round, the lowest, and the highest. */
function print(title: string, lines: readonly OverheadLine[], get: (line: OverheadLine) => number): void {
  process.stdout.write(
    `${title}\n  ${"".padEnd(46)} median of 1,000,000   more than the original, lowest to highest\n`,
  );
  for (const workload of workloads) {
    for (const form of forms) {
      const own = lines.filter((line) => line.workload === workload && line.form === form);
      const values = own.map(get).toSorted((a, b) => a - b);
      const ratios = own.map((line) => get(line) / get(sameRound(lines, line))).toSorted((a, b) => a - b);
      const percent = (ratio: number) => `${((ratio - 1) * 100).toFixed(2)} %`;
      const words =
        form === "original"
          ? ""
          : `${percent(middle(ratios))}   (${percent(ratios[0]!)} to ${percent(ratios.at(-1)!)})`;
      process.stdout.write(
        `  ${`${workload}, ${titles[form]}`.padEnd(46)} ${(middle(values) / 1e6).toFixed(1).padStart(19)}   ${words}\n`,
      );
    }
  }
}

function middle(sorted: readonly number[]): number {
  return sorted[sorted.length >> 1]!;
}

function sameRound(lines: readonly OverheadLine[], { workload, round }: { workload: Workload; round: number }) {
  return lines.find((line) => line.workload === workload && line.round === round && line.form === "original")!;
}
