// Signs the core with the user's key, for kernels that load signed modules only. The kernel's headers bring the program for it.
import { copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../base/errors.js";
import { cacheDirectory } from "../../base/paths.js";
import { runTool } from "../../base/run-tool.js";
import { requireTrusted } from "../../base/trusted-path.js";
import type { SigningKey } from "../recording.js";

/**
 * Hands `use` a copy of the module that is signed with `key`, in a folder of its own that only we can write to, and that is
 * removed afterwards. `headersDirectory`: the kernel's build folder. Throws UserError where it can't be signed.
 */
export async function withSignedModule<Result>(
  module: string,
  { key, certificate }: SigningKey,
  headersDirectory: string,
  use: (path: string) => Promise<Result>,
): Promise<Result> {
  const signer = join(headersDirectory, "scripts/sign-file");
  if (!existsSync(signer)) {
    throw new UserError(`signing the core failed: the kernel's headers have no ${signer}`, {
      advice: "install the kernel's headers, or sign the module by hand and give it with --core",
    });
  }
  for (const file of [key, certificate]) {
    if (!file.startsWith("pkcs11:") && !existsSync(file))
      throw new UserError(`signing the core failed: no file ${file}`);
  }
  requireTrusted(signer, `signing the core with ${signer}`);
  const folder = mkdtempSync(join(cacheDirectory("core"), ".signed-"));
  try {
    const signed = join(folder, "mmiostrider.ko");
    copyFileSync(module, signed);
    const result = await runTool(signer, ["sha256", key, certificate, signed]);
    if (result.code !== 0) {
      const said = result.stderr.trim().split("\n").at(-1) ?? "";
      throw new UserError(`signing the core with ${key} failed: ${said}`, {
        advice: "a key in PEM without a passphrase (or with it in $KBUILD_SIGN_PIN), and its certificate",
      });
    }
    return await use(signed);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
