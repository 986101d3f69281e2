// Which register an access of a trace touches, and what its value means: joins a trace's PCI functions with the
// register databases. Show it the accesses in order: what a device answers may say where its registers are.
import { findDatabase, type RegisterDatabase } from "../registers/index.js";
import type { AccessEvent } from "../trace/events.js";
import type { PciFunction } from "../trace/header.js";
import type { DevicePlace } from "../trace/state.js";

/** Worked out when asked for: a name costs a look-up, a meaning much more. */
export class RegisterAccess {
  private readonly database: RegisterDatabase;
  private readonly event: AccessEvent;
  private readonly place: DevicePlace;

  constructor(database: RegisterDatabase, event: AccessEvent, place: DevicePlace) {
    this.database = database;
    this.event = event;
    this.place = place;
  }

  /** `STATUS`, or several joined by commas; undefined where the database knows none. */
  get name(): string | undefined {
    const { event, place } = this;
    return this.database.lookup(place.bar, place.offset, event.width_bytes, event.kind)?.name;
  }

  /** `FD | LU | SPEED=1000MB_S`, or undefined where the database has nothing to add to the number. */
  get meaning(): string | undefined {
    return this.meaningOf(this.event.value);
  }

  /** What another value would mean there. */
  meaningOf(value: bigint): string | undefined {
    const { event, place } = this;
    return this.database.describe(place.bar, place.offset, event.width_bytes, value, { direction: event.kind });
  }
}

export type ChooseDatabase = (found: PciFunction) => RegisterDatabase | undefined;

export class AccessRegisters {
  private readonly choose: ChooseDatabase;
  /** By PCI address. */
  private readonly databases = new Map<string, RegisterDatabase | undefined>();

  /** `choose` finds a PCI function's database; the built-in ones by default. */
  constructor(choose: ChooseDatabase = builtInFor) {
    this.choose = choose;
  }

  /** The register that `event` touches, whose address lies at `place`; undefined where its device has no database. */
  see(event: AccessEvent, place: DevicePlace): RegisterAccess | undefined {
    let database = this.databaseOf(place.function);
    if (database === undefined) return undefined;
    // What the answer tells holds for the answer itself, too: a GPU's first register says how to read it.
    if (event.kind === "read") database = this.observe(database, place, event.width_bytes, event.value);
    return new RegisterAccess(database, event, place);
  }

  /** As `see`, for those that want words. */
  tell(event: AccessEvent, place: DevicePlace): { name: string; meaning: string | undefined } | undefined {
    const access = this.see(event, place);
    const name = access?.name;
    return name === undefined ? undefined : { name, meaning: access?.meaning };
  }

  /** Takes in what a read told, where nobody wants to know which register it was. */
  learn(place: DevicePlace, width_bytes: number, value: bigint): void {
    const database = this.databaseOf(place.function);
    if (database !== undefined) this.observe(database, place, width_bytes, value);
  }

  /** Whether any of the functions' databases depends on what the device answered before. */
  learnsFrom(functions: readonly PciFunction[]): boolean {
    return functions.some((found) => this.databaseOf(found)?.learns === true);
  }

  private observe(
    database: RegisterDatabase,
    place: DevicePlace,
    width_bytes: number,
    value: bigint,
  ): RegisterDatabase {
    const next = database.observe(place.bar, place.offset, width_bytes, value);
    if (next !== database) this.databases.set(place.function.address, next);
    return next;
  }

  private databaseOf(found: PciFunction): RegisterDatabase | undefined {
    const known = this.databases.get(found.address);
    if (known !== undefined || this.databases.has(found.address)) return known;
    const chosen = this.choose(found);
    this.databases.set(found.address, chosen);
    return chosen;
  }
}

/** The built-in database for a PCI function. */
export function builtInFor(found: PciFunction): RegisterDatabase | undefined {
  const { vendor, device, class: classCode, config } = found;
  const bytes =
    config === undefined ? undefined : Uint8Array.from(config.match(/../g) ?? [], (text) => Number.parseInt(text, 16));
  return findDatabase(Number(vendor), Number(device), Number(classCode), bytes);
}
