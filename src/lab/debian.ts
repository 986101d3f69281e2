// Debian's packages: installs those that the project needs, and unpacks others into a folder without installing them.
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { messageOf, UserError } from "../base/errors.js";
import { findTool, runTool, type ToolResult } from "../base/run-tool.js";

const aptTimeout_ms = 10 * 60_000;

/** A tool that the project calls, and its Debian package. */
export interface NeededTool {
  tool: string;
  debianPackage: string;
}

/**
 * Installs the packages of missing tools.
 *
 * Throws UserError if that isn't possible: not root, not Debian, no network.
 */
export async function installTools(needed: readonly NeededTool[], say: (line: string) => void): Promise<void> {
  const missing = needed.filter(({ tool }) => findTool(tool) === undefined && !isLibraryThere(tool));
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map(({ debianPackage }) => debianPackage))];
  const command = `apt-get install --no-install-recommends ${packages.join(" ")}`;
  const names = missing.map(({ tool }) => tool).join(", ");
  if (findTool("apt-get") === undefined) {
    throw new UserError(`${names}: not installed, and there is no apt-get here to install ${packages.join(", ")}`, {
      advice: "install what corresponds to these Debian packages with your system's package manager",
    });
  }
  if (process.getuid?.() !== 0) {
    throw new UserError(`${names}: not installed, and only root may install`, { advice: `as root: ${command}` });
  }
  say(`Installing Debian packages: ${packages.join(" ")}`);
  const install = () =>
    apt(["install", "-y", "--no-install-recommends", ...packages], { DEBIAN_FRONTEND: "noninteractive" });
  let result = await install();
  if (result.code !== 0) {
    await updateLists();
    result = await install();
  }
  if (result.code !== 0) throw aptFailed(`installing ${packages.join(", ")}`, result, command);
}

/** Looks for libelf.so.1 and the like, which aren't tools, but can be missing, too. */
function isLibraryThere(name: string): boolean {
  if (!name.includes(".so")) return false;
  return ["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64"].some((folder) => {
    try {
      return readdirSync(folder).includes(name);
    } catch {
      return false;
    }
  });
}

/** Options of apt for package lists in the cache (debian-archive.ts); none for this machine's own lists. */
export type AptOptions = readonly string[];

/** Returns the packages that these packages depend on, whether the lists have them or not. Empty if apt doesn't know these. */
export async function dependenciesOf(packages: readonly string[], lists: AptOptions): Promise<string[]> {
  const result = await runTool("apt-cache", [...lists, "depends", ...packages]);
  return [...result.stdout.matchAll(/^\s+\|?Depends: <?([^<>\s]+)>?$/gm)].map((match) => match[1]!);
}

let updated = false;

/** Fetches apt's lists, once a run. */
async function updateLists(): Promise<void> {
  if (updated) return;
  updated = true;
  await apt(["update"]);
}

/**
 * Downloads packages and unpacks them, one over the other, into `directory`; installs nothing.
 *
 * Throws UserError with apt's own message if a package can't be downloaded.
 */
export async function unpackPackages(
  packages: readonly string[],
  directory: string,
  lists: AptOptions = [],
): Promise<void> {
  // inside, so that cleaning up after an interrupted run removes them, too
  const downloads = join(directory, ".downloads");
  mkdirSync(downloads);
  try {
    // as root, apt would download as another user, who may not write here
    const download = () => apt([...lists, "-o", "APT::Sandbox::User=root", "download", ...packages], {}, downloads);
    let result = await download();
    if (result.code !== 0 && !result.missing && lists.length === 0) {
      // old lists have versions that the archive no longer has
      await updateLists();
      result = await download();
    }
    if (result.code !== 0) throw aptFailed(`downloading ${packages.join(", ")}`, result, "apt-get update");
    for (const file of readdirSync(downloads).filter((name) => name.endsWith(".deb"))) {
      const unpacked = await runTool("dpkg-deb", ["-x", join(downloads, file), directory], {
        timeout_ms: aptTimeout_ms,
      });
      if (unpacked.code !== 0) throw new UserError(`unpacking ${file} failed: ${firstLine(unpacked.stderr)}`);
    }
  } finally {
    rmSync(downloads, { recursive: true, force: true });
  }
}

/** Runs apt-get. */
export function apt(
  parameters: readonly string[],
  environment: Record<string, string> = {},
  directory?: string,
): Promise<ToolResult> {
  return runTool("apt-get", ["-q", ...parameters], {
    timeout_ms: aptTimeout_ms,
    environment,
    ...(directory === undefined ? {} : { directory }),
  });
}

/** Makes the error of an apt-get that failed: its first line that says so. */
export function aptFailed(doing: string, result: ToolResult, command: string): UserError {
  const lines = result.stderr.split("\n").filter((line) => line.startsWith("E:") || line.startsWith("Err:"));
  const why = result.missing
    ? "there is no apt-get here"
    : result.timedOut
      ? "apt-get took too long"
      : (lines[0] ?? firstLine(result.stderr));
  return new UserError(`${doing} failed: ${why}`, { advice: `see what \`${command}\` says` });
}

function firstLine(text: string): string {
  return messageOf(text.trim().split("\n")[0] ?? "");
}
