// Which register an access of a trace touches, and what its value means: joins a trace's PCI functions with the
// register databases. Show it the accesses in order: what a device answers may say where its registers are.
import { findDatabase, type RegisterDatabase } from "../registers/index.js";
import type { AccessEvent } from "../trace/events.js";
import type { PciFunction } from "../trace/header.js";
import type { DevicePlace } from "../trace/state.js";

export interface RegisterAccess {
  /** `STATUS`, or several joined by commas. */
  name: string;
  /** `FD | LU | SPEED=1000MB_S`, or undefined where the database has nothing to add to the number. */
  meaning: string | undefined;
}

export class AccessRegisters {
  private readonly choose: (found: PciFunction) => RegisterDatabase | undefined;
  /** By PCI address. */
  private readonly databases = new Map<string, RegisterDatabase | undefined>();

  /** `choose` finds a PCI function's database; the built-in ones by default. */
  constructor(choose: (found: PciFunction) => RegisterDatabase | undefined = builtInFor) {
    this.choose = choose;
  }

  /** The register that `event` touches, whose address lies at `place`; undefined where no database knows one. */
  tell(event: AccessEvent, place: DevicePlace): RegisterAccess | undefined {
    const { address } = place.function;
    let database = this.databases.get(address);
    if (database === undefined) {
      if (this.databases.has(address)) return undefined;
      database = this.choose(place.function);
      this.databases.set(address, database);
      if (database === undefined) return undefined;
    }
    const { bar, offset } = place;
    const { width_bytes, value, kind } = event;
    const match = database.lookup(bar, offset, width_bytes, kind);
    const told = match && {
      name: match.name,
      meaning: database.describe(bar, offset, width_bytes, value, { direction: kind }),
    };
    if (kind === "read") this.databases.set(address, database.observe(bar, offset, width_bytes, value));
    return told;
  }
}

function builtInFor(found: PciFunction): RegisterDatabase | undefined {
  return findDatabase(Number(found.vendor), Number(found.device), Number(found.class));
}
