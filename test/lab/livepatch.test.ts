// tier: all
// Live patching beside us: a driver's function is replaced while the driver is recorded, and put back. The accesses of the
// replacement are in the trace like any others; the driver, its patch and the core can be unloaded.
import { join } from "node:path";
import { expect, test } from "vitest";
import { buildTestModule } from "../../dev/test-support/lab/access-module.js";
import { runCases } from "../../dev/test-support/lab/guest-cases.js";
import { expectIdentical, readTrace } from "../../dev/test-support/lab/trace-and-truth.js";

const patch = "/sys/kernel/livepatch/mms_livepatch_test";
const mdic = 0x20n;

const steps = `. /share/cases/tools
# every task has to come by a place where it can change over
changed_over() { until_true eval '[ "$(cat ${patch}/transition 2> /dev/null || echo 0)" = 0 ]'; }
patch_on() { insmod /share/mms_livepatch_test.ko; changed_over; cat ${patch}/enabled; }
patch_off() { echo 0 > ${patch}/enabled; changed_over; [ ! -e ${patch} ]; rmmod mms_livepatch_test; }
# the driver reads its PHY when it comes up
traffic() { ip addr flush dev eth0; ip link set eth0 down; network_up; pings 3; }`;

const record = (trace: string, commands: string, engine = "emulate") => `
cat > /tmp/steps <<'END'
${steps}
${commands}
END
mmiostrider record --engine ${engine} --driver e1000 -o /share/${trace} -- sh -e /tmp/steps; echo "ended with $?"`;

const patchedMeanwhile = `modprobe e1000; traffic
mmiostrider mark patching; patch_on; mmiostrider mark patched
traffic
mmiostrider mark unpatching; patch_off; mmiostrider mark unpatched
traffic
modprobe -r e1000`;

const cases = {
  during: record("during.mmt", patchedMeanwhile),
  // the patch comes before the driver, and stays after it
  before: record("before.mmt", "patch_on; modprobe e1000; traffic; modprobe -r e1000; patch_off"),
  rewritten: record("rewritten.mmt", patchedMeanwhile, "instrument"),
};

test.each(["debian:6.1", "debian:6.12"])("a driver is patched while it is recorded, on %s", async (kernel) => {
  const share = await buildTestModule("livepatch", kernel);
  const truth = join(share, "truth.log");
  const qemu = "-netdev user,id=n0 -device e1000,netdev=n0";
  // during the transition of tasks, 6.12 patches a call that every loop makes: see Threads
  const outcomes = await runCases(cases, { kernel, threads: "single", share, qemu, truth, timeout_s: 590 });
  for (const name of Object.keys(cases)) {
    const { stdout, stderr, left } = outcomes.get(name)!;
    expect(stdout, stderr).toBe("1\nended with 0\n");
    expect(left).toEqual([]);
    await expectIdentical(join(share, `${name}.mmt`), truth, 10_000);
  }

  for (const name of ["during.mmt", "rewritten.mmt"]) {
    const during = await phyReads(join(share, name));
    expect(during.get("")).toMatchObject({ patched: 0 });
    expect(during.get("")!.original).toBeGreaterThan(20);
    expect(during.get("patched")).toMatchObject({ original: 0 });
    expect(during.get("patched")!.patched).toBeGreaterThan(20);
    expect(during.get("unpatched")).toMatchObject({ patched: 0 });
    expect(during.get("unpatched")!.original).toBeGreaterThan(20);
  }
  const before = await phyReads(join(share, "before.mmt"));
  expect(before.get("")).toMatchObject({ original: 0 });
  expect(before.get("")!.patched).toBeGreaterThan(20);
});

/** Counts the PHY's reads by the driver's own function and by the patch's: after each mark, "" before the first. */
async function phyReads(path: string): Promise<Map<string, { original: number; patched: number }>> {
  const { header, events } = await readTrace(path);
  const nic = header.pciFunctions.find(({ vendor, device }) => vendor === "0x8086" && device === "0x100e");
  const start = BigInt(nic!.bars.find(({ index }) => index === 0)!.start);
  const symbols = new Map<bigint, string>();
  let now = { original: 0, patched: 0 };
  const counts = new Map([["", now]]);
  for (const event of events) {
    if (event.kind === "symbol") symbols.set(event.site, event.text);
    else if (event.kind === "mark") {
      now = { original: 0, patched: 0 };
      counts.set(event.text, now);
    } else if (event.kind === "read" && event.address === start + mdic) {
      const place = symbols.get(event.site) ?? "";
      if (place.includes("[mms_livepatch_test]")) now.patched++;
      else if (place.startsWith("e1000_read_phy_reg")) now.original++;
    }
  }
  return counts;
}
