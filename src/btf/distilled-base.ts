// A module's `.BTF.base`: the names, kinds and sizes of the kernel's types that the module refers to, for modules that are built apart
// from their kernel, whose numbers of types they can't know. Each is matched with a type of the kernel as the kernel itself does it:
// tools/lib/bpf/btf_relocate.c, Linux 6.11 on.
import { assertUnreachable } from "../base/assert.js";
import { type BtfKind, elementCount, kindFlag, kindNumber, kinds, memberEntry, typeHead } from "./layout.js";
import type { BtfTable } from "./table.js";
import type { BtfType, BtfTypeId, TypeSource } from "./types.js";

/** A type of the distilled base. */
interface Wanted {
  name: string;
  kind: DistilledKind;
  /** A forward's flag: it is of a union. */
  isUnion: boolean;
  size_bytes: number;
  /** The word of an integer behind its head: encoding and bits. */
  intWord: number;
  /** True if the module's structures hold it by value, so that its size matters to them. */
  isEmbedded: boolean;
}

const distilledKinds = ["int", "float", "enum", "struct", "union", "forward"] as const;
type DistilledKind = (typeof distilledKinds)[number];

/**
 * Finds the kernel's type for each type of `distilled`, on which `split` builds: number n of the result is that of type n, and number 0
 * is void. Throws FormatError for one that the kernel doesn't have, or
 * has more than once.
 */
export function matchDistilled(split: BtfTable, distilled: BtfTable, kernel: TypeSource): Uint32Array {
  const embedded = embeddedTypes(split, distilled.count);
  const found = new Uint32Array(distilled.count + 1);
  for (let index = 0; index < distilled.count; index += 1) {
    const wanted = readWanted(distilled, index, embedded.has(index + 1));
    const all = kernel.idsNamed(wanted.name).map((id) => kernel.type(id));
    const fitting = all.filter((type) => fits(wanted, type, isAmbiguous(all, type)));
    const [first, second] = fitting;
    const size = wanted.kind === "forward" ? "" : ` of ${wanted.size_bytes} bytes`;
    const what = `${wanted.kind} ${wanted.name}${size}`;
    const at = distilled.start(index);
    distilled.require(first !== undefined, `.BTF.base has ${what}, which the kernel's types don't have`, at);
    distilled.require(
      second === undefined,
      `.BTF.base has ${what}, which fits the kernel's types ${first.id} and ${second?.id}`,
      at,
    );
    found[index + 1] = first.id;
  }
  return found;
}

function readWanted(distilled: BtfTable, index: number, isEmbedded: boolean): Wanted {
  const info = distilled.info(index);
  const at = distilled.start(index);
  const kind = distilledKinds.find((one) => one === kinds[kindNumber(info)]);
  const wrong = `.BTF.base has a ${kinds[kindNumber(info)]}; only ${distilledKinds.join(", ")} may be there`;
  distilled.require(kind !== undefined, wrong, at);
  const name = distilled.string(distilled.nameOffset(index), at);
  distilled.require(name !== "", `.BTF.base has a ${kind} without a name`, at);
  return {
    ...{ name, kind, isEmbedded },
    isUnion: kindFlag(info),
    size_bytes: kind === "forward" ? 0 : distilled.sizeOrType(index),
    intWord: kind === "int" ? distilled.view.getUint32(at + typeHead.size_bytes, true) : 0,
  };
}

/** Returns true if the kernel has several structures or unions of that name, so that only the size tells them apart. */
function isAmbiguous(all: readonly BtfType[], type: BtfType): boolean {
  const isComposite = ({ kind }: BtfType) => kind === "struct" || kind === "union";
  return isComposite(type) && all.filter(isComposite).length > 1;
}

function fits(wanted: Wanted, type: BtfType, needsSize: boolean): boolean {
  switch (wanted.kind) {
    case "int": {
      if (type.kind !== "int") return false;
      const encoding = Number(type.isSigned) | (Number(type.isChar) << 1) | (Number(type.isBool) << 2);
      return type.size_bytes === wanted.size_bytes && encoding === ((wanted.intWord >>> 24) & 0xf);
    }
    case "float":
      return type.kind === "float" && type.size_bytes === wanted.size_bytes;
    case "enum":
      // those of 64 bits are in the distilled base as enum, too
      return (type.kind === "enum" || type.kind === "enum64") && type.size_bytes === wanted.size_bytes;
    case "forward":
      if (type.kind === "forward") return (type.of === "union") === wanted.isUnion;
      return type.kind === (wanted.isUnion ? "union" : "struct");
    case "struct":
    case "union":
      if (type.kind !== "struct" && type.kind !== "union") return false;
      if (type.kind !== wanted.kind) return false;
      return (!needsSize && !wanted.isEmbedded) || type.size_bytes === wanted.size_bytes;
    default:
      return assertUnreachable(wanted.kind);
  }
}

/** Finds the types of a distilled base with `count` types that structures and unions of `split` hold by value, through typedefs and the like. */
function embeddedTypes(split: BtfTable, count: number): Set<number> {
  const embedded = new Set<number>();
  for (let index = 0; index < split.count; index += 1) {
    if (!isOneOf(split, index, ["struct", "union"])) continue;
    const { size_bytes, at } = memberEntry;
    const first = split.start(index) + typeHead.size_bytes;
    for (let member = 0; member < elementCount(split.info(index)); member += 1) {
      const held = heldType(split, split.view.getUint32(first + member * size_bytes + at.type, true), count);
      if (held !== undefined && held <= count) embedded.add(held);
    }
  }
  return embedded;
}

/** Follows what holds a type by value to that type; undefined where that leads back to itself or to no type of the file. */
function heldType(split: BtfTable, from: BtfTypeId, count: number): BtfTypeId | undefined {
  let id = from;
  for (let step = 0; step <= split.count; step += 1) {
    const index = id - count - 1;
    if (index < 0) return id;
    if (index >= split.count) return undefined;
    if (isOneOf(split, index, ["array"])) id = split.view.getUint32(split.start(index) + typeHead.size_bytes, true);
    else if (isOneOf(split, index, ["typedef", "const", "volatile", "restrict", "typeTag"]))
      id = split.sizeOrType(index);
    else return id;
  }
  return undefined;
}

function isOneOf(table: BtfTable, index: number, wanted: readonly BtfKind[]): boolean {
  return wanted.includes(kinds[kindNumber(table.info(index))] ?? "unknown");
}
