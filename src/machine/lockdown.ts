// The kernel's lockdown level (kernel_lockdown(7)), and its consequences for us. Secure Boot locks many distributions' kernels.
import { chosenWord, readKernelFile } from "./kernel-files.js";

export type LockdownLevel = "none" | "integrity" | "confidentiality";

const file = "/sys/kernel/security/lockdown";

/** Returns the lockdown level; undefined if the kernel has no lockdown, or doesn't show it. */
export function lockdownLevel(path = file): LockdownLevel | undefined {
  const level = chosenWord(readKernelFile(path));
  return level === "none" || level === "integrity" || level === "confidentiality" ? level : undefined;
}

/** Returns true if lockdown forbids anything. */
export function isLockedDown(level = lockdownLevel()): boolean {
  return level === "integrity" || level === "confidentiality";
}

/** Explains why the core wasn't loaded, and what can be done instead; undefined if lockdown isn't the reason. */
export function lockdownAdvice(level = lockdownLevel()): string | undefined {
  if (!isLockedDown(level)) return undefined;
  if (level === "confidentiality") {
    return (
      "this kernel is locked down (confidentiality), which keeps its memory and devices from everybody: " +
      "no engine can record here; it takes a boot with lockdown=integrity or none"
    );
  }
  return (
    `this kernel is locked down (${level}; Secure Boot does that): it loads only modules signed with a key that it trusts. ` +
    "--sign-key signs the core; --engine singlestep needs no module"
  );
}
