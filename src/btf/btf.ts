// The types of a kernel or module by name and number. A type becomes an object only when it is asked for; until then it is its bytes.
import { FormatError } from "../base/errors.js";
import { ElfFile } from "../elf/elf-file.js";
import { declaration, EndlessTypeError } from "./declaration.js";
import { matchDistilled } from "./distilled-base.js";
import { type BtfKind, kindNumber, kinds, pointer_bytes } from "./layout.js";
import { NameIndex } from "./name-index.js";
import { type FieldReader, readType } from "./read-type.js";
import { BtfTable } from "./table.js";
import type { BtfFunction, BtfMember, BtfType, BtfTypeId } from "./types.js";

/** Longest chain of typedefs, qualifiers and arrays. The kernel refuses longer ones than 32. */
const chainMax = 64;

const elfMagic = [0x7f, 0x45, 0x4c, 0x46];

/** The base of a module's types. */
export interface BtfOptions {
  /** The file's name in errors. Default: `BTF`. */
  name?: string | undefined;
  /** The kernel's types, on which a module's build; for the kernel's own none. */
  base?: Btf | undefined;
}

/** A `.BTF.base`, and the kernel's type for each of its types. */
interface Distilled {
  readonly table: BtfTable;
  readonly kernelIds: Uint32Array;
}

/**
 * The types, functions and variables of a kernel or a module: BTF, as in `/sys/kernel/btf/vmlinux`, or the `.BTF` section of a `.ko`.
 * It never changes. Numbers of types are those of the kernel, and go on behind them for a module.
 */
export class Btf {
  /** Named in errors. */
  readonly name: string;
  /** The kernel's types, if these are a module's. */
  readonly base: Btf | undefined;
  /** The number of types with those of the base and with void: the least number that is no type's. */
  readonly count: number;
  /** The number of the first type that isn't the base's. */
  readonly firstId: BtfTypeId;
  readonly #table: BtfTable;
  readonly #distilled: Distilled | undefined;
  readonly #stringsStart: number;
  readonly #fields: FieldReader;
  #names: NameIndex | undefined;

  private constructor(table: BtfTable, base: Btf | undefined, distilled: BtfTable | undefined) {
    this.name = table.file;
    this.base = base;
    this.firstId = base?.count ?? 1;
    this.count = this.firstId + table.count;
    this.#table = table;
    this.#stringsStart = distilled?.strings_bytes ?? (base === undefined ? 0 : base.#stringsEnd);
    this.#fields = {
      firstId: this.firstId,
      nameAt: (offset, at) => this.#nameAt(offset, at),
      reference: (at) => this.#reference(at),
    };
    if (distilled !== undefined) {
      table.require(base !== undefined, "a module with .BTF.base can't be read without the kernel's types", 0);
      this.#distilled = { table: distilled, kernelIds: matchDistilled(table, distilled, base) };
    }
  }

  /**
   * Reads BTF: a raw file, or an ELF file with a section `.BTF`, not compressed. A module's needs the kernel's as `base`: of the very
   * same build, unless the module has a section `.BTF.base`, with which it fits each kernel that has the types named there.
   * Throws FormatError, which tells the offset in the file.
   */
  static read(bytes: Uint8Array, { name = "BTF", base }: BtfOptions = {}): Btf {
    if (!elfMagic.every((byte, at) => bytes[at] === byte)) return new Btf(new BtfTable(name, bytes), base, undefined);
    const elf = new ElfFile(name, bytes);
    const table = sectionTable(elf, ".BTF");
    if (table === undefined) throw new FormatError(name, "it has no section .BTF");
    return new Btf(table, base, sectionTable(elf, ".BTF.base"));
  }

  /** Returns the kind of a type. Throws RangeError for a number that is no type's. */
  kindOf(id: BtfTypeId): BtfKind {
    if (id === 0) return "void";
    const owner = this.#ownerOf(id);
    return kinds[kindNumber(owner.#table.info(id - owner.firstId))] ?? "unknown";
  }

  /** Returns the name of a type; undefined for one without. Throws FormatError, and RangeError for a number that is no type's. */
  nameOf(id: BtfTypeId): string | undefined {
    if (id === 0) return undefined;
    const owner = this.#ownerOf(id);
    return owner.#nameOfOwn(id - owner.firstId);
  }

  /** Returns all that is known of a type. Throws FormatError, and RangeError for a number that is no type's. */
  type(id: BtfTypeId): BtfType {
    if (id === 0) return { id, kind: "void" };
    const owner = this.#ownerOf(id);
    return readType(owner.#table, id, owner.#fields);
  }

  /** Lists the types of that name, of one kind or of any: the module's own first, then the base's. */
  idsNamed(name: string, kind?: BtfKind): BtfTypeId[] {
    this.#names ??= new NameIndex(this.#table, (index) => this.#nameOfOwn(index));
    const own = this.#names.find(name).map((index) => index + this.firstId);
    const all = [...own, ...(this.base?.idsNamed(name) ?? [])];
    return kind === undefined ? all : all.filter((id) => this.kindOf(id) === kind);
  }

  /**
   * Lists the functions of that name, a module's own first: none, one, or several where static functions of different files have the
   * same name. Throws FormatError.
   */
  functions(name: string): BtfFunction[] {
    return this.idsNamed(name, "function").map((id) => this.functionOf(id));
  }

  /** Returns the function with that number. Throws FormatError, and RangeError for a number that is no function's. */
  functionOf(id: BtfTypeId): BtfFunction {
    const type = this.type(id);
    if (type.kind !== "function") throw new RangeError(`${this.name}: type ${id} is a ${type.kind}, not a function`);
    const prototype = this.type(type.prototype);
    if (prototype.kind !== "prototype") {
      throw this.#error(id, `function ${type.name} has a ${prototype.kind}, type ${type.prototype}, for its prototype`);
    }
    const { result, parameters, isVariadic } = prototype;
    return { id, name: type.name, linkage: type.linkage, result, parameters, isVariadic };
  }

  /**
   * Writes a C declaration of `name` with that type: `struct device *dev`, `int (*open)(struct inode *, struct file *)`,
   * `u8 address[6]`. Without a name, only the type; functions and variables have their own. A structure without a name is
   * `struct {…}`. Throws FormatError.
   */
  declaration(id: BtfTypeId, name?: string): string {
    try {
      return declaration(this, id, name);
    } catch (error) {
      if (error instanceof EndlessTypeError) throw this.#endless(id);
      throw error;
    }
  }

  /** Follows typedefs and qualifiers to the type that tells how a value looks. Throws FormatError. */
  resolve(id: BtfTypeId): BtfType {
    let type = this.type(id);
    for (let step = 0; step < chainMax; step += 1) {
      // a pointer and a tag of a declaration have a target, too
      if (!("target" in type) || type.kind === "pointer" || type.kind === "declarationTag") return type;
      type = this.type(type.target);
    }
    throw this.#endless(id);
  }

  /** Returns a type's size in bytes; undefined where it has none: void, functions, structures that aren't told. Throws FormatError. */
  size_bytes(id: BtfTypeId): number | undefined {
    let count = 1;
    let next = id;
    for (let step = 0; step < chainMax; step += 1) {
      const type = this.resolve(next);
      if (type.kind === "pointer") return count * pointer_bytes;
      if (type.kind === "variable") next = type.type;
      else if (type.kind === "array") {
        count *= type.length;
        next = type.element;
      } else return "size_bytes" in type ? count * type.size_bytes : undefined;
    }
    throw this.#endless(id);
  }

  /** Returns the members of a structure or union, behind typedefs, too; undefined for any other type. Throws FormatError. */
  members(id: BtfTypeId): readonly BtfMember[] | undefined {
    const type = this.resolve(id);
    return type.kind === "struct" || type.kind === "union" ? type.members : undefined;
  }

  get #stringsEnd(): number {
    return this.#stringsStart + this.#table.strings_bytes;
  }

  /** The file that has the type: this one, or the base. */
  #ownerOf(id: BtfTypeId): Btf {
    const isType = Number.isInteger(id) && id > 0 && id < this.count;
    if (!isType) throw new RangeError(`${this.name}: ${id} is no type's number: they are 0 to ${this.count - 1}`);
    return id < this.firstId ? this.base!.#ownerOf(id) : this;
  }

  #nameOfOwn(index: number): string | undefined {
    return this.#nameAt(this.#table.nameOffset(index), this.#table.start(index));
  }

  /** Reads the name at `offset` in the strings, those of the base first; undefined for none. `at` is the place that names it. */
  #nameAt(offset: number, at: number): string | undefined {
    if (offset === 0) return undefined;
    if (offset >= this.#stringsStart) return this.#table.string(offset - this.#stringsStart, at) || undefined;
    if (this.#distilled !== undefined) return this.#distilled.table.string(offset, at) || undefined;
    return this.base!.#nameAt(offset, at);
  }

  /** Reads a number of a type, and checks it. */
  #reference(at: number): BtfTypeId {
    const raw = this.#table.view.getUint32(at, true);
    const kernelIds = this.#distilled?.kernelIds;
    if (kernelIds !== undefined && raw < kernelIds.length) return kernelIds[raw]!;
    const id = kernelIds === undefined ? raw : raw - kernelIds.length + this.firstId;
    if (id >= this.count) {
      throw this.#table.error(`a reference to type ${raw}, but the last type is ${this.count - 1}`, at);
    }
    return id;
  }

  #error(id: BtfTypeId, what: string): FormatError {
    const owner = this.#ownerOf(id);
    return owner.#table.error(what, owner.#table.start(id - owner.firstId));
  }

  #endless(id: BtfTypeId): FormatError {
    return this.#error(id, `type ${id} leads back to itself, or on to more than ${chainMax} types`);
  }
}

/** Reads a section of BTF; undefined if there is none. The section's bytes are copied, so that the whole file needn't stay in memory. */
function sectionTable(elf: ElfFile, name: string): BtfTable | undefined {
  const section = elf.section(name);
  return section && new BtfTable(elf.file, elf.content(section).slice(), section.offset);
}
