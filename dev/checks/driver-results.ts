// Makes the table's rows from the files that a machine of `npm run check:drivers` left: traces against QEMU's log, workloads,
// messages.
import { createReadStream, existsSync } from "node:fs";
import { join } from "node:path";
import { verify } from "../../src/analysis/verify/verify.js";
import type { VerifyResult } from "../../src/analysis/verify/verify-result.js";
import { messageOf } from "../../src/base/errors.js";
import { importText } from "../../src/trace/import/log-import.js";
import { MmiotraceImport } from "../../src/trace/import/mmiotrace.js";
import { createTrace } from "../../src/trace/node/create-trace.js";
import { openTrace, withFileSource } from "../../src/trace/node/file-source.js";
import type { Boot } from "./driver-boot.js";
import { type PlacedCase, type RecordingEngine, traceFile } from "./driver-guest.js";

export interface Judged {
  events: number;
  truth: number;
  /** Accesses to regions that QEMU doesn't log. */
  unlogged: number;
  lost: number;
  escaped: number;
  /** Accesses by instructions in modules, of the driver and its libraries: the others are the kernel's own functions'. */
  byModules: number;
  /** Accesses that rewritten modules made without a fault. */
  withoutFault: number;
  identical: boolean;
  workload: boolean;
  cpusOnline: string;
  /** The machine died in the run. */
  gone: boolean;
  /** The reasons against it, a sentence each. */
  reasons: string[];
}

const nothing: Judged = {
  events: 0,
  truth: 0,
  unlogged: 0,
  lost: 0,
  escaped: 0,
  byModules: 0,
  withoutFault: 0,
  identical: false,
  workload: false,
  cpusOnline: "",
  gone: false,
  reasons: [],
};

function counted(
  result: VerifyResult,
): Omit<Judged, "workload" | "byModules" | "withoutFault" | "cpusOnline" | "gone"> {
  const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0);
  const reasons = [...result.reasons];
  for (const { kind, region, trace, truth } of result.differences.slice(0, 3)) {
    reasons.push(`${kind} in ${region}: trace ${JSON.stringify(trace)}, truth ${JSON.stringify(truth)}`);
  }
  return {
    events: sum(result.regions.map((region) => region.trace)),
    truth: sum(result.regions.map((region) => region.truth)),
    unlogged: result.leftOut.notLogged,
    lost: result.lost,
    escaped: result.escaped,
    identical: result.identical,
    reasons,
  };
}

/** Judges the run that `engine` recorded by the truth. Reading errors are reasons, too. */
export async function judgeRecorded(boot: Boot, name: string, engine: RecordingEngine = "emulate"): Promise<Judged> {
  const run = boot.runs.get(`${name}.${engine}`);
  const trace = join(boot.share, traceFile(name, engine));
  if (run === undefined || !existsSync(trace)) {
    const why = run === undefined ? whyNoRun(boot) : lastLine(run.output);
    return { ...nothing, gone: run === undefined && boot.died !== undefined, reasons: [`no trace: ${why}`] };
  }
  const workload = run.exitCode === 0;
  const told = workload ? [] : [`the recorded workload ended with ${run.exitCode}: ${lastLine(run.output)}`];
  try {
    const result = await verifyTrace(trace, boot.truthFile);
    const withoutFault = withoutFaultIn(run.output);
    const byModules = withoutFault === 0 ? 0 : await accessesByModules(trace);
    const judged = { ...counted(result), byModules, withoutFault };
    return { ...nothing, ...judged, workload, cpusOnline: run.cpusOnline, reasons: [...judged.reasons, ...told] };
  } catch (error) {
    return { ...nothing, workload, cpusOnline: run.cpusOnline, reasons: [messageOf(error), ...told] };
  }
}

/** Returns the number of accesses without a fault that the recorder has printed, or 0. */
export function withoutFaultIn(output: string): number {
  const [, count] = /^([\d,]+) of [\d,]+ access(?:es)? without a fault$/m.exec(output) ?? [];
  return Number((count ?? "0").replaceAll(",", ""));
}

/** Judges the run `NAME.mmiotrace`: imports the kernel tracer's text and compares it with the same truth. */
export async function judgeMmiotraced(boot: Boot, placed: PlacedCase): Promise<Judged> {
  const { name } = placed.driver;
  const run = boot.runs.get(`${name}.mmiotrace`);
  const text = join(boot.share, `${name}.mmiotrace`);
  if (run === undefined || !existsSync(text)) {
    const gone = boot.died !== undefined;
    return {
      ...nothing,
      gone,
      reasons: [`no text: ${gone || run === undefined ? whyNoRun(boot) : "none was written"}`],
    };
  }
  const workload = run.exitCode === 0;
  const told = workload ? [] : [`the workload ended with ${run.exitCode} under it: ${lastLine(run.output)}`];
  try {
    const trace = join(boot.share, `${name}.mmiotrace.mmt`);
    const reader = new MmiotraceImport(text);
    await importText(reader, createReadStream(text), (header) =>
      createTrace(trace, { ...header, fence: placed.fence }),
    );
    const judged = counted(await verifyTrace(trace, boot.truthFile));
    return { ...nothing, ...judged, workload, cpusOnline: run.cpusOnline, reasons: [...judged.reasons, ...told] };
  } catch (error) {
    return { ...nothing, workload, cpusOnline: run.cpusOnline, reasons: [messageOf(error), ...told] };
  }
}

async function accessesByModules(trace: string): Promise<number> {
  const reader = await openTrace(trace);
  try {
    let accesses = 0;
    for await (const { event, state } of reader.eventsWithState()) {
      if (event.kind !== "read" && event.kind !== "write") continue;
      if (state.symbolOf(event.site)?.endsWith("]")) accesses += 1;
    }
    return accesses;
  } finally {
    await reader.close();
  }
}

async function verifyTrace(trace: string, truthFile: string): Promise<VerifyResult> {
  const reader = await openTrace(trace);
  try {
    return await withFileSource(truthFile, (log) => verify(reader, log));
  } finally {
    await reader.close();
  }
}

function whyNoRun({ died }: Boot): string {
  return died === undefined ? "it was not run" : `the machine died (${died.during}): ${died.why}`;
}

/** Returns the workload's FAILED line, else its last line. */
export function lastLine(text: string): string {
  const lines = text.trimEnd().split("\n");
  return lines.find((line) => line.startsWith("FAILED")) ?? lines.at(-1) ?? "";
}

/**
 * Returns a message without its numbers: addresses, times and counts differ from run to run, and of several disks that come at
 * once one is sda today and sdb tomorrow.
 */
function gist(message: string): string {
  return message.replace(/\bsd[a-z]\d*\b/g, "sd#").replace(/0x[0-9a-f]+|\b[0-9a-f]{4,}\b|\d+/gi, "#");
}

/** Messages of the core, of the kernel when it loads the core, of a busy host, and those caused by the lab's own root. */
const expected =
  /^mmiostrider\b|module verification failed|^Disabling lock debugging|^hrtimer: interrupt took|^clocksource: |^evm: overlay not supported/;
/**
 * Messages that come and go with a machine's load: megaraid_sas, loaded 25 times without a recorder, printed this 24 times; the
 * kernel says that a card's link is ready only if that came after the card was switched on.
 */
const byItself =
  /^megaraid_sas \S+ Unknown command completed! \[0x0\]$|^IPv6: ADDRCONF\(NETDEV_CHANGE\): \S+: link becomes ready$/;

/** Returns the kernel messages of the run that `engine` recorded which the bare run doesn't have. */
export function newMessages(boot: Boot, name: string, engine: RecordingEngine = "emulate"): string[] {
  const recorded = withoutDumps(boot.runs.get(`${name}.${engine}`)?.messages ?? []);
  const bare = new Set(withoutDumps(boot.runs.get(`${name}.bare`)?.messages ?? []).map(gist));
  return recorded.filter((message) => !expected.test(message) && !byItself.test(message) && !bare.has(gist(message)));
}

/** Keeps only the first line of a warning: stack and registers differ from one to the next. */
function withoutDumps(messages: readonly string[]): string[] {
  const kept: string[] = [];
  let inDump = false;
  for (const message of messages) {
    if (!inDump || message.startsWith("WARNING: ")) kept.push(message);
    if (message.includes("[ cut here ]")) inDump = true;
    if (message.includes("[ end trace ")) inDump = false;
  }
  return kept;
}
