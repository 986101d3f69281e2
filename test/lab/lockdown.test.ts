// tier: all
// A locked-down kernel, as with Secure Boot: we say plainly what it forbids, and use what it allows. Each level has its own
// machine; the kernel itself decides what is forbidden.
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { type CaseOutcome, runCases } from "../../dev/test-support/lab/guest-cases.js";
import { labKernel, sharedDirectory } from "../../dev/test-support/lab/in-lab.js";
import { isAccess, readTrace, truthSince, walkAlong } from "../../dev/test-support/lab/trace-and-truth.js";
import type { DoctorReport } from "../../src/capture/doctor.js";
import { openTrace } from "../../src/trace/node/file-source.js";

const share = sharedDirectory();

const cases = (level: string): Record<string, string> => ({
  level: "cat /sys/kernel/security/lockdown",
  emulate: `mmiostrider record --driver e1000 -o x.mmt -- modprobe e1000; echo "ended with $?"`,
  singlestep: `
mmiostrider record --engine singlestep --driver e1000 -o /share/${level}.mmt -- \\
  sh -ec '. /share/cases/tools; modprobe e1000; network_up; pings 3; modprobe -r e1000'
echo "ended with $?"
cat /sys/devices/system/cpu/online`,
  // the same by hand
  "by-hand":
    "echo mmiotrace > /sys/kernel/tracing/current_tracer && cat /sys/kernel/tracing/current_tracer; echo nop > /sys/kernel/tracing/current_tracer",
  doctor: "mmiostrider doctor --json",
  "what-the-kernel-said": "dmesg | sed -n 's/.*Lockdown: \\(insmod\\): \\(.*\\) is restricted.*/\\1: \\2/p' | sort -u",
});

/** Returns the machine's own truth file, because the trace has no fence. */
const truthOf = (level: string) => join(share, `${level}.log`);

function run(level: string): Promise<Map<string, CaseOutcome>> {
  // without its ROM, by which the firmware would use the card before the kernel does
  const qemu = "-netdev user,id=n0 -device e1000,netdev=n0,romfile=";
  return runCases(cases(level), { share, qemu, truth: truthOf(level), append: `lockdown=${level}`, timeout_s: 300 });
}

function checksOf(outcome: CaseOutcome, engine: string) {
  const { engines } = JSON.parse(outcome.stdout) as DoctorReport;
  const { usable, checks } = engines.find((report) => report.engine === engine)!;
  return { usable, missing: checks.filter(({ state }) => state === "missing").map(({ what, found }) => [what, found]) };
}

const notLoaded = (advice: string) =>
  new RegExp(
    `^mmiostrider: loading the core \\(.*\\) failed: insmod: .*: Operation not permitted\\n {2}this kernel is locked down ${advice}\\n$`,
  );

describe("lockdown=integrity", () => {
  let outcomes: Map<string, CaseOutcome>;
  beforeAll(async () => {
    await labKernel();
    outcomes = await run("integrity");
  });

  test("the core isn't loaded unless somebody trusted signed it, and singlestep is named instead", () => {
    expect(outcomes.get("level")!.stdout).toBe("none [integrity] confidentiality\n");
    const { stdout, stderr, left } = outcomes.get("emulate")!;
    expect([stdout, left]).toEqual(["ended with 1\n", []]);
    expect(stderr).toMatch(notLoaded("\\(integrity; .*--sign-key signs the core; --engine singlestep needs no module"));
    expect(outcomes.get("what-the-kernel-said")!.stdout).toBe("insmod: unsigned module loading\n");
  });

  test("singlestep records: the trace is what the device received", async () => {
    const { stdout, stderr, left } = outcomes.get("singlestep")!;
    expect([stdout, left], stderr).toEqual(["ended with 0\n0-1\n", []]);
    expect(stderr).toMatch(
      /^no fence in QEMU's log: this kernel is locked down \(integrity\), which forbids \/dev\/port$/m,
    );
    const { header, events } = await readTrace(join(share, "integrity.mmt"));
    expect(header.fence).toBeNull();
    // in this machine nothing else touches the card
    const truth = truthSince(truthOf("integrity"), null, "e1000-mmio");
    expect(walkAlong(events, truth)).toBe(events.filter(isAccess).length);
    expect(events.filter(isAccess).length).toBe(truth.accesses.length);
    expect(truth.accesses.length).toBeGreaterThan(10_000);
    const reader = await openTrace(join(share, "integrity.mmt"));
    expect(reader.complete).toBe(true);
    await reader.close();
    expect(outcomes.get("by-hand")!.stdout).toBe("mmiotrace\n");
  });

  test("the doctor says the same", () => {
    const outcome = outcomes.get("doctor")!;
    for (const engine of ["emulate", "instrument"]) {
      expect(checksOf(outcome, engine)).toEqual({
        usable: false,
        missing: [["lockdown", "integrity: unsigned modules are refused"]],
      });
    }
    expect(checksOf(outcome, "singlestep")).toEqual({ usable: true, missing: [] });
  });
});

describe("lockdown=confidentiality", () => {
  let outcomes: Map<string, CaseOutcome>;
  beforeAll(async () => {
    await labKernel();
    outcomes = await run("confidentiality");
  });

  test("neither engine can record, and each says why", () => {
    expect(outcomes.get("level")!.stdout).toBe("none integrity [confidentiality]\n");
    const emulate = outcomes.get("emulate")!;
    expect([emulate.stdout, emulate.left]).toEqual(["ended with 1\n", []]);
    expect(emulate.stderr).toMatch(
      notLoaded(
        "\\(confidentiality\\), which keeps its memory and devices from everybody: no engine can record here; .*",
      ),
    );
    const singlestep = outcomes.get("singlestep")!;
    expect([singlestep.stdout, singlestep.left]).toEqual(["ended with 1\n0-1\n", []]);
    expect(singlestep.stderr).toMatch(
      /^mmiostrider: engine singlestep drives mmiotrace through tracefs, and this kernel is locked down \(confidentiality\), which closes tracefs\n {2}\S.*\n$/,
    );
    expect(outcomes.get("by-hand")!.stdout).toBe("");
  });

  test("the doctor says the same", () => {
    const outcome = outcomes.get("doctor")!;
    expect(checksOf(outcome, "emulate")).toEqual({
      usable: false,
      missing: [["lockdown", "confidentiality: unsigned modules are refused"]],
    });
    expect(checksOf(outcome, "singlestep")).toEqual({
      usable: false,
      missing: [["mmiotrace", "this kernel is locked down (confidentiality), which closes tracefs"]],
    });
  });
});
