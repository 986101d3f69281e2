// For tests only: register databases written to a temporary folder.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll } from "vitest";
import type { RegisterDatabase } from "../../src/registers/database.js";
import { loadDatabase } from "../../src/registers/files/load.js";

/** Makes a folder that is removed after the test file's last test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "mmiostrider-registers-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes files by their path below `folder`; puts content that isn't a whole file inside <database>. */
export function writeFiles(folder: string, files: Record<string, string | Uint8Array>): void {
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    const whole = typeof content !== "string" || content.startsWith("<?xml") || content.startsWith("!");
    writeFileSync(path, whole ? (typeof content === "string" ? content.replace(/^!/, "") : content) : wrap(content));
  }
}

function wrap(inside: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<database>\n${inside}\n</database>\n`;
}

let count = 0;

/** Makes a database of one file whose <database> holds `inside`. */
export function databaseOf(folder: string, inside: string, domain?: string): RegisterDatabase {
  const name = `made-up-${count++}.xml`;
  writeFiles(folder, { [name]: inside });
  return loadDatabase(join(folder, name), domain);
}
