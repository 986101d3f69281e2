// `npm run evaluate`: measures the drivers of check:drivers under every engine side by side, reads who makes their accesses and by which
// instructions, reads the graphics drivers' text, and writes the tables of docs/evaluation.md.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { cpus as hostProcessors } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { cacheDirectory, projectDirectory } from "../../src/base/paths.js";
import { buildCore } from "../../src/capture/emulate/core-build.js";
import { ExitCode } from "../../src/cli/shared/exit-code.js";
import { wholeNumber } from "../../src/cli/shared/option-values.js";
import { installTools } from "../../src/lab/debian.js";
import { type LabKernel, prepareKernel } from "../../src/lab/kernel-package.js";
import { labTools } from "../../src/lab/needs.js";
import { qemuProgram } from "../../src/lab/virtual-machine.js";
import { measureAccesses } from "../bench/access-cost.js";
import { counted, timed, titles } from "../bench/kernel.js";
import { caseNamed, driverCases } from "../checks/driver-cases.js";
import { rewriteOutside } from "../checks/driver-rewriting.js";
import { runCheck } from "../checks/run-check.js";
import { withParts } from "./document.js";
import { canGoOn, type Evaluation, isGood, keepResults, keptResults, layout } from "./evaluation.js";
import { readGraphicsText } from "./graphics-text.js";
import { measureDriver } from "./measure-driver.js";
import { SiteCode } from "./site-code.js";
import * as tables from "./tables.js";

const usage = `usage: npm run evaluate -- [--driver NAME]... [--kernel KERNEL] [--cpus N] [--write | --print] [--fresh]
  --driver NAME    only this driver, and not the cost of an access; may be repeated
  --kernel KERNEL  as lab takes it (default: debian:6.1)
  --cpus N         CPUs of the machine (default: 2)
  --print          print the tables, and leave docs/evaluation.md as it is: the default with --driver
  --write          put the tables into docs/evaluation.md: the default without --driver
  --results FILE   the results so far (default: a file in the cache); those of an aborted evaluation are gone on with
  --fresh          begin anew
  --no-measure     measure nothing: only make the tables of the results so far; what is missing is called not measured`;

interface Options {
  /** Undefined for all. */
  drivers: string[] | undefined;
  kernel: string;
  cpus: number;
  write: boolean;
  results: string | undefined;
  fresh: boolean;
  measure: boolean;
}

function parseOptions(): Options {
  const { values } = parseArgs({
    options: {
      driver: { type: "string", multiple: true },
      kernel: { type: "string", default: "debian:6.1" },
      cpus: { type: "string", default: "2" },
      write: { type: "boolean", default: false },
      print: { type: "boolean", default: false },
      results: { type: "string" },
      fresh: { type: "boolean", default: false },
      measure: { type: "boolean", default: true },
    },
    allowNegative: true,
  });
  for (const name of values.driver ?? []) caseNamed(name);
  return {
    drivers: values.driver,
    kernel: values.kernel,
    cpus: wholeNumber("--cpus", values.cpus, 1),
    write: values.write || (values.driver === undefined && !values.print),
    results: values.results === undefined ? undefined : resolve(values.results),
    fresh: values.fresh,
    measure: values.measure,
  };
}

const say = (line: string) => process.stderr.write(`${line}\n`);

async function main(): Promise<void> {
  const options = parseOptions();
  await installTools(labTools, say);
  const kernel = await prepareKernel(options.kernel, say);
  const core = (await buildCore(kernel)).path;
  const part = options.drivers === undefined ? "" : "-part";
  const file =
    options.results ?? join(cacheDirectory("evaluations"), `${kernel.release}-${options.cpus}-cpus${part}.json`);
  const before = options.fresh ? undefined : keptResults(file);
  const now = { core, release: kernel.release, cpus: options.cpus };
  const kept = before !== undefined && (!options.measure || canGoOn(before, now)) ? before : undefined;
  const evaluation = kept ?? begin(options, kernel, core);
  if (kept !== undefined) {
    say(`the results in ${file}, begun ${kept.begun}, have ${Object.keys(kept.drivers).join(", ") || "no driver yet"}`);
  }
  const names = options.drivers ?? driverCases.map(({ name }) => name);
  if (options.measure) await measure(evaluation, names, { options, kernel, file });
  const isWhole = options.write || options.drivers === undefined;
  if (evaluation.graphics === null && isWhole) {
    say("reading the graphics drivers' text");
    evaluation.graphics = readGraphicsText(kernel);
  }
  const parts = partsOf(evaluation, names, isWhole);
  if (options.write) {
    const document = join(projectDirectory, "docs/evaluation.md");
    writeFileSync(document, withParts(document, readFileSync(document, "utf8"), parts));
    say(`${document} has the new tables`);
  } else {
    for (const [name, text] of Object.entries(parts)) process.stdout.write(`${name}\n\n${text}\n\n`);
  }
  const good = names.filter((name) => evaluation.drivers[name] !== undefined && isGood(evaluation.drivers[name]));
  process.stdout.write(`${good.length} of ${names.length} drivers identical by our engines, with nothing lost\n`);
  if (good.length < names.length) process.exitCode = ExitCode.failed;
}

function begin({ kernel: kernelName, cpus }: Options, { release }: LabKernel, core: string): Evaluation {
  const processors = hostProcessors();
  const version = execFileSync(qemuProgram, ["--version"], { encoding: "utf8" });
  return {
    ...{ layout, core, kernel: kernelName, release, cpus, begun: new Date().toISOString(), finished: null },
    processors: processors.length,
    processor: processors[0]?.model.trim() ?? "unknown",
    qemu: /version (\S+)/.exec(version)?.[1] ?? "unknown",
    ...{ drivers: {}, costs: null, graphics: null },
  };
}

async function measure(
  evaluation: Evaluation,
  names: readonly string[],
  { options, kernel, file }: { options: Options; kernel: LabKernel; file: string },
): Promise<void> {
  const isWhole = options.drivers === undefined;
  const cases = names.filter((name) => evaluation.drivers[name] === undefined).map(caseNamed);
  if (isWhole && evaluation.costs === null) {
    say("measuring the cost of an access");
    evaluation.costs = {
      timed: await measureAccesses(timed, options.kernel),
      counted: await measureAccesses(counted, options.kernel),
    };
    await keepResults(file, evaluation);
  }
  await rewriteOutside(kernel, cases, say);
  const code = new SiteCode(kernel);
  for (const driver of cases) {
    say(`${new Date().toISOString()} ${driver.name}`);
    evaluation.drivers[driver.name] = await measureDriver(driver, { kernel, cpus: options.cpus, code, say });
    await keepResults(file, evaluation);
  }
  evaluation.finished = new Date().toISOString();
  await keepResults(file, evaluation);
}

/** Makes the document's parts, by the names of their markers; those that no driver has only for the `whole` document. */
function partsOf(evaluation: Evaluation, names: readonly string[], whole: boolean): Record<string, string> {
  const { costs, graphics } = evaluation;
  return {
    conditions: tables.conditions(evaluation, names),
    times: tables.timeTable(evaluation, names),
    records: tables.recordTable(evaluation, names),
    notes: tables.notes(evaluation, names),
    makers: tables.makersTable(evaluation, names),
    forms: tables.formTable(evaluation),
    ...(whole
      ? {
          costs: costs === null ? "Not measured." : tables.costTable(costs, titles),
          graphics: tables.graphicsTable(graphics ?? []),
          "graphics-functions": tables.graphicsFunctions(graphics ?? []),
        }
      : {}),
  };
}

await runCheck("evaluate", usage, main);
