// The tables of docs/evaluation.md, in Markdown, from an evaluation's results.
import { countText } from "../../src/base/units.js";
import { parseCpuList } from "../../src/machine/cpu-list.js";
import { type CostLabel, type CostLine, medianCost } from "../bench/access-cost.js";
import type { Makers, Target } from "./access-sites.js";
import { type DriverResult, type Evaluation, type FormCount, type Way, type WayResult, ways } from "./evaluation.js";
import type { GraphicsModule } from "./graphics-text.js";

/** Names of the ways, for column heads. */
export const wayNames: Record<Way, string> = {
  bare: "none",
  emulate: "emulate",
  instrument: "instrument",
  mmiotrace: "singlestep (mmiotrace)",
};

/** Makes a table: the first column is of text, the others are numbers'. */
export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = heads.map((head, column) => Math.max(3, ...[head, ...rows.map((row) => row[column]!)].map(length)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell + " ".repeat(widths[column]! - length(cell))).join(" | ")} |`;
  return [line(heads), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}

const length = (text: string) => [...text].length;

const notMeasured = "not measured";
const yes = (value: boolean) => (value ? "yes" : "NO");

/** Formats a share: `100 %` and `0 %` only where nothing, or all, is missing. */
export function shareText(part: number, whole: number): string {
  if (whole === 0) return "—";
  if (part === 0 || part === whole) return part === 0 ? "0 %" : "100 %";
  const share = (100 * part) / whole;
  if (share < 0.1) return "< 0.1 %";
  if (share > 99.9) return "> 99.9 %";
  return `${share.toFixed(1)} %`;
}

/** Returns the reason why a way has no figures for a driver; undefined if it has some. */
function missing(result: DriverResult | undefined, way: Way): string | undefined {
  if (result === undefined) return notMeasured;
  if (way === "instrument" && result.notRewritten !== null) return "left out";
  const found = result.ways[way];
  if (found === undefined) return notMeasured;
  return found.gone ? "machine gone" : undefined;
}

/** The workloads' times, and the CPUs that were online at their ends. `names`: all drivers that the evaluation is to have. */
export function timeTable(evaluation: Evaluation, names: readonly string[]): string {
  const heads = ["driver", ...ways.map((way) => wayNames[way]), ...ways.map((way) => `CPUs: ${wayNames[way]}`)];
  return table(
    heads,
    names.map((name) => {
      const result = evaluation.drivers[name];
      const times = ways.map((way) => missing(result, way) ?? timeText(result!.ways[way]!));
      const cpus = ways.map((way) =>
        missing(result, way) === undefined ? String(parseCpuList(result!.ways[way]!.cpusOnline).length) : "—",
      );
      return [name, ...times, ...cpus];
    }),
  );
}

function timeText({ time_s, workload }: WayResult): string {
  return time_s === null ? "FAILED" : `${time_s.toFixed(2)} s${workload ? "" : ", FAILED"}`;
}

/** The accesses that each engine recorded of the workloads. */
export function recordTable(evaluation: Evaluation, names: readonly string[]): string {
  const heads = [
    ...["driver", "emulate: accesses", "lost", "escaped", "identical"],
    ...["instrument: accesses", "without a fault", "lost", "escaped", "identical"],
    ...["mmiotrace: accesses", "lost", "UNKNOWN", "identical"],
  ];
  const counts = (numbers: readonly number[]) => numbers.map(countText);
  const cells = (result: DriverResult | undefined, way: Way, take: (found: WayResult) => string[], columns: number) => {
    const why = missing(result, way);
    return why === undefined ? take(result!.ways[way]!) : [why, ...Array<string>(columns - 1).fill("—")];
  };
  const identical = ({ identical: value }: WayResult) => yes(value === true);
  return table(
    heads,
    names.map((name) => {
      const result = evaluation.drivers[name];
      return [
        name,
        ...cells(result, "emulate", (r) => [...counts([r.accesses, r.lost, r.escaped]), identical(r)], 4),
        ...cells(
          result,
          "instrument",
          (r) => [...counts([r.accesses, r.withoutFault, r.lost, r.escaped]), identical(r)],
          5,
        ),
        ...cells(result, "mmiotrace", (r) => [...counts([r.accesses, r.lost, r.escaped]), identical(r)], 4),
      ];
    }),
  );
}

const reasonsMax = 4;

/** The reasons for what isn't as it should be, and for what is left out; a list. */
export function notes(evaluation: Evaluation, names: readonly string[]): string {
  const lines: string[] = [];
  for (const name of names) {
    const result = evaluation.drivers[name];
    if (result === undefined) continue;
    if (result.notRewritten !== null) lines.push(`${name}, instrument: left out: ${result.notRewritten}`);
    for (const fault of result.faults) lines.push(`${name}: ${fault}`);
    for (const way of ways) {
      const found = result.ways[way];
      for (const reason of (found?.reasons ?? []).slice(0, reasonsMax))
        lines.push(`${name}, ${wayNames[way]}: ${reason}`);
      if ((found?.unlogged ?? 0) > 0)
        lines.push(
          `${name}, ${wayNames[way]}: ${countText(found!.unlogged)} of the accesses are to memory of which QEMU logs nothing: not compared`,
        );
    }
  }
  return lines.length === 0 ? "- none" : lines.map((line) => `- ${line.replaceAll("\n", " ")}`).join("\n");
}

/** The cost of an access. `titles` are the labels' names. */
export function costTable(costs: NonNullable<Evaluation["costs"]>, titles: Record<CostLabel, string>): string {
  const heads = [
    ...["", "instructions: read", "write", "cycles, 1 CPU: read", "write", "µs: read"],
    ...["cycles, 2 CPUs at once: read", "write"],
  ];
  const number = (lines: readonly CostLine[], label: CostLabel, cpus: number, kind: "read" | "write") => {
    const value = medianCost(lines, label, cpus, (line) => line[kind]);
    return Number.isNaN(value) ? "—" : countText(value);
  };
  const { timed, counted } = costs;
  return table(
    heads,
    (Object.keys(titles) as CostLabel[]).map((label) => {
      const read = medianCost(timed, label, 1, (line) => line.read);
      const khz = timed.find((line) => line.label === label)?.tsc_khz;
      return [
        titles[label],
        ...[number(counted, label, 1, "read"), number(counted, label, 1, "write")],
        ...[number(timed, label, 1, "read"), number(timed, label, 1, "write")],
        khz === undefined ? "—" : ((read * 1000) / khz).toFixed(2),
        ...[number(timed, label, 2, "read"), number(timed, label, 2, "write")],
      ];
    }),
  );
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);
const sumOf = (counts: Record<string, number>) => sum(Object.values(counts));

/** Makers named in a row; the others are one. */
const namedMax = 4;

/** The share of each driver's accesses that code outside of its module makes. */
export function makersTable(evaluation: Evaluation, names: readonly string[]): string {
  const rows: string[][] = [];
  const total: Makers = { accesses: 0, driver: 0, libraries: {}, kernel: {}, unknown: 0 };
  for (const name of names) {
    const makers = evaluation.drivers[name]?.makers;
    if (makers === undefined || makers === null) {
      rows.push([name, notMeasured, "—", "—", "—", "—", "—"]);
      continue;
    }
    for (const target of ["registers", "video memory"] as const satisfies Target[]) {
      if (makers[target].accesses === 0) continue;
      rows.push(makersRow(target === "registers" ? name : `${name}, ${target}`, makers[target]));
    }
    const { accesses, driver, libraries, kernel, unknown } = makers.registers;
    total.accesses += accesses;
    total.driver += driver;
    total.unknown += unknown;
    for (const [from, to] of [
      [libraries, total.libraries],
      [kernel, total.kernel],
    ] as const) {
      for (const [maker, count] of Object.entries(from)) to[maker] = (to[maker] ?? 0) + count;
    }
  }
  rows.push(makersRow("all, registers", total));
  const heads = ["driver", "accesses", "outside", "its own module", "other modules", "the kernel's functions"];
  return table([...heads, "the makers outside"], rows);
}

function makersRow(name: string, { accesses, driver, libraries, kernel, unknown }: Makers): string[] {
  const outside = [
    ...Object.entries(libraries).map(([module, count]) => ({ name: `[${module}]`, count })),
    ...Object.entries(kernel).map(([maker, count]) => ({ name: `${maker}()`, count })),
    ...(unknown > 0 ? [{ name: "unknown", count: unknown }] : []),
  ].sort((a, b) => b.count - a.count);
  const named = outside.slice(0, namedMax).map((one) => `${one.name} ${shareText(one.count, accesses)}`);
  if (outside.length > namedMax) named.push(`${outside.length - namedMax} more`);
  return [
    name,
    countText(accesses),
    shareText(accesses - driver, accesses),
    shareText(driver, accesses),
    shareText(sumOf(libraries), accesses),
    shareText(sumOf(kernel), accesses),
    named.length === 0 ? "—" : named.join(", "),
  ];
}

/** The forms of the instructions that made the accesses, over all drivers, the most frequent one first. */
export function formTable(evaluation: Evaluation): string {
  const all = new Map<
    string,
    { form: FormCount; sites: Set<string>; drivers: Set<string>; by: Record<Target, number> }
  >();
  const totals: Record<Target, number> = { registers: 0, "video memory": 0 };
  for (const { driver, forms } of Object.values(evaluation.drivers)) {
    for (const form of forms) {
      const row = all.get(form.form) ?? {
        ...{ form, sites: new Set(), drivers: new Set(), by: { registers: 0, "video memory": 0 } },
      };
      row.by[form.target] += form.accesses;
      totals[form.target] += form.accesses;
      row.drivers.add(driver);
      for (const site of form.sites) row.sites.add(site);
      all.set(form.form, row);
    }
  }
  const rows = [...all.values()].sort((a, b) => b.by.registers - a.by.registers || b.sites.size - a.sites.size);
  return table(
    [
      ...["instruction", "registers: accesses", "share", "video memory: accesses", "share", "places in code"],
      ...["drivers", "mmiotrace decodes it", "instrument rewrites it"],
    ],
    rows.map(({ form, sites, drivers, by }) => [
      form.form === "" ? "not known" : `\`${form.form}\``,
      countText(by.registers),
      shareText(by.registers, totals.registers),
      countText(by["video memory"]),
      shareText(by["video memory"], totals["video memory"]),
      countText(sites.size),
      String(drivers.size),
      form.form === "" ? "—" : form.mmiotraceDecodes ? "yes" : "no",
      form.form === "" ? "—" : form.isRewritten ? "yes" : "no",
    ]),
  );
}

/** The graphics drivers' text: those of drivers/gpu by their names, those of drivers/video together. */
export function graphicsTable(modules: readonly GraphicsModule[]): string {
  const count = (some: readonly GraphicsModule[], of: keyof GraphicsModule["classes"]) =>
    sum(some.map(({ classes }) => classes[of]?.byRegister ?? 0));
  const row = (name: string, some: readonly GraphicsModule[]) => [
    name,
    ...(["general", "string", "vector", "non-temporal", "x87"] as const).map((of) => countText(count(some, of))),
    countText(sum(some.map(({ functions }) => functions.length))),
  ];
  const size = (module: GraphicsModule) => count([module], "general");
  const own = modules.filter(({ folder }) => folder === "gpu").sort((a, b) => size(b) - size(a));
  const video = modules.filter(({ folder }) => folder === "video");
  return table(
    ["module", "general", "string", "vector", "non-temporal", "x87", "functions with the last three"],
    [
      ...own.map((module) => row(module.module, [module])),
      row(`${video.length} modules of drivers/video`, video),
      row(`all ${modules.length}`, modules),
    ],
  );
}

/** Functions of one module that are listed one by one; of more only the number. */
const listedMax = 12;
const formsMax = 6;

/** The graphics drivers' functions that use vector registers, or go past the caches, at addresses that may be a device's. */
export function graphicsFunctions(modules: readonly GraphicsModule[]): string {
  const formsText = (counts: Record<string, number>) => {
    const sorted = Object.entries(counts).sort(([, a], [, b]) => b - a);
    const named = sorted.slice(0, formsMax).map(([form, count]) => `${countText(count)} × \`${form}\``);
    if (sorted.length > formsMax) named.push(`${sorted.length - formsMax} forms more`);
    return named.join(", ");
  };
  const rows: string[][] = [];
  for (const { module, functions } of modules) {
    if (functions.length <= listedMax) {
      for (const { name, forms } of functions) rows.push([`\`${name}()\``, module, formsText(forms)]);
      continue;
    }
    const counts: Record<string, number> = {};
    for (const { forms } of functions)
      for (const [form, count] of Object.entries(forms)) counts[form] = (counts[form] ?? 0) + count;
    rows.push([`${functions.length} functions`, module, formsText(counts)]);
  }
  return table(["function", "module", "instructions"], rows);
}

/** A sentence about the circumstances. */
export function conditions(evaluation: Evaluation, names: readonly string[]): string {
  const { begun, finished, release, cpus, processors, processor, qemu, drivers } = evaluation;
  const measured = names.filter((name) => drivers[name] !== undefined).length;
  const day = (date: string) => date.slice(0, 10);
  const when = finished === null || day(finished) === day(begun) ? day(begun) : `${day(begun)} to ${day(finished)}`;
  return `Measured on ${when}: Debian's ${release} in the lab with ${cpus} CPUs, QEMU ${qemu} (TCG) on ${processors} processors (${processor}); ${measured} of ${names.length} drivers.`;
}
