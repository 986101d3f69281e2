// tier: all
// The core beside the rest of the kernel: readers that expect faults go on working, and who has no right to devices and the
// kernel's memory gets none through us. All in one machine; nothing raises a right that the kernel has lowered.
import { beforeAll, expect, test } from "vitest";
import { type CaseOutcome, runCases } from "../../dev/test-support/lab/guest-cases.js";
import { labKernel, sharedDirectory } from "../../dev/test-support/lab/in-lab.js";

const share = sharedDirectory();

const cases: Record<string, string> = {
  // its reader maps a part of the firmware as memory, and copies by copy_from_kernel_nofault()
  devmem: `
dd if=/dev/mem bs=4096 skip=240 count=1 of=before 2> /dev/null
mmiostrider record --all -o /tmp/devmem.mmt -- dd if=/dev/mem bs=4096 skip=240 count=1 of=during
echo "ended with $?"
cmp before during && echo same`,
  "raw-io": `
insmod "$(core)"
head -n 1 /dev/mmiostrider
/usr/bin/setpriv --inh-caps=-sys_rawio --bounding-set=-sys_rawio /usr/bin/cat /dev/mmiostrider
echo "ended with $?"
rmmod mmiostrider`,
  // the last one: it can't be taken back
  "locked-down-later": `
insmod "$(core)"
echo confidentiality > /sys/kernel/security/lockdown
/usr/bin/cat /dev/mmiostrider
echo "ended with $?"
mmiostrider record --range fe000000-fe000fff -o x.mmt -- true
echo "ended with $?"
rmmod mmiostrider`,
};

let outcomes: Map<string, CaseOutcome>;
beforeAll(async () => {
  await labKernel();
  outcomes = await runCases(cases, { share });
});

test("/dev/mem is read while everything is recorded", () => {
  const { stdout, stderr } = outcomes.get("devmem")!;
  expect(stdout, stderr).toBe("ended with 0\nsame\n");
});

test("root without the right to raw I/O can't open the device", () => {
  const { stdout, stderr } = outcomes.get("raw-io")!;
  expect(stdout, stderr).toBe("state idle\nended with 1\n");
  expect(stderr).toContain("/dev/mmiostrider: Operation not permitted");
});

test("nor can anybody once the kernel is locked down to keep its secrets, however the core came in", () => {
  const { stdout, stderr } = outcomes.get("locked-down-later")!;
  expect(stdout, stderr).toBe("ended with 1\nended with 1\n");
  expect(stderr).toMatch(/^\S*cat: \/dev\/mmiostrider: Operation not permitted$/m);
  expect(stderr).toMatch(/^mmiostrider: .*\n {2}.*locked down \(confidentiality\)/m);
});
