// Puts generated parts into a document, each between two markers: `<!-- evaluate: NAME -->` and `<!-- end of NAME -->`.
import { UserError } from "../../src/base/errors.js";

/** Replaces each part by its new text. Throws UserError if a marker is missing, or one names an unknown part. */
export function withParts(file: string, text: string, parts: Readonly<Record<string, string>>): string {
  const seen = new Set<string>();
  const replaced = text.replace(/^<!-- evaluate: ([\w-]+) -->\n[\s\S]*?^<!-- end of \1 -->$/gm, (_, name: string) => {
    const part = parts[name];
    if (part === undefined) throw new UserError(`${file} has a marker for ${name}, which the evaluation doesn't make`);
    seen.add(name);
    return `<!-- evaluate: ${name} -->\n\n${part}\n\n<!-- end of ${name} -->`;
  });
  const missing = Object.keys(parts).filter((name) => !seen.has(name));
  if (missing.length > 0) throw new UserError(`${file} has no markers for ${missing.join(", ")}`);
  return replaced;
}
