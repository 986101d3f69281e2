// Finds the register of a trace's access, and the meaning of its value: joins a trace's PCI functions with the register
// databases. Must get the accesses in order: a device's answers may tell the places of its registers.
import type { FieldValue } from "../../registers/field-values.js";
import type { RegisterDatabase, RegisterMatch } from "../../registers/index.js";
import { ByTarget } from "../../trace/by-target.js";
import type { AccessEvent } from "../../trace/events.js";
import type { PciFunction } from "../../trace/header.js";
import type { DevicePlace } from "../../trace/state.js";
import type { RegisterWords } from "../../trace/text.js";

/** An access's register; the same object for all accesses to one target, until the device tells something new. */
export class RegisterAccess implements RegisterWords {
  readonly place: DevicePlace;
  readonly database: RegisterDatabase;
  /** `STATUS`, or several joined by commas; undefined if the database knows none. */
  readonly name: string | undefined;
  private readonly match: RegisterMatch | undefined;

  constructor(database: RegisterDatabase, event: AccessEvent, place: DevicePlace) {
    this.database = database;
    this.place = place;
    this.match = database.lookup(place.bar, place.offset, event.width_bytes, event.kind);
    this.name = this.match?.name;
  }

  /** Describes a value: `FD | LU | SPEED=1000MB_S`; undefined if the database has nothing to add to the number. */
  meaningOf(value: bigint): string | undefined {
    return this.match && this.database.describeMatch(this.match, value);
  }

  /** The bit fields with their parts of `value`; none where the database knows no register here. */
  fieldsOf(value: bigint): FieldValue[] {
    return this.match === undefined ? [] : this.database.fieldValues(this.match, value);
  }
}

export type ChooseDatabase = (found: PciFunction) => RegisterDatabase | undefined;

export class AccessRegisters {
  private readonly choose: ChooseDatabase;
  /** By PCI address. */
  private readonly databases = new Map<string, RegisterDatabase | undefined>();
  /** Answers so far, until a device tells something new. */
  private readonly seen = new ByTarget<RegisterAccess>();

  /** `choose` finds a PCI function's database. */
  constructor(choose: ChooseDatabase) {
    this.choose = choose;
  }

  /** Returns the register of `event`, whose address is at `place`; undefined if its device has no database. */
  see(event: AccessEvent, place: DevicePlace): RegisterAccess | undefined {
    const known = this.seen.get(event.target);
    let database = known === undefined ? this.databaseOf(place.function) : known.database;
    if (database === undefined) return undefined;
    // The knowledge from an answer applies to the answer itself, too: a GPU's first register tells how to read it.
    if (database.learns && event.kind === "read") {
      database = this.observe(database, place, event.width_bytes, event.value);
    }
    if (database === known?.database) return known;
    const access = new RegisterAccess(database, event, place);
    this.seen.set(event.target, access);
    return access;
  }

  /** Learns from a read whose register isn't needed. */
  learn(place: DevicePlace, width_bytes: number, value: bigint): void {
    const database = this.databaseOf(place.function);
    if (database !== undefined) this.observe(database, place, width_bytes, value);
  }

  /** Returns true if any of the functions' databases depends on the device's earlier answers. */
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
    if (next !== database) {
      this.databases.set(place.function.address, next);
      this.seen.clear();
    }
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
