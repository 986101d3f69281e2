// The TPM behind QEMU's tpm-tis: Debian's swtpm, unpacked into the cache, one process for each machine.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../../src/base/errors.js";
import { cacheDirectory } from "../../src/base/paths.js";
import { unpackPackages } from "../../src/lab/debian.js";
import { publishDirectory } from "../../src/lab/publish.js";

const startTries = 100;
const startPause_ms = 50;

/** Starts a TPM that listens on `folder`/tpm, keeps its state in `folder`, and runs at most `timeout_s`. Throws UserError. */
export async function startTpm(folder: string, timeout_s: number): Promise<ChildProcess> {
  const place = join(cacheDirectory(), "swtpm");
  await publishDirectory(place, (work) => unpackPackages(["swtpm", "swtpm-libs", "libtpms0"], work));
  const state = join(folder, "tpm-state");
  mkdirSync(state, { recursive: true });
  const socket = join(folder, "tpm");
  const libraries = join(place, "usr/lib/x86_64-linux-gnu");
  const child = spawn(
    "timeout",
    [
      ...["--signal=KILL", String(timeout_s), join(place, "usr/bin/swtpm"), "socket", "--tpm2", "--terminate"],
      ...["--tpmstate", `dir=${state}`, "--ctrl", `type=unixio,path=${socket}`],
    ],
    { stdio: "ignore", env: { ...process.env, LD_LIBRARY_PATH: `${libraries}:${join(libraries, "swtpm")}` } },
  );
  for (let tries = 0; tries < startTries && child.exitCode === null; tries += 1) {
    if (existsSync(socket)) return child;
    await sleep(startPause_ms);
  }
  child.kill();
  throw new UserError(`starting ${join(place, "usr/bin/swtpm")} failed: it doesn't listen on ${socket}`);
}
