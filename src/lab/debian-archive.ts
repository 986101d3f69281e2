// Debian's whole archive, whatever Debian this machine is: the kernels of all its suites, by package lists of their own, which
// are kept in the cache. This machine's lists and packages stay as they are.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../base/errors.js";
import { cacheDirectory } from "../base/paths.js";
import { runTool } from "../base/run-tool.js";
import { type AptOptions, apt, aptFailed } from "./debian.js";
import { publishDirectory } from "./publish.js";

/** A kernel's current version in a suite. */
export interface ArchiveKernel {
  /** The output of `uname -r`. */
  release: string;
  /** `7.3` */
  series: string;
  /** `rt`, `cloud`, or "". */
  flavour: string;
  /** The code name of the Debian whose compiler and libraries its headers need: `trixie`, for trixie-backports, too. */
  suite: string;
}

export interface DebianArchive {
  /** The folder of the lists. */
  place: string;
  lists: AptOptions;
  kernels: readonly ArchiveKernel[];
}

/** Debian's suites, by the names that move from one to the next; and whether they have backports, and a security archive. */
const suites = [
  { name: "oldoldstable", backports: false, security: true },
  { name: "oldstable", backports: true, security: true },
  { name: "stable", backports: true, security: true },
  { name: "testing", backports: false, security: false },
  { name: "unstable", backports: false, security: false },
] as const;
const debianKeys = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** Age at which lists that newer ones replaced are removed: another process may be using them. */
const abandonedAge_ms = 3600_000;

/**
 * Returns the archive by the newest lists in the cache; fetches them if there are none that are no older than `ageMax_ms`. Throws
 * UserError if that isn't possible: no apt, no network, no Debian.
 */
export async function openDebianArchive(say: (line: string) => void, ageMax_ms: number): Promise<DebianArchive> {
  const all = cacheDirectory("debian-lists");
  const newest = newestLists(all);
  const age_ms = newest === undefined ? Number.POSITIVE_INFINITY : Date.now() - Number(newest);
  if (newest !== undefined && age_ms <= ageMax_ms) return archiveIn(join(all, newest));
  say("Fetching the package lists of Debian's suites");
  const place = join(all, String(Date.now()));
  await publishDirectory(place, fetchLists);
  for (const name of readdirSync(all)) {
    const changed_ms = statSync(join(all, name), { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
    const isOld = Date.now() - changed_ms > abandonedAge_ms && join(all, name) !== place;
    if (isOld) rmSync(join(all, name), { recursive: true, force: true });
  }
  return archiveIn(place);
}

function newestLists(all: string): string | undefined {
  const whole = readdirSync(all).filter((name) => /^\d+$/.test(name));
  return whole.sort((a, b) => Number(a) - Number(b)).at(-1);
}

function archiveIn(place: string): DebianArchive {
  const kernels = JSON.parse(readFileSync(join(place, "kernels.json"), "utf8")) as ArchiveKernel[];
  return { place, lists: listOptions(place), kernels };
}

/** Removes a kernel whose packages the archive no longer has from the lists, until newer ones come. */
export function forgetKernel({ place }: DebianArchive, release: string): void {
  const left = archiveIn(place).kernels.filter((kernel) => kernel.release !== release);
  const written = join(place, `kernels.json.${process.pid}`);
  writeFileSync(written, JSON.stringify(left));
  renameSync(written, join(place, "kernels.json"));
}

function listOptions(place: string): AptOptions {
  const set = {
    "Dir::Etc::sourcelist": join(place, "sources.list"),
    "Dir::Etc::sourceparts": "-",
    "Dir::State::Lists": join(place, "lists"),
    // packages that are installed here are of no interest
    "Dir::State::status": "/dev/null",
    "Dir::Cache": join(place, "cache"),
    "Dir::Cache::pkgcache": "",
    "Dir::Cache::srcpkgcache": "",
    // see keepKernels()
    "Acquire::GzipIndexes": "false",
    "APT::Architecture": "amd64",
    "APT::Architectures": "amd64",
    "APT::Sandbox::User": "root",
    "Acquire::Languages": "none",
    // a list that couldn't be fetched is an error
    "APT::Update::Error-Mode": "any",
  };
  return Object.entries(set).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
}

async function fetchLists(work: string): Promise<void> {
  for (const folder of ["lists/partial", "cache/archives/partial"]) mkdirSync(join(work, folder), { recursive: true });
  const options = listOptions(work);
  const addresses = await debianAddresses();
  const codeNames = await fetchCodeNames(work, addresses.main);
  const sources = suites.flatMap(({ name, backports, security }) => {
    const codeName = codeNames.get(name);
    if (codeName === undefined) return [];
    const main = [codeName, ...(backports ? [`${codeName}-backports`] : [])];
    return [
      ...main.map((suite) => ({ address: addresses.main, suite })),
      ...(security && addresses.security !== undefined
        ? [{ address: addresses.security, suite: `${codeName}-security` }]
        : []),
    ];
  });
  await update(work, sources, []);
  keepKernels(join(work, "lists"));
  writeFileSync(join(work, "kernels.json"), JSON.stringify(await kernelsInLists(options)));
}

interface Source {
  address: string;
  suite: string;
}

/** Fetches the lists of these sources; leaves out those that the archive doesn't have. */
async function update(work: string, sources: readonly Source[], more: AptOptions): Promise<void> {
  const by = existsSync(debianKeys) ? `[signed-by=${debianKeys}] ` : "";
  const lines = sources.map(({ address, suite }) => `deb ${by}${address} ${suite} main\n`);
  writeFileSync(join(work, "sources.list"), lines.join(""));
  const result = await apt([...listOptions(work), "-o", "pkgCacheFile::Generate=false", ...more, "update"]);
  if (result.code === 0) return;
  const gone = [...result.stderr.matchAll(/'\S+ (\S+) Release' does not have a Release file/g)].map(
    (match) => match[1],
  );
  const left = sources.filter(({ suite }) => !gone.includes(suite));
  if (left.length === 0 || left.length === sources.length) {
    throw aptFailed("fetching the package lists of Debian's suites", result, "apt-get update");
  }
  await update(work, left, more);
}

/** Fetches the code names of the suites that the archive has now. Mirrors are slow to follow with all else under these names. */
async function fetchCodeNames(work: string, address: string): Promise<Map<string, string>> {
  const noLists = ["-o", "Acquire::IndexTargets::deb::Packages::DefaultEnabled=false"];
  await update(
    work,
    suites.map(({ name }) => ({ address, suite: name })),
    noLists,
  );
  const codeNames = new Map<string, string>();
  const lists = join(work, "lists");
  for (const file of readdirSync(lists)) {
    const suite = /_dists_(\w+)_(?:In)?Release$/.exec(file)?.[1];
    if (suite === undefined) continue;
    const codeName = /^Codename: (\S+)$/m.exec(readFileSync(join(lists, file), "latin1"))?.[1];
    if (codeName !== undefined) codeNames.set(suite, codeName);
  }
  return codeNames;
}

/** Removes from the lists all packages but the kernels', a thousandth: with the rest, each call of apt takes seconds. */
function keepKernels(lists: string): void {
  for (const file of readdirSync(lists)) {
    if (!file.endsWith("_Packages")) continue;
    const paragraphs = readFileSync(join(lists, file), "latin1").split("\n\n");
    const kept = paragraphs.filter((paragraph) => paragraph.trimStart().startsWith("Package: linux-"));
    writeFileSync(join(lists, file), kept.map((paragraph) => `${paragraph.trim()}\n\n`).join(""), "latin1");
  }
}

/** Finds the addresses of Debian's archive in this machine's sources. */
async function debianAddresses(): Promise<{ main: string; security: string | undefined }> {
  const format = "$(REPO_URI) $(RELEASE)";
  const { stdout } = await runTool("apt-get", ["indextargets", "--format", format, "Created-By: Packages"]);
  const targets = stdout.split("\n").map((line) => line.split(" "));
  const names: (string | undefined)[] = [machineSuite(), "sid", ...suites.map(({ name }) => name)];
  const addressOf = (isWanted: (suite: string) => boolean) => targets.find(([, suite]) => isWanted(suite ?? ""))?.[0];
  const main = addressOf((suite) => names.includes(suite));
  if (main === undefined) {
    throw new UserError("this machine's package sources name no archive of Debian", {
      advice: "--kernel also takes host, or a folder with boot/vmlinuz-* and lib/modules/*",
    });
  }
  return { main, security: addressOf((suite) => suite.endsWith("-security")) };
}

/** Returns the address of Debian's archive, as this machine's sources have it. Throws UserError if they have none. */
export async function debianAddress(): Promise<string> {
  return (await debianAddresses()).main;
}

/** Returns the code name of this machine's Debian; undefined if it is another system. */
export function machineSuite(): string | undefined {
  const text = existsSync("/etc/os-release") ? readFileSync("/etc/os-release", "utf8") : "";
  return /^ID=debian$/m.test(text) ? /^VERSION_CODENAME=(\S+)$/m.exec(text)?.[1] : undefined;
}

/** Finds the kernels through the meta packages of all suites. */
async function kernelsInLists(options: AptOptions): Promise<ArchiveKernel[]> {
  const ask = async (...words: string[]) => (await runTool("apt-cache", [...options, ...words])).stdout;
  const names = (await ask("pkgnames", "linux-image-")).split("\n");
  const metas = names.filter((name) => /^linux-image-(?:\d+\.\d+-)?(?:rt-|cloud-)?amd64$/.test(name)).sort();
  const suitesOf = parseMadison(await ask("madison", ...metas));
  // trixie-backports, trixie-security: of trixie
  return parseKernels(await ask("show", ...metas), (meta) => suitesOf.get(meta)?.replace(/-.*$/, ""));
}

/** Reads `apt-cache madison`: the suite of each `PACKAGE VERSION`, the first one if there are several. */
function parseMadison(text: string): Map<string, string> {
  const suitesOf = new Map<string, string>();
  for (const [, name, version, suite] of text.matchAll(/^\s*(\S+) \| +(\S+) \| \S+ (\S+)\/main amd64 Packages$/gm)) {
    const meta = `${name} ${version}`;
    if (!suitesOf.has(meta)) suitesOf.set(meta, suite!);
  }
  return suitesOf;
}

/**
 * Reads the kernels from `apt-cache show` of meta packages. `suiteOf` returns the code name of the suite of a `PACKAGE VERSION`,
 * or undefined to leave it out. Each kernel is listed once.
 */
export function parseKernels(text: string, suiteOf: (meta: string) => string | undefined): ArchiveKernel[] {
  const found = new Map<string, ArchiveKernel>();
  for (const paragraph of text.split(/\n\n+/)) {
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(paragraph)?.[1] ?? "";
    const release = /\blinux-image-(\d\S+)/.exec(field("Depends"))?.[1];
    const parts = /^(\d+\.\d+)[.~].*?(?:-(rt|cloud))?-amd64$/.exec(release ?? "");
    const suite = suiteOf(`${field("Package")} ${field("Version")}`);
    if (release === undefined || parts === null || suite === undefined) continue;
    found.set(release, { release, series: parts[1]!, flavour: parts[2] ?? "", suite });
  }
  return [...found.values()];
}
