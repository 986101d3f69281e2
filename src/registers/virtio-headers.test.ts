// tier: quick
// virtio-pci.xml against the kernel's C headers for user programs: each field's offset and size, according to the
// compiler.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { temporaryFolder } from "../../dev/test-support/made-up-files.js";
import { builtInDatabase } from "./files/built-in.js";

/** Structures: the header and C type, the domain, the variant, and our prefix of the field's name. */
const structures = [
  ["virtio_pci.h", "struct virtio_pci_common_cfg", "VIRTIO_COMMON", undefined, ""],
  ["virtio_net.h", "struct virtio_net_config", "VIRTIO_DEVICE", "NET", "NET_"],
  ["virtio_blk.h", "struct virtio_blk_config", "VIRTIO_DEVICE", "BLOCK", "BLK_"],
  ["virtio_console.h", "struct virtio_console_config", "VIRTIO_DEVICE", "CONSOLE", "CONSOLE_"],
  ["virtio_balloon.h", "struct virtio_balloon_config", "VIRTIO_DEVICE", "BALLOON", "BALLOON_"],
  ["virtio_scsi.h", "struct virtio_scsi_config", "VIRTIO_DEVICE", "SCSI", "SCSI_"],
  ["virtio_gpu.h", "struct virtio_gpu_config", "VIRTIO_DEVICE", "GPU", "GPU_"],
  ["virtio_input.h", "struct virtio_input_config", "VIRTIO_DEVICE", "INPUT", "INPUT_"],
  ["virtio_vsock.h", "struct virtio_vsock_config", "VIRTIO_DEVICE", "VSOCK", "VSOCK_"],
  ["virtio_crypto.h", "struct virtio_crypto_config", "VIRTIO_DEVICE", "CRYPTO", "CRYPTO_"],
  ["virtio_fs.h", "struct virtio_fs_config", "VIRTIO_DEVICE", "FS", "FS_"],
] as const;

/** Names that differ between the headers and the standard, or halves that the standard joins. */
const renamed: Record<string, string> = {
  DRIVER_FEATURE_SELECT: "guest_feature_select",
  DRIVER_FEATURE: "guest_feature",
  CONFIG_MSIX_VECTOR: "msix_config",
  QUEUE_DESC: "queue_desc_lo",
  QUEUE_DRIVER: "queue_avail_lo",
  QUEUE_DEVICE: "queue_used_lo",
  BLK_CYLINDERS: "geometry.cylinders",
  BLK_HEADS: "geometry.heads",
  BLK_SECTORS: "geometry.sectors",
  // Newer than some distributions' headers; in the standard's section 4.1.4.3.
  QUEUE_NOTIF_CONFIG_DATA: "",
  QUEUE_RESET: "",
  BLK_MAX_SECURE_ERASE_SECTORS: "",
  BLK_MAX_SECURE_ERASE_SEG: "",
  BLK_SECURE_ERASE_SECTOR_ALIGNMENT: "",
};

const folder = temporaryFolder();

it.each(structures)("%s: %s", (header, structure, domain, variant, prefix) => {
  const plain = builtInDatabase("virtio-pci");
  const database = variant === undefined ? plain : plain?.withVariant("virtio-device", variant);
  const nodes = database?.view(domain).nodes ?? [];
  const fields = nodes.flatMap((node) => {
    const name = node.name as string;
    const field = renamed[name] ?? name.slice(prefix.length).toLowerCase();
    // A 64-bit register that is two 32-bit fields in the headers is compared by its lower half.
    const size = (node.size * node.length) / (field.endsWith("_lo") ? 2 : 1);
    return field === "" ? [] : [{ name, field, offset: node.offset, size }];
  });
  expect(fields.length).toBeGreaterThan(0);
  const checks = fields.map(
    ({ name, field, offset, size }) =>
      `_Static_assert(offsetof(${structure}, ${field}) == ${offset}, "${name}: offset");\n` +
      `_Static_assert(sizeof(((${structure} *)0)->${field}) == ${size}, "${name}: size");\n`,
  );
  const path = join(folder, "check.c");
  writeFileSync(path, `#include <stddef.h>\n#include <linux/types.h>\n#include <linux/${header}>\n${checks.join("")}`);
  const run = spawnSync("gcc", ["-fsyntax-only", path], { encoding: "utf8" });
  expect(run.stderr).toBe("");
  expect(run.status).toBe(0);
});
