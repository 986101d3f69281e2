// Makes the archive that the kernel unpacks as its first file system.

/** One entry of a cpio archive. A link's content is its target. */
export interface Entry {
  name: string;
  mode: number;
  content: Uint8Array;
}

export const mode = { directory: 0o040755, file: 0o100644, program: 0o100755, link: 0o120777 };

/** Makes the "newc" archive that the kernel unpacks: Documentation/driver-api/early-userspace/buffer-format.rst. */
export function cpio(entries: readonly Entry[]): Buffer {
  const parts: Buffer[] = [];
  const padded = (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
  const all = [...entries, { name: "TRAILER!!!", mode: 0, content: new Uint8Array() }];
  for (const [index, entry] of all.entries()) {
    const name = Buffer.from(`${entry.name}\0`);
    const fields = [index + 1, entry.mode, 0, 0, 1, 0, entry.content.length, 0, 0, 0, 0, name.length, 0];
    const header = `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`;
    parts.push(padded(Buffer.concat([Buffer.from(header), name])), padded(Buffer.from(entry.content)));
  }
  return Buffer.concat(parts);
}
