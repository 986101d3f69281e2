// Kernels built from Debian's source with options of the lab's own, and kept in the cache: one that checks itself (KASAN, lockdep
// and the like; it prints its findings about the core on the machine's console), and one that has little of what Debian's have.
// kernel-package.ts takes their folders like any other.
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { UserError } from "../base/errors.js";
import { cacheDirectory } from "../base/paths.js";
import { runTool } from "../base/run-tool.js";
import { unpackPackages } from "./debian.js";
import { isRunning } from "./publish.js";
import type { SourceKernel } from "./source-kernel-options.js";

const sourceName = "linux-source-6.1";

const unpack_ms = 15 * 60_000;
const configure_ms = 10 * 60_000;
/** Limit of a build, which on busy CPUs takes far longer than on idle ones. */
const compile_ms = 4 * 3600_000;

/**
 * Returns the folder of the kernel, for `--kernel`; builds it if it isn't in the cache.
 *
 * An interrupted build continues. `say` gets lines about slow steps. Throws UserError if it can't be built, or another
 * process is building it.
 */
export async function prepareSourceKernel(kernel: SourceKernel, say: (line: string) => void): Promise<string> {
  const key = createHash("sha256").update(kernel.options.join("\n")).digest("hex").slice(0, 8);
  const place = join(cacheDirectory(`${kernel.name}-kernels`), `6.1-${key}`);
  if (existsSync(place)) return place;
  const work = `${place}.work`;
  mkdirSync(work, { recursive: true, mode: 0o700 });
  const lock = lockFolder(kernel, work);
  try {
    const source = await unpackSource(work, say);
    await configure(kernel, source);
    await compile(kernel, source, join(work, "build.log"), say);
    await install(source, work, place);
    rmSync(lock);
    renameSync(work, place);
  } finally {
    rmSync(lock, { force: true });
  }
  return place;
}

/** Locks the folder: one build at a time. Returns the lock's file, which names the process; takes over a dead process's lock. */
function lockFolder({ name }: SourceKernel, work: string): string {
  const lock = join(work, "building");
  const holder = existsSync(lock) ? Number(readFileSync(lock, "utf8")) : 0;
  if (holder > 0 && isRunning(holder)) {
    throw new UserError(`the ${name} kernel is being built by process ${holder}`, {
      advice: `wait for it; ${join(work, "build.log")} shows how far it is`,
    });
  }
  writeFileSync(lock, String(process.pid));
  return lock;
}

async function unpackSource(work: string, say: (line: string) => void): Promise<string> {
  const source = join(work, sourceName);
  if (existsSync(source)) return source;
  say(`Downloading Debian's ${sourceName} and unpacking it`);
  const parts = join(work, "unpacking");
  rmSync(parts, { recursive: true, force: true });
  mkdirSync(parts);
  await unpackPackages([sourceName], parts);
  await run("tar", ["-xJf", join(parts, "usr/src", `${sourceName}.tar.xz`), "-C", parts], unpack_ms);
  renameSync(join(parts, sourceName), source);
  rmSync(parts, { recursive: true });
  return source;
}

/** Configures the kernel with only the wanted options. Throws UserError that names an option unknown to this kernel. */
async function configure({ name, options }: SourceKernel, source: string): Promise<void> {
  const asked = join(source, `mms-${name}.config`);
  const text = `${options.join("\n")}\n`;
  const config = join(source, ".config");
  // a new .config would make make check everything anew
  if (existsSync(config) && existsSync(asked) && readFileSync(asked, "utf8") === text) return;
  writeFileSync(asked, text);
  await run("make", ["-C", source, `KCONFIG_ALLCONFIG=${asked}`, "allnoconfig"], configure_ms);
  const got = new Set(readFileSync(config, "utf8").split("\n"));
  const refused = options.filter((line) => !got.has(line));
  if (refused.length === 0) return;
  rmSync(config);
  throw new UserError(`the ${name} kernel can't be configured: Kconfig refuses ${refused.join(", ")}`, {
    advice: "src/lab/source-kernel-options.ts lists what is asked for; these need others, or have another name now",
  });
}

async function compile(
  { name, takes }: SourceKernel,
  source: string,
  log: string,
  say: (line: string) => void,
): Promise<void> {
  say(`Building the ${name} kernel, which takes ${takes} on two quiet CPUs; ${log} shows how far it is`);
  const make = `exec nice -n 15 make -C "$1" -j "$2" bzImage modules > "$3" 2>&1`;
  const result = await runTool("sh", ["-c", make, "sh", source, String(availableParallelism()), log], {
    timeout_ms: compile_ms,
  });
  if (result.code === 0) return;
  const lines = readFileSync(log, "utf8").split("\n");
  const error = lines.find((line) => /\berror\b|No such file|not found/i.test(line)) ?? lines.at(-2);
  throw new UserError(
    `building the ${name} kernel failed: ${result.timedOut ? `not done after ${compile_ms / 3600_000} h` : error}`,
    { advice: result.timedOut ? "the next try goes on where this one was" : `all of it is in ${log}` },
  );
}

/** Installs boot/ and lib/modules/ into `work`, which becomes `place`. */
async function install(source: string, work: string, place: string): Promise<void> {
  const release = readFileSync(join(source, "include/config/kernel.release"), "utf8").trim();
  rmSync(join(work, "lib"), { recursive: true, force: true });
  await run("make", ["-C", source, `INSTALL_MOD_PATH=${work}`, "modules_install"], configure_ms);
  mkdirSync(join(work, "boot"), { recursive: true });
  copyFileSync(join(source, "arch/x86/boot/bzImage"), join(work, "boot", `vmlinuz-${release}`));
  for (const name of ["build", "source"]) {
    rmSync(join(work, "lib/modules", release, name), { force: true });
    symlinkSync(join(place, sourceName), join(work, "lib/modules", release, name));
  }
  // the rest, a tenth, is enough to build modules
  const prune = ["-name", "*.o", "-not", "-path", "*/scripts/*", "-not", "-path", "*/tools/*", "-delete"];
  await run("find", [source, ...prune], configure_ms);
}

async function run(tool: string, parameters: string[], timeout_ms: number): Promise<void> {
  const result = await runTool(tool, parameters, { timeout_ms });
  if (result.code === 0) return;
  const line = result.stderr.trim().split("\n").at(-1);
  throw new UserError(`${tool} ${parameters.at(-1)} failed: ${result.timedOut ? "it took too long" : line}`, {
    advice: "is the disk full? A kernel takes 2 to 4 GB while it is built",
  });
}
