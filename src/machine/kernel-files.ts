// Reading the small files in which the kernel tells about itself (/proc, /sys): they may be absent, closed, or of another shape.
import { closeSync, openSync, readFileSync, readSync } from "node:fs";

/** The file's text; undefined where it can't be read. */
export function readKernelFile(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return undefined;
  }
}

/** As much as one read of such a file ever gives. */
const page_bytes = 4096;

/**
 * The text of a file that the kernel gives in one piece, by one read. Newer kernels refuse a second one of a module's section
 * address (tried with 6.12), by which others would find the file's end. Throws as `readSync` does.
 */
export function readInOnePiece(path: string): string {
  const descriptor = openSync(path, "r");
  try {
    const page = Buffer.alloc(page_bytes);
    return page.toString("latin1", 0, readSync(descriptor, page, 0, page_bytes, null));
  } finally {
    closeSync(descriptor);
  }
}

/** The chosen one of a file's choices, which has brackets around it: `none [integrity] confidentiality`. */
export function chosenWord(text: string | undefined): string | undefined {
  return /\[(\w+)\]/.exec(text ?? "")?.[1];
}
