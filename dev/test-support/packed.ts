// The package as users get it, for tests: packed, installed into an empty prefix, and run where no checkout can be reached.
import { execFileSync, type SpawnSyncReturns, spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { projectDirectory } from "../../src/base/paths.js";
import "./program.js";

/** Debian's `nobody`: a user without rights. */
export const nobody = 65534;

export interface Packed {
  /** The tarball's path. */
  tarball: string;
  /** In bytes. */
  size: number;
  files: string[];
}

/** Packs what is compiled, into `folder`. */
export function pack(folder: string): Packed {
  const told = npm(["pack", "--ignore-scripts", "--json", "--pack-destination", folder], projectDirectory);
  const [{ filename, size, files }] = JSON.parse(told) as [
    { filename: string; size: number; files: { path: string }[] },
  ];
  return { tarball: join(folder, filename), size, files: files.map(({ path }) => path).sort() };
}

/** Installs the tarball, with no registry to ask, into the prefix `folder`; returns the command's path. */
export function install(tarball: string, folder: string): string {
  mkdirSync(folder, { mode: 0o755 });
  npm(["install", "--global", "--offline", "--prefix", folder, tarball], "/");
  return join(folder, "bin/mmiostrider");
}

/** Runs npm in `cwd`, without what npm tells its scripts of the project that a test is run in; returns what it prints. */
export function npm(words: readonly string[], cwd: string): string {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith("npm_"));
  const options = { cwd, encoding: "utf8", env: Object.fromEntries(kept), maxBuffer: 1 << 26 } as const;
  return execFileSync("npm", ["--no-audit", "--no-fund", ...words], { ...options, stdio: ["ignore", "pipe", "pipe"] });
}

export interface RunOptions {
  cwd?: string;
  /** The user whose rights the command has; root unless given. */
  user?: number;
  environment?: Record<string, string>;
}

/** Runs a command where an empty folder lies over the checkout, with nothing of our environment but the path. */
export function runWithoutCheckout(
  words: readonly [string, ...string[]],
  { cwd = "/", user = 0, environment = {} }: RunOptions = {},
): SpawnSyncReturns<string> {
  const script = `mount -t tmpfs none "$1" && cd "$2" && shift 2 && exec setpriv --reuid=${user} --regid=${user} --clear-groups "$@"`;
  return spawnSync("unshare", ["--mount", "sh", "-c", script, "sh", projectDirectory, cwd, ...words], {
    encoding: "utf8",
    maxBuffer: 1 << 28,
    env: { PATH: process.env.PATH ?? "", HOME: "/nonexistent", ...environment },
  });
}
