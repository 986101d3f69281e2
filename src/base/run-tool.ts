// Runs the system's tools (make, insmod, modinfo, …) and finds them. Knows nothing of what they are for.
import { execFile } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, isAbsolute, join, resolve } from "node:path";
import { requireTrusted } from "./trusted-path.js";

/** Where the administrator's tools live even when a user's PATH leaves them out. */
const systemFolders = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin", "/bin"];

export interface ToolResult {
  /** The exit code, or null when a signal or the time limit ended it. */
  code: number | null;
  stdout: string;
  stderr: string;
  /** True when the tool itself could not be found. */
  missing: boolean;
  /** True when it was ended because `timeout_ms` had passed. */
  timedOut: boolean;
}

/** The full path of a program as the shell would find it in PATH, then in the system's folders; undefined when nowhere. */
export function findTool(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== ""), ...systemFolders];
  const candidates = name.includes("/") ? [resolve(name)] : folders.map((folder) => join(folder, name));
  return candidates.find(isExecutable);
}

function isExecutable(path: string): boolean {
  if (!isAbsolute(path)) return false;
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** What root has run before, and how it was called: it isn't looked at again. */
const trustedTools = new Set<string>();

/** Root runs only what nobody else could have put there. Throws UserError. */
export function requireTrustedTool(path: string): void {
  if (process.geteuid?.() !== 0 || trustedTools.has(path)) return;
  requireTrusted(path, `running ${path} as root`);
  trustedTools.add(path);
}

/**
 * Runs a tool to its end and returns what it printed; never throws for what the tool does. Throws UserError where we are root and
 * others could change the tool.
 *
 * The tool's messages come in plain English, and MAKEFLAGS of a surrounding make don't reach it.
 */
export function runTool(
  name: string,
  parameters: readonly string[],
  options: { timeout_ms?: number; directory?: string; environment?: Record<string, string> } = {},
): Promise<ToolResult> {
  const path = findTool(name);
  if (path === undefined) {
    return Promise.resolve({ code: null, stdout: "", stderr: `${name}: not found`, missing: true, timedOut: false });
  }
  requireTrustedTool(path);
  const { MAKEFLAGS: _flags, MFLAGS: _more, MAKELEVEL: _level, ...inherited } = process.env;
  const timeout_ms = options.timeout_ms ?? 30_000;
  return new Promise((done) => {
    execFile(
      path,
      [...parameters],
      {
        cwd: options.directory,
        env: { ...inherited, LC_ALL: "C", ...options.environment },
        maxBuffer: 64 * 1024 * 1024,
        timeout: timeout_ms,
        killSignal: "SIGKILL",
      },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : null;
        done({ code, stdout, stderr, missing: false, timedOut: error?.killed === true });
      },
    );
  });
}
