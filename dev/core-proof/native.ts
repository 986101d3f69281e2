// Builds the C of core/ as shared libraries for Node. Their callers declare the functions that they call.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { threadId } from "node:worker_threads";
import koffi, { type LibraryHandle } from "koffi";
import { UserError } from "../../src/base/errors.js";
import { cacheDirectory, projectDirectory } from "../../src/base/paths.js";

/** Warnings are errors: the same list everywhere that core/ is built outside the kernel. */
export const warningFlags = ["-Wall", "-Wextra", "-Werror"] as const;

const harnessDirectory = join(projectDirectory, "dev/core-proof/harness");

/** Returns a source's path: `harness/…` lies beside this file, everything else in core/ or a changed copy of it. */
export function sourcePath(core: string, name: string): string {
  return name.startsWith("harness/") ? join(harnessDirectory, name.slice("harness/".length)) : join(core, name);
}

/** Lists the headers that the sources can include: the core's own, and the harness's. */
export function headersBeside(core: string): string[] {
  const headersIn = (directory: string) => readdirSync(directory).filter((name) => name.endsWith(".h"));
  return [...headersIn(core), ...headersIn(harnessDirectory).map((name) => `harness/${name}`)].sort();
}

/** A shared library's ingredients. Every header in `directory` counts as used. */
export interface NativeLibrary {
  name: string;
  /** See sourcePath. */
  sources: string[];
  /** Default: the project's core/. The library of another directory is built there, not in the cache. */
  directory?: string;
  /** Extra compiler flags, after `-O2 -std=gnu11` and the warnings. */
  flags?: string[];
  compiler?: string;
}

/**
 * Compiles a shared library into the cache, unless one from the same sources with the same flags is there.
 *
 * @returns its path. Throws UserError when there is no compiler, or it fails.
 */
function buildNativeLibrary(library: NativeLibrary): string {
  const core = library.directory ?? join(projectDirectory, "core");
  const compiler = library.compiler ?? process.env.CC ?? "gcc";
  const flags = ["-O2", "-std=gnu11", "-fPIC", "-shared", ...warningFlags, ...(library.flags ?? [])];
  const hash = createHash("sha256").update(JSON.stringify([compiler, flags]));
  for (const name of [...library.sources, ...headersBeside(core)]) {
    hash.update(name).update(readFileSync(sourcePath(core, name)));
  }
  const path = join(
    library.directory ?? cacheDirectory("native"),
    `${library.name}-${hash.digest("hex").slice(0, 16)}.so`,
  );
  if (existsSync(path)) return path;

  const unfinished = `${path}.${process.pid}.${threadId}`;
  try {
    execFileSync(
      compiler,
      [...flags, `-I${core}`, "-o", unfinished, ...library.sources.map((name) => sourcePath(core, name))],
      {
        stdio: ["ignore", "pipe", "pipe"],
        encoding: "utf8",
      },
    );
  } catch (error) {
    rmSync(unfinished, { force: true });
    throw compilerError(compiler, library, error);
  }
  renameSync(unfinished, path);
  return path;
}

function compilerError(compiler: string, library: NativeLibrary, error: unknown): UserError {
  if ((error as NodeJS.ErrnoException).code === "ENOENT") {
    return new UserError(`${library.name} could not be compiled: there is no ${compiler}`, {
      advice: "install a C compiler (apt-get install gcc), or name one in CC",
      cause: error,
    });
  }
  const said = (error as { stderr?: string }).stderr?.trim() ?? "";
  return new UserError(`${library.name} could not be compiled: ${compiler} said\n${said}`, { cause: error });
}

/** Builds and loads a library. */
export function loadNativeLibrary(library: NativeLibrary): LibraryHandle {
  return koffi.load(buildNativeLibrary(library));
}
