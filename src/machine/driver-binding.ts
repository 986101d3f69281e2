// Takes PCI functions from their drivers and gives them back, through sysfs.
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { messageOf, UserError } from "../base/errors.js";
import { boundDriver, defaultSysfs } from "./pci.js";

export interface Binding {
  address: string;
  driver: string;
}

/** Returns the bindings of those functions that have a driver now. */
export function bindingsOf(addresses: readonly string[]): Binding[] {
  const bindings: Binding[] = [];
  for (const address of addresses) {
    const driver = boundDriver(address);
    if (driver !== null) bindings.push({ address, driver });
  }
  return bindings;
}

/** Unbinds all, or none: if one can't be unbound, those before it are bound again. Throws UserError. */
export async function unbind(bindings: readonly Binding[]): Promise<void> {
  const done: Binding[] = [];
  for (const binding of bindings) {
    try {
      await writeFile(join(defaultSysfs, "bus/pci/drivers", binding.driver, "unbind"), binding.address);
      done.push(binding);
    } catch (error) {
      for (const again of done) await bind(again).catch(() => {});
      throw new UserError(`unbinding ${binding.address} from ${binding.driver} failed: ${messageOf(error)}`);
    }
  }
}

/** Binds one again; does nothing if it is bound. Throws UserError if the driver refuses it. */
export async function bind(binding: Binding): Promise<void> {
  const folder = join(defaultSysfs, "bus/pci/drivers", binding.driver);
  if (boundDriver(binding.address) === binding.driver) return;
  if (!existsSync(folder))
    throw new UserError(`the driver ${binding.driver} is gone: ${binding.address} stays unbound`);
  try {
    await writeFile(join(folder, "bind"), binding.address);
  } catch (error) {
    throw new UserError(`binding ${binding.address} to ${binding.driver} again failed: ${messageOf(error)}`, {
      advice: "the kernel's log (dmesg) may say why the driver didn't take it",
      cause: error,
    });
  }
}
