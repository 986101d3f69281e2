// tier: all
// The package, installed and with no checkout to be reached: its lab boots a machine, and there it records, with the core that it
// builds from the packed sources.
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
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
  // a cache of its own: all that it may share with the checkout is the downloaded kernel
  await prepareKernel("debian:6.1", () => {});
  const cache = join(folder, "cache");
  mkdirSync(cache, { mode: 0o700 });
  for (const name of readdirSync(cacheDirectory())) {
    if (name === "core") continue;
    symlinkSync(join(cacheDirectory(), name), join(cache, name));
  }
  const share = join(folder, "share");
  mkdirSync(share);
  const truth = join(folder, "truth.log");
  const words = ["lab", "--kernel", "debian:6.1", "--truth", truth, "--share", share, "--"];
  const record = "mmiostrider record --driver e1000 -o /share/e1000.mmt -- modprobe e1000";
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
