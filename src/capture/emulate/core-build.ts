// Builds the core (core/kernel's module) for a kernel and keeps it in the cache. core-load.ts loads it.
import { createHash, randomBytes } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { UserError } from "../../base/errors.js";
import { cacheDirectory, projectDirectory } from "../../base/paths.js";
import { type OtherRoot, runToolIn } from "../../base/run-in-root.js";
import { findTool, requireTrustedTool } from "../../base/run-tool.js";
import { programOwner, requireTrusted, requireTrustedTree } from "../../base/trusted-path.js";
import { readModuleFile } from "../../machine/module-file.js";

/** The file that Kbuild makes. */
const moduleFileName = "mmiostrider.ko";
/** The checksums of the symbols that it exports. */
const symbolVersionsFileName = "Module.symvers";
/** Limit of a build, which takes half a minute on a slow machine. */
const buildTimeout_ms = 300_000;

export interface CoreBuildOptions {
  /** The output of `uname -r`. */
  release: string;
  /** The kernel's build folder; default: /lib/modules/RELEASE/build. */
  headersDirectory?: string | undefined;
  /** Makes or finds the root file system whose compiler builds it, on a need; default: this machine's root. */
  buildRoot?: (() => Promise<OtherRoot>) | undefined;
  /** Called once, if something really must be compiled. */
  onBuild?: (headersDirectory: string) => void;
}

export interface BuiltCore {
  /** The module's file, in the cache. */
  path: string;
  /** False if the cache already had it. */
  built: boolean;
}

/**
 * Returns the core for a kernel: from the cache if these sources were built for this kernel before, else built now.
 *
 * Without the kernel's headers (in a lab machine whose core was built outside), it uses a cached core of the same sources
 * for the same release. Any number of builds may run at once; an interrupted one does no harm.
 * Throws UserError with the name of the missing package, or with the compiler's first error and the log's path.
 */
export async function buildCore(options: CoreBuildOptions): Promise<BuiltCore> {
  const { release } = options;
  if (!/^[A-Za-z0-9.+_~-]+$/.test(release) || release.startsWith(".")) {
    throw new UserError(`"${release}" isn't a kernel release`);
  }
  const sources = coreSources();
  const sourceHash = hashOfSources(sources);
  const headers = options.headersDirectory ?? `/lib/modules/${release}/build`;
  const cache = cacheDirectory("core", release);

  if (!existsSync(join(headers, "Makefile"))) {
    const cached = options.headersDirectory === undefined ? cachedFor(cache, sourceHash, release) : undefined;
    if (cached !== undefined) return { path: cached, built: false };
    throw missingHeaders(release, headers);
  }
  const place = join(cache, `${sourceHash}-${hashOfKernel(headers)}`);
  const path = join(place, moduleFileName);
  if (existsSync(path)) return { path, built: false };

  const root = await options.buildRoot?.();
  if (root === undefined) checkTools(headers);
  requireTrustedInputs(sources, headers);
  options.onBuild?.(headers);
  removeAbandoned(cache);
  const work = join(cache, `.build-${process.pid}-${randomBytes(4).toString("hex")}`);
  try {
    await compile(sources, { headers, root, work, release, failedLog: join(cache, "failed-build.log") });
    publish(join(work, "result"), place);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return { path, built: true };
}

/**
 * Returns the checksum of a symbol that a built core exports; undefined where the kernel has no such versions. Throws UserError if
 * it exports none of that name.
 */
export function exportedVersion(core: string, symbol: string): number | undefined {
  const lines = readFileSync(join(dirname(core), symbolVersionsFileName), "utf8").split("\n");
  const found = lines.find((line) => line.split("\t")[1] === symbol);
  if (found === undefined) throw new UserError(`the core ${core} was built without ${symbol}`);
  return Number(found.split("\t")[0]) || undefined;
}

/** Lists the core's source files, as paths relative to core/, sorted: those in core/ itself and in its folder kernel/. */
function coreSources(): string[] {
  const core = join(projectDirectory, "core");
  const in_ = (folder: string) =>
    readdirSync(join(core, folder), { withFileTypes: true })
      .filter((entry) => entry.isFile() && /^(?:Kbuild|Makefile|[\w.-]+\.[chS])$/.test(entry.name))
      .filter((entry) => !entry.name.endsWith(".mod.c"))
      .map((entry) => join(folder, entry.name));
  const sources = existsSync(join(core, "kernel", "Kbuild")) ? [...in_(""), ...in_("kernel")].sort() : [];
  if (sources.length === 0) throw new UserError(`the core's sources are missing: no Kbuild in ${join(core, "kernel")}`);
  return sources;
}

function hashOfSources(sources: readonly string[]): string {
  const hash = createHash("sha256");
  for (const source of sources) {
    const content = readFileSync(join(projectDirectory, "core", source));
    hash.update(`${source}\0${content.length}\0`).update(content);
  }
  return hash.digest("hex").slice(0, 16);
}

/** Hashes the facts that distinguish two builds of one release: configuration, compiler, exported symbols' checksums. */
function hashOfKernel(headers: string): string {
  const hash = createHash("sha256");
  const told = [
    "include/config/auto.conf",
    "include/generated/utsrelease.h",
    "include/generated/compile.h",
    "Module.symvers",
    ".kernelvariables",
  ];
  for (const file of told) {
    const path = join(headers, file);
    hash.update(`${file}\0`);
    if (existsSync(path)) hash.update(readFileSync(path));
  }
  return hash.digest("hex").slice(0, 16);
}

/** Finds the cached core of these sources for a release; undefined if it must be built. */
export function cachedCore(release: string): string | undefined {
  return cachedFor(cacheDirectory("core", release), hashOfSources(coreSources()), release);
}

/** Finds the newest cached core of these sources, for use without the kernel's headers. */
function cachedFor(cache: string, sourceHash: string, release: string): string | undefined {
  return readdirSync(cache)
    .filter((name) => name.startsWith(`${sourceHash}-`))
    .map((name) => join(cache, name, moduleFileName))
    .filter((path) => existsSync(path) && readModuleFile(path).release === release)
    .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)[0];
}

function missingHeaders(release: string, headers: string): UserError {
  return new UserError(`building the core failed: no headers for kernel ${release} (${headers} isn't there)`, {
    advice: `on Debian: apt-get install linux-headers-${release}; elsewhere install your kernel's development package`,
  });
}

/** Reads the kernel's compiler from its configuration: `gcc-12 (Debian 12.2.0-14) 12.2.0`, or "" if unknown. */
export function kernelCompiler(headers: string): string {
  const configuration = join(headers, "include/config/auto.conf");
  if (!existsSync(configuration)) return "";
  return /^CONFIG_CC_VERSION_TEXT="?(.*?)"?$/m.exec(readFileSync(configuration, "utf8"))?.[1] ?? "";
}

/** Returns the compiler's command for a kernel's headers: Debian's name a version (`gcc-12`); for others it is `gcc`. */
export function compilerCommand(headers: string): string {
  const variables = join(headers, ".kernelvariables");
  const named = existsSync(variables) ? /^CC\s*=.*?\b(gcc(?:-\d+)?)\s*$/m.exec(readFileSync(variables, "utf8")) : null;
  if (named?.[1] !== undefined) return named[1];
  return /\bclang\b/.test(kernelCompiler(headers)) ? "clang" : "gcc";
}

/** Checks that all inputs and tools of a build belong to root or us. Throws UserError. */
function requireTrustedInputs(sources: readonly string[], headers: string): void {
  const owners = [programOwner()];
  for (const source of sources) {
    const path = join(projectDirectory, "core", source);
    requireTrusted(path, `building the core from ${path}`, { owners });
  }
  const doing = `building the core with the kernel's headers in ${headers}`;
  requireTrustedTree(headers, doing);
  for (const other of includedHeaders(headers)) requireTrustedTree(other, doing);
}

/** Returns the headers that Debian's headers of one flavour include, shared by all: `include /usr/src/…-common/Makefile`. */
function includedHeaders(headers: string): string[] {
  const makefile = readFileSync(join(headers, "Makefile"), "utf8");
  return [...makefile.matchAll(/^include (\/\S+)\/Makefile$/gm)].map((match) => match[1]!).filter(existsSync);
}

function checkTools(headers: string): void {
  const compiler = compilerCommand(headers);
  for (const tool of ["make", compiler]) {
    const path = findTool(tool);
    if (path !== undefined) {
      requireTrustedTool(path);
      continue;
    }
    const why = tool === "make" ? "" : `, the compiler that the kernel was built with (${kernelCompiler(headers)})`;
    throw new UserError(`building the core failed: ${tool} isn't installed${why}`, {
      advice: `on Debian: apt-get install ${tool}`,
    });
  }
}

interface Compilation {
  headers: string;
  root: OtherRoot | undefined;
  work: string;
  release: string;
  failedLog: string;
}

/** Compiles in `work`; afterwards `work/result` holds the module and the log. Throws with the compiler's first errors. */
async function compile(sources: readonly string[], { headers, root, work, release, failedLog }: Compilation) {
  mkdirSync(join(work, "core", "kernel"), { recursive: true, mode: 0o700 });
  mkdirSync(join(work, "result"), { mode: 0o700 });
  for (const source of sources) copyFileSync(join(projectDirectory, "core", source), join(work, "core", source));

  const module = join(realpathSync(work), "core", "kernel");
  // Paths in the debugging information are replaced, so that the same sources give the same build id anywhere.
  // The module gets no type information (BTF): nothing needs it, and pahole, which makes it, may be missing.
  const parameters = ["-C", headers, `M=${module}`, "CONFIG_DEBUG_INFO_BTF_MODULES="];
  parameters.push(`KCFLAGS=-ffile-prefix-map=${realpathSync(work)}=/mmiostrider`);
  if (compilerCommand(headers) === "clang") parameters.push("LLVM=1");
  const here = root === undefined ? undefined : { ...root, folders: [...root.folders, realpathSync(work)] };
  const result = await runToolIn(here, "make", [...parameters, "modules"], { timeout_ms: buildTimeout_ms });
  const log = `make ${parameters.join(" ")} modules\n${result.stdout}${result.stderr}`;
  const made = join(module, moduleFileName);
  if (result.code !== 0 || !existsSync(made)) {
    writeFileSync(failedLog, log, { mode: 0o600 });
    const what = result.timedOut
      ? `not done after ${buildTimeout_ms / 1000} s`
      : firstError(result.stderr, `${module}/`);
    throw new UserError(`building the core for kernel ${release} failed: ${what}`, {
      advice: `all that make and the compiler said is in ${failedLog}`,
    });
  }
  checkModule(made, release);
  copyFileSync(made, join(work, "result", moduleFileName));
  copyFileSync(join(module, symbolVersionsFileName), join(work, "result", symbolVersionsFileName));
  writeFileSync(join(work, "result", "build.log"), log, { mode: 0o600 });
}

/** Finds the line with the first error, with paths as in core/kernel; the log has all of it. */
function firstError(stderr: string, folder: string): string {
  const lines = stderr.split("\n").filter((line) => line.trim() !== "");
  const first = lines.find((line) => /\berror\b|\*\*\*|not found|No such file/i.test(line)) ?? lines[0];
  return first?.replaceAll(folder, "").trim() ?? "make gave no reason";
}

/**
 * Checks that a file is the core, built for this kernel release. Throws FormatError (not a module at all) or UserError.
 */
export function checkModule(path: string, release: string): void {
  const module = readModuleFile(path);
  if (module.name !== "mmiostrider") {
    throw new UserError(`${path} isn't mmiostrider's core: it is the module "${module.name}"`);
  }
  if (module.release !== release) {
    throw new UserError(`${path} was built for kernel ${module.release}, but this is ${release}`, {
      advice: "leave out --core to have it built for the running kernel",
    });
  }
}

/** Renames a finished build to its place. If another build was first, its result is used instead. */
function publish(result: string, place: string): void {
  try {
    renameSync(result, place);
  } catch (error) {
    if (!existsSync(join(place, moduleFileName))) throw error;
  }
}

/** Removes the folders of killed builds: those older than a build's limit. */
function removeAbandoned(cache: string): void {
  for (const name of readdirSync(cache)) {
    const path = join(cache, name);
    if (!name.startsWith(".build-")) continue;
    const changed_ms = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
    if (Date.now() - changed_ms > 2 * buildTimeout_ms) rmSync(path, { recursive: true, force: true });
  }
}
