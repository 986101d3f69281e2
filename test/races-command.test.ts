// tier: quick
// races as a command: output, exit codes, and the words for what it can't do. Child processes of the compiled program.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import { programFile } from "../dev/test-support/program.js";
import { racesDirectory, whyNoRaces } from "../dev/test-support/race-traces.js";
import { testData } from "../dev/test-support/test-data.js";

const directory = mkdtempSync(join(tmpdir(), "mmiostrider-races-"));
afterAll(() => rmSync(directory, { recursive: true }));

function races(args: string[], input?: Uint8Array | string) {
  const options = { encoding: "utf8", timeout: 60_000, cwd: directory } as const;
  return spawnSync(process.execPath, [programFile, "races", ...args], { ...options, input: input ?? "" });
}

const racing = "T1|w(x)|1\nT2|acq(m)|5\nT2|w(x)|2\nT2|w(x)|2\nT2|rel(m)|6\nT1|r(y)|3\n";
const orderly = racing.replaceAll("w(x)", "r(x)");

test("prints the pairs, and in the last line what was read; exits with 1", () => {
  const { stdout, stderr, status } = races(["--from", "std", "-"], racing);
  expect([stdout.split("\n"), stderr, status]).toEqual([
    [
      "count  variable  earlier access  later access  first found",
      "    2  x         write at 1      write at 2    event 3 by T2 after T1",
      "2 racy events on 1 variable (hb) in 6 events of 2 threads on 2 variables and 1 lock",
      "",
    ],
    "",
    1,
  ]);
});

test("exits with 0 where there are none", () => {
  const { stdout, status } = races(["--from", "std", "-"], orderly);
  expect([stdout, status]).toEqual(["no races (hb) in 6 events of 2 threads on 2 variables and 1 lock\n", 0]);
});

test("--json and --events tell the same to programs, of a packed file, too", () => {
  writeFileSync(join(directory, "racing.std.gz"), gzipSync(racing));
  const { stdout, status } = races(["--from", "std", "--json", "--events", "racing.std.gz"]);
  expect(status).toBe(1);
  expect(JSON.parse(stdout)).toEqual({
    algorithm: "hb",
    read: { events: 6, threads: 2, variables: 2, locks: 1 },
    racyEvents: 2,
    variables: ["x"],
    eventNumbers: [3, 4],
    races: [
      {
        variable: "x",
        earlier: { operation: "write", location: 1 },
        later: { operation: "write", location: 2 },
        count: 2,
        first: { event: 3, threads: ["T1", "T2"] },
      },
    ],
    unfolded: 0,
    notes: [],
    incomplete: [],
  });
  const text = races(["--from", "std", "--events", "racing.std.gz"]).stdout;
  expect(text).toContain("\nevent 3\nevent 4\n2 racy events");
});

test.skipIf(whyNoRaces() !== undefined)("counts the racy events of a program's trace as RAPID does", () => {
  const known = { hb: 109, shb: 40, syncp: 45, lockset: 289 };
  for (const [algorithm, racyEvents] of Object.entries(known)) {
    const path = join(racesDirectory, "arraylist.std");
    const { stdout, status } = races(["--from", "std", "--algorithm", algorithm, "--json", path]);
    expect([JSON.parse(stdout), status]).toMatchObject([{ algorithm, racyEvents }, 1]);
  }
});

test("locksets name the access without a lock, and no other", () => {
  const { stdout } = races(["--from", "std", "--algorithm", "lockset", "-"], racing);
  expect(stdout.split("\n")).toEqual([
    "count  variable  earlier access  later access  first found",
    "    2  x                         write at 2    event 3 by T2",
    "2 racy events on 1 variable (lockset) in 6 events of 2 threads on 2 variables and 1 lock",
    "",
  ]);
});

test("events that no program makes are told", () => {
  const { stderr, status } = races(["--from", "std", "-"], "T1|fork(2)|1\nT1|rel(m)|2\n");
  expect(stderr).toBe(
    "mmiostrider: standard input: note: 1 forked thread without events: if the trace calls them by other names, these forks order nothing\n" +
      "mmiostrider: standard input: note: 1 release of locks that their threads don't hold: are acquires missing?\n",
  );
  expect(status).toBe(0);
});

describe("says what it can't do", () => {
  test("a trace of mmiostrider's own can't be searched", () => {
    const { stderr, status } = races([testData("e1000.mmt")]);
    expect(stderr).toBe(
      "mmiostrider: races needs --from std: mmiostrider can't record traces with all memory accesses yet\n" +
        "  mmiostrider races --from std FILE reads a trace in RAPID's STD format\n",
    );
    expect(status).toBe(2);
  });

  test("a line that isn't in the format, with file and number", () => {
    writeFileSync(join(directory, "bad.std"), "T1|w(x)|1\nT1|w(x)\n");
    const { stdout, stderr, status } = races(["--from", "std", "bad.std"]);
    expect([stdout, stderr, status]).toEqual([
      "",
      'mmiostrider: bad.std:2: expected three fields with | between them, but there are 2: "T1|w(x)"\n' +
        "  a line of RAPID's STD format is thread|operation(target)|location, for example T1|w(x)|42\n",
      1,
    ]);
  });

  test("a packed file that is cut: no races in a part are not none in all", () => {
    const packed = gzipSync(orderly);
    const { stdout, stderr, status } = races(["--from", "std", "-"], packed.subarray(0, packed.length - 4));
    expect(stdout).toContain("no races (hb)");
    expect(stderr).toContain("note: the packed file is cut");
    expect(status).toBe(3);
  });

  test.each([
    [["--from", "csv", "-"], "Allowed choices are std"],
    [["--from", "std", "--algorithm", "wcp", "-"], "Allowed choices are hb, shb, syncp, lockset"],
    [["--from", "std", "--algorithm", "syncp", "-"], "syncp reads the trace twice: standard input is no file"],
    [["--from", "std", "--algorithm", "syncp", "/dev/null"], "/dev/null is no file"],
    [["--from", "std"], "missing required argument 'file'"],
  ])("%j is wrong usage", (args, words) => {
    const { stderr, status } = races(args);
    expect(stderr).toContain(words);
    expect(status).toBe(2);
  });

  test("a missing file", () => {
    const { stderr, status } = races(["--from", "std", "missing.std"]);
    expect(stderr).toMatch(/^mmiostrider: opening missing\.std failed: /);
    expect(status).toBe(1);
  });
});
