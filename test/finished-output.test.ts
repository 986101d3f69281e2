// tier: quick
// Output is there whole or not at all, whatever stands at its place: each command that writes a file, and a real FIFO, link, device,
// socket, folder, full disk and signal. Child processes of the compiled program.
import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { madeUpHeader, madeUpRecords, madeUpSummary } from "../dev/test-support/made-up-records.js";
import { createTrace } from "../src/trace/node/create-trace.js";

const project = fileURLToPath(new URL("..", import.meta.url));
const program = join(project, "bin/mmiostrider.js");
const directory = mkdtempSync(join(tmpdir(), "mmiostrider-output-"));
afterAll(() => rmSync(directory, { recursive: true }));
const trace = join(project, "test/data/e1000.mmt");
/** Large enough for a command to be at work on it for a while. */
const large = join(directory, "large.mmt");
/** The same traces as mmiotrace's text. */
const logOf: Record<string, string> = {
  [trace]: join(project, "test/data/e1000-mmiotrace.txt.gz"),
  [large]: join(directory, "large.txt"),
};
const isRoot = process.getuid?.() === 0;

/** Each command that writes a file, with all parameters but the file's path. */
const commands: [name: string, parameters: (input: string, output: string) => string[]][] = [
  ["cut", (input, output) => ["cut", "--from", "@0", input, "-o", output]],
  ["merge", (input, output) => ["merge", input, input, "-o", output]],
  ["convert to a table", (input, output) => ["convert", "--to", "csv", input, output]],
  ["convert to a trace", (input, output) => ["convert", "--to", "mmt", logOf[input]!, output]],
];

beforeAll(async () => {
  if (!existsSync(join(project, "dist/program/mmiostrider.js"))) throw new Error("run `npm run build` first");
  const writer = await createTrace(large, madeUpHeader());
  await writer.append(madeUpRecords(600_000, 5));
  await writer.close(madeUpSummary);
  expect(shell('"$@"', ["convert", large, logOf[large]!]).status).toBe(0);
});

/** Runs the program through a shell, in which `"$@"` is its call; `$NODE` and `$PROGRAM` call it by hand. */
function shell(script: string, parameters: string[]) {
  const options = { cwd: directory, encoding: "buffer", timeout: 60_000, maxBuffer: 64 << 20 } as const;
  const { stdout, stderr, status } = spawnSync(
    "sh",
    ["-c", script, "sh", process.execPath, program, ...parameters],
    options,
  );
  return { stdout, stderr: stderr.toString(), status };
}

/** Returns true if `bytes` are a whole output of the command: a trace that ends with its summary, or a table. */
function isWhole(bytes: Buffer): boolean {
  const path = join(directory, "looked-at");
  if (bytes.subarray(0, 6).toString() === "trace,") return bytes.at(-1) === 0x0a && bytes.length > 100_000;
  writeFileSync(path, bytes);
  const { status, stderr } = shell('"$@" > /dev/null', ["report", path]);
  rmSync(path);
  return status === 0 && /^(?:mmiostrider: .*: note: .*\n)*$/.test(stderr);
}

describe.each(commands)("%s", (_, parametersFor) => {
  const place = join(directory, "place");
  const output = join(place, "out");
  const run = (script = '"$@"') => shell(script, parametersFor(trace, output));

  beforeEach(() => {
    rmSync(place, { recursive: true, force: true });
    mkdirSync(place);
  });

  test("a new file with the mode of the umask, and nothing beside it", () => {
    for (const [umask, mode] of [
      ["022", 0o644],
      ["077", 0o600],
      ["002", 0o664],
    ] as const) {
      expect(run(`umask ${umask}; "$@"`).status).toBe(0);
      expect(readdirSync(place)).toEqual(["out"]);
      expect(statSync(output).mode & 0o7777).toBe(mode);
      expect(isWhole(readFileSync(output))).toBe(true);
      rmSync(output);
    }
  });

  test("a FIFO stays one, and its reader gets all", () => {
    const { status, stderr } = run('mkfifo place/out; cat place/out > got & "$@"; code=$?; wait; exit $code');
    expect([status, lstatSync(output).isFIFO(), stderr.includes("failed")]).toEqual([0, true, false]);
    expect(isWhole(readFileSync(join(directory, "got")))).toBe(true);
    expect(readdirSync(place)).toEqual(["out"]);
  });

  test("a symbolic link stays one, and the file behind it is replaced whole", () => {
    mkdirSync(join(place, "far"));
    writeFileSync(join(place, "far/target"), "before");
    symlinkSync("far/middle", output);
    symlinkSync("target", join(place, "far/middle"));
    const { ino } = statSync(output);
    expect(run().status).toBe(0);
    expect([readlinkSync(output), readlinkSync(join(place, "far/middle"))]).toEqual(["far/middle", "target"]);
    expect(readdirSync(join(place, "far"))).toEqual(["middle", "target"]);
    expect(statSync(output).ino).not.toBe(ino);
    expect(isWhole(readFileSync(join(place, "far/target")))).toBe(true);
  });

  test("a symbolic link to nothing yet: the file is made where it points", () => {
    mkdirSync(join(place, "far"));
    symlinkSync("far/target", output);
    expect(run().status).toBe(0);
    expect(readlinkSync(output)).toBe("far/target");
    expect(isWhole(readFileSync(join(place, "far/target")))).toBe(true);
  });

  test("a symbolic link to itself is an error", () => {
    symlinkSync("out", output);
    const { status, stderr } = run();
    expect(stderr).toMatch(/^mmiostrider: making \S+out failed: ELOOP.*\n$/);
    expect([status, readlinkSync(output)]).toEqual([1, "out"]);
  });

  // nodes of our own: a mistake must not cost the machine its /dev/null or /dev/stdout
  test.skipIf(!isRoot)("a device like /dev/null stays one", () => {
    const { status } = run('mknod place/out c 1 3 && "$@"');
    expect([status, statSync(output).isCharacterDevice()]).toEqual([0, true]);
    expect(readdirSync(place)).toEqual(["out"]);
  });

  test("a link like /dev/stdout: standard output may be a pipe, or a file that has something in it already", () => {
    symlinkSync("/proc/self/fd/1", output);
    const { status, stdout } = run();
    expect([status, isWhole(stdout), lstatSync(output).isSymbolicLink()]).toEqual([0, true, true]);
    for (const redirection of ['{ echo head; "$@"; } > place/file', 'echo head > place/file; "$@" >> place/file']) {
      const redirected = run(redirection);
      const bytes = readFileSync(join(place, "file"));
      expect([redirected.status, bytes.subarray(0, 5).toString()]).toEqual([0, "head\n"]);
      expect(isWhole(bytes.subarray(5))).toBe(true);
    }
    expect(readdirSync(place)).toEqual(["file", "out"]);
  });

  test("a descriptor that the shell opened", () => {
    const parameters = parametersFor(trace, "/dev/fd/3");
    expect(shell('"$@" 3> place/out', parameters).status).toBe(0);
    expect(isWhole(readFileSync(output))).toBe(true);
    expect(shell('"$@" 3>&1 >&2 | cat > place/out', parameters).status).toBe(0);
    expect(isWhole(readFileSync(output))).toBe(true);
  });

  test("a socket is an error, and stays one", async () => {
    const server = createServer();
    await new Promise<void>((done) => server.listen(output, done));
    try {
      const { status, stderr } = run();
      expect(stderr).toMatch(/^mmiostrider: making \S+out failed: ENXIO.*\n$/);
      expect([status, lstatSync(output).isSocket()]).toEqual([1, true]);
    } finally {
      server.close();
    }
  });

  test("a folder is an error, and a name that can only be one's", () => {
    mkdirSync(output);
    const { status, stderr } = run();
    expect([status, stderr]).toEqual([1, `mmiostrider: ${output} is a folder\n`]);
    const named = shell('"$@"', parametersFor(trace, `${place}/none/`));
    expect([named.status, named.stderr]).toEqual([1, `mmiostrider: ${place}/none/ is a folder\n`]);
    expect(readdirSync(place)).toEqual(["out"]);
  });

  test("a file that is there keeps its mode and its owner", () => {
    writeFileSync(output, "before");
    chmodSync(output, 0o640);
    const owner = isRoot ? 65_534 : process.getuid!();
    if (isRoot) chownSync(output, owner, 65_534);
    expect(run().status).toBe(0);
    const { mode, uid, gid } = statSync(output);
    expect([mode & 0o7777, uid, gid]).toEqual([0o640, owner, isRoot ? 65_534 : process.getgid!()]);
    expect(isWhole(readFileSync(output))).toBe(true);
  });

  test("a name as long as names can be", () => {
    const name = "n".repeat(255);
    expect(shell('"$@"', parametersFor(trace, join(place, name))).status).toBe(0);
    expect(readdirSync(place)).toEqual([name]);
  });

  test("a full disk: one line, and what was there before stays", () => {
    const script =
      'mount -t tmpfs -o size=16k none place; echo before > place/out; "$@" 2> said; echo $?; cat said place/out; ls -A place';
    const mapped = isRoot ? [] : ["--map-root-user"];
    const all = ["--mount", ...mapped, "sh", "-c", script, "sh", process.execPath, program];
    const { stdout } = spawnSync("unshare", [...all, ...parametersFor(large, output)], {
      cwd: directory,
      encoding: "utf8",
    });
    const advice = "make room, or write to another disk";
    const said = `mmiostrider: writing to ${output} failed: the disk is full\n  ${advice}\n`;
    expect(stdout).toBe(`1\n${said}before\nout\n`);
  });

  test.each(["SIGINT", "SIGTERM", "SIGKILL"] as const)("%s: what was there before stays", async (signal) => {
    writeFileSync(output, "before");
    const child = spawn(process.execPath, [program, ...parametersFor(large, output)], { stdio: "ignore" });
    const ended = new Promise<unknown>((done) => child.on("exit", (code, by) => done(by ?? code)));
    while (readdirSync(place).length < 2 && child.exitCode === null) await sleep(1);
    child.kill(signal);
    expect(await ended).toBe(signal);
    expect(readFileSync(output, "utf8")).toBe("before");
    expect(readdirSync(place).length).toBe(signal === "SIGKILL" ? 2 : 1);
  });
});
