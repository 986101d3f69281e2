// tier: quick
// Every engine has a complete declaration, options that it doesn't offer are refused, and no code outside the engines' folders knows
// their names.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { UserError } from "../base/errors.js";
import { projectDirectory } from "../base/paths.js";
import { isUsable, missing } from "../machine/check.js";
import { architectureCheck, examine } from "./doctor.js";
import type { EngineOption } from "./engine.js";
import { defaultEngine, engineNamed, engines, findUnoffered, markRecording } from "./engines.js";
import type { EngineOptions } from "./recording.js";

const allOptions: Required<EngineOptions> = {
  relaxed: true,
  cleanRoom: true,
  exclude: [{ first: 0n, last: 1n }],
  excludeWriteCombining: true,
  withoutConfiguration: true,
  withoutInterrupts: true,
  withoutDma: true,
  accesses: ["mmio"],
  profile: "former.mmt",
  coreFile: "/root/mmiostrider.ko",
  sign: { key: "key.pem", certificate: "cert.pem" },
};

describe.each(engines.map((engine) => [engine.name, engine] as const))("engine %s", (name, engine) => {
  test("is found by its name, and has a folder of its own", () => {
    expect(engineNamed(name)).toBe(engine);
    expect(engines.filter((other) => other.name === name)).toEqual([engine]);
    expect(existsSync(join(projectDirectory, "src/capture", name, "engine.ts"))).toBe(true);
  });

  test("says what it is, and why it offers no more, in words that go on in a sentence", () => {
    for (const words of [engine.about, engine.rootFor, engine.limits]) expect(words).toMatch(/^[a-z].{8,80}[^.]$/);
    expect(new Set(engine.offers).size).toBe(engine.offers.length);
    for (const offered of engine.offers) expect(Object.keys(allOptions)).toContain(offered);
  });

  test("an option is refused exactly when it isn't offered", () => {
    for (const option of Object.keys(allOptions) as EngineOption[]) {
      const asked = { [option]: allOptions[option] };
      expect(findUnoffered(engine, asked)).toBe(engine.offers.includes(option) ? undefined : option);
    }
    expect(findUnoffered(engine, {})).toBeUndefined();
    expect(findUnoffered(engine, { relaxed: undefined, sign: undefined })).toBeUndefined();
  });

  test("looks at its needs, and tells each thing once", async () => {
    const checks = await engine.needs({ release: "no-such-kernel", configuration: undefined });
    expect(checks.length).toBeGreaterThan(0);
    expect(new Set(checks.map((check) => check.what)).size).toBe(checks.length);
    for (const { what, found } of checks) expect([what, found]).not.toContain("");
  });

  test("runs no recording here", async () => {
    expect(await engine.isRecording()).toBe(false);
  });
});

test("the default engine is one of them", () => expect(engines).toContain(defaultEngine));

test("each folder with an engine is in the registry", () => {
  const capture = join(projectDirectory, "src/capture");
  const folders = readdirSync(capture).filter((name) => existsSync(join(capture, name, "engine.ts")));
  expect(folders.sort()).toEqual(engines.map(({ name }) => name).sort());
});

test("each program for a process without rights lies beside the recording that starts it, and the bundle names it", () => {
  const capture = join(projectDirectory, "src/capture");
  const recordings = readdirSync(capture, { recursive: true, encoding: "utf8" }).filter((file) =>
    /-recording\.ts$/.test(file),
  );
  const workers = recordings.flatMap((file) => {
    const named = /new URL\("\.\/([\w-]+)\.js", import\.meta\.url\)/.exec(readFileSync(join(capture, file), "utf8"));
    return named === null ? [] : [join(dirname(file), named[1]!)];
  });
  // engine instrument's recording is emulate's
  expect(workers.sort()).toEqual(["emulate/emulate-worker", "singlestep/singlestep-worker"]);
  const bundled = readFileSync(join(projectDirectory, "scripts/bundle.mjs"), "utf8");
  for (const worker of workers) {
    expect(existsSync(join(capture, `${worker}.ts`))).toBe(true);
    expect(bundled).toContain(`dist/src/capture/${worker}.js`);
  }
});

test("without a recording, a marker is an error that says so", async () => {
  const marked = markRecording("cable pulled");
  await expect(marked).rejects.toThrow(UserError);
  await expect(marked).rejects.toThrow("no recording is running, so there is nothing to put a marker into");
});

test("the doctor lists the engines that there are, each with its own needs", async () => {
  const { engines: reports } = await examine();
  expect(reports.map(({ engine }) => engine)).toEqual(engines.map(({ name }) => name));
  for (const { usable, checks } of reports) {
    expect(checks[0]).toEqual(architectureCheck());
    expect(usable).toBe(!checks.some(({ state }) => state === "missing"));
  }
  expect(isUsable([architectureCheck(), missing("headers", "not there")])).toBe(false);
});

test("commands know no engine by name, but in their help's words", () => {
  const folder = join(projectDirectory, "src/cli");
  const names = engines.map(({ name }) => name).join("|");
  // a command may have an engine's name
  const known = new RegExp(`(?<!\\.command\\()["'](?:${names})["']|capture/(?:${names})/`);
  for (const file of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    if (!/(?<!\.test)\.ts$/.test(file)) continue;
    expect(known.exec(readFileSync(join(folder, file), "utf8"))?.[0], file).toBeUndefined();
  }
});
