// Shared by the programs behind `npm run check:*`: printing of errors, and exit codes.
import { mkdtempSync, rmSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { messageOf, UserError } from "../../src/base/errors.js";
import { ExitCode } from "../../src/cli/shared/exit-code.js";
import { shownError } from "../../src/cli/shared/shown-error.js";

/** Runs a check's main function, or prints its usage; an error becomes one line, its advice, and an exit code. */
export async function runCheck(name: string, usage: string, main: () => void | Promise<void>): Promise<void> {
  if (process.argv.slice(2).some((word) => word === "--help" || word === "-h")) {
    process.stdout.write(`${usage}\n`);
    return;
  }
  // this exit ends the lab's machines and removes the work folders
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => {
      process.stderr.write(`${name}: interrupted\n`);
      process.exit(128 + constants.signals[signal]);
    });
  }
  try {
    await main();
  } catch (error) {
    const shown = error instanceof UserError ? shownError(error) : undefined;
    const isUsage = shown?.exitCode === ExitCode.usage || isArgumentError(error);
    process.stderr.write(`${name}: ${shown?.message ?? messageOf(error)}\n`);
    if (shown?.advice !== undefined) process.stderr.write(`  ${shown.advice}\n`);
    if (isUsage) process.stderr.write(`${usage}\n`);
    else if (shown === undefined && error instanceof Error) process.stderr.write(`${error.stack}\n`);
    process.exitCode = isUsage ? ExitCode.usage : ExitCode.failed;
  }
}

/** Recognises the errors of node:util's parseArgs. */
function isArgumentError(error: unknown): boolean {
  return String((error as { code?: unknown }).code).startsWith("ERR_PARSE_ARGS");
}

const workFolders: string[] = [];

/** Makes a new folder for a check's files, which is removed when the program ends, if not before. */
export function workFolder(what: string): string {
  if (workFolders.length === 0) process.once("exit", removeWorkFolders);
  const folder = mkdtempSync(join(tmpdir(), `mmiostrider-${what}-`));
  workFolders.push(folder);
  return folder;
}

function removeWorkFolders(): void {
  for (const folder of workFolders) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}
