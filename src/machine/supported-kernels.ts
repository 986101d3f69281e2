// The kernels that the core is built for and tried on.
import { type Check, good, unknown } from "./check.js";

/** The oldest series supported: README and docs/lab.md name it, too. */
export const oldestSeries = "5.10";

/** Checks a kernel's age by its release, the output of `uname -r`. */
export function kernelAgeCheck(release: string): Check {
  const [major, minor] = numbersOf(release);
  const [oldestMajor, oldestMinor] = numbersOf(oldestSeries);
  const isOlder = major < oldestMajor || (major === oldestMajor && minor < oldestMinor);
  return isOlder
    ? unknown("kernel", `${release}; ${oldestSeries} is the oldest kernel supported`)
    : good("kernel", `${release}; supported from ${oldestSeries} on`);
}

function numbersOf(release: string): [major: number, minor: number] {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(release) ?? [];
  return [Number(major ?? 0), Number(minor ?? 0)];
}
