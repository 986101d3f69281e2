// The tools from outside npm that the lab and the core's build call, and Debian's packages for them.
import type { NeededTool } from "./debian.js";
import { qemuProgram } from "./virtual-machine.js";

export const labTools: readonly NeededTool[] = [
  { tool: qemuProgram, debianPackage: "qemu-system-x86" },
  { tool: "depmod", debianPackage: "kmod" },
  { tool: "gcc", debianPackage: "gcc" },
  { tool: "make", debianPackage: "make" },
  // Debian's kernels and modules are compressed with it
  { tool: "xz", debianPackage: "xz-utils" },
  // objtool and modpost, parts of the kernel's headers, are linked with it
  { tool: "libelf.so.1", debianPackage: "libelf1" },
];

/** Tools that only the tests call. */
export const testTools: readonly NeededTool[] = [
  { tool: "xmllint", debianPackage: "libxml2-utils" },
  // makes a key and a certificate for signing the core
  { tool: "openssl", debianPackage: "openssl" },
  // runs the trace's reader in a browser
  { tool: "chromium", debianPackage: "chromium" },
  { tool: "perf", debianPackage: "linux-perf" },
  // reads the kernel's types, as we do
  { tool: "bpftool", debianPackage: "bpftool" },
  // the package is installed and used in a root of Debian's least
  { tool: "debootstrap", debianPackage: "debootstrap" },
];

/** Further tools, beside `labTools`, to build a whole kernel. */
export const kernelBuildTools: readonly NeededTool[] = [
  { tool: "flex", debianPackage: "flex" },
  { tool: "bison", debianPackage: "bison" },
  { tool: "bc", debianPackage: "bc" },
  { tool: "perl", debianPackage: "perl" },
  { tool: "nice", debianPackage: "coreutils" },
  // objtool's header and library to link with
  { tool: "libelf.so", debianPackage: "libelf-dev" },
];

/** Tools that only the benchmarks call. */
export const benchTools: readonly NeededTool[] = [
  { tool: "zstd", debianPackage: "zstd" },
  { tool: "ip", debianPackage: "iproute2" },
  { tool: "dmsetup", debianPackage: "dmsetup" },
  { tool: "mkfs.ext4", debianPackage: "e2fsprogs" },
];
