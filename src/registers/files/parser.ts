// Turns the XML elements of a database and of all its imports into a Schema: tags, attributes, merging of same names.
// compile.ts and types.ts resolve the names later.
import { FormatError } from "../../base/errors.js";
import type { Schema, VariantAttributes } from "../schema.js";
import { Limits } from "../schema.js";
import { Attributes } from "./attributes.js";
import { ElementParser } from "./element-parser.js";
import type { ImportPath } from "./imports.js";
import { briefOf, TypeParser } from "./type-parser.js";
import { type ElementBudget, readXml, type XmlElement } from "./xml.js";

/** Tags that only document; their content is ignored. */
const documentation = new Set(["brief", "doc", "copyright"]);

/**
 * Parses the database in the file at `path` with everything it imports.
 *
 * Errors: UserError if a file can't be read, FormatError if one isn't a database. Lesser faults become the schema's
 * warnings.
 */
export function parseDatabase(path: string, imports: ImportPath): Schema {
  const schema: Schema = {
    path,
    files: [],
    domains: new Map(),
    groups: new Map(),
    bitsets: new Map(),
    enums: new Map(),
    spectypes: new Map(),
    ownDomains: [],
    warnings: [],
  };
  new FileParser(schema, path, imports, { left: Limits.xmlElementsMax }, 0).parse();
  return schema;
}

class FileParser {
  readonly #schema: Schema;
  readonly #file: string;
  readonly #imports: ImportPath;
  readonly #types: TypeParser;
  readonly #elements: ElementParser;
  readonly #budget: ElementBudget;
  /** Nesting depth of the imports leading here. */
  readonly #depth: number;

  constructor(schema: Schema, file: string, imports: ImportPath, budget: ElementBudget, depth: number) {
    this.#schema = schema;
    this.#file = file;
    this.#imports = imports;
    this.#budget = budget;
    this.#depth = depth;
    const other = (element: XmlElement, inside: string): void => this.#topLevelOr(element, inside);
    this.#types = new TypeParser(file, schema.warnings, other);
    this.#elements = new ElementParser(file, schema.warnings, this.#types, other);
  }

  parse(): void {
    // Entered before reading, so that each of two files that import each other is read once.
    this.#schema.files.push(this.#file);
    if (this.#schema.files.length > Limits.filesMax) {
      throw new FormatError(this.#file, `imports make up more than ${Limits.filesMax} files`);
    }
    const root = readXml(this.#file, this.#budget);
    if (root.tag !== "database") {
      throw new FormatError(this.#file, `isn't a register database: its root is <${root.tag}>, not <database>`, {
        line: root.line,
      });
    }
    this.#attributes(root).finish();
    for (const child of root.children) this.#topLevelOr(child, "database");
  }

  #attributes(element: XmlElement): Attributes {
    return new Attributes(element, this.#file, this.#schema.warnings);
  }

  #warn(element: XmlElement, message: string): void {
    this.#schema.warnings.push({ file: this.#file, line: element.line, message });
  }

  /** Takes an element that may stand anywhere; warns about any other. */
  #topLevelOr(element: XmlElement, inside: string): void {
    if (this.#topLevel(element) || documentation.has(element.tag)) return;
    this.#warn(element, `<${element.tag}> can't be inside <${inside}>`);
  }

  #topLevel(element: XmlElement): boolean {
    switch (element.tag) {
      case "domain":
        this.#domain(element);
        return true;
      case "group":
        this.#group(element);
        return true;
      case "bitset":
        this.#bitset(element);
        return true;
      case "enum":
        this.#enum(element);
        return true;
      case "spectype":
        this.#spectype(element);
        return true;
      case "import":
        this.#import(element);
        return true;
      default:
        return false;
    }
  }

  #import(element: XmlElement): void {
    const attributes = this.#attributes(element);
    const name = attributes.text("file");
    attributes.finish();
    if (name === undefined) {
      attributes.warn("<import> names no file");
      return;
    }
    const path = this.#imports.find(name, this.#file);
    if (path === undefined) {
      attributes.warn(`imports ${name}, which doesn't exist`);
      return;
    }
    if (this.#schema.files.includes(path)) return;
    const depth = this.#depth + element.depth;
    if (depth > Limits.nestingMax) {
      throw new FormatError(this.#file, `imports lie in more than ${Limits.nestingMax} elements, one in another`, {
        line: element.line,
      });
    }
    new FileParser(this.#schema, path, this.#imports, this.#budget, depth).parse();
  }

  #domain(element: XmlElement): void {
    const attributes = this.#attributes(element);
    const name = attributes.text("name");
    const width_bits = attributes.number("width") ?? 8;
    const size = attributes.number("size");
    const bare = attributes.boolean("bare");
    const variants = attributes.variants();
    attributes.finish();
    if (name === undefined) {
      attributes.warn("<domain> has no name");
      return;
    }
    if (![8, 16, 32, 64].includes(width_bits)) {
      attributes.warn(`domain ${name}: width ${width_bits} is none of 8, 16, 32, 64`);
      return;
    }
    let domain = this.#schema.domains.get(name);
    if (domain === undefined) {
      domain = {
        ...{ name, width_bits, size, bare, children: [], brief: briefOf(element) },
        ...{ ...variants, file: this.#file, line: element.line },
      };
      this.#schema.domains.set(name, domain);
    } else {
      const sizesDiffer = size !== undefined && domain.size !== undefined && size !== domain.size;
      if (domain.width_bits !== width_bits || domain.bare !== bare || sizesDiffer || !sameVariants(domain, variants)) {
        attributes.warn(`domain ${name} differs in its attributes from ${domain.file}:${domain.line}`);
      }
      domain.size ??= size;
      domain.brief ??= briefOf(element);
    }
    if (this.#file === this.#schema.path && !this.#schema.ownDomains.includes(name)) this.#schema.ownDomains.push(name);
    for (const child of this.#elements.inside(element)) domain.children.push(child);
  }

  #group(element: XmlElement): void {
    const attributes = this.#attributes(element);
    const name = attributes.text("name");
    attributes.finish();
    if (name === undefined) {
      attributes.warn("<group> has no name");
      return;
    }
    let group = this.#schema.groups.get(name);
    if (group === undefined) {
      group = { name, children: [], file: this.#file, line: element.line };
      this.#schema.groups.set(name, group);
    }
    for (const child of this.#elements.inside(element)) group.children.push(child);
  }

  #bitset(element: XmlElement): void {
    const attributes = this.#attributes(element);
    const name = attributes.text("name");
    const inline = attributes.boolean("inline");
    const bare = attributes.boolean("bare");
    const variants = attributes.variants();
    attributes.finish();
    if (name === undefined) {
      attributes.warn("<bitset> has no name");
      return;
    }
    let bitset = this.#schema.bitsets.get(name);
    if (bitset === undefined) {
      bitset = { name, inline, bare, fields: [], ...variants, file: this.#file, line: element.line };
      this.#schema.bitsets.set(name, bitset);
    } else if (bitset.inline !== inline || bitset.bare !== bare || !sameVariants(bitset, variants)) {
      attributes.warn(`bitset ${name} differs in its attributes from ${bitset.file}:${bitset.line}`);
    }
    for (const child of element.children) {
      if (child.tag === "bitfield") bitset.fields.push(...this.#types.field(child));
      else this.#topLevelOr(child, "bitset");
    }
  }

  #enum(element: XmlElement): void {
    const attributes = this.#attributes(element);
    const name = attributes.text("name");
    const inline = attributes.boolean("inline");
    const bare = attributes.boolean("bare");
    const variants = attributes.variants();
    attributes.finish();
    if (name === undefined) {
      attributes.warn("<enum> has no name");
      return;
    }
    let definition = this.#schema.enums.get(name);
    if (definition === undefined) {
      definition = { name, inline, bare, values: [], ...variants, file: this.#file, line: element.line };
      this.#schema.enums.set(name, definition);
    } else if (definition.inline !== inline || definition.bare !== bare || !sameVariants(definition, variants)) {
      attributes.warn(`enum ${name} differs in its attributes from ${definition.file}:${definition.line}`);
    }
    for (const child of element.children) {
      if (child.tag === "value") definition.values.push(...this.#types.value(child));
      else this.#topLevelOr(child, "enum");
    }
  }

  #spectype(element: XmlElement): void {
    const attributes = this.#attributes(element);
    const name = attributes.text("name");
    const type = this.#types.type(element, attributes);
    attributes.finish();
    if (name === undefined) {
      attributes.warn("<spectype> has no name");
      return;
    }
    const earlier = this.#schema.spectypes.get(name);
    if (earlier !== undefined) {
      attributes.warn(`spectype ${name} is already defined in ${earlier.file}:${earlier.line}`);
      return;
    }
    this.#schema.spectypes.set(name, { name, type, file: this.#file, line: element.line });
  }
}

function sameVariants(a: VariantAttributes, b: VariantAttributes): boolean {
  return a.variants === b.variants && a.varset === b.varset && a.prefix === b.prefix;
}
