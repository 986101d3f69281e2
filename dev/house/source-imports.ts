// Reads what the project's TypeScript files import, and which of Node's global names they use. Knows nothing of the rules.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { parseAst } from "rolldown/parseAst";

/** One import, export from, dynamic import, import type, or `new URL(…, import.meta.url)` of a source file. */
export interface Import {
  /** As it is written: "node:fs", "saxes", "./errors.js". */
  specifier: string;
  /** The file of the project that it names, from the project's folder; undefined for packages and Node's own modules. */
  target: string | undefined;
  /** Counts from 1. */
  line: number;
  /** Nothing of it is left when the program runs. */
  typeOnly: boolean;
}

/** A global name that Node has and a page has not. */
export interface NodeGlobal {
  name: string;
  line: number;
}

export interface SourceFile {
  /** From the project's folder: "src/trace/text.ts". */
  path: string;
  imports: Import[];
  nodeGlobals: NodeGlobal[];
}

const nodeGlobalNames = new Set([
  "Buffer",
  "NodeJS",
  "__dirname",
  "__filename",
  "clearImmediate",
  "global",
  "process",
  "require",
  "setImmediate",
]);

/** Every TypeScript file in `folders` of `project`, sorted by path. Folders that aren't there hold none. */
export function readSources(project: string, folders: string[]): SourceFile[] {
  return folders
    .flatMap((folder) => typescriptFiles(project, folder))
    .sort()
    .map((path) => readSource(path, readFileSync(join(project, path), "utf8")));
}

function typescriptFiles(project: string, folder: string): string[] {
  let entries: string[];
  try {
    entries = readdirSync(join(project, folder), { recursive: true, encoding: "utf8" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
  return entries.filter((name) => /\.tsx?$/.test(name)).map((name) => join(folder, name));
}

/** A node of the syntax tree: ESTree with TypeScript's nodes. */
export interface SyntaxNode {
  type: string;
  start: number;
  end: number;
  [property: string]: unknown;
}

/** The imports of one file's text. */
export function readSource(path: string, text: string): SourceFile {
  const file: SourceFile = { path, imports: [], nodeGlobals: [] };
  const lineOf = (node: SyntaxNode) => text.slice(0, node.start).split("\n").length;
  const visit = (node: SyntaxNode): void => {
    const found = importOf(node);
    if (found !== undefined) {
      const { specifier, typeOnly } = found;
      file.imports.push({ specifier, target: targetOf(path, specifier), line: lineOf(node), typeOnly });
    }
    if (node.type === "Identifier" && nodeGlobalNames.has(node.name as string)) {
      file.nodeGlobals.push({ name: node.name as string, line: lineOf(node) });
    }
    for (const child of childrenOf(node)) visit(child);
  };
  visit(parseAst(text, { lang: path.endsWith("x") ? "tsx" : "ts" }, path) as unknown as SyntaxNode);
  return file;
}

function importOf(node: SyntaxNode): { specifier: string; typeOnly: boolean } | undefined {
  switch (node.type) {
    case "ImportDeclaration":
    case "ExportNamedDeclaration":
    case "ExportAllDeclaration": {
      const specifier = textOf(node.source);
      return specifier === undefined ? undefined : { specifier, typeOnly: isTypeOnly(node) };
    }
    case "TSImportType": {
      const specifier = textOf(node.source);
      return specifier === undefined ? undefined : { specifier, typeOnly: true };
    }
    case "ImportExpression": {
      const specifier = textOf(node.source);
      return specifier === undefined ? undefined : { specifier, typeOnly: false };
    }
    case "NewExpression": {
      const specifier = workerOf(node);
      return specifier === undefined ? undefined : { specifier, typeOnly: false };
    }
    default:
      return undefined;
  }
}

function isTypeOnly(node: SyntaxNode): boolean {
  if (node.importKind === "type" || node.exportKind === "type") return true;
  const specifiers = (node.specifiers ?? []) as SyntaxNode[];
  const kinds = specifiers.map((specifier) => specifier.importKind ?? specifier.exportKind);
  return kinds.length > 0 && kinds.every((kind) => kind === "type");
}

/** The module that `new URL("./name.js", import.meta.url)` names. */
function workerOf(node: SyntaxNode): string | undefined {
  const [first, second] = node.arguments as SyntaxNode[];
  if ((node.callee as SyntaxNode).name !== "URL" || second?.type !== "MemberExpression") return undefined;
  if ((second.object as SyntaxNode).type !== "MetaProperty") return undefined;
  const specifier = textOf(first);
  return specifier?.endsWith(".js") ? specifier : undefined;
}

function textOf(literal: unknown): string | undefined {
  const value = (literal as SyntaxNode | null | undefined)?.value;
  return typeof value === "string" ? value : undefined;
}

function targetOf(path: string, specifier: string): string | undefined {
  if (!specifier.startsWith(".")) return undefined;
  return normalize(join(dirname(path), specifier)).replace(/\.js$/, ".ts");
}

/** The nodes below one, without the names of properties, which are no references. */
export function childrenOf(node: SyntaxNode): SyntaxNode[] {
  const propertyName = node.type === "MemberExpression" ? "property" : "key";
  return Object.entries(node)
    .filter(([key]) => key !== propertyName || node.computed === true)
    .flatMap(([, value]) => (Array.isArray(value) ? value : [value]))
    .filter((value): value is SyntaxNode => typeof value?.type === "string");
}
