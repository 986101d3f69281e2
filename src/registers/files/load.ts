// Loads register databases: a user's file by path, and the choice of its domains.
import { statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { AmbiguousNameError, InvalidValueError, UnknownNameError } from "../../base/errors.js";
import { projectDirectory } from "../../base/paths.js";
import { type Layout, RegisterDatabase, type Segment } from "../database.js";
import { nvidiaDomain, observeNvidia } from "../observers.js";
import type { Schema } from "../schema.js";
import { ImportPath } from "./imports.js";
import { parseDatabase } from "./parser.js";

/** Folder of the built-in databases: they are read from the sources, compiled or not. */
export const builtInDirectory = join(projectDirectory, "src/registers/files/built-in");

/** Files already parsed: a recording of many devices of one kind parses a file once. */
const parsed = new Map<string, Schema>();

/** Loads the definitions in the file at `path` and its imports; each file is parsed once in a process. */
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
 * Loads the database in the file at `path`.
 *
 * `domain` names the domain of BAR 0; other places are `NAME@BAR` or `NAME@BAR+OFFSET`, several of them separated by
 * commas. The default is the file's only domain with registers, without those of its imports.
 *
 * Errors: UserError if a file can't be read, FormatError if it isn't a register database, InvalidValueError if the domain
 * doesn't exist or must be chosen.
 */
export function loadDatabase(path: string, domain?: string): RegisterDatabase {
  const schema = loadSchema(path);
  const layout = parseLayout(domain ?? onlyDomain(schema, path));
  for (const segment of [...layout.values()].flat()) {
    if (!schema.domains.has(segment.domain)) {
      const message = `the register database ${path} has no domain ${segment.domain}`;
      throw new UnknownNameError(segment.domain, [...schema.domains.keys()], message, {
        advice: `it has ${domainNames(schema)}`,
      });
    }
  }
  const isNvidia = schema.domains.has(nvidiaDomain) && schema.enums.has("chipset");
  const observer = isNvidia ? observeNvidia : undefined;
  return new RegisterDatabase(basename(path, ".xml"), schema, layout, new Map(), observer);
}

/** Parses `PATH[:DOMAIN[@BAR[+OFFSET]],…]`. */
export function parseDatabaseChoice(text: string): { path: string; domain: string | undefined } {
  const colon = text.lastIndexOf(":");
  // A colon may be part of the path.
  if (colon < 0 || statSync(text, { throwIfNoEntry: false }) !== undefined) return { path: text, domain: undefined };
  const domain = text.slice(colon + 1);
  if (domain === "") throw new InvalidValueError(text, `"${text}" names no domain after the colon`);
  return { path: text.slice(0, colon), domain };
}

function parseLayout(text: string): Layout {
  const layout = new Map<number, Segment[]>();
  for (const item of text.split(",")) {
    const match = /^([^@]+)(?:@([0-6])(?:\+(0x[0-9a-f]{1,12}|[0-9]{1,15}))?)?$/i.exec(item);
    if (match === null) {
      throw new InvalidValueError(item, `"${item}" doesn't say where a domain is: NAME, NAME@BAR or NAME@BAR+OFFSET`, {
        advice: "BARs are numbered 0 to 6, an offset is decimal or 0x…",
      });
    }
    const bar = Number(match[2] ?? "0");
    const segment = { domain: match[1] as string, start: Number(match[3] ?? "0") };
    const segments = layout.get(bar) ?? [];
    const same = segments.find((other) => other.start === segment.start);
    if (same !== undefined) {
      const message = `${same.domain} and ${segment.domain} can't both begin at BAR ${bar} + ${segment.start}`;
      throw new InvalidValueError(item, message);
    }
    layout.set(
      bar,
      [...segments, segment].sort((a, b) => a.start - b.start),
    );
  }
  return layout;
}

function onlyDomain(schema: Schema, path: string): string {
  const own = schema.ownDomains.filter((name) => (schema.domains.get(name)?.children.length ?? 0) > 0);
  const candidates = own.length > 0 ? own : [...schema.domains.keys()];
  const [first] = candidates;
  if (first === undefined) {
    const message = `the register database ${path} defines no domain, so nothing can be looked up in it`;
    throw new InvalidValueError(path, message);
  }
  if (candidates.length > 1) {
    throw new AmbiguousNameError(path, candidates, `the register database ${path} has several domains`, {
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
