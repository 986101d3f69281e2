// Checks a whole schema, on every variant, and collects its faults.

import type { Node } from "./compile.js";
import { DomainView } from "./domain-view.js";
import type { DatabaseWarning, Schema } from "./schema.js";
import { TypeResolver } from "./types.js";
import { outermost, VariantResolver } from "./variants.js";

/**
 * Collects all faults of `schema`: those that parsing found, and names that don't resolve anywhere in it. In the order
 * of files and lines, each once.
 */
export function checkSchema(schema: Schema): DatabaseWarning[] {
  const warnings: DatabaseWarning[] = [...schema.warnings];
  for (const domain of schema.domains.values()) {
    const view = new DomainView(schema, domain, new Map(), warnings);
    resolveTypes(view, view.nodes);
  }
  checkUnused(schema, warnings);
  const known = new Map(warnings.map((warning) => [`${warning.file}\n${warning.line}\n${warning.message}`, warning]));
  const rank = new Map(schema.files.map((file, index) => [file, index]));
  const rankOf = ({ file }: DatabaseWarning): number => rank.get(file)!;
  return [...known.values()].sort((a, b) => rankOf(a) - rankOf(b) || a.line - b.line);
}

function resolveTypes(view: DomainView, nodes: readonly Node[]): void {
  for (const node of nodes) {
    if (node.register !== undefined) view.typeOf(node.register);
    resolveTypes(view, node.children);
  }
}

/** Checks types and groups that no domain uses, as far as that is possible without a user. */
function checkUnused(schema: Schema, warnings: DatabaseWarning[]): void {
  const variants = new VariantResolver(schema, new Map());
  const types = new TypeResolver(schema, variants, (place, message) => {
    warnings.push({ file: place.file, line: place.line, message });
  });
  const names = [...schema.bitsets.values(), ...schema.enums.values()].filter((type) => !type.inline);
  const plain = { shr: 0, add: 0n, min: undefined, max: undefined, align: undefined, radix: 0, fields: [], values: [] };
  for (const named of names) types.resolve({ typeName: named.name, ...plain }, 64, outermost, named);
  for (const named of schema.spectypes.values()) types.resolve(named.type, 64, outermost, named);
}
