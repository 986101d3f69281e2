// One driver's measurement: a machine in which its workload runs without recording, under each engine, and under the kernel's mmiotrace.
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { LabKernel } from "../../src/lab/kernel-package.js";
import { canonicalModuleName } from "../../src/machine/kernel-modules.js";
import { openTrace } from "../../src/trace/node/file-source.js";
import { type Boot, bootDrivers, placeCases, theBoot } from "../checks/driver-boot.js";
import type { DriverCase } from "../checks/driver-cases.js";
import {
  machineScript,
  type PlacedCase,
  type RunKind,
  run_s,
  traceFile,
  workloadTime_s,
} from "../checks/driver-guest.js";
import { problemsOf, silence_s, waveFault } from "../checks/driver-measurement.js";
import { type Judged, judgeMmiotraced, judgeRecorded, lastLine } from "../checks/driver-results.js";
import { workFolder } from "../checks/run-check.js";
import { countSites, makersOf, type SiteCount } from "./access-sites.js";
import type { DriverResult, FormCount, Way, WayResult } from "./evaluation.js";
import type { SiteCode } from "./site-code.js";

/** Machines that are tried where one doesn't even come up. */
const bootsMax = 2;

export interface DriverMeasurement {
  kernel: LabKernel;
  cpus: number;
  code: SiteCode;
  say: (line: string) => void;
}

/** Measures a driver. If the machine dies, the ways behind that one are measured in another. */
export async function measureDriver(driver: DriverCase, measurement: DriverMeasurement): Promise<DriverResult> {
  const result: DriverResult = {
    ...{ driver: driver.name, ways: {}, notRewritten: driver.notRewritten ?? null, faults: [] },
    ...{ makers: null, elsewhere: 0, forms: [] },
  };
  const ours: Way[] = driver.notRewritten === undefined ? ["emulate", "instrument"] : ["emulate"];
  let left: Way[] = ["bare", ...ours, "mmiotrace"];
  for (let failedBoots = 0; left.length > 0 && failedBoots < bootsMax; ) {
    const before = left.length;
    left = await inOneMachine(driver, left, measurement, result);
    if (left.length === before) failedBoots += 1;
  }
  return result;
}

/** Measures as many of the ways as the machine lives for; returns those that had no turn. */
async function inOneMachine(
  driver: DriverCase,
  ways: readonly Way[],
  { kernel, cpus, code, say }: DriverMeasurement,
  result: DriverResult,
): Promise<Way[]> {
  const work = workFolder("evaluate");
  try {
    const [placed] = placeCases([driver]);
    // the first run fills the caches, so that none of the others pays for it
    const kinds: RunKind[] = ["first", ...ways];
    const script = `grep ' _text$' /proc/kallsyms > /share/kernel-text\n${machineScript([placed!], kinds)}`;
    const silent = { silence_s: silence_s + run_s, timeout_s: (kinds.length + 1) * (silence_s + run_s) };
    const boot = await bootDrivers(work, { kernel, cpus, cases: [placed!], script, ...silent }, say);
    if (boot.died !== undefined) say(`the machine died (${boot.died.during}): ${boot.died.why}`);
    if (boot.died?.during === theBoot) return [...ways];
    result.faults.push(...problemsOf(boot, placed!.slot).map(({ what }) => what));
    const wave = waveFault(boot, driver, kinds.length);
    if (wave !== "") result.faults.push(wave);
    const left: Way[] = [];
    for (const way of ways) {
      if (hadTurn(boot, driver.name, way)) result.ways[way] = await wayResult(boot, placed!, way);
      else left.push(way);
    }
    if (result.ways.emulate !== undefined && ways.includes("emulate")) await readTrace(boot, driver, code, result);
    return left;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** True if the run ended, or the machine died in it. */
function hadTurn({ runs, died }: Boot, name: string, way: Way): boolean {
  return died === undefined || runs.has(`${name}.${way}`) || died.during.endsWith(`${name} ${way}`);
}

async function wayResult(boot: Boot, placed: PlacedCase, way: Way): Promise<WayResult> {
  const { name } = placed.driver;
  const run = boot.runs.get(`${name}.${way}`);
  const time_s = run?.exitCode === 0 ? (workloadTime_s(run.output) ?? null) : null;
  if (way === "bare") {
    const reasons = run?.exitCode === 0 ? [] : [`it ends with ${run?.exitCode}: ${lastLine(run?.output ?? "")}`];
    return {
      ...{ time_s, accesses: 0, unlogged: 0, lost: 0, escaped: 0, withoutFault: 0, identical: null },
      ...{ workload: run?.exitCode === 0, cpusOnline: run?.cpusOnline ?? "", gone: run === undefined, reasons },
    };
  }
  const judged: Judged = await (way === "mmiotrace" ? judgeMmiotraced(boot, placed) : judgeRecorded(boot, name, way));
  const { events, unlogged, lost, escaped, withoutFault, identical, workload, cpusOnline, gone, reasons } = judged;
  return {
    ...{ time_s, accesses: events + unlogged, unlogged, lost, escaped, withoutFault, identical, workload },
    ...{ cpusOnline, gone, reasons },
  };
}

/** Counts the accesses of engine emulate's trace by their makers, and by their instructions' forms. */
async function readTrace({ share }: Boot, driver: DriverCase, code: SiteCode, result: DriverResult): Promise<void> {
  const file = join(share, traceFile(driver.name, "emulate"));
  if (!existsSync(file)) return;
  const reader = await openTrace(file);
  try {
    const { sites, elsewhere } = await countSites(reader);
    const textAddress = BigInt(`0x${readFileSync(join(share, "kernel-text"), "latin1").split(" ")[0]}`);
    const own = canonicalModuleName(driver.module ?? driver.name);
    result.makers = {
      registers: makersOf(sites, own, "registers"),
      "video memory": makersOf(sites, own, "video memory"),
    };
    result.elsewhere = elsewhere;
    result.forms = countForms(sites, (site) => code.formAt(site, textAddress));
  } finally {
    await reader.close();
  }
}

/** Sums up the accesses by form and target. */
export function countForms(
  sites: readonly SiteCount[],
  formAt: (
    site: SiteCount,
  ) => (Pick<FormCount, "mmiotraceDecodes" | "isRewritten"> & { text: string; class: FormCount["class"] }) | undefined,
): FormCount[] {
  const counts = new Map<string, FormCount>();
  for (const site of sites) {
    const form = formAt(site) ?? { text: "", class: "unknown", mmiotraceDecodes: false, isRewritten: false };
    const { text, ...facts } = form;
    const key = `${site.target} ${text}`;
    const count = counts.get(key) ?? { form: text, ...facts, target: site.target, accesses: 0, sites: [] };
    count.accesses += site.accesses;
    const name = site.symbol ?? "";
    if (!count.sites.includes(name)) count.sites.push(name);
    counts.set(key, count);
  }
  return [...counts.values()];
}
