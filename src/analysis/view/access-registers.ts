// Finds the register of a trace's access, and the meaning of its value: joins a trace's PCI functions with the register
// databases. Must get the accesses in order: a device's answers may tell the places of its registers. Of a trace that is there as a
// whole they are learned first (learn-from-block.ts), so that an access has one name, wherever it stands.
import type { FieldValue } from "../../registers/field-values.js";
import type { RegisterDatabase, RegisterMatch } from "../../registers/index.js";
import type { DatabaseWarning } from "../../registers/schema.js";
import { ByTarget } from "../../trace/by-target.js";
import type { EventColumns } from "../../trace/event-columns.js";
import type { AccessEvent } from "../../trace/events.js";
import { type Bar, configurationIndex, type PciFunction, resourceFlag } from "../../trace/header.js";
import type { DevicePlace, TraceState } from "../../trace/state.js";
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

function rangeOf({ start, length_bytes, flags }: Bar): { first: number; end: number } {
  const first = Number(start);
  return { first, end: (BigInt(flags) & resourceFlag.memory) === 0n ? first : first + Number(length_bytes) };
}

export type ChooseDatabase = (found: PciFunction) => RegisterDatabase | undefined;

export class AccessRegisters {
  private readonly choose: ChooseDatabase;
  private readonly chooseConfiguration: ChooseDatabase;
  /** By PCI address. */
  private readonly databases = new Map<string, RegisterDatabase | undefined>();
  private readonly configurations = new Map<string, RegisterDatabase>();
  /** Numbers of accesses named before their device told its variant, by PCI address. */
  private readonly namedEarly = new Map<string, number>();
  private earlyNames = 0;
  private readonly named = new Set<RegisterDatabase>();
  /** The faults of databases that are used no more. */
  private readonly earlierFaults: DatabaseWarning[] = [];
  /** Answers so far, until a device tells something new. */
  private readonly seen = new ByTarget<RegisterAccess>();

  /** `choose` finds a PCI function's database, `chooseConfiguration` that of its configuration space. */
  constructor(choose: ChooseDatabase, chooseConfiguration: ChooseDatabase = () => undefined) {
    this.choose = choose;
    this.chooseConfiguration = chooseConfiguration;
  }

  /** Returns the register of `event`, whose address is at `place`; undefined if its device has no database. */
  see(event: AccessEvent, place: DevicePlace): RegisterAccess | undefined {
    const known = this.seen.get(event.target);
    let database = known === undefined ? this.databaseAt(place) : known.database;
    if (database === undefined) return undefined;
    // The knowledge from an answer applies to the answer itself, too: a GPU's first register tells how to read it.
    if (database.learns && event.kind === "read") {
      database = this.observe(database, place, event.width_bytes, event.value);
    }
    let access = known;
    if (access === undefined || database !== access.database) {
      access = new RegisterAccess(database, event, place);
      this.seen.set(event.target, access);
      if (access.name !== undefined) this.named.add(database);
    }
    if (database.learns && access.name !== undefined) {
      const { address } = place.function;
      this.namedEarly.set(address, (this.namedEarly.get(address) ?? 0) + 1);
    }
    return access;
  }

  /** Number of accesses that got their names before their device told its variant: it may have others. */
  get uncertainNames(): number {
    return this.earlyNames;
  }

  /** The databases in use that have named a register. */
  get naming(): RegisterDatabase[] {
    return this.current.filter((database) => this.named.has(database));
  }

  /** The faults of the databases as far as names needed the faulty parts. */
  get faults(): DatabaseWarning[] {
    return [...this.earlierFaults, ...this.current.flatMap(({ warnings }) => warnings)];
  }

  private get current(): RegisterDatabase[] {
    return [...new Set(this.databases.values())].filter((database) => database !== undefined);
  }

  /** Returns the PCI addresses of those functions that have accesses in a block, and whose databases may still learn. */
  learnersIn({ addresses, address }: EventColumns, state: TraceState): Set<string> {
    const learners = new Set<string>();
    const ranges = state.pciFunctions
      .filter((found) => this.databaseOf(found)?.learns === true)
      .flatMap(({ address: device, bars }) => bars.map((bar) => ({ device, ...rangeOf(bar) })));
    if (ranges.length === 0) return learners;
    // A framebuffer's block has tens of thousands of addresses.
    for (let number = 0; number < addresses; number += 1) {
      const place = address[number]!;
      for (const { device, first, end } of ranges) if (first <= place && place < end) learners.add(device);
    }
    return learners;
  }

  /** Returns true if the function's database may still learn. */
  learns(address: string): boolean {
    return this.databases.get(address)?.learns === true;
  }

  /** The function will tell nothing more. */
  settle(address: string): void {
    const database = this.databases.get(address);
    if (database === undefined) return;
    this.earlierFaults.push(...database.warnings);
    this.databases.set(address, database.settled());
    this.seen.clear();
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
      const { address } = place.function;
      if (next.variants !== database.variants) this.earlyNames += this.namedEarly.get(address) ?? 0;
      this.earlierFaults.push(...database.warnings);
      this.databases.set(address, next);
      this.seen.clear();
    }
    return next;
  }

  private databaseAt({ bar, function: found }: DevicePlace): RegisterDatabase | undefined {
    return bar === configurationIndex ? this.configurationOf(found) : this.databaseOf(found);
  }

  private configurationOf(found: PciFunction): RegisterDatabase | undefined {
    let known = this.configurations.get(found.address);
    if (known === undefined) {
      known = this.chooseConfiguration(found);
      if (known !== undefined) this.configurations.set(found.address, known);
    }
    return known;
  }

  private databaseOf(found: PciFunction): RegisterDatabase | undefined {
    const known = this.databases.get(found.address);
    if (known !== undefined || this.databases.has(found.address)) return known;
    const chosen = this.choose(found);
    this.databases.set(found.address, chosen);
    return chosen;
  }
}
