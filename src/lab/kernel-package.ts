// The lab's kernels: Debian's, downloaded and unpacked into the cache but not installed; the host's; or a folder's.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { release as hostRelease } from "node:os";
import { join, resolve } from "node:path";
import { messageOf, UnknownNameError, UserError } from "../base/errors.js";
import { cacheDirectory } from "../base/paths.js";
import type { OtherRoot } from "../base/run-in-root.js";
import { runTool } from "../base/run-tool.js";
import { oldestSeries } from "../machine/supported-kernels.js";
import { type BuildTools, prepareBuildRoot } from "./build-root.js";
import { type AptOptions, dependenciesOf, unpackPackages } from "./debian.js";
import {
  type ArchiveKernel,
  type DebianArchive,
  forgetKernel,
  machineSuite,
  openDebianArchive,
} from "./debian-archive.js";
import { LabKernelError } from "./errors.js";
import { publishDirectory } from "./publish.js";

/** The series that the lab boots unless told otherwise: Debian 12's. */
const stableSeries = "6.1";

export interface LabKernel {
  /** The output of `uname -r` in the guest. */
  release: string;
  /** The bootable image. */
  imagePath: string;
  /** The guest's /lib/modules: holds `<release>/modules.dep`. */
  modulesDirectory: string;
  /** For `make -C`, at the same path on the host and in the guest; undefined for a kernel without headers. */
  headersDirectory: string | undefined;
  /** Makes or finds the root in which modules for it are compiled, where this machine's tools may not do. */
  buildRoot: (() => Promise<OtherRoot>) | undefined;
}

/** Age of the package lists at which a newer version is looked for. */
const listsAge_ms = 7 * 24 * 3600_000;
/** The same, after a kernel wasn't found by them. */
const newListsAge_ms = 3600_000;

/** The file in a kernel's folder that tells the tools for its headers. */
const toolsFile = "build-tools.json";

type Say = (line: string) => void;

/**
 * Makes a kernel ready to boot: one of Debian's by its series (`debian:6.12`), or as `debian:oldest`, `debian:stable` or
 * `debian:newest`, each with a flavour where it exists (`debian:7.3-rt`, `debian:6.1-cloud`); `host`; or a folder that holds
 * `boot/vmlinuz-*` (or `vmlinuz*`) and `lib/modules/*`.
 *
 * `say` gets lines about slow steps. Throws UnknownNameError for any other name, UserError if the kernel isn't available.
 */
export async function prepareKernel(kernel: string, say: Say): Promise<LabKernel> {
  if (kernel === "host") return kernelInDirectory("/", hostRelease());
  const debian = /^debian:(\d+\.\d+|oldest|stable|newest)(?:-(rt|cloud))?$/.exec(kernel);
  if (debian !== null) return await prepareDebianKernel(debian[1]!, debian[2] ?? "", say);
  if (kernel.startsWith("debian:")) throw unknownKernel(kernel);
  return kernelInDirectory(resolve(kernel));
}

async function prepareDebianKernel(name: string, flavour: string, say: Say): Promise<LabKernel> {
  const kept = keptKernels(cacheDirectory("kernels"));
  let archive: DebianArchive;
  try {
    archive = await openDebianArchive(say, listsAge_ms);
  } catch (error) {
    // without apt or network, a kernel from an earlier run will do
    const release = findKernels(kept, name, flavour)[0]?.release;
    if (release === undefined) throw error;
    say(`${messageOf(error)}; using ${release}, which is here`);
    return labKernelOf(release, say);
  }
  const tried = new Set<string>();
  let failure: unknown;
  for (const age_ms of [listsAge_ms, newListsAge_ms]) {
    archive = await openDebianArchive(say, age_ms).catch(() => archive);
    for (const found of findKernels(archive.kernels, name, flavour)) {
      if (tried.has(found.release)) continue;
      tried.add(found.release);
      try {
        await fetchKernel(archive, found, say);
        return labKernelOf(found.release, say);
      } catch (error) {
        failure ??= error;
        // an archive forgets versions before its lists do
        if (/\b404\b/.test(messageOf(error))) forgetKernel(archive, found.release);
      }
    }
  }
  const release = findKernels(kept, name, flavour)[0]?.release;
  if (release !== undefined) {
    if (failure !== undefined) say(`${messageOf(failure)}; using ${release}, which is here`);
    return labKernelOf(release, say);
  }
  throw failure ?? missingKernel(name, flavour, archive.kernels);
}

function unknownKernel(kernel: string): UnknownNameError {
  return new UnknownNameError(
    kernel,
    ["debian:oldest", "debian:stable", "debian:newest"],
    `there is no kernel ${kernel}`,
    {
      advice:
        "debian:6.12, debian:oldest, debian:stable, debian:newest and the like, with -rt behind it for that flavour",
    },
  );
}

/** Makes the error of a series, or of a flavour of it, that the archive doesn't have. */
export function missingKernel(name: string, flavour: string, kernels: readonly ArchiveKernel[]): UserError {
  const wanted = flavour === "" ? name : `${name}-${flavour}`;
  const has = (of: string) => [...new Set(kernels.filter((one) => one.flavour === of).map(({ series }) => series))];
  const [plain, rt] = [has(""), has("rt")].map((series) => series.sort(inOrder).join(", "));
  return new UserError(
    `Debian's archive has no kernel ${wanted}: it has ${plain || "none"}; with -rt ${rt || "none"}`,
    {
      advice: "a folder with boot/vmlinuz-* and lib/modules/* does as well",
    },
  );
}

const inOrder = new Intl.Collator("en", { numeric: true }).compare;

/**
 * Finds the kernels for a series or `oldest`, `stable`, `newest`. The best comes first: those of this machine's own Debian, whose
 * compiler is here, then by version.
 */
export function findKernels(
  kernels: readonly ArchiveKernel[],
  name: string,
  flavour: string,
  suite = machineSuite(),
): ArchiveKernel[] {
  const ofFlavour = kernels.filter((kernel) => kernel.flavour === flavour);
  const newest = ofFlavour
    .map((kernel) => kernel.series)
    .sort(inOrder)
    .at(-1);
  const names: Record<string, string | undefined> = { oldest: oldestSeries, stable: stableSeries, newest };
  const series = name in names ? names[name] : name;
  const isOwn = (kernel: ArchiveKernel) => Number(kernel.suite === suite);
  return ofFlavour
    .filter((kernel) => kernel.series === series)
    .sort((a, b) => isOwn(b) - isOwn(a) || inOrder(b.release, a.release));
}

/** Lists the kernels in the cache. */
export function keptKernels(kernels: string): ArchiveKernel[] {
  return readdirSync(kernels).flatMap((release) => {
    // 6.1.0-56-amd64, 6.12.117+deb12-rt-amd64
    const match = /^(\d+\.\d+)\.\d+(?:\+deb\d+|-\d+)(?:-(rt|cloud))?-amd64$/.exec(release);
    if (match === null) return [];
    return [
      { release, series: match[1]!, flavour: match[2] ?? "", suite: toolsOf(join(kernels, release))?.suite ?? "" },
    ];
  });
}

function labKernelOf(release: string, say: Say): LabKernel {
  const place = join(cacheDirectory("kernels"), release);
  const tools = toolsOf(place);
  const isOurs = tools === undefined || tools.suite === machineSuite();
  return {
    release,
    imagePath: join(place, `boot/vmlinuz-${release}`),
    modulesDirectory: join(place, "lib/modules"),
    headersDirectory: join(place, `usr/src/linux-headers-${release}`),
    buildRoot: isOurs ? undefined : async () => ({ path: await prepareBuildRoot(tools, say), folders: [place] }),
  };
}

/** Reads the tools for a kernel's headers; undefined for a kernel that was fetched with this machine's own lists. */
function toolsOf(place: string): BuildTools | undefined {
  const path = join(place, toolsFile);
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as BuildTools) : undefined;
}

async function fetchKernel({ lists }: DebianArchive, { release, suite }: ArchiveKernel, say: Say): Promise<void> {
  const place = join(cacheDirectory("kernels"), release);
  if (existsSync(place)) return;
  say(`Downloading Debian's kernel ${release}, its modules and headers`);
  await publishDirectory(place, (work) => unpackKernel(lists, release, suite, work, place));
}

/** Fills `work`, which becomes `place`, with the kernel, its modules and its headers. */
async function unpackKernel(lists: AptOptions, release: string, suite: string, work: string, place: string) {
  const [image, headers] = [`linux-image-${release}`, `linux-headers-${release}`];
  // from 7.3 on the image's package is empty, and others have its parts
  const parts = (await dependenciesOf([image], lists)).filter((name) => /^linux-(?:binary|modules|base)-\d/.test(name));
  const needs = await dependenciesOf([headers], lists);
  const isKbuild = (name: string) => name.startsWith("linux-kbuild-");
  parts.push(...needs.filter((name) => isKbuild(name) || name.startsWith("linux-headers-")));
  const tools = [...needs, ...(await dependenciesOf(needs.filter(isKbuild), lists))].filter(
    (name) => !/^linux-(?:headers|kbuild|base|image)\b/.test(name),
  );
  await unpackPackages([...new Set([image, headers, ...parts])], work, lists);
  if (!existsSync(join(work, "lib"))) symlinkSync("usr/lib", join(work, "lib"));
  mkdirSync(join(work, "boot"), { recursive: true });
  for (const name of ["vmlinuz", "config"]) {
    const path = join(work, "boot", `${name}-${release}`);
    if (!existsSync(path)) symlinkSync(`../lib/modules/${release}/${name}`, path);
  }
  writeFileSync(join(work, toolsFile), JSON.stringify({ suite, packages: compilerFirst(tools) } satisfies BuildTools));
  relocateHeaders(join(work, "usr/src", headers), place);
  linkBuild(join(work, "lib/modules", release), join(place, "usr/src", headers));
  const depmod = await runTool("depmod", ["-b", work, release], { timeout_ms: 120_000 });
  if (depmod.code !== 0) {
    throw new UserError(`listing the modules of ${release} failed: ${depmod.stderr.trim().split("\n")[0]}`, {
      advice: depmod.missing ? "as root: apt-get install kmod" : "is the disk full?",
    });
  }
}

function compilerFirst(packages: readonly string[]): string[] {
  const isCompiler = (name: string) => Number(name.includes("gcc"));
  return [...new Set(packages)].sort((a, b) => isCompiler(b) - isCompiler(a));
}

/** Corrects the absolute paths by which Debian's header makefiles include each other. */
function relocateHeaders(headers: string, place: string): void {
  for (const name of ["Makefile", ".kernelvariables"]) {
    const path = join(headers, name);
    if (!existsSync(path)) continue;
    writeFileSync(path, readFileSync(path, "utf8").replaceAll("/usr/src/", join(place, "usr/src/")));
  }
}

function linkBuild(modules: string, headers: string): void {
  for (const name of ["build", "source"]) {
    rmSync(join(modules, name), { force: true });
    symlinkSync(headers, join(modules, name));
  }
}

function kernelInDirectory(directory: string, release?: string): LabKernel {
  const modulesDirectory = join(directory, "lib/modules");
  const releases = existsSync(modulesDirectory) ? readdirSync(modulesDirectory) : [];
  const found = release ?? (releases.length === 1 ? releases[0] : undefined);
  if (found === undefined) {
    throw new LabKernelError(
      "choice",
      releases.length === 0
        ? `${directory}: no kernel: it has no lib/modules`
        : `${directory}: more than one kernel in lib/modules: ${releases.join(", ")}`,
    );
  }
  const image = [`boot/vmlinuz-${found}`, `vmlinuz-${found}`, "vmlinuz", "bzImage"]
    .map((name) => join(directory, name))
    .find((path) => existsSync(path));
  if (image === undefined || !existsSync(join(modulesDirectory, found, "modules.dep"))) {
    throw new LabKernelError(
      "incomplete",
      `${directory}: ${image === undefined ? `no boot/vmlinuz-${found}` : `no lib/modules/${found}/modules.dep`}`,
    );
  }
  const headers = join(modulesDirectory, found, "build");
  return {
    release: found,
    imagePath: image,
    modulesDirectory,
    headersDirectory: existsSync(join(headers, "Makefile")) ? headers : undefined,
    buildRoot: undefined,
  };
}
