// tier: all
// A driver's genuine bugs stay visible: the kernel reports them as without us, at the driver's own instruction. Kernel and
// recording go on.
import { expect, test } from "vitest";
import { recordCommands } from "../../dev/test-support/lab/access-module.js";

interface Bug {
  group: string;
  /** The headline of the kernel's report. */
  headline: RegExp;
  /** The instruction pointer: the driver's function, unless the bug is a jump out of it. */
  place?: RegExp;
  /** The exit code of the shell that ran it, which dies of it unless the module runs it in its own thread. */
  status?: RegExp;
}

const bugs: Bug[] = [
  // a wild pointer that is neither canonical nor a decoy of any mapping
  { group: "bug-wild", headline: /general protection fault, probably for non-canonical address 0x8badf00d8badf00d/ },
  { group: "bug-null", headline: /BUG: kernel NULL pointer dereference, address: 0000000000000000/ },
  // far beyond the end of a mapping that is recorded
  { group: "bug-beside", headline: /general protection fault, probably for non-canonical address 0xb/ },
  // a jump into device memory
  { group: "bug-jump", headline: /general protection fault/, place: /RIP: 0010:0xb|RIP: 0010:mms_bug_jump/ },
  // from the device to where no memory is
  { group: "bug-copy", headline: /BUG: unable to handle page fault for address: 0000000000001000/ },
  // the same in a kernel thread, which has no user memory
  {
    ...{ group: "bug-thread", headline: /BUG: unable to handle page fault for address: 0000000000001000/ },
    ...{ place: /RIP: 0010:mms_bug_in_thread\+/, status: /^0$/ },
  },
  // an operand that the CPU requires to be aligned
  { group: "bug-aligned", headline: /general protection fault, maybe for address 0xff.*8: / },
  // user memory that is there, without a STAC
  { group: "bug-smap", headline: /BUG: unable to handle page fault for address: 00007f/ },
  // the access itself faults, in our hands: the lock must be free afterwards
  { group: "bug-unmapped", headline: /BUG: unable to handle page fault for address: ff/ },
];

const commands = `
echo 0 > /proc/sys/kernel/panic_on_oops
for bug in ${bugs.map(({ group }) => group).join(" ")}; do
  dmesg -c > /dev/null
  # the shell that runs it dies of it
  ( echo $bug > run ) > /dev/null 2>&1 < /dev/null
  echo "status $bug $?"
  dmesg | sed "s/^/$bug: /"
done
echo accessors > run && echo "still works"
cat results
exit 0`;

test.each(["debian:6.1", "debian:6.12"])("genuine bugs on %s", async (kernel) => {
  const { exitCode, output } = await recordCommands(commands, { kernel });
  expect(exitCode, output).toBe(0);
  for (const { group, headline, place, status } of bugs) {
    const report = output.split("\n").filter((line) => line.startsWith(`${group}: `));
    const text = report.join("\n");
    expect(new RegExp(`^status ${group} (.*)$`, "m").exec(output)?.[1], group).toMatch(status ?? /^13[79]$/);
    expect(text).toMatch(headline);
    const pointers = report.filter((line) => /RIP: 0010:/.test(line));
    expect(pointers[0]).toMatch(place ?? new RegExp(`RIP: 0010:${group.replace("-", "_").replace(/^/, "mms_")}\\+`));
    // none of our functions in the backtrace
    expect(report.filter((line) => /\[mmiostrider\]/.test(line))).toEqual([]);
    expect(text.match(/Oops:|general protection fault/g)?.length, text).toBeGreaterThanOrEqual(1);
  }
  expect(output).toMatch(/^still works$/m);
  expect(output).toMatch(/^ok accessors \d+$/m);
  expect(output).toMatch(/ 0 lost, /);
});
