// `mmiostrider record`: records the MMIO accesses of kernel drivers into a trace.
import { freemem } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { type Command, Option } from "commander";
import { formatRange } from "../../base/address-range.js";
import { UserError } from "../../base/errors.js";
import { openDescriptor } from "../../base/finished-output.js";
import { countOf, countText } from "../../base/units.js";
import { defaultEngine, engineNamed, engines } from "../../capture/engines.js";
import { findUser } from "../../capture/feed/unprivileged-user.js";
import type { Recording, RecordingResult } from "../../capture/recording.js";
import { type RecordingScope, resolveScope } from "../../capture/recording-scope.js";
import { ExitCode, UsageError } from "../shared/exit-code.js";
import { writeJson } from "../shared/json-output.js";
import { LiveLine } from "../shared/live-line.js";
import { requireFileForJson, sizeOfFile } from "../shared/new-trace.js";
import { collect, parseAccesses } from "../shared/option-values.js";
import { awaitReader, type HeldPipe } from "../shared/pipe-reader.js";
import {
  parseDuration,
  parseRingSize,
  type RecordOptions,
  requireOffered,
  requireRoot,
  requireWritable,
  ringDefault_bytes,
  stdout,
} from "../shared/record-options.js";
import { exitCodeOf } from "../shared/shown-error.js";
import { StopSignals } from "../shared/stop-signals.js";
import { TextOutput } from "../shared/text-output.js";
import { requireProgram, TracedCommand } from "../shared/traced-command.js";

/** A command's time to end after we were told to stop. */
const commandEnd_ms = 5_000;

const help = `
Without COMMAND it records until Ctrl-C. A trace written to - goes to standard output, and COMMAND's output to standard error.

Engine instrument swaps the drivers' modules, and those that they use, for rewritten ones, whose accesses call the core instead of
faulting. A loaded driver with devices takes --rebind. After any end, the original modules are back; a driver that COMMAND
leaves loaded, or that is in use, stays rewritten. A driver that is in use when it begins, or is built in, is refused.

Engine singlestep needs no module, so Secure Boot and lockdown=integrity don't prevent it; lockdown=confidentiality closes
tracefs, and with it mmiotrace. Its costs: all CPUs but one are switched off while it records, an access takes several times
as long, and instructions that mmiotrace can't decode (string moves, SSE, AVX, exchanges, arithmetic on device memory) are
counted as escaped. It mounts tracefs if necessary. After any end, tracer, CPUs and tracefs are restored.

With -Z, a process that has become USER handles the devices' data (it reads, parses, compresses and writes), as with tcpdump's
-Z; of root's it has only the open descriptors of the core and of the trace. The recorder keeps the work that only root may do
(starting, stopping, unloading, reading the mappings). The trace is root's, as without -Z. COMMAND runs as root, because most
are modprobe; \`-- runuser -u USER -- COMMAND\` runs it as somebody else.

Examples:
  mmiostrider record --driver e1000 -o e1000.mmt -- modprobe e1000
  mmiostrider record --driver nvme -Z nobody -o nvme.mmt -- modprobe nvme
  mmiostrider record --driver nvme --rebind --duration 10 -o nvme.mmt
  mmiostrider record --device 00:04.0 --relaxed --ring-size 64M -o fast.mmt
  mmiostrider record --engine instrument --driver e1000 -o fast.mmt -- modprobe e1000
  mmiostrider record --engine singlestep --driver e1000 -o single.mmt -- modprobe e1000
  mmiostrider record --json --driver e1000 -o e1000.mmt -- modprobe e1000 | jq .accesses
  mmiostrider record --range 0xfebc0000-0xfebdffff -o - | gzip > part.mmt.gz

Exit codes: 0 recorded; 1 failed, or COMMAND failed; 2 wrong usage; 3 recorded but incomplete (lost or escaped records,
mappings without a decoy, a driver that uses I/O ports instead of memory). 3 counts more than COMMAND's failure.`;

export function addRecord(program: Command): void {
  program
    .command("record")
    .summary("record every MMIO access of a driver")
    .description(
      "Records every access that kernel drivers make to memory-mapped I/O while COMMAND runs, or until Ctrl-C, on all " +
        "CPUs, into a trace. Only mappings made while recording are recorded; a mapping made before is real, not a decoy.",
    )
    .usage("[options] -o FILE [-- COMMAND...]")
    .argument("[command...]", "what to run while recording")
    .addOption(
      new Option("--engine <engine>", engines.map(({ name, about }) => `${name}: ${about}`).join("; "))
        .choices(engines.map(({ name }) => name))
        .default(defaultEngine.name),
    )
    .option("--device <bdf>", "the PCI device at this address (0000:00:04.0, or 00:04.0); repeatable", collect)
    .option("--driver <name>", "the devices that this driver has or could take; repeatable", collect)
    .option("--range <first-last>", "these physical addresses, hexadecimal, both included; repeatable", collect)
    .option("--all", "every mapping made while recording")
    .option("--exclude <first-last>", "leave out mappings that touch these physical addresses; repeatable", collect)
    .option("--exclude-memory", "leave out BARs that are memory (framebuffers): prefetchable ones of 8 MB and more")
    .option("--exclude-wc", "leave out write-combining mappings; a framebuffer may be mapped otherwise (cirrus)")
    .option("--no-interrupts", "leave out the PCI functions' interrupts")
    .option("--no-dma", "leave out the memory that drivers give to the PCI functions for direct access (DMA)")
    .option("--no-config", "leave out accesses to the PCI functions' configuration space")
    .option(
      "--ring-size <bytes>",
      "the buffer between core and recorder: 64K to 1G (default: a sixteenth of the free memory, 4M to 256M)",
      parseRingSize,
    )
    .option("--relaxed", "let CPUs access devices at the same time: faster, but the order between CPUs isn't kept")
    .option("--clean-room", "record no addresses of instructions and no symbols")
    .option("--rebind", "take the devices from their drivers first, and give them back once recording has begun")
    .option(
      "--accesses <kinds>",
      "with engine instrument: rewrite the instructions of these accesses: mmio, ports (default: mmio,ports)",
      parseAccesses,
    )
    .option(
      "--profile <trace>",
      "with engine instrument: rewrite only the instructions that made accesses in this trace",
    )
    .option("--core <file>", "the core's module to load, instead of the one built for this kernel")
    .option("--sign-key <file>", "sign the core, and rewritten drivers, with this private key (PEM), for Secure Boot")
    .option("--sign-cert <file>", "that key's certificate, which the kernel trusts (a machine owner key)")
    .option("--duration <seconds>", "stop after this time", parseDuration)
    .option(
      "-Z, --relinquish-privileges <user>",
      "have a process of this user, without root's rights, read the records and write the trace",
    )
    .option("-o, --output <file>", "the trace to write; - is standard output")
    .option("--json", "print the result as JSON on standard output; then COMMAND's output goes to standard error")
    .passThroughOptions()
    .addHelpText("after", help)
    .action(async (command: string[], options: RecordOptions) => {
      process.exitCode = await record(command, options);
    });
}

async function record(command: string[], asked: RecordOptions): Promise<ExitCode> {
  const options = { ...asked, output: outputOf(command, asked) };
  const scope = await resolveScope({
    devices: options.device ?? [],
    drivers: options.driver ?? [],
    ranges: options.range ?? [],
    all: options.all === true,
    excludes: options.exclude ?? [],
    excludeMemory: options.excludeMemory === true,
  });
  if (options.rebind === true && scope.functions.length === 0) {
    throw new UsageError("--rebind needs --device or --driver: there is nothing else that could be unbound");
  }
  requireFileForJson(options);
  const engine = engineNamed(options.engine);
  const engineOptions = requireOffered(engine, options, scope);
  requireRoot(engine);
  const user = options.relinquishPrivileges === undefined ? undefined : await findUser(options.relinquishPrivileges);
  requireProgram(command);
  requireWritable(options.output);
  for (const remark of scope.remarks) say(remark);

  const signals = new StopSignals();
  let recording: Recording;
  let pipe: HeldPipe | undefined;
  try {
    pipe = await awaitReader(options.output, signals.first, () =>
      say(`waiting until somebody reads ${options.output}`),
    );
    if (signals.received !== undefined) throw new Error(signals.received);
    recording = await engine.start({
      scope,
      ring_bytes: options.ringSize ?? ringDefault_bytes(freemem()),
      rebind: options.rebind === true,
      commandLine: ["mmiostrider", ...process.argv.slice(2)],
      output: options.output,
      user,
      engineOptions,
      onNotice: say,
    });
  } catch (error) {
    signals.release();
    throw signals.received === undefined ? error : new UserError(`ended by ${signals.received} before recording began`);
  } finally {
    pipe?.release();
  }
  const began_ms = performance.now();
  tellEarly(recording, scope, options);
  let end: Awaited<ReturnType<typeof runUntilEnd>>;
  let kept: string | undefined;
  try {
    end = await runUntilEnd(recording, command, options, signals);
  } finally {
    // Only now, because the command may have outlived the recording and unmapped the last decoy.
    kept = await engine.release();
    signals.release();
  }
  if (kept !== undefined) say(kept);
  const seconds = (end.stopped_ms - began_ms) / 1000;
  const exitCode = recordExitCode(end.result, end.failure);
  if (options.json === true) await printJson(end.result, { ...end, output: options.output, seconds, exitCode });
  else printSummary(end.result, end.failure, options.output, seconds);
  if (end.result.failure !== undefined) throw end.result.failure;
  return exitCode;
}

/** Returns the trace's output. Commander can't require it: that would hide a misspelt option, which ends its search for options. */
function outputOf(command: readonly string[], options: RecordOptions): string {
  if (options.output !== undefined) return openDescriptor(options.output) === 1 ? stdout : options.output;
  throw new UsageError("no trace to write to: -o FILE is missing", {
    advice: command.length === 0 ? "-o - is standard output" : "options come before COMMAND",
  });
}

/** Runs the command, or waits, until something ends the recording; then stops it. */
async function runUntilEnd(
  recording: Recording,
  command: readonly string[],
  options: RecordOptions & { output: string },
  signals: StopSignals,
): Promise<{ failure: string | undefined; result: RecordingResult; stopped_ms: number }> {
  let eventsBefore = 0;
  const live = new LiveLine((seconds) => {
    const now = recording.progress();
    const rate = Math.round((now.accesses - eventsBefore) / seconds);
    eventsBefore = now.accesses;
    return (
      `${countOf(now.accesses, "event")}, ${countText(rate)}/s, ${countText(now.lost)} lost, ` +
      `${countText(now.escaped)} escaped, ${countOf(now.mappings, "mapping")}`
    );
  });
  const timer = new AbortController();
  const duration =
    options.duration === undefined
      ? []
      : [sleep(options.duration * 1000, undefined, { signal: timer.signal }).catch(() => {})];
  let failure: string | undefined;
  let traced: TracedCommand | undefined;
  let result: RecordingResult;
  let stopped_ms = 0;
  try {
    if (command.length > 0 && signals.received === undefined) {
      traced = new TracedCommand(command, options.output === stdout || options.json === true ? "stderr" : "inherit");
    }
    const ends: Promise<unknown>[] = [signals.first, recording.broken, ...duration];
    if (traced !== undefined) ends.push(traced.ended);
    else if (command.length === 0 && options.duration === undefined) say("recording; Ctrl-C stops");
    await Promise.race(ends);
    if (traced !== undefined && signals.received !== undefined) {
      traced.signal(signals.received);
      await Promise.race([traced.ended, sleep(commandEnd_ms, undefined, { ref: false })]);
    }
  } finally {
    timer.abort();
    live.end();
    stopped_ms = performance.now();
    result = await recording.stop();
  }
  if (traced !== undefined) {
    if (result.failure !== undefined)
      say("recording has ended, for the trace can't be written any more; COMMAND goes on");
    // If recording ended first (--duration, a full disk), we still wait for the command, unless told to stop.
    const end = await Promise.race([traced.ended, signals.first.then(() => undefined)]);
    if (end === undefined) {
      traced.leave(signals.received!);
      failure = `the command ${traced.name} still runs; it isn't recorded any more`;
    } else if (signals.received === undefined) failure = traced.failure(end);
  }
  return { failure, result, stopped_ms };
}

/** Tells the user of mappings made before recording began, which are real, not decoys, and the remedy. */
function tellEarly(recording: Recording, scope: RecordingScope, options: RecordOptions): void {
  const { earlyMappings: early, earlyOthers } = recording;
  const count = early.length + earlyOthers.length;
  if (count === 0) return;
  if (scope.all) {
    say(`${countOf(count, "mapping was", "mappings were")} made before recording began, without a decoy: not recorded`);
    return;
  }
  for (const mapping of early) {
    say(
      `the mapping ${formatRange(mapping)} by ${mapping.caller} was made before recording began: it is real, not a decoy`,
    );
  }
  for (const other of earlyOthers) say(`${other}: it is real, not a decoy`);
  const bound = scope.functions.some((found) => found.driver !== null);
  if (early.length > 0 && bound && options.rebind !== true) {
    say("  its accesses can't be recorded; --rebind unbinds the driver first and binds it again while recording");
  }
}

/** Prints the result as lines on standard error. */
function printSummary(result: RecordingResult, failure: string | undefined, output: string, seconds: number): void {
  const where = output === stdout ? "standard output" : output;
  const bytes = sizeOfFile(output);
  const size = bytes === null ? "" : ` (${countOf(bytes, "byte")})`;
  say(
    `${countOf(result.accesses, "event")} in ${seconds.toFixed(1)} s, ${countText(result.lost)} lost, ` +
      `${countText(result.escaped)} escaped, ${countOf(result.mappings, "mapping")}: ${where}${size}`,
  );
  const { withoutFault = 0 } = result;
  if (withoutFault > 0) {
    say(`${countText(withoutFault)} of ${countOf(result.accesses, "access", "accesses")} without a fault`);
  }
  for (const sentence of result.incomplete) say(`incomplete: ${sentence}`);
  for (const problem of result.problems) say(problem);
  if (failure !== undefined) say(failure);
}

/** Prints the result as JSON. */
async function printJson(
  result: RecordingResult,
  end: { output: string; seconds: number; failure: string | undefined; exitCode: ExitCode },
): Promise<void> {
  const { accesses, withoutFault = 0, lost, escaped, missed, unrecorded, mappings, incomplete } = result;
  const problems = [...result.problems, ...(end.failure === undefined ? [] : [end.failure])];
  if (result.failure !== undefined) problems.push(result.failure.message);
  const { output, exitCode } = end;
  const bytes = sizeOfFile(output);
  const duration_s = Number(end.seconds.toFixed(3));
  const counts = { accesses, withoutFault, lost, escaped, missed, unrecorded, mappings };
  await writeJson(new TextOutput(), { output, bytes, duration_s, ...counts, incomplete, problems, exitCode });
}

function recordExitCode(result: RecordingResult, failure: string | undefined): ExitCode {
  if (result.failure !== undefined) return exitCodeOf(result.failure);
  if (result.incomplete.length > 0) return ExitCode.incomplete;
  return failure !== undefined || result.problems.length > 0 ? ExitCode.failed : ExitCode.done;
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
