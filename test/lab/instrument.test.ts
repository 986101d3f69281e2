// tier: quick
// `record --engine instrument`: the drivers' modules are swapped for rewritten ones, recorded, and swapped back after any end.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect } from "vitest";
import { caseNamed } from "../../dev/checks/driver-cases.js";
import { caseTests } from "../../dev/test-support/lab/guest-cases.js";
import { labKernel, sharedDirectory, stableKernel } from "../../dev/test-support/lab/in-lab.js";
import { expectIdentical, readTrace } from "../../dev/test-support/lab/trace-and-truth.js";
import { casesByTier } from "../../dev/test-support/tiers.js";
import { projectDirectory } from "../../src/base/paths.js";
import { spaceOf } from "../../src/trace/space.js";

/**
 * Shell functions: the modules that are rewritten (they use the core), and a line that says if all is as before: no module's file has
 * another one mounted over it, and none is rewritten.
 */
const tools = `
cat > /tmp/swap-tools <<'END'
. /share/cases/tools
rewritten() { ls /sys/module/mmiostrider/holders 2> /dev/null | tr '\\n' ' '; }
covered() { grep -c 'lib/modules/.*\\.ko' /proc/mounts; }
as_before() { echo "rewritten: $(rewritten)- covered: $(covered)"; }
record() { mmiostrider record --engine instrument "$@"; }
END
. /tmp/swap-tools
`;
const asBefore = "rewritten: - covered: 0";

/** The cases of the quick tier. */
const quick = ["loaded-meanwhile", "libraries", "killed", "ports-and-calls"];

const cases: Record<string, string> = {
  "loaded-meanwhile": `${tools}
record --driver e1000 -o /share/meanwhile.mmt -- sh -ec '. /tmp/swap-tools
  modprobe e1000; as_before; mmiostrider mark half way; network_up; pings 5; modprobe -r e1000'
echo "ended with $?"
as_before`,

  libraries: `${tools}
record --driver ahci -o /share/ahci.mmt -- sh -ec '. /tmp/swap-tools
  modprobe -a sd_mod ahci; as_before
  until_true [ -b /dev/sda ]
  dd if=/dev/sda bs=64k 2> /dev/null | sha256sum | cut -c1-16
  modprobe -r ahci'
echo "ended with $?"
# the disk's own driver and the libraries are still there: the core is, too
rmmod sd_mod
for name in libata scsi_mod scsi_common mmiostrider; do [ ! -e /sys/module/$name/refcnt ] || rmmod $name; done
as_before`,

  killed: `${tools}
modprobe e1000
mmiostrider record --engine instrument --driver e1000 --rebind -o /share/killed.mmt 2> /tmp/killed.err & recorder=$!
await /tmp/killed.err "Ctrl-C stops"
written /share/killed.mmt
as_before
record --driver e1000 --rebind -o second.mmt 2> err; echo "the second ended with $?"
head -n 1 err; rm err
network_up; pings 3
kill -9 $recorder; wait $recorder; echo "ended with $?"
cat /tmp/killed.err >&2
until_true eval '[ -z "$(rewritten)" ] && [ -e /sys/class/net/eth0 ]'
as_before
network_up; pings 3
modprobe -r e1000
rmmod mmiostrider`,

  "loaded-before": `${tools}
modprobe e1000
record --driver e1000 --rebind -o /share/before.mmt -- sh -ec '. /tmp/swap-tools
  as_before; network_up; pings 5'
echo "ended with $?"
as_before
network_up; pings 3
mmiostrider record --engine instrument --driver e1000 --rebind -o /share/interrupted.mmt 2> /tmp/interrupted.err & recorder=$!
await /tmp/interrupted.err "Ctrl-C stops"
written /share/interrupted.mmt
finish $recorder INT; echo "ended with $?"
as_before
network_up; pings 3
modprobe -r e1000`,

  "ports-and-calls": `${tools}
record --driver ne2k-pci --driver e100 -o /share/ports-and-calls.mmt -- sh -ec '. /tmp/swap-tools
  modprobe ne2k-pci; as_before; network_up
  ping -q -c 5 -s 1000 -i 0.1 -w 60 10.0.2.2 > /dev/null
  ip link set eth0 down; modprobe -r ne2k-pci
  modprobe e100; as_before; modprobe -r e100'
echo "ended with $?"
as_before`,

  sound: `${tools}
record --driver snd_ens1370 -o /share/sound.mmt -- sh -ec '. /tmp/swap-tools
  modprobe -a snd_pcm_oss snd_ens1370
  until_true [ -c /dev/dsp ]
  head -c 100000 /dev/zero > /dev/dsp
  modprobe -r snd_pcm_oss snd_ens1370'
echo "ended with $?"
# the sound system stays, and the core with it
for name in snd_seq_device snd_timer snd soundcore mmiostrider; do [ ! -e /sys/module/$name/refcnt ] || rmmod $name; done
as_before`,

  stays: `${tools}
record --driver e1000 -o /share/stays.mmt -- modprobe e1000
echo "ended with $?"
as_before
network_up; pings 3
mmiostrider record --driver e1000 --rebind -o /share/emulate.mmt -- true; echo "ended with $?"
modprobe -r e1000
rmmod mmiostrider
as_before`,

  refused: `${tools}
refused() { "$@" 2> err; echo "$?: $(grep -m 1 '^mmiostrider: ' err)"; rm -f err; as_before; }
refused record --range 0xfe000000-0xfe000fff -o x.mmt
refused record --all -o x.mmt
refused record --driver virtio-pci -o x.mmt
refused record --driver e1000 --core "$CORE" -o x.mmt
modprobe e1000
refused record --driver e1000 -o x.mmt
basename $(readlink /sys/class/net/eth0/device/driver)
modprobe -r e1000
file=$(modinfo -n e1000)
mount --bind "$CORE" "$file"
refused record --driver e1000 -o x.mmt
umount "$file"
cp "$file" /tmp/original
head -c 3000 "$CORE" > "$file"
refused record --driver e1000 -o x.mmt
put() { case $file in *.xz) xz -zc0 --check=crc32 /tmp/changed > "$file" ;; *) cp /tmp/changed "$file" ;; esac; }
case $file in *.xz) xz -dc /tmp/original ;; *) cat /tmp/original ;; esac > /tmp/plain
# aarch64's number in the place of x86-64's
cp /tmp/plain /tmp/changed
printf '\\267' | dd of=/tmp/changed bs=1 seek=18 conv=notrunc 2> /dev/null
put; refused record --driver e1000 -o x.mmt
LC_ALL=C sed 's/ mod_unload / mod_unloax /' /tmp/plain > /tmp/changed
put; refused record --driver e1000 -o x.mmt
ls x.mmt 2> /dev/null
cp /tmp/original "$file"
core_loaded
# never to be switched off again
echo Y > /sys/module/module/parameters/sig_enforce
refused record --driver e1000 -o x.mmt`,
};

describe.each(casesByTier({ quick: [stableKernel], rest: ["debian:newest"] }))("engine instrument on %s", (kernel) => {
  const share = sharedDirectory();
  const truthFile = join(share, "truth.log");
  writeFileSync(join(share, "disk"), Buffer.alloc(4 << 20, "a disk "));
  // in the machine itself, five modules would take longer than all else; e1000 is rewritten there
  beforeAll(async () => {
    const compiled = join(projectDirectory, "dist/dev/checks/driver-rewriting.js");
    const { rewriteOutside }: typeof import("../../dev/checks/driver-rewriting.js") = await import(compiled);
    await rewriteOutside(await labKernel(kernel), [caseNamed("ahci"), caseNamed("e100")], () => {});
  });
  const disk = `-drive file=${join(share, "disk")},if=none,format=raw,id=d0 -device ide-hd,drive=d0,bus=ide.0`;
  const calling = "-netdev user,id=n2 -device i82559er,netdev=n2";
  const others = "-netdev user,id=n1 -device ne2k_pci,netdev=n1 -audiodev none,id=a0 -device ES1370,audiodev=a0";
  const caseTest = caseTests(cases, {
    kernel,
    share,
    qemu: `-netdev user,id=n0 -device e1000,netdev=n0 ${disk} ${others} ${calling}`,
    truth: truthFile,
    // modules are rewritten in the machine: Node patches its own code meanwhile, which crashes it with a thread for each CPU
    threads: "single",
    quick,
    timeout_s: 800,
  });

  /** Expects the trace to be the truth, and at least so many of its accesses to have come without a fault. */
  async function expectRecorded(stderr: string, name: string, withoutFaultMin: number): Promise<void> {
    await expectIdentical(join(share, name), truthFile, withoutFaultMin);
    const { header } = await readTrace(join(share, name));
    expect(header.engine).toBe("instrument");
    const [, withoutFault] = /^([\d,]+) of [\d,]+ accesses without a fault$/m.exec(stderr) ?? [];
    expect(Number(withoutFault?.replaceAll(",", "")), stderr).toBeGreaterThan(withoutFaultMin);
  }

  caseTest("loaded-meanwhile", "a driver that is loaded while recording is the rewritten one", async (outcome) => {
    const during = "rewritten: e1000 - covered: 1";
    expect(outcome.stdout.split("\n"), outcome.stderr).toEqual([during, "ended with 0", asBefore, ""]);
    expect(outcome.left).toEqual([]);
    await expectRecorded(outcome.stderr, "meanwhile.mmt", 12_000);
    const { events } = await readTrace(join(share, "meanwhile.mmt"));
    expect(events.flatMap((event) => (event.kind === "mark" ? [event.text] : []))).toEqual(["half way"]);
  });

  caseTest("libraries", "the libraries that a driver's accesses lie in are swapped with it", async (outcome) => {
    const [during, hash, ...rest] = outcome.stdout.split("\n");
    expect(during, outcome.stderr).toMatch(/^rewritten: ahci libahci libata (?:scsi_\w+ )*- covered: [45]$/);
    expect(hash).toBe("bc6973acc9ae4529");
    expect(rest).toEqual(["ended with 0", asBefore, ""]);
    const refused = /^not rewritten, so that accesses by (?:it|them) fault: /m;
    expect(outcome.stderr).not.toMatch(refused);
    await expectRecorded(outcome.stderr, "ahci.mmt", 500);
  });

  caseTest("killed", "kill -9 of the recorder: the original driver comes back", async (outcome) => {
    expect(outcome.stdout.split("\n"), outcome.stderr).toEqual([
      "rewritten: e1000 - covered: 1",
      "the second ended with 1",
      "mmiostrider: another recording is running: the core takes one recorder at a time",
      "ended with 137",
      asBefore,
      "",
    ]);
    expect(outcome.left).toEqual([]);
    // it is in the cache
    expect(outcome.stderr).not.toContain("rewriting");
    await expectIdentical(join(share, "killed.mmt"), truthFile, 10_000, { cut: true });
  });

  caseTest("loaded-before", "a driver that was loaded before is loaded again, also after Ctrl-C", async (outcome) => {
    expect(outcome.stdout.split("\n"), outcome.stderr).toEqual([
      "rewritten: e1000 - covered: 1",
      ...["ended with 0", asBefore],
      ...["ended with 0", asBefore, ""],
    ]);
    expect(outcome.left).toEqual([]);
    await expectRecorded(outcome.stderr, "before.mmt", 12_000);
    await expectIdentical(join(share, "interrupted.mmt"), truthFile, 10_000);
  });

  const portsAndCalls =
    "a driver that uses in and out itself is recorded whole, and one that calls ioread8() by its calls";
  caseTest("ports-and-calls", portsAndCalls, async (outcome) => {
    expect(outcome.stdout.split("\n"), outcome.stderr).toEqual([
      ...["rewritten: 8390 ne2k_pci - covered: 4", "rewritten: e100 mii - covered: 4"],
      ...["ended with 0", asBefore, ""],
    ]);
    expect(outcome.stderr).not.toMatch(/not recorded/);
    await expectRecorded(outcome.stderr, "ports-and-calls.mmt", 2_000 + 2_000);
    const { events } = await readTrace(join(share, "ports-and-calls.mmt"));
    const texts = new Map(
      events.flatMap((event) => (event.kind === "symbol" ? [[event.site, event.text] as const] : [])),
    );
    const sites = events.flatMap((event) =>
      (event.kind === "read" || event.kind === "write") && spaceOf(event.address) === "memory" ? [event.site] : [],
    );
    expect(sites.length).toBeGreaterThan(2_000);
    expect(new Set(sites.map((site) => texts.get(site)?.replace(/.* /, "")))).toEqual(new Set(["[e100]"]));
  });

  caseTest("sound", "the same with a driver of many libraries", async (outcome) => {
    expect(outcome.stdout.split("\n"), outcome.stderr).toEqual(["ended with 0", asBefore, ""]);
    expect(outcome.stderr).not.toMatch(/not recorded/);
    await expectRecorded(outcome.stderr, "sound.mmt", 200);
  });

  caseTest("stays", "a driver that the command leaves loaded works on, and is recorded again", async (outcome) => {
    const stays = "rewritten: e1000 - covered: 0";
    expect(outcome.stdout.split("\n"), outcome.stderr).toEqual(["ended with 0", stays, "ended with 0", asBefore, ""]);
    expect(outcome.stderr).toMatch(/^the rewritten e1000 stays loaded, and the core with it: it works on without a/m);
    expect(outcome.left).toEqual([]);
    await expectRecorded(outcome.stderr, "stays.mmt", 10_000);
    await expectIdentical(join(share, "emulate.mmt"), truthFile, 10_000);
  });

  caseTest("refused", "what can't be swapped is refused in one line, and nothing has changed", (outcome) => {
    expect(outcome.stdout.split("\n"), outcome.stderr).toEqual([
      ...["2: mmiostrider: engine instrument rewrites drivers, and none is named", asBefore],
      ...["2: mmiostrider: engine instrument rewrites drivers, and none is named", asBefore],
      expect.stringMatching(/^1: mmiostrider: the loaded module virtio_pci can't be swapped: it drives 0000:/),
      asBefore,
      "2: mmiostrider: --core isn't for engine instrument: the drivers are rewritten for the core that is built here",
      asBefore,
      expect.stringMatching(/^1: mmiostrider: the loaded module e1000 can't be swapped: it drives 0000:/),
      asBefore,
      "e1000",
      expect.stringMatching(
        /^1: mmiostrider: something is mounted over \S+e1000\.ko\S*: it isn't the original module$/,
      ),
      "rewritten: - covered: 1",
      expect.stringMatching(/^1: mmiostrider: \S+e1000\.ko\S*: .*(?:not a kernel module|compressed in a way)/),
      asBefore,
      expect.stringMatching(/^1: mmiostrider: \S+e1000\.ko\S*: not a kernel module for x86-64: made for another/),
      asBefore,
      expect.stringMatching(
        /^1: mmiostrider: \S+e1000\.ko\S* is of another build of the kernel: its vermagic is ".*unloax/,
      ),
      asBefore,
      "no core",
      "1: mmiostrider: this kernel loads only signed modules, and rewriting a driver takes its signature away",
      asBefore,
      "",
    ]);
    expect(outcome.left).toEqual([]);
  });
});
