// Root file systems to compile modules in: a kernel's own Debian, with its compiler and libraries, for kernels whose headers'
// programs don't run here.
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../base/errors.js";
import { cacheDirectory } from "../base/paths.js";
import { runTool } from "../base/run-tool.js";
import { installTools } from "./debian.js";
import { debianAddress } from "./debian-archive.js";
import { publishDirectory } from "./publish.js";

const debootstrap_ms = 15 * 60_000;

/** A suite, and the packages that a kernel's headers need there. */
export interface BuildTools {
  /** Its code name: `trixie`. */
  suite: string;
  /** The compiler's package first. */
  packages: readonly string[];
}

/**
 * Returns the folder of a root file system with these tools, in the cache. Makes it if it isn't there, which takes a minute.
 *
 * Throws UserError if that isn't possible: not root, no network.
 */
export async function prepareBuildRoot(tools: BuildTools, say: (line: string) => void): Promise<string> {
  const { suite, packages } = tools;
  const place = join(cacheDirectory("roots"), [suite, ...packages.slice(0, 1)].join("-"));
  if (existsSync(place)) return place;
  const making = `making a root of Debian's ${suite} for its compiler`;
  if (process.geteuid?.() !== 0) {
    throw new UserError(`${making} failed: only root may`, { advice: "as root, run the same command once" });
  }
  await installTools([{ tool: "debootstrap", debianPackage: "debootstrap" }], say);
  const address = await debianAddress();
  say(`Making a root of Debian's ${suite} for its compiler`);
  await publishDirectory(place, async (work) => {
    const include = ["gcc", "make", ...packages].join(",");
    // all of Debian's suites are made alike; one may be newer than this debootstrap
    const script = existsSync(`/usr/share/debootstrap/scripts/${suite}`) ? [] : ["sid"];
    const words = ["--variant=minbase", "--force-check-gpg", `--include=${include}`, suite, work, address, ...script];
    // in a namespace of its own, so that whatever ends it leaves nothing mounted
    const made = await runTool("unshare", ["--mount", "--propagation", "private", "debootstrap", ...words], {
      timeout_ms: debootstrap_ms,
      // one that is interrupted is thrown away
      environment: { DPKG_FORCE: "unsafe-io" },
    });
    if (made.code !== 0) {
      const lines = `${made.stdout}\n${made.stderr}`.trim().split("\n");
      const why = made.timedOut ? "it took too long" : (lines.find((line) => /^[EW]: /.test(line)) ?? lines.at(-1));
      throw new UserError(`${making} failed: ${why}`, {
        advice: `see what \`debootstrap --variant=minbase ${suite} FOLDER ${address}\` says`,
      });
    }
    for (const folder of ["var/cache/apt/archives", "var/lib/apt/lists"])
      rmSync(join(work, folder), { recursive: true, force: true });
  });
  return place;
}
