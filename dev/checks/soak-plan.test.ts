// tier: quick
// The machine's script must be a script, for any plan; and nobody may unload modules while another one loads some.
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { placeCases } from "./driver-boot.js";
import { driverCases } from "./driver-cases.js";
import { modprobeInTurns, planSoak, soakDrivers, soakScript } from "./soak-plan.js";

test("a plan's script has no syntax error, and the same seed has the same one", () => {
  for (let seed = 0; seed < 20; seed += 1) {
    const script = () => {
      const plan = planSoak(seed, soakDrivers(driverCases));
      return soakScript(plan, placeCases(plan.drivers));
    };
    const checked = spawnSync("sh", ["-n"], { input: script(), encoding: "utf8" });
    expect(checked).toMatchObject({ status: 0, stderr: "" });
    expect(script()).toBe(script());
  }
});

test("who unloads modules is alone, whoever loads isn't", async () => {
  const folder = mkdtempSync(join(tmpdir(), "mmiostrider-turns-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  // two that load wait for each other; one that unloads looks if anybody loads at the time
  const modprobe = `#!/bin/sh
cd ${folder}
if [ "$1" = -r ]; then
  touch removing; [ ! -e loading.a ] && [ ! -e loading.b ] || touch met; sleep 0.1; rm removing
else
  touch loading.$1; [ ! -e removing ] || touch met
  for i in $(seq 600); do [ -e loading.a ] && [ -e loading.b ] && break; sleep 0.1; done
  [ -e loading.a ] && [ -e loading.b ] || touch alone
  sleep 0.3
  touch left.$1; for i in $(seq 600); do [ -e left.a ] && [ -e left.b ] && break; sleep 0.1; done
  rm loading.$1
fi
`;
  writeFileSync(join(folder, "modprobe"), modprobe);
  chmodSync(join(folder, "modprobe"), 0o755);
  const run = (words: string) =>
    new Promise((done) =>
      spawn("sh", ["-c", `${modprobeInTurns(join(folder, "lock"))}\nmodprobe ${words}`], {
        env: { ...process.env, PATH: `${folder}:${process.env.PATH}` },
      }).on("close", done),
    );
  const unload = async () => {
    for (let round = 0; round < 5; round += 1) await run("-r a");
  };
  await Promise.all([run("a"), run("b"), unload(), unload()]);
  expect(["met", "alone", "loading.a", "loading.b", "left.a"].filter((one) => existsSync(join(folder, one)))).toEqual([
    "left.a",
  ]);
});
