// tier: all
// The package in a Debian that has nothing but Debian's least, and Node: installed, and used.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { pack } from "../dev/test-support/packed.js";
import { testData } from "../dev/test-support/test-data.js";
import { findTool } from "../src/base/run-tool.js";

const folder = mkdtempSync(join(tmpdir(), "mmiostrider-root-"));
const root = join(folder, "root");
let tarball: string;

beforeAll(() => {
  for (const tool of ["debootstrap", "npm"]) {
    if (findTool(tool) === undefined)
      throw new Error(`${tool} isn't installed: run \`mmiostrider install --tests\` first`);
  }
  const made = spawnSync("debootstrap", ["--variant=minbase", "bookworm", root, debianMirror()], { encoding: "utf8" });
  if (made.status !== 0)
    throw new Error(`debootstrap failed: ${made.stdout.split("\n").slice(-5).join("\n")}${made.stderr}`);
  copyNode();
  tarball = pack(folder).tarball;
  cpSync(tarball, join(root, "root", basename(tarball)));
  cpSync(testData("e1000.mmt"), join(root, "root/e1000.mmt"));
});
// /proc is mounted in the commands' own namespace only: nothing is left to unmount
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** This machine's source of Debian. */
function debianMirror(): string {
  const sources = ["/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"].filter((path) =>
    existsSync(path),
  );
  const text = sources.map((path) => readFileSync(path, "utf8")).join("\n");
  return /https?:\/\/\S+\/debian\/?(?=\s)/.exec(`${text}\n`)?.[0] ?? "http://deb.debian.org/debian";
}

/** Node, npm, and the libraries that a least Debian lacks. */
function copyNode(): void {
  const copy = (path: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    if (!existsSync(join(root, path))) cpSync(path, join(root, path), { recursive: true, dereference: true });
  };
  const { stdout } = spawnSync("ldd", [process.execPath], { encoding: "utf8" });
  for (const [, library] of stdout.matchAll(/(\/\S+) \(0x/g)) copy(library!);
  cpSync(process.execPath, join(root, "usr/bin/node"));
  // …/lib/node_modules/npm, from …/lib/node_modules/npm/bin/npm-cli.js
  const npm = dirname(dirname(realpathSync(findTool("npm")!)));
  cpSync(npm, join(root, "opt/npm"), { recursive: true });
}

function inRoot(...words: string[]) {
  const script = `mount -t proc proc "$1/proc" && cd "$1/root" && root="$1" && shift && exec chroot "$root" "$@"`;
  return spawnSync("unshare", ["--mount", "sh", "-c", script, "sh", root, ...words], {
    encoding: "utf8",
    maxBuffer: 1 << 28,
    env: { PATH: "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", HOME: "/root" },
  });
}

test("is installed there and asked for its version", () => {
  const words = ["install", "--global", "--offline", "--prefix", "/usr/local", `/root/${basename(tarball)}`];
  const installed = inRoot("node", "/opt/npm/bin/npm-cli.js", "--no-audit", "--no-fund", ...words);
  expect(`${installed.stdout}${installed.stderr}`).toMatch(/added 1 package/);
  expect(inRoot("mmiostrider", "--version").stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});

test("reports and counts a trace there", () => {
  const report = inRoot("mmiostrider", "report", "/root/e1000.mmt");
  expect(report.stderr).toBe("");
  expect(report.stdout).toMatch(/ STATUS +0x80080783 e1000_set_media_type\+0x60 \[e1000\] +\{ FD \| LU/);
  expect(report.stdout.trimEnd().split("\n").at(-1)).toBe("# 13,889 accesses, 0 lost, 0 escaped, 1 mapping, complete");
  expect(inRoot("mmiostrider", "stat", "/root/e1000.mmt").stdout).toMatch(/^13,889 accesses in /);
});

test("tells there what is missing for recording", () => {
  const { stdout, stderr } = inRoot("mmiostrider", "doctor");
  expect(`${stdout}${stderr}`).toMatch(/gcc|headers|kernel/);
});
