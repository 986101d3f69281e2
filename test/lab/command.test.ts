// tier: quick
// `mmiostrider lab` from the user's side: wrong input, no network, Ctrl-C. Each ends with one clear line and its exit code.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { labKernel, temporaryDirectory } from "../../dev/test-support/lab/in-lab.js";
import { programFile } from "../../dev/test-support/program.js";
import { casesByTier } from "../../dev/test-support/tiers.js";

function lab(parameters: string[], environment: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [programFile, "lab", ...parameters], {
    encoding: "utf8",
    env: { ...process.env, ...environment },
    timeout: 240_000,
  });
  return { status, stdout, stderr };
}

test.each([
  [["--cpus", "0", "--", "true"], 2, "--cpus 0: not a whole number from 1 to 64"],
  [["--cpus", "two", "--", "true"], 2, "--cpus two: not a whole number from 1 to 64"],
  [["--memory", "1", "--", "true"], 2, "--memory 1: not a whole number from 256 to 65536"],
  [["--qemu", "-append 'open", "--", "true"], 2, "-append 'open: the quote ' isn't closed"],
  [["--kernel", "debian:six", "--", "true"], 2, "there is no kernel debian:six"],
  [["--share", "/no/such/folder", "--", "true"], 1, "--share: no folder /no/such/folder"],
  [["--truth", "/no/such/folder/log", "--", "true"], 1, "--truth: no folder /no/such/folder"],
] as [string[], number, string][])("%j ends with %i", (parameters, status, line) => {
  const end = lab(parameters);
  expect(end.stderr.split("\n")[0]).toBe(`mmiostrider: ${line}`);
  expect(end).toMatchObject({ status, stdout: "" });
  // at most one line of advice after it
  expect(end.stderr.trimEnd().split("\n").length).toBeLessThanOrEqual(2);
});

test("a kernel that the archive no longer has is told with those that it has", () => {
  const { status, stderr } = lab(["--kernel", "debian:2.4", "--", "true"]);
  // before it, perhaps, that the lists are fetched
  expect(stderr).toMatch(
    /^mmiostrider: Debian's archive has no kernel 2\.4: it has 5\.10, 6\.1, .*; with -rt 5\.10, 6\.1, /m,
  );
  expect(status).toBe(1);
});

test("a command is needed", () => {
  const end = lab([]);
  expect(end.status).toBe(2);
  expect(end.stderr).toContain("missing required argument 'command'");
});

test("threads are multi or single", () => {
  const end = lab(["--threads", "2", "--", "true"]);
  expect(end.status).toBe(2);
  expect(end.stderr).toContain("argument '2' is invalid. Allowed choices are multi, single.");
});

test("a folder without a kernel", () => {
  const folder = temporaryDirectory();
  expect(lab(["--kernel", folder, "--", "true"])).toMatchObject({
    status: 1,
    stderr: expect.stringContaining(`mmiostrider: ${folder}: no kernel: it has no lib/modules\n`),
  });
  mkdirSync(join(folder, "lib/modules/1.2.3"), { recursive: true });
  expect(lab(["--kernel", folder, "--", "true"])).toMatchObject({
    status: 1,
    stderr: expect.stringContaining(`mmiostrider: ${folder}: no boot/vmlinuz-1.2.3\n`),
  });
});

test("if Debian's archive can't be reached, apt's reason is shown and nothing half made is left", () => {
  const cache = temporaryDirectory();
  const configuration = join(temporaryDirectory(), "apt.conf");
  // the discard port, where nothing listens
  writeFileSync(
    configuration,
    'Acquire::http::Proxy "http://127.0.0.1:9";\nAcquire::https::Proxy "http://127.0.0.1:9";\nAcquire::Retries "0";\n',
  );
  const end = lab(["--", "true"], { MMIOSTRIDER_CACHE: cache, APT_CONFIG: configuration });
  expect(end.status).toBe(1);
  expect(end.stderr).toMatch(/mmiostrider: fetching the package lists of Debian's suites failed: E: .*127\.0\.0\.1/);
  expect(end.stderr).toContain("see what `apt-get update` says");
  const left = readdirSync(cache, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  expect(left.map(({ name }) => name).filter((name) => /Packages|InRelease|vmlinuz|\.deb$/.test(name))).toEqual([]);
});

test("the exit code and the output are the command's; its console is kept", async () => {
  await labKernel();
  const log = join(temporaryDirectory(), "console");
  const words = ["--console", log, "--append", "loglevel=7", "--", "echo", "one;", "echo", "two", ">&2;", "exit", "3"];
  const end = lab(words);
  expect(end).toMatchObject({ status: 3, stdout: "one\ntwo\n" });
  expect(readFileSync(log, "utf8")).toContain("Run /init as init process");
});

test.each(casesByTier<NodeJS.Signals>({ quick: ["SIGTERM"], rest: ["SIGINT"] }))(
  "%s ends the machine",
  async (signal) => {
    await labKernel();
    const share = temporaryDirectory();
    const child = spawn(process.execPath, [programFile, "lab", "--share", share, "--", "echo > began; sleep 1000"], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let errors = "";
    child.stderr.on("data", (chunk: Buffer) => {
      errors += chunk.toString();
    });
    const ended = new Promise<number | null>((done) => child.on("close", done));
    while (!existsSync(join(share, "began")) && child.exitCode === null) {
      await new Promise((done) => setTimeout(done, 100));
    }
    child.kill(signal);
    expect(await ended).toBe(1);
    expect(errors).toContain("mmiostrider: the lab was interrupted\n");
  },
);
