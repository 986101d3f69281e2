// tier: all
// The package, installed and with no checkout to be reached: its lab boots a machine, and there it records, with the core that it
// builds from the packed sources.
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { install, pack, runWithoutCheckout } from "../../dev/test-support/packed.js";
import { cacheDirectory } from "../../src/base/paths.js";
import { openTrace, verify } from "../../src/index.js";
import { prepareKernel } from "../../src/lab/kernel-package.js";

const folder = mkdtempSync(join(tmpdir(), "mmiostrider-package-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("records in the lab, builds the core itself, and its trace is what the device received", async () => {
  chmodSync(folder, 0o755);
  const command = install(pack(folder).tarball, join(folder, "prefix"));
  // a cache of its own: all that it has of the checkout's is what was downloaded
  const { release } = await prepareKernel("debian:6.1", () => {});
  const cache = join(folder, "cache");
  mkdirSync(join(cache, "kernels"), { recursive: true, mode: 0o700 });
  for (const name of [`kernels/${release}`, "busybox", "kvm-probe.json"]) {
    const from = join(cacheDirectory(), name);
    if (existsSync(from)) cpSync(from, join(cache, name), { recursive: true, verbatimSymlinks: true });
  }
  const share = join(folder, "share");
  mkdirSync(share);
  const truth = join(folder, "truth.log");
  const nic = "-netdev user,id=n0 -device e1000,netdev=n0";
  const words = ["lab", "--kernel", "debian:6.1", "--qemu", nic, "--truth", truth, "--share", share, "--"];
  // the process without rights is another file of the package
  const record = "mmiostrider record -Z nobody --driver e1000 -o /share/e1000.mmt -- modprobe e1000";
  const environment = { MMIOSTRIDER_CACHE: cache };
  const { status, stdout, stderr } = runWithoutCheckout([command, ...words, record], { environment });
  expect({ status, output: `${stdout}${stderr}` }).toEqual({ status: 0, output: expect.any(String) });
  expect(readdirSync(join(cache, "core")).length).toBe(1);
  const trace = await openTrace(join(share, "e1000.mmt"));
  expect(trace.incomplete).toEqual([]);
  expect(trace.summary?.accesses).toBeGreaterThan(5_000);
  const { identical, reasons } = await verify(trace, truth);
  expect({ identical, reasons }).toEqual({ identical: true, reasons: [] });
  await trace.close();
});
