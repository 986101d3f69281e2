// `mmiostrider verify`: compares a trace with QEMU's own log of the devices' accesses.
import type { Command } from "commander";
import { verify } from "../../analysis/verify/verify.js";
import type { AccessText, RegionResult, VerifyResult } from "../../analysis/verify/verify-result.js";
import { countOf, countText } from "../../base/units.js";
import { withFileSource } from "../../trace/node/file-source.js";
import { ExitCode } from "../shared/exit-code.js";
import { writeJson } from "../shared/json-output.js";
import { openReadable } from "../shared/open-input.js";
import { Progress } from "../shared/progress.js";
import { tableLines } from "../shared/table.js";
import { TextOutput, untilReaderIsGone } from "../shared/text-output.js";

const shownMax = 10;

interface VerifyCommandOptions {
  truth: string;
  json?: true;
  leaveOutUnmapped?: true;
  expectAll?: true;
  cut?: true;
}

export function addVerify(program: Command): void {
  program
    .command("verify")
    .description("compare a trace with the ground truth that QEMU logged, access by access")
    .argument("<file>", "the trace, or a log of mmiotrace's (other logs tell no mappings); - is standard input")
    .requiredOption(
      "--truth <log>",
      "QEMU's log of `-trace memory_region_ops_*` and `-trace pci_cfg_*` (lab --truth keeps it), packed with gzip or not",
    )
    .option(
      "--leave-out-unmapped",
      "don't count accesses that may have happened while no recorded mapping covered them",
    )
    .option(
      "--expect-all",
      "also count accesses in BARs or mappings of which the log has nothing (QEMU backs them with memory)",
    )
    .option("--cut", "the recorder was killed: compare as far as the trace goes")
    .option("--json", "print the result as JSON")
    .addHelpText(
      "after",
      `
Examples:
  mmiostrider verify e1000.mmt --truth e1000.log
  mmiostrider verify e1000.mmt --truth e1000.log --json | jq .regions

Every access of trace and log is kept in memory.

Without a fence in trace and log, which the lab makes, an access that only the log has and that lies where a mapping began or
ended may be missing in the trace, or be from before or after the mapping: such traces are identical only with --leave-out-unmapped.

Exit codes: 0 only if trace and truth are identical (count, order, width, address, value), else 1: also if they have no access
in common, or the trace is incomplete.`,
    )
    .action(async (file: string, options: VerifyCommandOptions) => {
      const reader = await openReadable(file);
      const progress = new Progress("verifying");
      try {
        const result = await withFileSource(options.truth, (log) =>
          verify(reader, log, {
            progress: (part, whole) => progress.update(part, whole),
            ...(options.leaveOutUnmapped === true ? { leaveOutUnmapped: true } : {}),
            expectAll: options.expectAll === true,
            cut: options.cut === true,
          }),
        );
        progress.end();
        const output = new TextOutput();
        await untilReaderIsGone(async () => {
          if (options.json) await writeJson(output, result);
          else await output.write(print(result, options));
          await output.flush();
        });
        if (!result.identical) process.exitCode = ExitCode.failed;
      } finally {
        progress.end();
        await reader.close();
      }
    });
}

function print(result: VerifyResult, options: VerifyCommandOptions): string {
  const lines: string[] = [];
  const rows = result.regions.map((region) => [
    region.device,
    region.name === "" ? "(nothing in the log)" : region.name,
    countText(region.trace),
    countText(region.truth),
    verdict(region, result, options),
  ]);
  lines.push(...tableLines([["device", "region", "trace", "truth", "identical"], ...rows]));
  for (const difference of result.differences.slice(0, shownMax)) {
    lines.push(
      "",
      `${difference.kind} in ${[difference.device, difference.region].filter((word) => word !== "").join(" ")}:`,
    );
    for (const before of difference.before) lines.push(`    both   ${accessLine(before, "line")}`);
    if (difference.trace !== null) lines.push(`    trace  ${accessLine(difference.trace, "event")}`);
    if (difference.truth !== null) lines.push(`    truth  ${accessLine(difference.truth, "line")}`);
  }
  const hidden = result.differences.length - shownMax;
  if (hidden > 0) lines.push("", `… and ${result.moreDifferences ? "at least " : ""}${countText(hidden)} more`);
  lines.push("");
  const { outsideMappings, outsideFence, noMappingAlive, maybeMissing, behindEnd, notLogged, cutLine } = result.leftOut;
  const fence = result.fence === null ? "" : `, ${countText(outsideFence)} outside the fence`;
  lines.push(
    `left out of the log: ${countOf(outsideMappings, "access", "accesses")} at addresses that the trace never had mapped${fence}, ` +
      `${countText(noMappingAlive)} while ${maybeMissing > 0 ? "perhaps " : ""}no recorded mapping covered them${options.cut === true ? `, ${countText(behindEnd)} behind the trace's end` : ""}` +
      (cutLine === null ? "" : `, and line ${cutLine}, of which only a part is there`),
  );
  if (result.fence === null) lines.push("the trace has no fence: the log counts from its beginning to its end");
  if (notLogged > 0) {
    lines.push(
      `left out of the trace: ${countOf(notLogged, "access", "accesses")} in BARs or mappings of which the log has nothing ` +
        "(--expect-all counts them)",
    );
  }
  if (result.split + result.widened > 0) {
    lines.push(
      `fitted as QEMU does: ${countText(result.split)} split, ${countText(result.widened)} by their own bytes only`,
    );
  }
  if (result.otherCpu !== null && result.otherCpu > 0)
    lines.push(`${countOf(result.otherCpu, "access was", "accesses were")} made by another CPU than the log says`);
  lines.push(
    result.identical
      ? `identical: ${countOf(result.compared, "access", "accesses")}, in the order of ${result.order}${exceptions(result)}`
      : `NOT identical: ${result.reasons.join("; ")}`,
  );
  if (maybeMissing > 0 && result.compared > 0 && options.leaveOutUnmapped !== true)
    lines.push("  --leave-out-unmapped takes them for accesses from before the mapping or after it");
  for (const hint of result.hints) lines.push(`  ${hint}`);
  return `${lines.join("\n")}\n`;
}

/** Says of an identical trace what the comparison left out on suspicion. */
function exceptions({ leftOut: { notLogged, maybeMissing, behindEnd } }: VerifyResult): string {
  const sides = [...(notLogged > 0 ? ["the trace"] : []), ...(maybeMissing > 0 ? ["the log"] : [])];
  const goes = behindEnd > 0 ? `, ${asFarAsTrace}` : "";
  return sides.length === 0 ? goes : `${goes}, but for what was left out of ${sides.join(" and ")}`;
}

const asFarAsTrace = "as far as the trace goes";

/** Makes a region's last cell, which must say no more than the last line. */
function verdict(region: RegionResult, result: VerifyResult, options: VerifyCommandOptions): string {
  const { trace, truth, differences, changed, missing, extra, maybeMissing, behindEnd } = region;
  if (differences > 0 && result.onlyOrder) return "yes, but for the order across regions";
  if (differences > 0) {
    const kinds = [
      ...(changed > 0 ? [countOf(changed, "differs", "differ")] : []),
      ...(missing > 0 ? [`${countText(missing)} missing`] : []),
      ...(extra > 0 ? [`${countText(extra)} only in the trace`] : []),
    ];
    return `no: ${result.moreDifferences ? "at least " : ""}${kinds.join(", ")}`;
  }
  if (result.moreDifferences) return "not compared to its end";
  if (trace === 0 || truth === 0) return "not compared";
  if (maybeMissing > 0 && options.leaveOutUnmapped !== true) return `no: ${countText(maybeMissing)} may be missing`;
  const words = [result.whole ? "yes" : "as far as both go"];
  if (behindEnd > 0) words.push(asFarAsTrace);
  if (maybeMissing > 0) words.push("but for what was left out");
  else if (trace + behindEnd !== truth) words.push("while it was mapped");
  return words.join(", ");
}

function accessLine(access: AccessText, place: string): string {
  const letter = access.kind === "read" ? "R" : "W";
  const cpu = access.cpu === null ? "" : ` CPU ${access.cpu}`;
  return `${letter} ${access.width_bytes} ${access.address} ${access.value}${cpu} (${place} ${access.place})`;
}
