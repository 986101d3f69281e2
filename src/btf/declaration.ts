// C declarations of types, as a person writes them in the kernel's style. Structures and unions are named, not spelled out.
import { assertUnreachable } from "../base/assert.js";
import type { BtfParameter, BtfTypeId, TypeSource } from "./types.js";

/** Longest chain of types inside one declaration. The kernel refuses chains of qualifiers and the like that are longer than 32. */
const depthMax = 64;

/** A declaration that nests deeper than that, or in a circle. */
export class EndlessTypeError extends Error {}

/**
 * Writes the declaration of `name` with type `id`: `const char *name`, `int (*open)(struct inode *, struct file *)`,
 * `u8 address[6]`. Without a name, only the type: `const char *`. Throws EndlessTypeError.
 */
export function declaration(source: TypeSource, id: BtfTypeId, name = ""): string {
  return new Declarator(source, name, 0).finish(id);
}

function parametersText(source: TypeSource, parameters: readonly BtfParameter[], isVariadic: boolean, depth: number) {
  const texts = parameters.map(({ name, type }) => new Declarator(source, name ?? "", depth).finish(type));
  if (isVariadic) texts.push("...");
  return texts.length === 0 ? "void" : texts.join(", ");
}

const integerWords = /^(?:(?:long|short|unsigned|signed|int|char) ?)+$/;

/** Spells a compiler's name of an integer as it is spelled in sources: `long unsigned int` is `unsigned long`. */
function integerName(name: string): string {
  if (!integerWords.test(name)) return name;
  const words = name.split(" ");
  const sign = words.filter((word) => word.endsWith("signed"));
  const width = words.filter((word) => word === "long" || word === "short" || word === "char");
  return [...sign, ...(width.length === 0 ? ["int"] : width)].join(" ");
}

/**
 * A declaration grows from its name outwards, while the types are followed from the outermost to the innermost: for
 * `const char *const names[4]` an array, const, a pointer, const, char.
 */
class Declarator {
  private readonly source: TypeSource;
  private text: string;
  private depth: number;
  /** Qualifiers waiting for the type that they qualify. */
  private before: string[] = [];
  private behind: string[] = [];
  private isPointer = false;

  constructor(source: TypeSource, name: string, depth: number) {
    this.source = source;
    this.text = name;
    this.depth = depth;
  }

  finish(from: BtfTypeId): string {
    let next: BtfTypeId | string = from;
    while (typeof next === "number") {
      this.depth += 1;
      if (this.depth > depthMax) throw new EndlessTypeError();
      next = this.step(next);
    }
    const base = [...this.before, next, ...this.behind].join(" ");
    return this.text === "" || this.text.startsWith("[") ? base + this.text : `${base} ${this.text}`;
  }

  /** Takes one type. Returns the next one, or the innermost one's text. */
  private step(id: BtfTypeId): BtfTypeId | string {
    const type = this.source.type(id);
    switch (type.kind) {
      case "pointer":
        this.addPointer();
        return type.target;
      case "const":
      case "volatile":
      case "restrict":
        this.before.push(type.kind);
        return type.target;
      case "typeTag":
        this.behind.push(type.isAttribute ? `__attribute__((${type.name}))` : `__${type.name}`);
        return type.target;
      case "array":
        this.closePointer();
        this.text += type.length === 0 ? "[]" : `[${type.length}]`;
        return type.element;
      case "prototype":
        this.closePointer();
        this.text += `(${parametersText(this.source, type.parameters, type.isVariadic, this.depth)})`;
        return type.result;
      case "function":
        if (this.text === "") this.text = type.name;
        return type.prototype;
      case "variable":
        if (this.text === "") this.text = type.name;
        return type.type;
      case "declarationTag":
        return type.target;
      case "struct":
      case "union":
        return `${type.kind} ${type.name ?? "{…}"}`;
      case "enum":
      case "enum64":
        return `enum ${type.name ?? "{…}"}`;
      case "forward":
        return `${type.of} ${type.name}`;
      case "int":
        return integerName(type.name);
      case "float":
      case "typedef":
      case "section":
        return type.name;
      case "void":
        return "void";
      case "unknown":
        return `/* BTF kind ${type.number} */`;
      default:
        return assertUnreachable(type);
    }
  }

  /** Puts a star before the text, and between them the pointer's own qualifiers. */
  private addPointer(): void {
    const qualifiers = [...this.before, ...this.behind].join(" ");
    const isJoined = qualifiers === "" || this.text === "" || this.text.startsWith("[");
    this.text = `*${qualifiers}${isJoined ? "" : " "}${this.text}`;
    this.before = [];
    this.behind = [];
    this.isPointer = true;
  }

  /** Puts parentheses around a pointer to an array or function. */
  private closePointer(): void {
    if (this.isPointer) this.text = `(${this.text})`;
    this.isPointer = false;
  }
}
