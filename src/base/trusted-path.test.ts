// tier: quick
// Files that root runs or loads must belong to root, and nobody else may be able to change them or any folder above them. Tried with
// real files, owners and modes; only root can give files to other owners.
import {
  chmodSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { UserError } from "./errors.js";
import { cacheDirectory } from "./paths.js";
import { runTool } from "./run-tool.js";
import { requireTrusted, requireTrustedTree } from "./trusted-path.js";

const root = realpathSync(mkdtempSync(join(tmpdir(), "mmiostrider-trusted-")));
afterAll(() => rmSync(root, { recursive: true }));
const stranger = 65_534;
const isRoot = process.getuid?.() === 0;

/** A new tree: `a/b/file`, and links to it. */
let base = "";
let file = "";
let made = 0;
beforeEach(() => {
  base = join(root, `tree-${made++}`);
  mkdirSync(join(base, "a/b"), { recursive: true, mode: 0o755 });
  file = join(base, "a/b/file");
  writeFileSync(file, "#!/bin/sh\necho ran\n", { mode: 0o755 });
});

function refusal(work: () => void): { message: string; advice: string | undefined } | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    const { message, advice } = error as UserError;
    return { message, advice };
  }
}

const look = (path = file) => refusal(() => requireTrusted(path, `loading ${path}`));

describe("a path", () => {
  test("that is ours alone is trusted, below a folder like /tmp, too", () => {
    chmodSync(base, 0o1777);
    expect(look()).toBeUndefined();
  });

  test.each([
    ["a/b/file", 0o777, "file", "everybody (mode 0777)"],
    ["a/b/file", 0o4757, "file", "everybody (mode 4757)"],
    ["a/b", 0o757, "folder", "everybody (mode 0757)"],
    ["a", 0o777, "folder", "everybody (mode 0777)"],
    ["a", 0o775, "folder", "its group"],
    ["a/b/file", 0o664, "file", "its group"],
  ])("with %s of mode %o is refused", (below, mode, what, who) => {
    const path = join(base, below);
    chmodSync(path, mode);
    const refused = look();
    expect(refused?.message).toContain(`loading ${file} is refused: the ${what} ${path} can be written to by ${who}`);
    expect(refused?.advice).toBe(`if it is as it should be: chmod go-w ${path}`);
    chmodSync(path, 0o755);
    expect(look()).toBeUndefined();
  });

  test("directly in a folder like /tmp is refused: anybody may have put it there", () => {
    chmodSync(dirname(file), 0o1777);
    expect(look()).toEqual({
      message: `loading ${file} is refused: the folder ${dirname(file)} can be written to by everybody (mode 1777)`,
      advice: "move it into a folder that only its owner can write to",
    });
  });

  test.skipIf(!isRoot).each(["a/b/file", "a/b", "a", ""])("whose part %j is a stranger's is refused", (below) => {
    const path = join(base, below);
    lchownSync(path, stranger, stranger);
    expect(look()?.message).toMatch(
      new RegExp(
        `^loading ${file} is refused: the (file|folder) ${path} belongs to user ${stranger}, who could change it$`,
      ),
    );
    expect(look()?.advice).toBe(`if it is as it should be: chown 0 ${path}`);
    expect(refusal(() => requireTrusted(file, "loading", { owners: [stranger] }))).toBeUndefined();
  });

  test("is looked at where its links lead, and on the way there", () => {
    symlinkSync("../a/b", join(base, "a/link"));
    symlinkSync(join(base, "a/link/file"), join(base, "start"));
    expect(look(join(base, "start"))).toBeUndefined();
    chmodSync(join(base, "a/b"), 0o777);
    expect(look(join(base, "start"))?.message).toContain(
      `the folder ${join(base, "a/b")} can be written to by everybody`,
    );
    chmodSync(join(base, "a/b"), 0o755);
    chmodSync(join(base, "a"), 0o777);
    expect(look(join(base, "start"))?.message).toContain(
      `the folder ${join(base, "a")} can be written to by everybody`,
    );
  });

  test.skipIf(!isRoot)("with a stranger's link is refused", () => {
    const link = join(base, "link");
    symlinkSync("a", link);
    lchownSync(link, stranger, stranger);
    expect(look(join(link, "b/file"))?.message).toContain(`the link ${link} belongs to user ${stranger}`);
  });

  test("goes up from where a link leads, as the kernel does", () => {
    mkdirSync(join(base, "far/away"), { recursive: true });
    symlinkSync("far/away", join(base, "link"));
    writeFileSync(join(base, "far/file"), "");
    // by text alone it would be base/file, which doesn't exist
    expect(look(`${base}/link/../file`)).toBeUndefined();
    chmodSync(join(base, "far/file"), 0o666);
    expect(look(`${base}/link/../file`)?.message).toContain(`the file ${join(base, "far/file")} can be written`);
  });

  test("in circles, or to nothing, is refused", () => {
    symlinkSync("two", join(base, "one"));
    symlinkSync("one", join(base, "two"));
    expect(look(join(base, "one"))?.message).toContain("leads through too many symbolic links");
    expect(look(join(base, "none"))?.message).toMatch(/failed: ENOENT/);
  });
});

describe("a folder with all that is in it", () => {
  const lookAll = () => refusal(() => requireTrustedTree(base, "building"));

  test("is looked at to its depth, links out of it included", () => {
    expect(lookAll()).toBeUndefined();
    chmodSync(file, 0o666);
    expect(lookAll()?.message).toContain(`the file ${file} can be written to by everybody (mode 0666)`);
    chmodSync(file, 0o644);
    const outside = join(root, `outside-${made}`);
    mkdirSync(join(outside, "scripts"), { recursive: true });
    writeFileSync(join(outside, "scripts/run"), "");
    symlinkSync(join(outside, "scripts"), join(base, "scripts"));
    symlinkSync(base, join(outside, "scripts/back"));
    symlinkSync("nothing", join(base, "dangling"));
    expect(lookAll()).toBeUndefined();
    chmodSync(join(outside, "scripts/run"), 0o757);
    expect(lookAll()?.message).toContain(`the file ${join(outside, "scripts/run")} can be written to by everybody`);
  });
});

describe("the cache", () => {
  const inCache = (path: string, ...below: string[]) => {
    const before = process.env.MMIOSTRIDER_CACHE;
    process.env.MMIOSTRIDER_CACHE = path;
    try {
      return refusal(() => cacheDirectory(...below));
    } finally {
      if (before === undefined) delete process.env.MMIOSTRIDER_CACHE;
      else process.env.MMIOSTRIDER_CACHE = before;
    }
  };

  test("is made for us alone, and refused where others can write, above it or below", () => {
    const cache = join(base, "cache");
    expect(inCache(cache, "core", "6.1")).toBeUndefined();
    expect(inCache(cache, "core", "6.1")).toBeUndefined();
    for (const open of [base, cache, join(cache, "core"), join(cache, "core/6.1")]) {
      chmodSync(open, 0o777);
      expect(inCache(cache, "core", "6.1")?.message).toBe(
        `using the cache ${cache} is refused: the folder ${open} can be written to by everybody (mode 0777)`,
      );
      chmodSync(open, 0o700);
    }
    // nothing is made in a refused place
    chmodSync(base, 0o777);
    expect(inCache(join(base, "other"))).toBeDefined();
    chmodSync(base, 0o700);
    expect(look(join(base, "other"))?.message).toMatch(/ENOENT/);
  });

  test("that can't be made is one line", () => {
    expect(inCache(join(file, "cache"))?.message).toMatch(new RegExp(`^using the cache ${file}/cache failed: E`));
  });
});

test.skipIf(!isRoot)("root runs no tool that others can change", async () => {
  expect((await runTool(file, [])).stdout).toBe("ran\n");
  const copy = join(base, "a/other");
  writeFileSync(copy, "#!/bin/sh\necho ran\n", { mode: 0o755 });
  chmodSync(join(base, "a"), 0o777);
  expect(refusal(() => void runTool(copy, []))?.message).toBe(
    `running ${copy} as root is refused: the folder ${join(base, "a")} can be written to by everybody (mode 0777)`,
  );
});
