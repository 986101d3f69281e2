// tier: all
// Signing the core, and rewritten drivers: a kernel that enforces signatures decides if there is a valid one, and by whom.
import { execFileSync } from "node:child_process";
import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { inLab, labKernel, temporaryDirectory } from "../../dev/test-support/lab/in-lab.js";
import { buildCore } from "../../src/capture/emulate/core-build.js";
import { withSignedModule } from "../../src/capture/emulate/module-signing.js";

/** The kernel's mark at a signed module's end: include/linux/module_signature.h. */
const signatureMark = "~Module signature appended~\n";

test("a signed core has its signer; a kernel that doesn't trust the key, or misses a signature, is told in one line", async () => {
  const share = temporaryDirectory();
  const [key, certificate] = [join(share, "key.pem"), join(share, "certificate.pem")];
  const subject = ["-subj", "/CN=mmiostrider test key", "-addext", "extendedKeyUsage=codeSigning"];
  const made = ["req", "-new", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", ...subject];
  execFileSync("openssl", [...made, "-keyout", key, "-out", certificate], { stdio: "pipe" });
  const kernel = await labKernel();
  const core = await buildCore(kernel);
  await withSignedModule(core.path, { key, certificate }, kernel.headersDirectory!, async (signed) => {
    expect(readFileSync(signed).subarray(-signatureMark.length).toString()).toBe(signatureMark);
    expect(execFileSync("modinfo", ["-F", "signer", signed]).toString().trim()).toBe("mmiostrider test key");
    copyFileSync(signed, join(share, "signed.ko"));
  });
  expect(readFileSync(core.path).subarray(-signatureMark.length).toString()).not.toBe(signatureMark);
  const record = "mmiostrider record --all --duration 1 -o /tmp/x.mmt";
  const driving = "modinfo -F signer e1000; modprobe e1000; ls /sys/module/mmiostrider/holders; modprobe -r e1000";
  const keys = "--sign-key /share/key.pem --sign-cert /share/certificate.pem";
  const rewriting = `mmiostrider record --engine instrument --driver e1000 ${keys} -o /tmp/y.mmt -- sh -ec '${driving}'`;
  const { exitCode, output } = await inLab(
    `${record} --core /share/signed.ko; echo "any $?"
${rewriting}; echo "rewritten $?"
echo Y > /sys/module/module/parameters/sig_enforce || echo "can't enforce"
${record}; echo "unsigned $?"
${record} --core /share/signed.ko; echo "untrusted $?"
${record} --sign-key /share/key.pem; echo "half $?"
${record} --sign-key /share/nothing.pem --sign-cert /share/certificate.pem; echo "nothing $?"`,
    { share, qemu: "-device e1000" },
  );
  expect(exitCode, output).toBe(0);
  // a key that the kernel doesn't know taints it, but works if signatures aren't enforced
  expect(output).toMatch(/^any 0$/m);
  expect(output).toMatch(/^mmiostrider test key\ne1000\n/m);
  expect(output).toMatch(/^rewritten 0$/m);
  expect(output).toMatch(
    /^mmiostrider: loading the core .* failed: .*Key was rejected.*\n {2}this kernel takes only modules signed with a key/m,
  );
  expect(output).toMatch(/^unsigned 1$/m);
  expect(output).toMatch(/^untrusted 1$/m);
  expect(output).toMatch(/^mmiostrider: --sign-key and --sign-cert belong together.*$/m);
  expect(output).toMatch(/^half 2$/m);
  expect(output).toMatch(/^mmiostrider: signing the core failed: .*$/m);
  expect(output).toMatch(/^nothing 1$/m);
});
