// The configuration that the running kernel was built with.
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { readKernelFile } from "./kernel-files.js";

/** The options of a running kernel that are set, from wherever they are kept; undefined where they aren't. `release`: as `uname -r`. */
export function kernelConfiguration(release: string): Map<string, string> | undefined {
  let text: string | undefined;
  try {
    text = gunzipSync(readFileSync("/proc/config.gz")).toString("utf8");
  } catch {
    const places = [
      `/boot/config-${release}`,
      `/lib/modules/${release}/config`,
      `/lib/modules/${release}/build/.config`,
    ];
    text = places.map(readKernelFile).find((found) => found !== undefined);
  }
  if (text === undefined) return undefined;
  return new Map([...text.matchAll(/^(CONFIG_\w+)=(.*)$/gm)].map((match) => [match[1]!, match[2]!]));
}
