// Finds and runs the system's tools (make, insmod, modinfo, …). Knows nothing about their purposes.
import { execFile } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, isAbsolute, join, resolve } from "node:path";
import { requireTrusted } from "./trusted-path.js";

/** Folders of the administrator's tools, which a user's PATH may lack. */
const systemFolders = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin", "/bin"];

export interface ToolResult {
  /** The exit code, or null if a signal or the time limit ended it. */
  code: number | null;
  stdout: string;
  stderr: string;
  /** The tool itself wasn't found. */
  missing: boolean;
  /** It was ended after `timeout_ms`. */
  timedOut: boolean;
}

/** Finds a program's full path in PATH, as the shell would, then in the system's folders; undefined if there is none. */
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

/** Tools that root has run before, by path: they aren't checked again. */
const trustedTools = new Set<string>();

/** Checks that nobody else could have put or changed the tool, if we are root. Throws UserError. */
export function requireTrustedTool(path: string): void {
  if (process.geteuid?.() !== 0 || trustedTools.has(path)) return;
  requireTrusted(path, `running ${path} as root`);
  trustedTools.add(path);
}

/**
 * Runs a tool to its end and returns its output; never throws because of the tool's failure. Throws UserError if we are root and
 * others could change the tool.
 *
 * The tool's messages are in English, and it doesn't get MAKEFLAGS of a surrounding make.
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
