// The lab's kernels: Debian's, downloaded and unpacked into the cache but not installed; the host's; or a folder's.
import { existsSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { release as hostRelease } from "node:os";
import { join, resolve } from "node:path";
import { UnknownNameError, UserError } from "../base/errors.js";
import { cacheDirectory } from "../base/paths.js";
import { runTool } from "../base/run-tool.js";
import { dependenciesOf, unpackPackages, updateLists } from "./debian.js";
import { LabKernelError } from "./errors.js";
import { publishDirectory } from "./publish.js";

/** Debian's kernels that the lab is tried with; others may do. */
const debianKernels = ["debian:6.1", "debian:6.12"];

export interface LabKernel {
  /** The output of `uname -r` in the guest. */
  release: string;
  /** The bootable image. */
  imagePath: string;
  /** The guest's /lib/modules: holds `<release>/modules.dep`. */
  modulesDirectory: string;
  /** For `make -C`, at the same path on the host and in the guest; undefined for a kernel without headers. */
  headersDirectory: string | undefined;
}

/**
 * Makes a kernel ready to boot: `debian:6.1`, `debian:6.12`, a flavour of them (`debian:6.1-rt`, `debian:6.12-cloud`),
 * `host`, or a folder that holds `boot/vmlinuz-*` (or `vmlinuz*`) and `lib/modules/*`.
 *
 * `say` gets lines about slow steps. Throws UnknownNameError for any other name, UserError if the kernel isn't available.
 */
export async function prepareKernel(kernel: string, say: (line: string) => void): Promise<LabKernel> {
  if (kernel === "host") return kernelInDirectory("/", hostRelease());
  const debian = /^debian:(\d+\.\d+)(?:-(rt|cloud))?$/.exec(kernel);
  if (debian !== null) return await prepareDebianKernel(debian[1]!, debian[2], say);
  if (kernel.startsWith("debian:")) {
    throw new UnknownNameError(kernel, debianKernels, `there is no kernel ${kernel}`, {
      advice: "debian:6.1 or debian:6.12, with -rt or -cloud behind it where that flavour is wanted",
    });
  }
  return kernelInDirectory(resolve(kernel));
}

async function prepareDebianKernel(
  version: string,
  flavour: string | undefined,
  say: (line: string) => void,
): Promise<LabKernel> {
  const kernels = cacheDirectory("kernels");
  const imagePackage = await findImagePackage(version, flavour);
  // without apt's lists or without network, use a kernel from an earlier run
  const release = imagePackage?.replace(/^linux-image-/, "") ?? newestKept(kernels, version, flavour);
  if (release === undefined) {
    throw new UserError(
      `Debian's package lists here have no kernel ${version}${flavour === undefined ? "" : `-${flavour}`}`,
      {
        advice:
          "see what `apt-get update` says, and `apt-cache search linux-image`; debian:6.12 is in Debian 12's security archive",
      },
    );
  }
  const place = join(kernels, release);
  if (!existsSync(place)) {
    say(`Downloading Debian's kernel ${release}, its modules and headers`);
    await publishDirectory(place, (work) => unpackKernel(release, `linux-image-${release}`, work, place));
  }
  return {
    release,
    imagePath: join(place, `boot/vmlinuz-${release}`),
    modulesDirectory: join(place, "lib/modules"),
    headersDirectory: join(place, `usr/src/linux-headers-${release}`),
  };
}

/** Finds a version's current image through the meta packages: backports name theirs by version. */
async function findImagePackage(version: string, flavour: string | undefined): Promise<string | undefined> {
  const suffix = flavour === undefined ? "amd64" : `${flavour}-amd64`;
  const look = async () => {
    for (const meta of [`linux-image-${version}-${suffix}`, `linux-image-${suffix}`]) {
      const image = (await dependenciesOf(meta)).find((name) => name.startsWith(`linux-image-${version}.`));
      if (image !== undefined) return image;
    }
    return undefined;
  };
  const found = await look();
  if (found !== undefined) return found;
  await updateLists();
  return await look();
}

/** Finds the newest kernel of a version and flavour in the cache. */
export function newestKept(kernels: string, version: string, flavour: string | undefined): string | undefined {
  const wanted = flavour ?? "";
  const kept = readdirSync(kernels).filter((name) => {
    // 6.1.0-56-amd64, 6.12.117+deb12-rt-amd64
    const match = /^(\d+\.\d+)\.\d+(?:\+deb\d+|-\d+)(?:-(rt|cloud))?-amd64$/.exec(name);
    return match !== null && match[1] === version && (match[2] ?? "") === wanted;
  });
  const inOrder = new Intl.Collator("en", { numeric: true }).compare;
  return kept.sort(inOrder).at(-1);
}

/** Fills `work`, which becomes `place`, with the kernel, its modules and its headers. */
async function unpackKernel(release: string, imagePackage: string, work: string, place: string): Promise<void> {
  const headers = `linux-headers-${release}`;
  const more = (await dependenciesOf(headers)).filter((name) => /^linux-(headers|kbuild)-/.test(name));
  await unpackPackages([imagePackage, headers, ...more], work);
  relocateHeaders(join(work, "usr/src", headers), place);
  linkBuild(join(work, "lib/modules", release), join(place, "usr/src", headers));
  const depmod = await runTool("depmod", ["-b", work, release], { timeout_ms: 120_000 });
  if (depmod.code !== 0) {
    throw new UserError(`listing the modules of ${release} failed: ${depmod.stderr.trim().split("\n")[0]}`, {
      advice: depmod.missing ? "as root: apt-get install kmod" : "is the disk full?",
    });
  }
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
  };
}
