// Names of iced-x86's enumerations; translates some of them into the terms of core/decode.h.
import { OpAccess } from "iced-x86";
import { assert, assertUnreachable } from "../../src/base/assert.js";

/** Names and numbers of an enumeration, in its order. */
export function enumMembers(of: object): [string, number][] {
  return Object.entries(of).filter((entry): entry is [string, number] => typeof entry[1] === "number");
}

const namesByEnum = new Map<object, Map<number, string>>();

/** The upper-case name of a member of one of iced's enumerations. */
export function enumName(of: object, value: number): string {
  let names = namesByEnum.get(of);
  if (names === undefined) {
    names = new Map(enumMembers(of).map(([name, number]) => [number, name.toUpperCase()]));
    namesByEnum.set(of, names);
  }
  const name = names.get(value);
  assert(name !== undefined, `iced-x86 names ${value}`);
  return name;
}

/** enum mms_access of an access: 1 read, 2 write, 4 conditionally; 0 when memory isn't touched (LEA, NOP). */
export function accessBits(access: OpAccess): number {
  switch (access) {
    case OpAccess.Read:
      return 1;
    case OpAccess.CondRead:
      return 5;
    case OpAccess.Write:
      return 2;
    case OpAccess.CondWrite:
      return 6;
    case OpAccess.ReadWrite:
      return 3;
    case OpAccess.ReadCondWrite:
      return 7;
    case OpAccess.None:
    case OpAccess.NoMemAccess:
      return 0;
    default:
      return assertUnreachable(access);
  }
}
