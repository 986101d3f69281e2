// tier: quick
// Recording with root's rights given up (record -Z): who does what with which rights, what he can get at, and that the trace is
// the same as without. And what users without rights can see of a recording: nothing. All in one machine for each kernel; QEMU's log decides.
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect } from "vitest";
import { caseTests } from "../../dev/test-support/lab/guest-cases.js";
import { bothKernels, sharedDirectory } from "../../dev/test-support/lab/in-lab.js";
import {
  accessesBefore,
  expectIdentical,
  isAccess,
  readTrace,
  truthSince,
  walkAlong,
} from "../../dev/test-support/lab/trace-and-truth.js";
import type { VerifyOptions } from "../../src/analysis/verify/verify-result.js";
import { privilegesIn } from "../../src/capture/feed/unprivileged-user.js";

const nobody = { name: "nobody", uid: 65_534, gid: 65_534 };

/** Shell code for the process that reads and writes; there is one at a time. */
const worker = `
worker() { pgrep -f '/(emulate|singlestep)-worker[.]js '; }
recorder_of() { sed -n 's/^PPid:\\t//p' /proc/$1/status; }
`;

/** The cases of the quick tier. */
const quick = ["given-up", "recorder-killed", "worker-killed"];

const cases: Record<string, string> = {
  "given-up": `${worker}
cat > /tmp/steps <<'END'
. /share/cases/tools
${worker}
echo "the command is user $(id -u)"
modprobe e1000; network_up; pings 5
process=$(worker) || exit 9
cat /proc/$process/task/*/status > /share/worker-status
cat /proc/$(recorder_of $process)/status > /share/recorder-status
for descriptor in /proc/$process/fd/*; do readlink $descriptor; done | grep '^/' | sort -u
for descriptor in /proc/$(recorder_of $process)/fd/*; do readlink $descriptor; done | grep -c 'given-up.mmt$' || true
for file in environ maps mem fd/4; do as_nobody head -c 1 /proc/$process/$file 2>&1 | grep -o 'Permission denied'; done
modprobe -r e1000
END
mmiostrider record --driver e1000 -Z nobody -o /share/given-up.mmt -- sh -e /tmp/steps
echo "ended with $?"
worker
as_nobody cat /share/given-up.mmt 2>&1 | grep -o 'Permission denied'`,

  "to-a-pipe": `
mmiostrider record --driver e1000 -Z nobody -o - -- sh -ec 'modprobe e1000; modprobe -r e1000' | cat > /share/piped.mmt`,

  // like Ctrl-C at a terminal: a signal to all of its processes
  "ctrl-c": `${worker}
setsid mmiostrider record --driver e1000 -Z nobody -o /share/ctrl-c.mmt 2> /tmp/ctrl-c.err &
await /tmp/ctrl-c.err "Ctrl-C stops"
recorder=$(recorder_of $(worker))
modprobe e1000; network_up; pings 3
kill -INT -$recorder
await /tmp/ctrl-c.err " events in "
until_true eval '! [ -e /proc/$recorder ]'
worker
grep -c ' 0 lost, 0 escaped' /tmp/ctrl-c.err
modprobe -r e1000; rmmod mmiostrider`,

  "recorder-killed": `${worker}
mmiostrider record --driver e1000 -Z nobody -o /share/killed.mmt 2> /tmp/killed.err & recorder=$!
await /tmp/killed.err "Ctrl-C stops"
modprobe e1000
truth_mark k
kill -9 $recorder; wait $recorder; echo "ended with $?"
until_true eval '[ -z "$(worker)" ]'
worker
grep state /dev/mmiostrider
network_up; pings 3; modprobe -r e1000; rmmod mmiostrider`,

  "worker-killed": `${worker}
cat > /tmp/steps <<'END'
. /share/cases/tools
${worker}
modprobe e1000; written /share/worker-killed.mmt; kill -9 $(worker)
network_up; pings 3; modprobe -r e1000
END
mmiostrider record --driver e1000 -Z nobody -o /share/worker-killed.mmt -- sh -e /tmp/steps
echo "ended with $?"`,

  // there is room for the leftovers of one or two of them, for any size of a single write
  "full-disk": `
mkdir /tmp/small; mount -t tmpfs -o size=100k none /tmp/small
mmiostrider record --driver e1000 -Z nobody -o /tmp/small/x.mmt -- sh -ec '
  for lap in $(seq 5); do modprobe e1000; modprobe -r e1000; done; echo done'
echo "ended with $?"
cp /tmp/small/x.mmt /share/full.mmt
rm /tmp/small/x.mmt; dd if=/dev/zero of=/tmp/small/rest bs=4k 2> /dev/null
mmiostrider record --driver e1000 -Z nobody -o /tmp/small/y.mmt -- true
echo "ended with $?"
ls /tmp/small
umount /tmp/small`,

  singlestep: `
mmiostrider record --engine singlestep --driver e1000 -Z nobody -o /share/step.mmt -- sh -ec '. /share/cases/tools
  modprobe e1000; network_up; pings 3; modprobe -r e1000'
echo "ended with $?"
cat /sys/devices/system/cpu/online /sys/kernel/tracing/current_tracer`,

  "singlestep-killed": `${worker}
mmiostrider record --engine singlestep --driver e1000 -Z nobody -o /share/step-killed.mmt 2> /tmp/step.err & recorder=$!
await /tmp/step.err "Ctrl-C stops"
modprobe e1000; written /share/step-killed.mmt
kill -9 $recorder
until_true eval '[ -z "$(worker)" ] && grep -qx 0-1 /sys/devices/system/cpu/online'
worker
cat /sys/devices/system/cpu/online /sys/kernel/tracing/current_tracer
modprobe -r e1000`,

  refused: `
for user in no-such-user root 0 'a b' ''; do
  mmiostrider record --driver e1000 -Z "$user" -o x.mmt -- modprobe e1000; echo "ended with $?" >&2
done
mmiostrider record --driver e1000 -Z 65534 -o /share/by-number.mmt -- sh -ec 'modprobe e1000; modprobe -r e1000'
echo "ended with $?"`,

  // the patterns are in a file, because everybody can see a command line
  "nobody-sees": `${worker}
mmiostrider record --driver e1000 -Z nobody -o /share/seen.mmt 2> /tmp/seen.err & recorder=$!
await /tmp/seen.err "Ctrl-C stops"
modprobe e1000; network_up; pings 2
# the last 48 bits: those of the decoy and of the real address, and of the core's own code
sed -n 's/^mapping [0-9]* [^ ]* 0x....\\(............\\)$/\\1/p' /dev/mmiostrider > /tmp/patterns
sed -n 's/^0x....\\(............\\)$/\\1/p' /sys/module/mmiostrider/sections/.text >> /tmp/patterns
grep -c . /tmp/patterns
echo "root:"
grep -rlsaF -f /tmp/patterns /sys/module/mmiostrider /dev/mmiostrider | sort
sysctl -q kernel.dmesg_restrict=0
echo "nobody:"
as_nobody dmesg | grep -cF -f /tmp/patterns
# but grep's own page map, terabytes of zeros, which it would take into memory as one line
as_nobody sh -c 'ulimit -v 300000
  exec timeout 100 grep -rlsaF -D skip --exclude=pagemap -f /tmp/patterns /proc /sys /dev /run 2>&1'
[ $? = 124 ] && echo "not all was read in time"
for how in '<' '>' '<>'; do as_nobody sh -c ": $how /dev/mmiostrider" 2>&1 | grep -o 'Permission denied'; done
stat -c '%a %U' /dev/mmiostrider
sysctl -q kernel.dmesg_restrict=1
finish $recorder INT; echo "ended with $?"
modprobe -r e1000; rmmod mmiostrider`,
};

describe.each(bothKernels)("record -Z on %s", (kernel) => {
  const share = sharedDirectory();
  const truthFile = join(share, "truth.log");
  const caseTest = caseTests(cases, {
    kernel,
    share,
    qemu: "-netdev user,id=n0 -device e1000,netdev=n0",
    truth: truthFile,
    quick,
    timeout_s: 590,
  });

  const expectSame = (name: string, accessesMin: number, options: VerifyOptions = {}) =>
    expectIdentical(join(share, name), truthFile, accessesMin, options);

  caseTest(
    "given-up",
    "who reads and writes has the user's ids, no capability, and the two ends; the trace is the truth, and root's",
    async (outcome) => {
      expect(outcome.stdout.split("\n").slice(0, -1), outcome.stderr).toEqual([
        "the command is user 0",
        ...["/dev/mmiostrider", "/dev/null", "/share/cases/given-up.err", "/share/given-up.mmt"],
        // the recorder hasn't opened the trace
        "0",
        // another process of the same user can't look into it
        ...Array(4).fill("Permission denied"),
        "ended with 0",
        "Permission denied",
      ]);
      expect(outcome.left).toEqual([]);
      const threads = readFileSync(join(share, "worker-status"), "latin1").split(/^(?=Name:)/m);
      expect(threads.length).toBeGreaterThan(1);
      for (const status of threads) {
        expect(privilegesIn(status, nobody)).toEqual([]);
        expect(status).toMatch(/^Uid:\t65534\t65534\t65534\t65534$/m);
        expect(status).toMatch(/^Gid:\t65534\t65534\t65534\t65534$/m);
        expect(status).toMatch(/^Groups:\t65534 ?$/m);
        expect(status).toMatch(/^CapPrm:\t0+$/m);
        expect(status).toMatch(/^CapEff:\t0+$/m);
      }
      // the check fails for the process that stays root
      expect(privilegesIn(readFileSync(join(share, "recorder-status"), "latin1"), nobody).length).toBeGreaterThan(2);
      const { mode, uid } = statSync(join(share, "given-up.mmt"));
      expect([mode & 0o7777, uid]).toEqual([0o600, process.getuid!()]);
      await expectSame("given-up.mmt", 12_000);
      const { header, events, summary } = await readTrace(join(share, "given-up.mmt"));
      expect(events.filter(isAccess).length).toBe(summary!.accesses);
      // the trace nevertheless has the facts that only root can read
      expect(header.pciFunctions.some(({ config }) => (config?.length ?? 0) > 2 * 64)).toBe(true);
      expect(header.modules.length).toBeGreaterThan(3);
    },
  );

  caseTest("to-a-pipe", "into a pipe", async (outcome) => {
    expect([outcome.exitCode, outcome.stdout, outcome.left]).toEqual([0, "", []]);
    await expectSame("piped.mmt", 10_000);
  });

  caseTest("ctrl-c", "a terminal's Ctrl-C, which both get, ends it in order", async (outcome) => {
    expect([outcome.stdout, outcome.left], outcome.stderr).toEqual(["1\n", []]);
    await expectSame("ctrl-c.mmt", 10_000);
  });

  caseTest(
    "recorder-killed",
    "kill -9 of the recorder: what was recorded until then is in the trace, and nobody is left",
    async (outcome) => {
      expect([outcome.stdout, outcome.left], outcome.stderr).toEqual(["ended with 137\nstate idle\n", []]);
      const { header, events, summary } = await readTrace(join(share, "killed.mmt"));
      expect(summary).toBeNull();
      const truth = truthSince(truthFile, header.fence, "e1000-mmio");
      expect(walkAlong(events, truth)).toBeGreaterThanOrEqual(accessesBefore(truth, "k"));
    },
  );

  caseTest(
    "worker-killed",
    "kill -9 of the process that writes: the recorder says so, and the core goes",
    async (outcome) => {
      expect([outcome.stdout, outcome.left]).toEqual(["ended with 1\n", []]);
      expect(outcome.stderr).toMatch(
        /^mmiostrider: the process that writes the trace ended by SIGKILL\n {2}what it had written before can be read$/m,
      );
      await expectSame("worker-killed.mmt", 10_000, { cut: true });
    },
  );

  caseTest(
    "full-disk",
    "a full disk is one line, and what was written can be read; a trace that can't be begun is no file",
    async (outcome) => {
      expect([outcome.stdout, outcome.left], outcome.stderr).toEqual(["done\nended with 1\nended with 1\nrest\n", []]);
      expect(outcome.stderr).toContain(
        "mmiostrider: writing to /tmp/small/x.mmt failed: the disk is full; what was written before can be read\n",
      );
      expect(outcome.stderr).toMatch(
        /^mmiostrider: (?:making|writing to) \/tmp\/small\/y\.mmt failed: the disk is full/m,
      );
      expect(outcome.stderr).not.toContain("Node.js");
      const { header, events } = await readTrace(join(share, "full.mmt"));
      expect(walkAlong(events, truthSince(truthFile, header.fence, "e1000-mmio"))).toBeGreaterThan(100);
    },
  );

  caseTest("singlestep", "engine singlestep", async (outcome) => {
    expect([outcome.stdout, outcome.left], outcome.stderr).toEqual(["ended with 0\n0-1\nnop\n", []]);
    await expectSame("step.mmt", 10_000);
  });

  caseTest("singlestep-killed", "engine singlestep, killed with -9: CPUs and tracer come back", async (outcome) => {
    expect([outcome.stdout, outcome.left], outcome.stderr).toEqual(["0-1\nnop\n", []]);
    const { events } = await readTrace(join(share, "step-killed.mmt"));
    expect(events.filter(isAccess).length).toBeGreaterThan(10_000);
  });

  caseTest("refused", "users that there aren't, and root, are one line; a number will do", async (outcome) => {
    expect(outcome.stderr.split("\n").filter((line) => /^(mmiostrider|ended)/.test(line))).toEqual([
      'mmiostrider: giving up root\'s rights failed: there is no user "no-such-user" on this machine',
      "ended with 1",
      "mmiostrider: user root is root: there would be nothing to give up",
      "ended with 2",
      "mmiostrider: user 0 is root: there would be nothing to give up",
      "ended with 2",
      "mmiostrider: \"a b\" isn't a user's name",
      "ended with 2",
      "mmiostrider: \"\" isn't a user's name",
      "ended with 2",
    ]);
    expect([outcome.stdout, outcome.left]).toEqual(["ended with 0\n", []]);
    await expectSame("by-number.mmt", 10_000);
  });

  caseTest(
    "nobody-sees",
    "who isn't root sees no address of a mapping, a decoy or the core, and can't open the device",
    (outcome) => {
      expect(outcome.stdout.split("\n").slice(0, -1), outcome.stderr).toEqual([
        "2",
        "root:",
        "/dev/mmiostrider",
        "/sys/module/mmiostrider/sections/.text",
        "nobody:",
        "0",
        ...Array(3).fill("Permission denied"),
        "600 root",
        "ended with 0",
      ]);
      expect(outcome.left).toEqual([]);
    },
  );
});
