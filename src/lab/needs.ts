// The tools from outside npm that the lab and the core's build call, and Debian's packages for them.
import type { NeededTool } from "./debian.js";
import { qemuProgram } from "./machine.js";

export const labTools: readonly NeededTool[] = [
  { tool: qemuProgram, debianPackage: "qemu-system-x86" },
  { tool: "depmod", debianPackage: "kmod" },
  { tool: "gcc", debianPackage: "gcc" },
  { tool: "make", debianPackage: "make" },
  // Debian's kernels and modules are compressed with it
  { tool: "xz", debianPackage: "xz-utils" },
  // objtool and modpost, which come with the kernel's headers, are linked with it
  { tool: "libelf.so.1", debianPackage: "libelf1" },
];

/** What only the tests call. */
export const testTools: readonly NeededTool[] = [
  { tool: "xmllint", debianPackage: "libxml2-utils" },
  // makes a key and a certificate to sign the core with
  { tool: "openssl", debianPackage: "openssl" },
];
