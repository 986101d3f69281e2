// Signs the core with the user's key, for kernels that load only signed modules. The program for it is in the kernel's headers.
import { copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../base/errors.js";
import { cacheDirectory } from "../../base/paths.js";
import { runTool } from "../../base/run-tool.js";
import { requireTrusted } from "../../base/trusted-path.js";
import type { SigningKey } from "../recording.js";

/**
 * Calls `use` with a copy of the module, signed with `key`, in a new folder that only we can write to and that is removed
 * afterwards. `headersDirectory`: the kernel's build folder. Throws UserError if it can't be signed.
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
