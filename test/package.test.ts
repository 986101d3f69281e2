// tier: quick
// The package: what is in it, and how the program and the library work where they are installed and there is nothing else of ours.
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { install, nobody, npm, type Packed, pack, runWithoutCheckout } from "../dev/test-support/packed.js";
import { testData } from "../dev/test-support/test-data.js";
import { projectDirectory } from "../src/base/paths.js";

const folder = mkdtempSync(join(tmpdir(), "mmiostrider-package-"));
const home = join(folder, "home");
const trace = join(folder, "e1000.mmt");
const manifest = JSON.parse(readFileSync(join(projectDirectory, "package.json"), "utf8")) as Record<string, unknown>;
let packed: Packed;
let command: string;

beforeAll(() => {
  chmodSync(folder, 0o755);
  packed = pack(folder);
  command = install(packed.tarball, join(folder, "prefix"));
  mkdirSync(home);
  chownSync(home, nobody, nobody);
  cpSync(testData("e1000.mmt"), trace);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function kept(...folders: string[]): string[] {
  const { stdout } = spawnSync("git", ["ls-files", "--", ...folders], { cwd: projectDirectory, encoding: "utf8" });
  return stdout.trimEnd().split("\n");
}

describe("the tarball", () => {
  test("has the program, the library, the core's sources, the registers and the manual, and nothing else", () => {
    const types = packed.files.filter((path) => /^dist\/library\/types\/[\w/-]+\.d\.ts$/.test(path));
    expect(types).toContain("dist/library/types/index.d.ts");
    expect(types).toContain("dist/library/types/browser.d.ts");
    // a process of each engine's own
    const workers = packed.files.filter((path) => /^dist\/program\/[a-z]+-worker\.js$/.test(path));
    expect(workers).toContain("dist/program/emulate-worker.js");
    const wanted = [
      ...["LICENSE", "README.md", "package.json"],
      ...["bin/mmiostrider.js", "bin/package.json"],
      ...["index.js", "browser.js", "LICENSES.txt"].map((name) => `dist/library/${name}`),
      ...["mmiostrider.js", "iced_x86_bg.wasm", "LICENSES.txt"].map((name) => `dist/program/${name}`),
      ...workers,
      ...kept("core", "docs/man", "src/registers/files/built-in"),
      ...types,
    ];
    expect(packed.files).toEqual(wanted.sort());
    expect(wanted.filter((path) => path.startsWith("core/kernel/")).length).toBeGreaterThan(10);
  });

  test("is smaller than 1.45 MB, of which the decoder for instrument makes a quarter", () => {
    expect(packed.size).toBeLessThan(1_450_000);
    expect(packed.size).toBeGreaterThan(100_000);
  });

  test("names its version, and needs no other package", () => {
    expect(packed.tarball).toMatch(new RegExp(`mmiostrider-${manifest.version}\\.tgz$`));
    expect(manifest.private).toBeUndefined();
    expect(manifest.dependencies).toBeUndefined();
    expect(existsSync(join(folder, "prefix/lib/node_modules/mmiostrider/node_modules"))).toBe(false);
  });

  test("has the licenses of the packages in it", () => {
    const licenses = (name: string) =>
      readFileSync(join(folder, "prefix/lib/node_modules/mmiostrider/dist", name), "utf8");
    for (const name of ["commander", "saxes", "hyparquet-writer", "iced-x86"]) {
      expect(licenses("program/LICENSES.txt")).toMatch(new RegExp(`^${name} \\d`, "m"));
    }
    expect(licenses("library/LICENSES.txt")).toMatch(/^saxes \d/m);
  });
});

describe("a user who has no checkout", () => {
  const run = (...words: string[]) => {
    const { status, stdout, stderr } = runWithoutCheckout([command, ...words], { cwd: home, user: nobody });
    return { status, stdout, stderr };
  };

  test("asks for the version", () => {
    expect(run("--version")).toEqual({ status: 0, stdout: `${manifest.version}\n`, stderr: "" });
  });

  test("reads a trace, with its registers' names", () => {
    const report = run("report", "--filter", "register == STATUS", trace);
    expect(report.stderr).toBe("");
    expect(report.stdout).toMatch(/R 4 +0000:00:04\.0 e1000 BAR0\+0x00008 +STATUS +0x80080783 e1000_set_media_type/);
    expect(run("stat", "--json", trace).stdout).toMatch(/"accesses": ?13889/);
  });

  test("converts it to Parquet and back to text", () => {
    expect(run("convert", trace, "out.parquet")).toEqual({ status: 0, stdout: "", stderr: expect.any(String) });
    expect(readFileSync(join(home, "out.parquet")).subarray(0, 4).toString()).toBe("PAR1");
    expect(run("convert", trace, "out.txt").status).toBe(0);
    const lines = readFileSync(join(home, "out.txt"), "utf8").split("\n");
    expect(lines.filter((line) => /^[RW] /.test(line)).length).toBe(13_889);
  });

  test("has the manual", () => {
    expect(readFileSync(join(folder, "prefix/share/man/man1/mmiostrider.1"), "utf8")).toContain("mmiostrider");
  });

  test("can't record, and hears why", () => {
    const { status, stderr } = run("record", "--all", "-o", "no.mmt", "--", "true");
    expect(status).toBe(1);
    expect(stderr).toMatch(/root/);
  });
});

/** A program such as a user writes, without Node's types. */
const program = `import { openTrace, type AccessEvent, statistics } from "mmiostrider";
import { openTrace as openInPage } from "mmiostrider/browser";

const trace = await openTrace(${JSON.stringify(trace)});
const writes: AccessEvent[] = [];
for await (const event of trace.events({ filter: "write and register == CTRL" })) {
  if (event.kind === "write") writes.push(event);
}
const { accesses } = await statistics(trace);
const there = await openInPage(new Blob([new Uint8Array(0)])).catch((error: Error) => error.message);
console.log(accesses, writes[0]?.register, writes[0]?.meaning, there);
// @ts-expect-error events can't be changed
if (writes[0] !== undefined) writes[0].value = 0n;
`;

describe("a fresh project", () => {
  const project = join(folder, "project");
  const compile = () => {
    const tsc = join(projectDirectory, "node_modules/typescript/bin/tsc");
    const { stdout } = spawnSync(process.execPath, [tsc, "-p", project], { encoding: "utf8" });
    return stdout;
  };
  const options = { target: "es2023", module: "nodenext", strict: true, noEmitOnError: true, outDir: "out", types: [] };

  beforeAll(() => {
    mkdirSync(project);
    writeFileSync(join(project, "package.json"), JSON.stringify({ name: "mine", type: "module", private: true }));
    npm(["install", "--offline", packed.tarball], project);
  });

  test("compiles against the types, all of them checked, and runs", () => {
    writeFileSync(join(project, "main.ts"), program);
    const lib = ["es2023", "dom", "dom.iterable", "dom.asynciterable"];
    writeFileSync(
      join(project, "tsconfig.json"),
      JSON.stringify({ compilerOptions: { ...options, lib, skipLibCheck: false, rootDir: "." }, files: ["main.ts"] }),
    );
    expect(compile()).toBe("");
    const { stdout, stderr } = runWithoutCheckout([process.execPath, join(project, "out/main.js")], { user: nobody });
    expect(stderr).toMatch(/TypeError: Cannot assign to read only property 'value'/);
    expect(stdout).toMatch(/^13889 CTRL .*SLU.* memory: at byte 0: the file is empty\n$/);
  });

  test("runs the examples", () => {
    cpSync(join(projectDirectory, "examples"), join(project, "examples"), { recursive: true });
    for (const name of ["@types/node", "undici-types"]) {
      cpSync(join(projectDirectory, "node_modules", name), join(project, "node_modules", name), { recursive: true });
    }
    const compilerOptions = { ...options, types: ["node"], skipLibCheck: true, rootDir: "examples" };
    writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["examples"] }));
    expect(compile()).toBe("");
    const example = [process.execPath, join(project, "out/initialisation-table.js"), trace] as const;
    const { stdout, stderr } = runWithoutCheckout([...example], { user: nobody });
    expect(stderr).toBe("");
    expect(stdout).toMatch(/\| IMS \| 0x9d \| .* \| e1000_open \|\n$/);
  });
});
