// Finds out if guests really start on KVM here: /dev/kvm may exist though no guest ever runs on it.
import { spawn } from "node:child_process";
import { accessSync, constants, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { cacheDirectory } from "../base/paths.js";
import { findTool } from "../base/run-tool.js";
import { qemuProgram } from "./virtual-machine.js";

/** A running kernel prints something within this time. */
const firstWords_ms = 6_000;

export interface KvmAnswer {
  works: boolean;
  why: string;
}

/**
 * Boots `imagePath` on KVM until its first words on the console. Remembers the answer until the host's next boot.
 */
export async function probeKvm(imagePath: string): Promise<KvmAnswer> {
  const bootId = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  const cache = join(cacheDirectory(), "kvm-probe.json");
  if (existsSync(cache)) {
    try {
      const kept = JSON.parse(readFileSync(cache, "utf8")) as KvmAnswer & { bootId: string };
      if (kept.bootId === bootId) return { works: kept.works, why: kept.why };
    } catch {
      // a broken note counts as none
    }
  }
  const answer = await probe(imagePath);
  writeFileSync(cache, JSON.stringify({ bootId, ...answer }));
  return answer;
}

/** Does the same with any available kernel: one of the lab's, or the host's. Undefined if there is none. */
export async function probeKvmWithAnyKernel(): Promise<KvmAnswer | undefined> {
  const kept = readdirSync(cacheDirectory("kernels")).map((name) => join(cacheDirectory("kernels"), name, "boot"));
  const images = [...kept, "/boot"].flatMap((folder) => {
    const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith("vmlinuz-")) : [];
    return names.filter((name) => folder !== "/boot" || name.endsWith(release())).map((name) => join(folder, name));
  });
  return images[0] === undefined ? undefined : await probeKvm(images[0]);
}

async function probe(imagePath: string): Promise<KvmAnswer> {
  try {
    accessSync("/dev/kvm", constants.R_OK | constants.W_OK);
  } catch {
    return { works: false, why: existsSync("/dev/kvm") ? "/dev/kvm may not be opened" : "there is no /dev/kvm" };
  }
  const qemu = findTool(qemuProgram);
  if (qemu === undefined) return { works: false, why: `${qemuProgram} isn't installed` };
  return await new Promise((done) => {
    const child = spawn(
      qemu,
      [
        ...["-accel", "kvm", "-cpu", "host", "-m", "256", "-nodefaults", "-display", "none", "-no-reboot"],
        ...["-serial", "stdio", "-kernel", imagePath, "-append", "console=ttyS0 earlyprintk=ttyS0 panic=-1"],
      ],
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    let answer: KvmAnswer = { works: false, why: `a guest's kernel said nothing within ${firstWords_ms / 1000} s` };
    let errors = "";
    const timer = setTimeout(() => child.kill("SIGKILL"), firstWords_ms);
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      // the boot loader's words come before the kernel runs, and don't count
      if (!output.includes("Linux version")) return;
      answer = { works: true, why: "a guest starts" };
      child.kill("SIGKILL");
    });
    child.stderr.on("data", (chunk: Buffer) => {
      errors += chunk.toString();
    });
    child.on("error", () => child.kill("SIGKILL"));
    child.on("close", () => {
      clearTimeout(timer);
      if (!answer.works && errors.trim() !== "") answer = { works: false, why: errors.trim().split("\n")[0] ?? "" };
      done(answer);
    });
  });
}
