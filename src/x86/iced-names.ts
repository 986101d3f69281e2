// Names of the members of iced-x86's enumerations, as C spells constants.
import { assert } from "../base/assert.js";

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
