// Finds the registers, or parts of them, that one access touches.
import { type Halves, maskBetween } from "./bits.js";
import type { RegisterDefinition } from "./compile.js";
import { isWordless } from "./describe.js";
import type { DomainView } from "./domain-view.js";
import type { Access } from "./schema.js";
import type { ValueType } from "./value-type.js";

/** The part of an access that falls into one register. */
export interface RegisterPart {
  /** `PFIFO.CACHE[0x1].PUSH0`, `CAP+0x4`; `PFIFO+0x123` if the database knows only the block. */
  readonly name: string;
  readonly register: RegisterDefinition | undefined;
  /** The part's offset in the access and in the register, and its length. */
  readonly accessOffset_bytes: number;
  readonly registerOffset_bytes: number;
  readonly width_bytes: number;
  /** The register's bits that the access covers. */
  readonly seen: Halves;
}

export interface RegisterMatch {
  /** The parts' names, joined by commas. */
  readonly name: string;
  readonly parts: readonly RegisterPart[];
}

/** A remembered match: with the types of its parts, and the value last put into words. */
export interface Remembered extends RegisterMatch {
  types: (ValueType | undefined)[];
  /** Values can't be put into words at all: one register, plain numbers. */
  wordless: boolean;
  lastValue: bigint;
  lastText: string | undefined;
}

/** Returns a part's bits of an access's value. */
export function partOf(value: bigint, part: RegisterPart): bigint {
  return BigInt.asUintN(part.width_bytes * 8, value >> BigInt(part.accessOffset_bytes * 8));
}

/** Finds the registers of `width_bytes` at `offset` (bytes from the domain's start), or undefined. */
export function matchParts(
  view: DomainView,
  offset: number,
  width_bytes: number,
  access: Access,
): Remembered | undefined {
  const unit_bytes = view.domain.width_bits / 8;
  const parts: RegisterPart[] = [];
  let block: RegisterPart | undefined;
  for (let at = 0; at < width_bytes; ) {
    const unit = Math.floor((offset + at) / unit_bytes);
    const found = view.at(unit, access);
    if (found?.register === undefined) {
      if (found !== undefined && at === 0) block = partAt(found.name, undefined, 0, 0, width_bytes);
      at++;
      continue;
    }
    const inRegister_bytes = found.skip * unit_bytes + ((offset + at) % unit_bytes);
    const width = Math.min(found.register.width_bits / 8 - inRegister_bytes, width_bytes - at);
    parts.push(partAt(found.name, found.register, at, inRegister_bytes, width));
    at += width;
  }
  if (parts.length === 0 && block !== undefined) parts.push(block);
  if (parts.length === 0) return undefined;
  const name = parts.map((part) => part.name).join(",");
  const types = parts.map((part) => (part.register === undefined ? undefined : view.typeOf(part.register)));
  const wordless = types.length === 1 && (types[0] === undefined || isWordless(types[0]));
  // No access has this value, so the first one is always put into words.
  return { name, parts, types, wordless, lastValue: -1n, lastText: undefined };
}

function partAt(
  name: string,
  register: RegisterDefinition | undefined,
  accessOffset_bytes: number,
  registerOffset_bytes: number,
  width_bytes: number,
): RegisterPart {
  const first = registerOffset_bytes * 8;
  const seen = maskBetween(Math.min(first, 63), Math.min(first + width_bytes * 8, 64) - 1);
  return { name, register, accessOffset_bytes, registerOffset_bytes, width_bytes, seen };
}

/** The same bits at their place in the register. */
export function inRegister(value: bigint, part: RegisterPart): bigint {
  return partOf(value, part) << BigInt(part.registerOffset_bytes * 8);
}
