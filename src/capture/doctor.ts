// Checks each engine's needs on this machine, without changing anything. Each engine knows its own needs.
// cli/commands/doctor.ts prints the result.
import { arch, release } from "node:os";
import { type Check, good, isUsable, missing } from "../machine/check.js";
import { kernelConfiguration } from "../machine/kernel-configuration.js";
import { engines } from "./engines.js";

export interface EngineReport {
  engine: string;
  /** A description in a few words. */
  about: string;
  /** Nothing that it needs is missing. */
  usable: boolean;
  checks: Check[];
}

export interface DoctorReport {
  machine: { release: string; architecture: string };
  engines: EngineReport[];
}

export async function examine(): Promise<DoctorReport> {
  const kernel = { release: release(), configuration: kernelConfiguration(release()) };
  const reports: EngineReport[] = [];
  for (const { name, about, needs } of engines) {
    const checks = [architectureCheck(), rootCheck(), ...(await needs(kernel))];
    reports.push({ engine: name, about, usable: isUsable(checks), checks });
  }
  return { machine: { release: kernel.release, architecture: arch() }, engines: reports };
}

export function architectureCheck(): Check {
  return arch() === "x64" ? good("architecture", "x86-64") : missing("architecture", arch());
}

function rootCheck(): Check {
  if (process.geteuid?.() === 0) return good("root", "yes");
  return missing("root", `no: user ${process.geteuid?.() ?? "unknown"}`, "run as root, for example with sudo");
}
