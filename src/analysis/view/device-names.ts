// A user's names for a PCI function: its address, its ids, its driver.
import type { PciFunction } from "../../trace/header.js";

/** Returns all names of a function: `0000:00:04.0`, `00:04.0`, `8086:100e`, `e1000`. */
export function namesOf(found: PciFunction): string[] {
  const id = (text: string) => text.slice(2).padStart(4, "0");
  const names = [found.address, `${id(found.vendor)}:${id(found.device)}`];
  if (found.address.startsWith("0000:")) names.push(found.address.slice(5));
  if (found.driver !== null) names.push(found.driver);
  return names;
}

/** Returns true if `name` is one of the function's names, in any case. */
export function isNamed(found: PciFunction, name: string): boolean {
  const wanted = name.toLowerCase();
  return namesOf(found).some((own) => own.toLowerCase() === wanted);
}
