// tier: all
// The same instructions on the same device under our core and under the kernel's mmiotrace, in one machine: our trace must have
// each one's true accesses, and docs/mmiotrace-compared.md lists mmiotrace's answers of this test beside them.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { accessDevices, buildTestModule } from "../../dev/test-support/lab/access-module.js";
import { expectQuietKernel, inLab } from "../../dev/test-support/lab/in-lab.js";
import { readTrace } from "../../dev/test-support/lab/trace-and-truth.js";
import { projectDirectory } from "../../src/base/paths.js";
import type { TraceEvent } from "../../src/trace/events.js";

const ivshmem = { vendor: "0x1af4", device: "0x1110", bar: 2 };

/** Describes a tracer's accesses to each place. */
async function answers(path: string, prepared: number): Promise<Map<number, string>> {
  const { header, events } = await readTrace(path);
  const found = header.pciFunctions.find(
    ({ vendor, device }) => vendor === ivshmem.vendor && device === ivshmem.device,
  );
  const start = BigInt(found!.bars.find(({ index }) => index === ivshmem.bar)!.start);
  const byPlace = new Map<number, TraceEvent[]>();
  for (const event of events) {
    if (event.kind !== "read" && event.kind !== "write" && event.kind !== "escape") continue;
    const place = Number(event.address - start);
    byPlace.set(place, [...(byPlace.get(place) ?? []), event]);
  }
  return new Map([...byPlace].map(([place, list]) => [place, list.slice(prepared).map(said).join(", ")]));
}

function said(event: TraceEvent): string {
  if (event.kind === "escape") return "UNKNOWN";
  if (event.kind !== "read" && event.kind !== "write") return event.kind;
  return `${event.kind === "read" ? "R" : "W"} ${event.width_bytes} 0x${event.value.toString(16)}`;
}

/** Parses the module's expectations, such as `R 4 0x20000 f1e2d3c4`: the true accesses at each place. */
function expectations(text: string): Map<number, string> {
  const byPlace = new Map<number, string[]>();
  for (const [, direction, width, offset, bytes] of text.matchAll(/^([RW]) (\d+) 0x([0-9a-f]+) ([0-9a-f]+)$/gm)) {
    const value = BigInt(`0x${Buffer.from(bytes!, "hex").reverse().toString("hex")}`);
    const place = Number.parseInt(offset!, 16);
    byPlace.set(place, [...(byPlace.get(place) ?? []), `${direction} ${width} 0x${value.toString(16)}`]);
  }
  return new Map([...byPlace].map(([place, list]) => [place, list.join(", ")]));
}

test("each instruction's answer is right, and mmiotrace's stands beside it in the documentation", async () => {
  const share = await buildTestModule("kernel", "debian:6.1");
  const { exitCode, output, consoleLog } = await inLab(
    `cat > /tmp/run <<'END'
insmod /share/mms_access_test.ko || exit 1
cd /sys/kernel/debug/mms_access_test
echo compared > run || exit 1
cat results > /share/results; cat expected > /share/expected
cd /; rmmod mms_access_test
END
mmiostrider record --all -o /share/ours.mmt -- sh /tmp/run; echo "ours $?"
mmiostrider record --engine singlestep --all -o /share/theirs.mmt -- sh /tmp/run; echo "theirs $?"`,
    { kernel: "debian:6.1", share, qemu: accessDevices, timeout_s: 300 },
  );
  expect(exitCode, output).toBe(0);
  expect(output).toMatch(/^ours 0$/m);
  // mmiotrace counts the instructions that it can't decode
  expect(output).toMatch(/^theirs 3$/m);
  expectQuietKernel(consoleLog);
  const truth = expectations(readFileSync(join(share, "expected"), "latin1"));
  const ours = await answers(join(share, "ours.mmt"), 0);
  const theirs = await answers(join(share, "theirs.mmt"), 1);
  const rows: string[] = [];
  let wrong = 0;
  let unknown = 0;
  for (const [, offset, text] of readFileSync(join(share, "results"), "latin1").matchAll(
    /^instruction 0x(\S+) (.*)$/gm,
  )) {
    const place = Number.parseInt(offset!, 16);
    const right = truth.get(place)!;
    expect(ours.get(place), text).toBe(right);
    const answer = theirs.get(place) ?? "nothing";
    if (answer.includes("UNKNOWN")) unknown += 1;
    else if (answer !== right) wrong += 1;
    // mmiotrace reads eight bytes as the immediate: the upper four are the code that follows
    const steady = answer.replace(/0x[0-9a-f]{8}13517624$/, "0x…13517624: the code behind it, too");
    const verdict = answer === right ? "the same" : steady;
    rows.push(`| \`${text!.replaceAll("%%", "%")}\` | ${right} | ${verdict} |`);
  }
  expect(rows.length).toBeGreaterThan(25);
  expect(wrong).toBeGreaterThanOrEqual(3);
  expect(unknown).toBeGreaterThanOrEqual(10);
  const documented = readFileSync(join(projectDirectory, "docs/mmiotrace-compared.md"), "utf8");
  const plain = (row: string) => row.replaceAll(/ {2,}/g, " ");
  expect(
    documented
      .split("\n")
      .filter((line) => line.startsWith("| `"))
      .map(plain),
  ).toEqual(rows);
});
