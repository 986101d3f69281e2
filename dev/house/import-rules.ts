// The rules that the imports of src/ obey: which room may import which, which rooms run in a browser, no circles between
// files. Where an import breaks one, the rule's function says so in a sentence that begins with the file and line.
import type { Import, SourceFile } from "./source-imports.js";

/** An import that breaks a rule. */
export interface Violation {
  file: string;
  /** The file, module or global name that `file` may not use. */
  uses: string;
  /** The whole sentence for the person who wrote the import: file, line, rule. */
  message: string;
}

/** Violations that are known: a file, and what it uses. One must go when it is no longer needed: unusedExceptions() finds it. */
export type Exceptions = Record<string, string[]>;

const traceRooms = ["trace", "trace/file", "trace/import", "trace/export"];
const engines = ["capture/emulate", "capture/instrument", "capture/singlestep", "capture/process"];
/** The rooms that every engine may use. */
const forEngines = ["base", "elf", "btf", "machine", "trace", "trace/file", "trace/node", "capture", "capture/feed"];
const allButCli = [
  ...["base", "elf", "btf", "x86", ...traceRooms, "trace/node", "registers", "registers/files", "models", "machine"],
  ...["rewrite", "capture", "capture/feed", ...engines, "analysis", "tracer", "replay", "viewer", "lab"],
];

/**
 * Each room of src/, and the other rooms that its files may import. A room is a folder with everything below it that isn't a room
 * of its own; a file in src/ itself is one, too. Rooms that the design names may be missing yet.
 *
 *     cli → capture, analysis, tracer, viewer → rewrite, trace, registers, models, machine → elf, btf, x86 → base
 */
export const rooms: Record<string, string[]> = {
  base: [],
  elf: ["base"],
  btf: ["base", "elf"],
  x86: ["base"],
  trace: ["base"],
  "trace/file": ["base", "trace"],
  "trace/import": ["base", "trace", "trace/file"],
  "trace/export": ["base", "trace", "trace/file"],
  "trace/node": ["base", ...traceRooms],
  registers: ["base"],
  "registers/files": ["base", "registers"],
  models: ["base"],
  machine: ["base", "elf", "btf", "trace"],
  rewrite: ["base", "elf", "btf", "x86", "models", "machine"],
  capture: [...forEngines, "rewrite", ...engines],
  "capture/feed": ["base", "machine", "trace", "trace/file", "trace/node", "capture"],
  "capture/emulate": forEngines,
  "capture/instrument": [...forEngines, "rewrite", "models", "capture/emulate"],
  "capture/singlestep": [...forEngines, "trace/import"],
  "capture/process": [...forEngines, "x86", "rewrite", "models"],
  analysis: ["base", "elf", "btf", "trace", "trace/file", "registers", "models"],
  tracer: ["base", ...traceRooms, "trace/node", "registers", "registers/files", "analysis"],
  replay: ["base", ...traceRooms, "trace/node", "registers", "registers/files", "analysis"],
  viewer: ["base", ...traceRooms, "trace/node", "registers", "registers/files", "models", "analysis"],
  lab: ["base", "elf", "machine"],
  api: ["base", "btf", ...traceRooms, "registers", "analysis"],
  "api/node": ["base", ...traceRooms, "trace/node", "registers", "registers/files", "analysis", "api"],
  cli: allButCli,
  "browser.ts": ["base", "elf", "btf", ...traceRooms, "registers", "models", "analysis", "api"],
  "index.ts": ["api", "api/node"],
};

/** Rooms whose files, with all their imports, run in a page unchanged. */
const browserRooms = ["elf", "btf", ...traceRooms, "registers", "analysis", "api", "browser.ts"];

/** The packages that run in a page, too. */
const browserPackages = ["hyparquet-writer"];

const isTest = (path: string) => path.endsWith(".test.ts");

/** The room that a file of src/ is in; undefined where the table has none. */
function roomOf(path: string): string | undefined {
  const [top, ...below] = path.split("/");
  if (top !== "src") return undefined;
  // the file's own name is a room only in src/ itself
  const folders = below.length === 1 ? below : below.slice(0, -1);
  const first = folders[0]!;
  const isDivided = Object.keys(rooms).some((name) => name.startsWith(`${first}/`));
  const name = isDivided && folders.length > 1 ? folders.slice(0, 2).join("/") : first;
  return Object.hasOwn(rooms, name) ? name : undefined;
}

/** Imports against the arrows, files in rooms that the table doesn't have, and imports of files that aren't there. */
export function arrowViolations(sources: SourceFile[]): Violation[] {
  const paths = new Set(sources.map(({ path }) => path));
  const violations: Violation[] = [];
  for (const source of sources) {
    if (source.path.startsWith("src/") && !isTest(source.path) && roomOf(source.path) === undefined) {
      const message = `${source.path}: its folder is a new room: say in dev/house/import-rules.ts what it may import`;
      violations.push({ file: source.path, uses: "a new room", message });
      continue;
    }
    for (const { target, line } of source.imports) {
      if (target === undefined) continue;
      const wrong = paths.has(target) ? wrongArrow(source.path, target) : `imports ${target}, which isn't there`;
      if (wrong !== undefined) {
        violations.push({ file: source.path, uses: target, message: `${source.path}:${line}: ${wrong}` });
      }
    }
  }
  return violations;
}

/** The rule that an import of `target` in `path` breaks. */
function wrongArrow(path: string, target: string): string | undefined {
  // dev/ and test/ may import anything
  if (!path.startsWith("src/")) return undefined;
  const from = roomOf(path);
  const to = roomOf(target);
  if (!target.startsWith("src/")) {
    if (isTest(path) && target.startsWith("dev/test-support/")) return undefined;
    return `src/ may not import ${target}: only tests may, and of dev/test-support/ only`;
  }
  if (from === to) return undefined;
  if (to === "cli") return `imports ${target}: nothing may import cli/`;
  // a test joins rooms as a user would
  if (isTest(path) || from === undefined) return undefined;
  if (to !== undefined && rooms[from]!.includes(to)) return undefined;
  return `imports ${target}, but ${from} may import only ${rooms[from]!.join(", ") || "nothing of the project"}`;
}

/** Uses of Node in files that must run in a page: those of the browser's rooms, and every file that these load. */
export function browserViolations(sources: SourceFile[]): Violation[] {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const inRooms = sources.filter(({ path }) => !isTest(path) && browserRooms.includes(roomOf(path) ?? ""));
  /** Each file that a page loads, with the chain of imports that leads to it. Grows while it is walked, breadth first. */
  const chains = new Map(inRooms.map(({ path }) => [path, [path]]));
  for (const [path, chain] of chains) {
    for (const { target, typeOnly } of byPath.get(path)?.imports ?? []) {
      if (target !== undefined && !typeOnly && !chains.has(target)) chains.set(target, [...chain, target]);
    }
  }
  return [...chains].flatMap(([path, chain]) => nodeUses(byPath.get(path), chain));
}

function nodeUses(source: SourceFile | undefined, chain: string[]): Violation[] {
  if (source === undefined) return [];
  const reached = chain.length > 1 ? ` (loaded by way of ${chain.join(" → ")})` : "";
  const violation = (uses: string, line: number) => ({
    file: source.path,
    uses,
    message: `${source.path}:${line}: uses ${uses}, but must run in a browser${reached}`,
  });
  const imports = source.imports.filter((one) => isNotForBrowsers(one));
  return [
    ...imports.map(({ specifier, line }) => violation(specifier, line)),
    ...source.nodeGlobals.map(({ name, line }) => violation(name, line)),
  ];
}

function isNotForBrowsers({ specifier, target, typeOnly }: Import): boolean {
  if (target !== undefined) return false;
  return specifier.startsWith("node:") || (!typeOnly && !browserPackages.includes(specifier));
}

/** Imports that close a circle between files, types included: each as the chain from a file back to itself. */
export function circleViolations(sources: SourceFile[]): Violation[] {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const violations: Violation[] = [];
  const done = new Set<string>();
  const onWay: string[] = [];
  const walk = (path: string): void => {
    onWay.push(path);
    for (const { target, line } of byPath.get(path)?.imports ?? []) {
      if (target === undefined || done.has(target)) continue;
      const start = onWay.indexOf(target);
      if (start < 0) walk(target);
      else {
        const circle = [...onWay.slice(start), target].join(" → ");
        violations.push({
          file: path,
          uses: target,
          message: `${path}:${line}: closes a circle of imports: ${circle}`,
        });
      }
    }
    onWay.pop();
    done.add(path);
  };
  for (const { path } of sources) if (!done.has(path)) walk(path);
  return violations;
}

/** Violations that no exception allows. */
export function unexpected(violations: Violation[], exceptions: Exceptions): Violation[] {
  return violations.filter(({ file, uses }) => exceptions[file]?.includes(uses) !== true);
}

/** Exceptions for which there is no violation any more, as "file uses what". */
export function unusedExceptions(violations: Violation[], exceptions: Exceptions): string[] {
  const needed = new Set(violations.map(({ file, uses }) => `${file} uses ${uses}`));
  const all = Object.entries(exceptions).flatMap(([file, list]) => list.map((uses) => `${file} uses ${uses}`));
  return all.filter((exception) => !needed.has(exception));
}
