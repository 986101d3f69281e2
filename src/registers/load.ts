// Loads register databases: a user's file by path, and the choice of its domains.
import { statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { UsageError } from "../base/errors.js";
import { projectDirectory } from "../base/paths.js";
import { RegisterDatabase } from "./database.js";
import { ImportPath } from "./imports.js";
import { parseDatabase } from "./parser.js";
import type { Schema } from "./schema.js";

/** Where the built-in databases are, built or not: they are read as they stand in the sources. */
export const builtInDirectory = join(projectDirectory, "src", "registers", "db");

/** Files already parsed: a recording of many devices of one kind parses once. */
const parsed = new Map<string, Schema>();

/** The definitions in the file at `path` and its imports; parsed once in a process. */
export function loadSchema(path: string): Schema {
  const full = resolve(path);
  let schema = parsed.get(full);
  if (schema === undefined) {
    schema = parseDatabase(full, new ImportPath(full, builtInDirectory));
    parsed.set(full, schema);
  }
  return schema;
}

/**
 * The database in the file at `path`.
 *
 * `domain` says which of its domains BAR 0 is; several BARs are `NAME@BAR,NAME@BAR`. Without it, the file's only
 * domain with registers in it counts, imports left aside.
 *
 * Errors: UserError when a file can't be read, FormatError when it isn't a register database, UsageError when the
 * domain doesn't exist or would have to be chosen.
 */
export function loadDatabase(path: string, domain?: string): RegisterDatabase {
  const schema = loadSchema(path);
  const bars = domain === undefined ? new Map([[0, onlyDomain(schema, path)]]) : parseBars(domain);
  for (const name of bars.values()) {
    if (!schema.domains.has(name)) {
      throw new UsageError(`the register database ${path} has no domain ${name}`, {
        advice: `it has ${domainNames(schema)}`,
      });
    }
  }
  return new RegisterDatabase(basename(path, ".xml"), schema, bars);
}

/** `PATH[:DOMAIN[@BAR][,DOMAIN@BAR]…]`, as `--registers` takes it. */
export function parseDatabaseChoice(text: string): { path: string; domain: string | undefined } {
  const colon = text.lastIndexOf(":");
  // A colon may be part of the path.
  if (colon < 0 || statSync(text, { throwIfNoEntry: false }) !== undefined) return { path: text, domain: undefined };
  const domain = text.slice(colon + 1);
  if (domain === "") throw new UsageError(`"${text}" names no domain after the colon`);
  return { path: text.slice(0, colon), domain };
}

function parseBars(text: string): Map<number, string> {
  const bars = new Map<number, string>();
  for (const item of text.split(",")) {
    const match = /^([^@]+)(?:@([0-6]))?$/.exec(item);
    if (match === null) {
      throw new UsageError(`"${item}" isn't a domain's name with, or without, @ and a BAR's number (0 to 6)`);
    }
    const bar = Number(match[2] ?? "0");
    if (bars.has(bar)) throw new UsageError(`BAR ${bar} is given two domains: ${bars.get(bar)} and ${match[1]}`);
    bars.set(bar, match[1] as string);
  }
  return bars;
}

function onlyDomain(schema: Schema, path: string): string {
  const own = schema.ownDomains.filter((name) => (schema.domains.get(name)?.children.length ?? 0) > 0);
  const candidates = own.length > 0 ? own : [...schema.domains.keys()];
  const [first] = candidates;
  if (first === undefined) {
    throw new UsageError(`the register database ${path} defines no domain, so nothing can be looked up in it`);
  }
  if (candidates.length > 1) {
    throw new UsageError(`the register database ${path} has several domains`, {
      advice: `choose one: ${path}:DOMAIN, where DOMAIN is ${domainNames(schema)}`,
    });
  }
  return first;
}

function domainNames(schema: Schema): string {
  const names = [...schema.domains.keys()];
  if (names.length === 0) return "none at all";
  return names.length > 20 ? `${names.slice(0, 20).join(", ")} and ${names.length - 20} more` : names.join(", ");
}
