// tier: quick
// report, stat, diff, grep, cut, merge, completion and manual as commands: child processes of the compiled program.
import { type SpawnSyncOptions, spawn, spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { madeUpHeader, madeUpRecords, madeUpSummary } from "../dev/test-support/made-up-records.js";
import { programFile } from "../dev/test-support/program.js";
import { testData } from "../dev/test-support/test-data.js";
import { projectDirectory } from "../src/base/paths.js";
import { detect_bytes } from "../src/trace/import/formats.js";
import { createTrace } from "../src/trace/node/create-trace.js";

const directory = mkdtempSync(join(tmpdir(), "mmiostrider-reading-"));
afterAll(() => rmSync(directory, { recursive: true }));
const trace = testData("e1000.mmt");

const plain = { encoding: "utf8", timeout: 60_000, maxBuffer: 64 << 20, cwd: directory } as const;

function mmiostrider(...parameters: string[]) {
  return spawnSync(process.execPath, [programFile, ...parameters], plain);
}

/** Runs a command as at a terminal: standard output and error are one. */
function atTerminal(command: string, environment: Record<string, string> = {}) {
  const options: SpawnSyncOptions = { ...plain, env: { ...process.env, TERM: "xterm", ...environment } };
  const { stdout, status } = spawnSync("script", ["-qec", command, "/dev/null"], options);
  return { output: String(stdout).replaceAll("\r\n", "\n"), status };
}

const accesses = (text: string) => text.split("\n").filter((line) => / [RW] 4 /.test(line)).length;
// biome-ignore lint/suspicious/noControlCharactersInRegex: a terminal's colours begin with one
const colour = /\x1b\[\d+m/;

test.each([
  "--help",
  "report --help",
  "registers list",
  "completion bash",
  `registers lookup --json 0x8 --registers e1000`,
])("%s: who reads it may have gone", (words) => {
  // a pipe whose reader is gone
  const command = `rm -f pipe; mkfifo pipe; exec 3<>pipe 4>pipe 3<&-; "$0" "$1" ${words} >&4; echo "ended with $?"`;
  const { stdout, stderr } = spawnSync("sh", ["-c", command, process.execPath, programFile], plain);
  expect([stdout, stderr]).toEqual(["ended with 0\n", ""]);
});

describe("a log of another format is read as it is", () => {
  const packed = testData("e1000-mmiotrace.txt.gz");
  const log = join(directory, "e1000-mmiotrace.txt");
  const converted = join(directory, "converted.mmt");

  beforeAll(() => {
    writeFileSync(log, gunzipSync(readFileSync(packed)));
    expect(mmiostrider("convert", log, converted).status).toBe(0);
  });

  test.each([
    ["report"],
    ["report", "--format", "csv", "--filter", "write"],
    ["report", "--fold"],
    ["stat", "--json"],
    ["grep", "CTRL "],
    ["diff", converted],
    ["verify", "--truth", testData("e1000-truth.log.gz")],
  ])("%s %s", (...words) => {
    const { stdout, status } = mmiostrider(...words, converted);
    expect([status, stdout.length > 5]).toEqual([0, true]);
    for (const file of [log, packed]) {
      const { stdout: same, stderr, status: ended } = mmiostrider(...words, file);
      expect([same, stderr, ended]).toEqual([stdout.replaceAll("converted,", "e1000-mmiotrace,"), "", 0]);
    }
  });

  test("through a pipe, by report, which prints what comes, too", () => {
    const unpacked = gunzipSync(readFileSync(packed));
    for (const input of [readFileSync(packed), unpacked]) {
      const run = (...words: string[]) => spawnSync(process.execPath, [programFile, ...words], { ...plain, input });
      expect(run("stat", "-").stdout).toBe(mmiostrider("stat", converted).stdout);
      for (const words of [["report"], ["report", "--fold"], ["report", "--format", "mmiotrace"]]) {
        const { stdout, stderr, status } = run(...words, "-");
        expect([stderr, status]).toEqual(["", 0]);
        expect(stdout === mmiostrider(...words, converted).stdout).toBe(true);
      }
    }
  });

  test("parts of it, and it beside a trace, become a trace", () => {
    const part = join(directory, "part.mmt");
    expect(mmiostrider("cut", "--from", "@100", "--to", "@199", packed, "-o", part).status).toBe(0);
    const { accesses: count } = JSON.parse(mmiostrider("stat", "--json", part).stdout);
    expect(count).toBeGreaterThan(90);
    const merged = join(directory, "merged.mmt");
    const { stderr, status } = mmiostrider("merge", packed, part, "-o", merged);
    expect(stderr).toMatch(/ events of 2 traces/);
    expect(status).toBe(0);
  });

  test("messages about it name the user's file", () => {
    const cut = join(directory, "cut.txt");
    writeFileSync(cut, readFileSync(log).subarray(0, -10));
    const { stderr, status } = mmiostrider("stat", cut);
    expect(stderr).toMatch(/^mmiostrider: \S*cut\.txt: incomplete: the log is cut within its last line, \d+: ".*"\n$/);
    expect(status).toBe(3);
    writeFileSync(cut, `${readFileSync(log).subarray(0, 100_000)}\nR what is this\n`);
    expect(mmiostrider("report", cut).stderr).toMatch(/^mmiostrider: \S*cut\.txt:\d+: /);
  });
});

describe("report", () => {
  test("--filter, --from and --to choose", () => {
    const { stdout, status } = mmiostrider("report", "--filter", "register == CTRL and write", trace);
    expect(status).toBe(0);
    const lines = stdout.split("\n").filter((line) => !line.startsWith("#") && line.includes(" CTRL "));
    const all = mmiostrider("report", trace).stdout.split("\n");
    expect(lines).toEqual(all.filter((line) => / W 4 .* CTRL {2}/.test(line)));
    expect(lines.length).toBeGreaterThan(3);
    const part = mmiostrider("report", "--from", "1", "--to", "1200ms", trace).stdout.split("\n");
    const times = (rows: string[]) => rows.filter((line) => /^ *\d+\.\d{9} /.test(line));
    const within = (line: string) => Number(line.trim().split(" ")[0]) >= 1 && Number(line.trim().split(" ")[0]) <= 1.2;
    expect(times(part)).toEqual(times(all).filter(within));
    expect(times(part).length).toBeGreaterThan(100);
  });

  test("a filter that can't be read is shown at its column, with exit code 2", () => {
    const { stdout, stderr, status } = mmiostrider("report", "--filter", "cpu == 1 and regster == A", trace);
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toBe(
      'mmiostrider: the filter can\'t be read at column 14: there is no field "regster"; did you mean register?\n' +
        `  cpu == 1 and regster == A\n${" ".repeat(15)}^\n`,
    );
    expect(mmiostrider("report", "--from", "soon", trace).status).toBe(2);
    expect(mmiostrider("report", "--fold", "--format", "mmiotrace", trace).status).toBe(2);
  });

  test("colours where they are wanted, and only there", () => {
    const painted = mmiostrider("report", "--color", "always", trace).stdout;
    const bare = mmiostrider("report", trace).stdout;
    expect(bare).not.toMatch(colour);
    expect(painted).toMatch(colour);
    expect(painted.replaceAll(new RegExp(colour, "g"), "")).toBe(bare);
    const command = `${process.execPath} ${programFile} report --no-pager ${trace}`;
    expect(atTerminal(command).output).toMatch(colour);
    expect(atTerminal(command, { NO_COLOR: "1" }).output).not.toMatch(colour);
  });

  test("at a terminal it comes through the pager", () => {
    const command = `${process.execPath} ${programFile} report ${trace}`;
    const { output, status } = atTerminal(command, { PAGER: "sed -e s/^/paged:/" });
    expect(status).toBe(0);
    const lines = output.trimEnd().split("\n");
    expect(lines.length).toBeGreaterThan(13_000);
    expect(lines.filter((line) => !line.startsWith("paged:"))).toEqual([]);
    expect(atTerminal(command, { PAGER: "head -n 3" })).toMatchObject({ status: 0 });
    expect(mmiostrider("report", trace).stdout).not.toContain("paged:");
  });

  test("--follow prints what a recorder writes, until its end", async () => {
    const path = join(directory, "growing.mmt");
    const records = madeUpRecords(3_000, 23);
    const writer = await createTrace(path, madeUpHeader());
    const child = spawn(process.execPath, [programFile, "report", "--follow", path], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    child.stdout.on("data", (bytes) => {
      output += bytes;
    });
    const ended = new Promise((resolve) => child.once("close", resolve));
    const has = async (lines: number) => {
      for (let wait = 0; wait < 300 && output.split("\n").length < lines; wait += 1) {
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      expect(output.split("\n").length).toBeGreaterThanOrEqual(lines);
    };
    await has(3);
    for (let part = 0; part < 3; part += 1) {
      await writer.append(records.subarray(64_000 * part, 64_000 * (part + 1)));
      await writer.flush();
      await has(700 * (part + 1));
    }
    await writer.close(madeUpSummary);
    expect(await ended).toBe(0);
    expect(output).toBe(mmiostrider("report", path).stdout);
  });

  describe("report of a pipe", () => {
    const bytes = readFileSync(trace);
    const half = bytes.length >> 1;

    const piped = () => {
      const child = spawn(process.execPath, [programFile, "report", "-"], { stdio: "pipe" });
      const said = { output: "", errors: "" };
      child.stdout.on("data", (chunk) => {
        said.output += chunk;
      });
      child.stderr.on("data", (chunk) => {
        said.errors += chunk;
      });
      child.stdin.on("error", () => {});
      const ended = new Promise((resolve) => child.once("close", (code, signal) => resolve(code ?? signal)));
      const printed = async (lines: number) => {
        for (let wait = 0; wait < 300 && said.output.split("\n").length < lines; wait += 1) {
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
        expect(said.output.split("\n").length).toBeGreaterThanOrEqual(lines);
      };
      return { child, said, ended, printed };
    };

    test("it is printed as it comes, and Ctrl-C is for whoever writes it", async () => {
      const { child, said, ended, printed } = piped();
      child.stdin.write(bytes.subarray(0, 10));
      await new Promise((resolve) => setTimeout(resolve, 300));
      child.stdin.write(bytes.subarray(10, half));
      await printed(2_000);
      child.kill("SIGINT");
      await new Promise((resolve) => setTimeout(resolve, 300));
      child.stdin.end(bytes.subarray(half));
      expect(await ended).toBe(0);
      expect(said.output).toBe(mmiostrider("report", trace).stdout);
    });

    test("a second Ctrl-C ends it", async () => {
      const { child, ended, printed } = piped();
      child.stdin.write(bytes.subarray(0, half));
      await printed(2_000);
      child.kill("SIGINT");
      await new Promise((resolve) => setTimeout(resolve, 300));
      child.kill("SIGINT");
      expect(await ended).toBe("SIGINT");
    });

    test("a cut one is reported like a cut file", async () => {
      const { child, said, ended } = piped();
      child.stdin.end(bytes.subarray(0, half));
      expect(await ended).toBe(3);
      expect(said.output.split("\n").length).toBeGreaterThan(2_000);
      expect(said.errors).toMatch(/^mmiostrider: standard input: incomplete: the trace is cut at byte \d+: /);
    });

    test("its reader may leave, and a pipe without a trace or a log is reported, though it stays open", async () => {
      const gone = piped();
      gone.child.stdin.write(bytes.subarray(0, half));
      await gone.printed(3);
      gone.child.stdout.destroy();
      gone.child.stdin.write(bytes.subarray(half, -1_000));
      expect(await gone.ended).toBe(0);
      const wrong = piped();
      wrong.child.stdin.write("no trace at all, but longer than its first bytes\n".repeat(detect_bytes / 40));
      expect(await wrong.ended).toBe(1);
      expect(wrong.said.errors).toMatch(/^mmiostrider: standard input: .*this is no trace of mmiostrider's, /);
    });
  });

  test("--format jsonl and csv have a row an event, and say the same", () => {
    const rows = mmiostrider("report", "--format", "jsonl", trace)
      .stdout.trimEnd()
      .split("\n")
      .map((row) => JSON.parse(row));
    const text = mmiostrider("report", trace).stdout.split("\n").slice(2, -2);
    expect(rows.length).toBe(text.length);
    rows.forEach((row, index) => {
      expect(text[index]).toContain(`${row.time_s.toFixed(9)} ${String(row.cpu).padStart(3)} `);
      if (row.op === "read" || row.op === "write") {
        const value = row.value.slice(2).padStart(2 * row.width_bytes, "0");
        const place = `${row.device} ${row.driver} BAR${row.bar}+0x${row.offset.toString(16).padStart(5, "0")}`;
        for (const part of [place, `0x${value}`, row.site, row.register ?? "", row.meaning ?? ""])
          expect(text[index]).toContain(part);
      }
    });
    // Python's own reader judges the CSV.
    const csv = mmiostrider("report", "--format", "csv", trace).stdout;
    const script = "import csv, json, sys; json.dump(list(csv.DictReader(sys.stdin)), sys.stdout)";
    const read = JSON.parse(spawnSync("python3", ["-c", script], { ...plain, input: csv }).stdout);
    const asText = (row: object) =>
      Object.fromEntries(Object.entries(row).map(([name, value]) => [name, String(value)]));
    const filled = (row: object) => Object.fromEntries(Object.entries(row).filter(([, value]) => value !== ""));
    expect(read.map(filled)).toEqual(rows.map(asText));
  });

  test("--registers names another database's registers", () => {
    const database = join(directory, "mine.xml");
    writeFileSync(
      database,
      `<?xml version="1.0"?><database><domain name="MINE"><reg32 offset="8" name="MY_STATUS"><bitfield pos="1" name="MY_LINK"/></reg32></domain></database>`,
    );
    const { stdout } = mmiostrider("report", "--registers", database, "--filter", "offset == 8", trace);
    expect(stdout).toContain(" MY_STATUS ");
    expect(stdout).toContain("MY_LINK");
    expect(stdout).not.toContain(" STATUS ");
    const named = mmiostrider("report", "--registers", `e1000=${database}`, "--filter", "offset == 8", trace).stdout;
    expect(named).toBe(stdout);
  });
});

describe("stat", () => {
  test("prints tables, or JSON", () => {
    const { stdout, status } = mmiostrider("stat", "--top", "2", trace);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^13,889 accesses in .* s: 7,352 reads \(28.7 KiB\), 6,537 writes \(25.5 KiB\)\n/);
    expect(stdout).toContain("… and 382 more (--top 0 shows all)");
    const json = JSON.parse(mmiostrider("stat", "--json", "--filter", "cpu == 1", trace).stdout);
    expect(json.cpus.map(({ cpu }: { cpu: number }) => cpu)).toEqual([1]);
    expect(json.accesses).toBe(accesses(mmiostrider("report", "--filter", "cpu == 1", trace).stdout));
    expect(mmiostrider("stat", "--by", "moon", trace).status).toBe(2);
  });

  test("a cut trace is counted as far as it goes, with exit code 3", () => {
    const cut = join(directory, "cut-short.mmt");
    copyFileSync(trace, cut);
    truncateSync(cut, readFileSync(cut).length >> 1);
    const { status, stderr } = mmiostrider("stat", cut);
    expect([status, stderr]).toEqual([3, expect.stringContaining("incomplete: the trace is cut")]);
  });
});

describe("diff", () => {
  test("exits with 0 for the same, 1 for different", () => {
    const same = mmiostrider("diff", trace, trace);
    expect([same.status, same.stdout.trimEnd().split("\n").at(-1)]).toEqual([0, "the same"]);
    const part = join(directory, "part.mmt");
    expect(mmiostrider("cut", "--to", "@9000", trace, "-o", part).status).toBe(0);
    const different = mmiostrider("diff", trace, part);
    expect([different.status, different.stdout.trimEnd().split("\n").at(-1)]).toEqual([1, "DIFFERENT"]);
    const json = JSON.parse(mmiostrider("diff", "--json", trace, part).stdout);
    expect(json.same).toBe(false);
    expect(json.devices).toMatchObject([{ device: "0000:00:04.0", written: 0, read: 0, extra: 0 }]);
    expect(json.differences.length).toBe(json.devices[0].missing);
    expect(mmiostrider("diff", "--mask", "A=B", trace, part).status).toBe(2);
  });
});

describe("grep", () => {
  const lines = () => mmiostrider("report", trace).stdout.split("\n").slice(2, -2);

  test("finds what grep finds in the report", () => {
    const wanted = lines().filter((line) => line.includes("watchdog"));
    expect(wanted.length).toBeGreaterThan(0);
    const { stdout, status } = mmiostrider("grep", "watchdog", trace);
    expect([status, stdout]).toEqual([0, `${wanted.join("\n")}\n`]);
    expect(mmiostrider("grep", "-c", "WATCHDOG", trace).stdout).toBe("0\n");
    expect(mmiostrider("grep", "-ci", "WATCHDOG", trace).stdout).toBe(`${wanted.length}\n`);
    expect(mmiostrider("grep", "-cv", "watchdog", trace).stdout).toBe(`${lines().length - wanted.length}\n`);
    expect(mmiostrider("grep", "-l", "watchdog", trace, trace).stdout).toBe(`${trace}\n${trace}\n`);
    expect(mmiostrider("grep", "no such thing", trace).status).toBe(1);
    expect(mmiostrider("grep", "(", trace).status).toBe(2);
  });

  test("--json gives what report's JSON Lines have of the same events", () => {
    const rows = mmiostrider("report", "--format", "jsonl", trace).stdout.split("\n");
    const text = mmiostrider("report", trace).stdout.split("\n").slice(2, -2);
    const wanted = rows.filter((_, index) => text[index]?.includes("watchdog"));
    expect(wanted.length).toBeGreaterThan(0);
    expect(mmiostrider("grep", "--json", "watchdog", trace).stdout).toBe(`${wanted.join("\n")}\n`);
    expect(mmiostrider("grep", "--json", "-c", "watchdog", trace).status).toBe(2);
  });

  test("context is grep's, too", () => {
    const text = `${lines().join("\n")}\n`;
    const grep = spawnSync("grep", ["-A", "2", "-B", "3", "watchdog"], { ...plain, input: text });
    expect(mmiostrider("grep", "-A", "2", "-B", "3", "watchdog", trace).stdout).toBe(grep.stdout);
  });
});

describe("cut and merge", () => {
  test("apart and together again", () => {
    const paths = ["one", "two", "three"].map((name) => join(directory, `${name}.mmt`));
    const [one, two, whole] = paths as [string, string, string];
    expect(mmiostrider("cut", "--to", "@5000", trace, "-o", one).stderr).toBe("4,951 events\n");
    expect(mmiostrider("cut", "--from", "@5001", trace, "-o", two).status).toBe(0);
    expect(mmiostrider("merge", two, one, "-o", whole).status).toBe(0);
    const told = (path: string) => mmiostrider("report", path).stdout;
    expect(told(whole)).toBe(told(trace).replace(/, complete\n$/, ", a part of a trace\n"));
    const piped = spawnSync(
      "sh",
      ["-c", `"$0" "$1" cut --to @5000 "$2" -o - | "$0" "$1" report -`, process.execPath, programFile, trace],
      plain,
    );
    expect(piped.stdout).toBe(told(one));
    expect(mmiostrider("cut", "--filter", "write", trace, "-o", two).status).toBe(0);
    expect(mmiostrider("report", two)).toMatchObject({
      status: 3,
      stderr: expect.stringContaining("only what fits the filter write"),
    });
  });

  test("--json says what was made", () => {
    const [part, all] = [join(directory, "part-told.mmt"), join(directory, "all-told.mmt")];
    const cut = mmiostrider("cut", "--json", "--to", "@5000", trace, "-o", part);
    expect([cut.stderr, cut.status]).toEqual(["", 0]);
    const bytes = readFileSync(part).length;
    expect(JSON.parse(cut.stdout)).toEqual({
      ...{ output: part, events: 4_951, bytes, inputs: [trace], incomplete: [] },
      part: `only a part of ${trace} was kept: to event 5000`,
    });
    const merged = JSON.parse(mmiostrider("merge", "--json", trace, part, "-o", all).stdout);
    const rows = (path: string) => mmiostrider("report", "--format", "jsonl", path).stdout.split("\n").length - 1;
    expect(merged).toMatchObject({ output: all, events: rows(all), inputs: [trace, part] });
    expect(mmiostrider("cut", "--json", "--to", "@5000", trace, "-o", "-")).toMatchObject({ status: 2, stdout: "" });
    expect(mmiostrider("merge", "--json", trace, part, "-o", "-")).toMatchObject({ status: 2, stdout: "" });
  });

  test("a failure leaves nothing behind, and an older file unchanged", () => {
    const folder = mkdtempSync(join(directory, "failing-"));
    const older = join(folder, "older.mmt");
    writeFileSync(older, "kept");
    const damaged = join(directory, "damaged.mmt");
    const bytes = readFileSync(trace);
    bytes.fill(0xff, 100, 120);
    writeFileSync(damaged, bytes);
    const { status, stderr } = mmiostrider("cut", "--from", "@1", damaged, "-o", older);
    expect([status, stderr]).toEqual([1, expect.stringContaining("doesn't fit its checksum")]);
    expect(mmiostrider("merge", trace, join(directory, "nothing"), "-o", older).status).toBe(1);
    expect(mmiostrider("merge", trace, "-o", older).status).toBe(2);
    expect(mmiostrider("cut", trace, "-o", older).status).toBe(2);
    expect(readdirSync(folder)).toEqual(["older.mmt"]);
    expect(readFileSync(older, "utf8")).toBe("kept");
  });
});

describe("texts generated from the commands", () => {
  test("the manual page is current, and has every command", () => {
    const page = mmiostrider("manual").stdout;
    expect(readFileSync(join(projectDirectory, "docs/man/mmiostrider.1"), "utf8"), "run `npm run generate`").toBe(page);
    for (const command of ["record", "report", "stat", "diff", "registers lookup"]) {
      expect(page).toContain(`mmiostrider ${command} `);
    }
  });

  test("every command's --help has an example", () => {
    const commands = [...mmiostrider("manual").stdout.matchAll(/^\.SS mmiostrider ([a-z ]+?)(?: [^a-z].*)?$/gm)].map(
      (found) => found[1]!,
    );
    expect(commands.length).toBeGreaterThan(15);
    for (const command of commands.filter((name) => name !== "registers")) {
      expect(mmiostrider(...command.split(" "), "--help").stdout, command).toMatch(/Examples?:\n {2}mmiostrider /);
    }
  });

  test("bash completes commands, options and choices", () => {
    const complete = (...words: string[]) => {
      const list = words.map((word) => `'${word}'`).join(" ");
      const script = `source <("$0" "$1" completion bash); COMP_WORDS=(mmiostrider ${list}); COMP_CWORD=${words.length}; _mmiostrider; printf '%s\\n' "\${COMPREPLY[@]}"`;
      const { stdout, stderr } = spawnSync("bash", ["-c", script, process.execPath, programFile], plain);
      expect(stderr).toBe("");
      return stdout.trimEnd().split("\n").sort();
    };
    expect(complete("re")).toEqual(["record", "registers", "report"]);
    expect(complete("registers", "l")).toEqual(["list", "lookup"]);
    expect(complete("report", "--f")).toEqual(["--filter", "--fold", "--follow", "--format", "--from"]);
    expect(complete("report", "--color", "a")).toEqual(["always", "auto"]);
    writeFileSync(join(directory, "some-trace.mmt"), "");
    expect(complete("stat", "--json", "some-t")).toEqual(["some-trace.mmt"]);
  });

  test("completions for zsh and fish name every command and option that bash's does", () => {
    const words = new Set(mmiostrider("completion", "bash").stdout.match(/--[a-z][a-z-]+/g));
    const zsh = mmiostrider("completion", "zsh").stdout;
    const fish = mmiostrider("completion", "fish").stdout;
    expect(words.size).toBeGreaterThan(40);
    for (const word of words) {
      expect(zsh).toContain(`${word}[`);
      expect(fish).toContain(`-l ${word.slice(2)} `);
    }
    expect(mmiostrider("completion", "cmd").status).toBe(2);
  });
});
