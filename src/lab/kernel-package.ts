// The lab's kernels: Debian's, downloaded and unpacked into the cache but not installed; the host's; or a folder's.
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { release as hostRelease } from "node:os";
import { join, resolve } from "node:path";
import { UsageError, UserError } from "../base/errors.js";
import { cacheDirectory } from "../base/paths.js";
import { runTool } from "../base/run-tool.js";
import { dependenciesOf, unpackPackages, updateLists } from "./debian.js";

export interface LabKernel {
  /** As `uname -r` says it in the guest. */
  release: string;
  /** The bootable image. */
  imagePath: string;
  /** Holds `<release>/modules.dep`: what the guest sees as /lib/modules. */
  modulesDirectory: string;
  /** For `make -C`, on the host and by the same path in the guest; undefined where the kernel came without. */
  headersDirectory: string | undefined;
}

const flavours = ["", "rt-", "cloud-"];

/**
 * Makes a kernel ready to boot: `debian:6.1`, `debian:6.12`, a flavour of them (`debian:6.1-rt`, `debian:6.12-cloud`),
 * `host`, or a folder that holds `boot/vmlinuz-*` (or `vmlinuz*`) and `lib/modules/*`.
 *
 * `say` hears what takes time. Throws UsageError for anything else, UserError when the kernel can't be had.
 */
export async function prepareKernel(kernel: string, say: (line: string) => void): Promise<LabKernel> {
  if (kernel === "host") return kernelInDirectory("/", hostRelease());
  const debian = /^debian:(\d+\.\d+)(?:-(rt|cloud))?$/.exec(kernel);
  if (debian !== null) return await prepareDebianKernel(debian[1]!, debian[2], say);
  if (kernel.startsWith("debian:")) {
    throw new UsageError(`there is no kernel ${kernel}`, {
      advice: "debian:6.1 or debian:6.12, with -rt or -cloud behind it where that flavour is wanted",
    });
  }
  return kernelInDirectory(resolve(kernel));
}

/** What `prepareKernel` would have to say of one that is in the cache already, or undefined. */
async function prepareDebianKernel(
  version: string,
  flavour: string | undefined,
  say: (line: string) => void,
): Promise<LabKernel> {
  const prefix = flavour === undefined ? "" : `${flavour}-`;
  const imagePackage = await findImagePackage(version, prefix);
  const release = imagePackage.replace(/^linux-image-/, "");
  const place = join(cacheDirectory("kernels"), release);
  if (!existsSync(place)) {
    say(`Downloading Debian's kernel ${release}, its modules and headers`);
    await unpackKernel(release, imagePackage, place);
  }
  return {
    release,
    imagePath: join(place, `boot/vmlinuz-${release}`),
    modulesDirectory: join(place, "lib/modules"),
    headersDirectory: join(place, `usr/src/linux-headers-${release}`),
  };
}

/** Asks the meta packages which image is the current one of a version: backports name theirs by version. */
async function findImagePackage(version: string, flavour: string): Promise<string> {
  const look = async () => {
    for (const meta of [`linux-image-${version}-${flavour}amd64`, `linux-image-${flavour}amd64`]) {
      const image = (await dependenciesOf(meta)).find((name) => name.startsWith(`linux-image-${version}.`));
      if (image !== undefined) return image;
    }
    return undefined;
  };
  let found = await look();
  if (found === undefined) {
    await updateLists();
    found = await look();
  }
  if (found === undefined) {
    throw new UserError(`Debian's package lists here have no kernel ${version} (${flavour}amd64)`, {
      advice: "`apt-cache search linux-image` lists those there are; debian:6.12 needs Debian 12's security archive",
    });
  }
  return found;
}

async function unpackKernel(release: string, imagePackage: string, place: string): Promise<void> {
  const work = `${place}.${process.pid}`;
  mkdirSync(work, { recursive: true });
  try {
    const headers = `linux-headers-${release}`;
    const more = (await dependenciesOf(headers)).filter((name) => /^linux-(headers|kbuild)-/.test(name));
    await unpackPackages([imagePackage, headers, ...more], work);
    relocateHeaders(join(work, "usr/src", headers), place);
    linkBuild(join(work, "lib/modules", release), join(place, "usr/src", headers));
    const depmod = await runTool("depmod", ["-b", work, release], { timeout_ms: 120_000 });
    if (depmod.code !== 0) {
      throw new UserError(`listing the modules of ${release} failed: ${depmod.stderr.trim().split("\n")[0]}`, {
        advice: depmod.missing ? "apt-get install kmod" : "is the disk full?",
      });
    }
    try {
      renameSync(work, place);
    } catch (error) {
      // another run was faster: its result is as good
      if (!existsSync(place)) throw error;
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Debian's header makefiles include each other by absolute path. */
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
    throw new UserError(
      releases.length === 0
        ? `${directory}: no kernel: it has no lib/modules`
        : `${directory}: more than one kernel in lib/modules: ${releases.join(", ")}`,
      { advice: "--kernel takes debian:6.1, debian:6.12, host, or a folder with boot/vmlinuz-* and lib/modules/*" },
    );
  }
  const image = [`boot/vmlinuz-${found}`, `vmlinuz-${found}`, "vmlinuz", "bzImage"]
    .map((name) => join(directory, name))
    .find((path) => existsSync(path));
  if (image === undefined || !existsSync(join(modulesDirectory, found, "modules.dep"))) {
    throw new UserError(
      `${directory}: ${image === undefined ? `no boot/vmlinuz-${found}` : `no lib/modules/${found}/modules.dep`}`,
      { advice: "--kernel debian:6.1 fetches one of Debian's" },
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

/** All flavours that Debian builds of its amd64 kernels, as `prepareKernel` takes them: `6.1`, `6.1-rt`, `6.1-cloud`. */
export function flavoursOf(version: string): string[] {
  return flavours.map((flavour) => `debian:${version}${flavour === "" ? "" : `-${flavour.slice(0, -1)}`}`);
}
