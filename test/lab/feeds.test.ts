// tier: all
// A recording that is read while it goes on: through a pipe, and by followers of the file. A reader that is too slow, or stops,
// costs records, which are counted, but never the driver's time. All in one machine; QEMU's log decides.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { type CaseOutcome, runCases } from "../../dev/test-support/lab/guest-cases.js";
import { labKernel, sharedDirectory } from "../../dev/test-support/lab/in-lab.js";
import {
  accessesBefore,
  isAccess,
  readTrace,
  truthSince,
  walkAlong,
} from "../../dev/test-support/lab/trace-and-truth.js";

const share = sharedDirectory();
const truthFile = join(share, "truth.log");
const region = "e1000-mmio";

/** Shell function: prints the number of `report`'s lines for the part of the trace that has come so far. */
const soFar = `so_far() { cp "$1" /tmp/part.mmt; mmiostrider report --format csv /tmp/part.mmt 2> /dev/null | grep -c ',read,\\|,write,'; }`;

const cases: Record<string, string> = {
  streamed: `
cat > /tmp/steps <<'END'
. /share/cases/tools
${soFar}
modprobe e1000
until_true eval '[ $(so_far /share/stream.mmt | tee /tmp/lines) -gt 5000 ]'
modprobe -r e1000
END
mmiostrider record --driver e1000 -o - -- sh /tmp/steps | cat > /share/stream.mmt
cat /tmp/lines`,

  // the reader reads some of the trace, then nothing until the driver's work is done
  blocked: `
cat > /tmp/steps <<'END'
. /share/cases/tools
modprobe e1000; network_up; pings 3
# more than a pipe and a ring hold
for i in 1 2 3 4; do ip link set eth0 down; ip link set eth0 up; done
ip link set eth0 down
truth_mark b
echo through > /tmp/through
END
{ mmiostrider record --driver e1000 --clean-room --no-interrupts --no-dma --ring-size 64K -o - -- sh -e /tmp/steps 2> /tmp/blocked.err; echo $? > /tmp/code; } | {
  # not head, which takes more out of the pipe than it passes on
  dd bs=1 count=300 of=/share/blocked.mmt 2> /dev/null
  await /tmp/through through && cat /tmp/through
  cat >> /share/blocked.mmt
}
echo "ended with $(cat /tmp/code)"
grep -c '^incomplete: .* lost' /tmp/blocked.err
modprobe -r e1000
rmmod mmiostrider`,

  "reader-gone": `
{ mmiostrider record --driver e1000 -o - -- sh -ec '. /share/cases/tools; modprobe e1000; network_up; pings 3; modprobe -r e1000
  echo done > /tmp/done'; echo "ended with $?" > /tmp/code; } | head -c 300 > /dev/null
cat /tmp/done /tmp/code`,

  followed: `
cat > /tmp/steps <<'END'
. /share/cases/tools
# the first blocks of a trace that nobody has flushed yet are as they are
for round in 1 2; do
  modprobe e1000; network_up; pings 8; ip link set eth0 down
  written /tmp/followed.mmt; before=$(stat -c %s /tmp/followed.mmt)
  # a module comes: the small blocks before it become one
  modprobe dummy
  until_true eval '[ $(stat -c %s /tmp/followed.mmt) -lt '$before' ]'
  echo "$before, then $(stat -c %s /tmp/followed.mmt)"
  modprobe -r dummy; modprobe -r e1000
done
until_true eval '[ $(wc -l < /share/follower.csv) -gt 10000 ]' && echo "seen while it goes on"
END
mmiostrider record --driver e1000 -o /tmp/followed.mmt -- sh -c '. /share/cases/tools; until_true [ -s /tmp/followed.mmt ]
  mmiostrider report --follow --format csv /tmp/followed.mmt > /share/follower.csv 2> /tmp/follower.err & echo $! > /tmp/follower
  { mmiostrider report --follow --format csv /tmp/followed.mmt & echo $! > /tmp/stuck; wait; } | { sleep 1000; cat; } > /dev/null & 
  sh -e /tmp/steps' 2> /tmp/followed.err
echo "ended with $?"
grep -c ' 0 lost, 0 escaped' /tmp/followed.err
until_true eval '! [ -e /proc/$(cat /tmp/follower) ]'
cat /tmp/follower.err
[ -e /proc/$(cat /tmp/stuck) ] && echo "the other one hasn't read it yet"
kill $(cat /tmp/stuck)
mmiostrider report --format csv /tmp/followed.mmt > /share/afterwards.csv
cmp /share/follower.csv /share/afterwards.csv && echo "the same"
cp /tmp/followed.mmt /share/`,
};

describe("a recording that is read while it goes on", () => {
  let outcomes: Map<string, CaseOutcome>;

  beforeAll(async () => {
    await labKernel();
    const qemu = "-netdev user,id=n0 -device e1000,netdev=n0";
    outcomes = await runCases(cases, { share, qemu, truth: truthFile, timeout_s: 580 });
  });

  test("a pipe has the events while the driver is at work, and all of them in the end", async () => {
    const outcome = outcomes.get("streamed")!;
    expect([outcome.exitCode, outcome.left], outcome.stderr).toEqual([0, []]);
    expect(Number(outcome.stdout)).toBeGreaterThan(5_000);
    const { header, events, summary } = await readTrace(join(share, "stream.mmt"));
    const truth = truthSince(truthFile, header.fence, region);
    expect(walkAlong(events, truth)).toBe(summary!.accesses);
    expect(events.filter(isAccess).length).toBeGreaterThan(Number(outcome.stdout));
  });

  test("a reader that stops: the driver goes on, what doesn't fit is lost and counted, and the end is 3", async () => {
    const outcome = outcomes.get("blocked")!;
    expect([outcome.stdout, outcome.left], outcome.stderr).toEqual(["through\nended with 3\n1\n", []]);
    const { header, events, summary } = await readTrace(join(share, "blocked.mmt"));
    const truth = truthSince(truthFile, header.fence, region);
    const made = accessesBefore(truth, "b");
    expect(walkAlong(events, truth)).toBe(made);
    expect(events.filter(isAccess).length + summary!.lost).toBe(made);
    expect(summary!.lost).toBeGreaterThan(0);
  });

  test("a reader that goes away: one line, and the driver's work is done all the same", () => {
    const outcome = outcomes.get("reader-gone")!;
    expect([outcome.stdout, outcome.left], outcome.stderr).toEqual(["done\nended with 1\n", []]);
    expect(outcome.stderr).toMatch(/^mmiostrider: writing to standard output failed: .*EPIPE/m);
  });

  test("followers of the file have every event once, though its small blocks are replaced; one that is stuck costs nothing", async () => {
    const outcome = outcomes.get("followed")!;
    const [first, second, ...rest] = outcome.stdout.split("\n").slice(0, -1);
    expect(rest, outcome.stderr).toEqual([
      ...["seen while it goes on", "ended with 0", "1", "the other one hasn't read it yet", "the same"],
    ]);
    expect(outcome.left).toEqual([]);
    // the small blocks were replaced while the followers read
    for (const sizes of [first!, second!]) {
      const [before, then] = sizes.split(", then ").map(Number);
      expect(then).toBeLessThan(before!);
    }
    const { header, events } = await readTrace(join(share, "followed.mmt"));
    const truth = truthSince(truthFile, header.fence, region);
    const accesses = events.filter(isAccess).length;
    expect(walkAlong(events, truth)).toBe(accesses);
    const lines = readFileSync(join(share, "follower.csv"), "latin1").split("\n");
    expect(lines.filter((line) => /,(?:read|write),/.test(line)).length).toBe(accesses);
  });
});
