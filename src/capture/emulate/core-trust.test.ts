// tier: quick
// The core isn't built from, or signed with, files that others could change. The folders are made up; owners, modes and refusals are
// real.
import {
  chmodSync,
  copyFileSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, expect, test } from "vitest";
import { UserError } from "../../base/errors.js";
import { buildCore } from "./core-build.js";
import { withSignedModule } from "./module-signing.js";

const root = realpathSync(mkdtempSync(join(tmpdir(), "mmiostrider-core-trust-")));
afterAll(() => rmSync(root, { recursive: true }));
const isRoot = process.getuid?.() === 0;
const cacheBefore = process.env.MMIOSTRIDER_CACHE;
let headers = "";
let made = 0;

beforeEach(() => {
  headers = join(root, `headers-${made++}`);
  mkdirSync(join(headers, "scripts/basic"), { recursive: true });
  // if a build ran make, it would fail with this
  writeFileSync(join(headers, "Makefile"), "$(error make was run)\n");
  writeFileSync(join(headers, "scripts/basic/fixdep"), "", { mode: 0o755 });
  writeFileSync(join(headers, "scripts/sign-file"), '#!/bin/sh\nprintf signed >> "$4"\n', { mode: 0o755 });
  process.env.MMIOSTRIDER_CACHE = join(root, "cache");
});
afterEach(() => {
  if (cacheBefore === undefined) delete process.env.MMIOSTRIDER_CACHE;
  else process.env.MMIOSTRIDER_CACHE = cacheBefore;
});

async function refusal(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => new Error("it was done"),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(UserError);
  return (error as UserError).message;
}

const build = () => refusal(buildCore({ release: "1.2.3", headersDirectory: headers }));

test("headers that are root's are built with", async () => {
  expect(await build()).toMatch(/^building the core for kernel 1\.2\.3 failed: .*make was run/);
});

test.each(["Makefile", "scripts", "scripts/basic", "scripts/basic/fixdep"])(
  "headers with an open %s are not",
  async (below) => {
    const path = join(headers, below);
    chmodSync(path, 0o777);
    expect(await build()).toMatch(
      new RegExp(
        `^building the core with the kernel's headers in ${headers} is refused: the \\w+ ${path} can be written to by`,
      ),
    );
  },
);

test("files that Debian's headers include are checked, too", async () => {
  const common = join(root, `common-${made}`);
  mkdirSync(common);
  writeFileSync(join(common, "Makefile"), "$(error make was run)\n", { mode: 0o644 });
  writeFileSync(join(headers, "Makefile"), `include ${common}/Makefile\n`);
  expect(await build()).toMatch(/make was run/);
  chmodSync(join(common, "Makefile"), 0o666);
  expect(await build()).toContain(`the file ${join(common, "Makefile")} can be written to by everybody (mode 0666)`);
});

test.skipIf(!isRoot)("a stranger's headers are not built with", async () => {
  lchownSync(join(headers, "scripts/basic/fixdep"), 65_534, 65_534);
  expect(await build()).toContain(`the file ${join(headers, "scripts/basic/fixdep")} belongs to user 65534`);
});

test("sign-file is run where it is root's, on a copy that only we can write to, and not where others can change it", async () => {
  const [module, key] = [join(root, "module.ko"), join(root, "key")];
  writeFileSync(module, "module ");
  writeFileSync(key, "");
  const sign = () =>
    withSignedModule(module, { key, certificate: key }, headers, async (path) => {
      copyFileSync(path, join(root, "kept"));
      return path;
    });
  const signed = await sign();
  expect(signed.startsWith(join(root, "cache/core/"))).toBe(true);
  expect(readFileSync(join(root, "kept"), "utf8")).toBe("module signed");
  const signer = join(headers, "scripts/sign-file");
  chmodSync(signer, 0o757);
  expect(await refusal(sign())).toBe(
    `signing the core with ${signer} is refused: the file ${signer} can be written to by everybody (mode 0757)`,
  );
  chmodSync(signer, 0o755);
  chmodSync(join(headers, "scripts"), 0o777);
  expect(await refusal(sign())).toContain(`the folder ${join(headers, "scripts")} can be written to by everybody`);
});
