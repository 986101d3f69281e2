// Accesses of every kind by the module in test/kernel/: what it computes must be as on ordinary memory, and the trace must
// have exactly the accesses that the module says it makes.
import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { projectDirectory } from "../../src/base/paths.js";
import { runTool } from "../../src/base/run-tool.js";
import { openTrace } from "../../src/trace/file-source.js";
import { expectQuietKernel, inLab, labKernel, temporaryDirectory } from "./in-lab.js";

/** MMS_UNCHECKED of test/kernel/access-test.h: above it lie accesses whose number depends on time. */
const unchecked = 0x600000n;
const barBytes = 8n << 20n;
const ivshmemBar = 2;

/** The groups of the module that a test runs; those of interrupts and NMIs are left to a machine with more time. */
const groups = ["accessors", "integer", "strings", "vectors", "user", "patching"];

const command = `
insmod /share/mms_access_test.ko || exit 1
status=0
for group in ${groups.join(" ")}; do echo $group > /sys/kernel/debug/mms_access_test/run || status=1; done
cat /sys/kernel/debug/mms_access_test/results
cat /sys/kernel/debug/mms_access_test/expected > /share/expected
rmmod mms_access_test
exit $status`;

test.each(["debian:6.1", "debian:6.12"])("every kind of access on %s", async (kernelName) => {
  const share = temporaryDirectory();
  const kernel = await labKernel(kernelName);
  cpSync(join(projectDirectory, "test/kernel"), share, { recursive: true });
  const make = ["-C", kernel.headersDirectory!, `M=${share}`, "CONFIG_DEBUG_INFO_BTF_MODULES=", "modules"];
  const built = await runTool("make", make, { timeout_ms: 300_000 });
  expect(built.code, built.stdout + built.stderr).toBe(0);

  const { exitCode, output, consoleLog } = await inLab(
    `cat > /tmp/groups <<'END'\n${command}\nEND
mmiostrider record --all --ring-size 64M -o /share/access.mmt -- sh /tmp/groups; echo "record $?"`,
    {
      kernel: kernelName,
      share,
      qemu: "-object memory-backend-ram,size=8M,id=bar -device ivshmem-plain,memdev=bar -device edu",
      timeout_s: 240,
    },
  );
  expect(exitCode, output).toBe(0);
  for (const group of groups) expect(output).toMatch(new RegExp(`^ok ${group} \\d+$`, "m"));
  // instructions whose extent isn't known escape, and are counted: 3 says so
  expect(output).toMatch(/^record [03]$/m);
  expect(output).toMatch(/ 0 lost, /);
  expectQuietKernel(consoleLog);
  const expected = readFileSync(join(share, "expected"), "latin1").trimEnd().split("\n");
  expect(expected.length).toBeGreaterThan(1_000);
  expectSameAccesses(await recordedAccesses(join(share, "access.mmt")), expected);
});

interface Recorded {
  direction: string;
  offset: bigint;
  /** The value's bytes as they lie in memory. */
  bytes: string;
}

/** The trace's accesses to the module's BAR, and its escapes, in order. */
async function recordedAccesses(path: string): Promise<Recorded[]> {
  const reader = await openTrace(path);
  const recorded: Recorded[] = [];
  try {
    const device = reader.header.pciFunctions.find((found) => found.vendor === "0x1af4" && found.device === "0x1110");
    const start = BigInt(device!.bars.find(({ index }) => index === ivshmemBar)!.start);
    for await (const { events } of reader.batches()) {
      for (const event of events) {
        if (event.kind === "escape") recorded.push({ direction: "E", offset: 0n, bytes: "" });
        if (event.kind !== "read" && event.kind !== "write") continue;
        const offset = event.address - start;
        if (offset < 0n || offset >= barBytes || offset >= unchecked) continue;
        const digits = event.value.toString(16).padStart(2 * event.width_bytes, "0");
        recorded.push({
          direction: event.kind === "read" ? "R" : "W",
          offset,
          bytes: Buffer.from(digits, "hex").reverse().toString("hex"),
        });
      }
    }
  } finally {
    await reader.close();
  }
  return recorded;
}

/**
 * Lines of `expected`: `R 4 0x1000 78563412` is one access; RR and WW are accesses of any widths that rise, leave no gap and
 * may overlap; `E` is an escape.
 */
function expectSameAccesses(recorded: readonly Recorded[], expected: readonly string[]): void {
  let at = 0;
  for (const [index, line] of expected.entries()) {
    const [how, , place, bytes] = line.split(" ");
    const where = `line ${index + 1}: ${line.slice(0, 200)}`;
    if (how === "E") {
      expect(recorded[at++]?.direction, where).toBe("E");
      continue;
    }
    const start = BigInt(place!);
    const digits = bytes!.length;
    let covered = 0;
    while (covered < digits) {
      const found = recorded[at++];
      const from = found === undefined ? -1 : Number(found.offset - start) * 2;
      const fits =
        found !== undefined &&
        found.direction === how![0] &&
        from >= 0 &&
        from <= covered &&
        found.bytes === bytes!.slice(from, from + found.bytes.length) &&
        (how!.length === 2 || found.bytes.length === digits);
      // only now: half a million comparisons by expect() would take minutes
      if (!fits) expect(found, where).toBeUndefined();
      covered = Math.max(covered, from + found!.bytes.length);
    }
  }
  expect(recorded.length).toBe(at);
}
