// Converts chosen variants to indices into their enums.
import { UnknownNameError } from "../base/errors.js";
import { normalize } from "./bits.js";
import type { Schema } from "./schema.js";
import type { ChosenVariants } from "./variants.js";

/** Values of an enum can be chosen by name, in any case, or by number. `name` is the database's, for messages. */
export function select(name: string, schema: Schema, variants: ReadonlyMap<string, string>): ChosenVariants {
  const selection = new Map<string, number>();
  for (const [varset, variant] of variants) {
    const definition = schema.enums.get(varset);
    if (definition === undefined) {
      const message = `the register database ${name} has no enum ${varset} to choose a variant of`;
      throw new UnknownNameError(varset, [...schema.enums.keys()], message);
    }
    const wanted = variant.toLowerCase();
    let index = definition.values.findIndex((value) => value.name.toLowerCase() === wanted);
    if (index < 0 && /^(0x[0-9a-f]+|[0-9]+)$/.test(wanted)) {
      const number = normalize(BigInt(wanted));
      index = definition.values.findIndex((value) => value.value !== undefined && normalize(value.value) === number);
    }
    if (index < 0) {
      const names = definition.values.map((value) => value.name);
      const shown = names.length > 40 ? [...names.slice(0, 40), `and ${names.length - 40} more`] : names;
      throw new UnknownNameError(
        variant,
        names,
        `the register database ${name} has no variant ${variant} of ${varset}`,
        {
          advice: `it has ${shown.join(", ")}`,
        },
      );
    }
    selection.set(varset, index);
  }
  return selection;
}
