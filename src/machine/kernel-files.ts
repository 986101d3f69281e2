// Reading the small files in which the kernel tells about itself (/proc, /sys): they may be absent, closed, or of another shape.
import { readFileSync } from "node:fs";

/** The file's text; undefined where it can't be read. */
export function readKernelFile(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return undefined;
  }
}

/** The chosen one of a file's choices, which has brackets around it: `none [integrity] confidentiality`. */
export function chosenWord(text: string | undefined): string | undefined {
  return /\[(\w+)\]/.exec(text ?? "")?.[1];
}
