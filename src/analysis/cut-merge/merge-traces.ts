// Merges several traces into one, in the order of time: of one machine, recorded one after the other or at once.

import { UserError } from "../../base/errors.js";
import { letOthersRun } from "../../base/turns.js";
import { countOf } from "../../base/units.js";
import type { TraceEvent } from "../../trace/events.js";
import { holeSentence } from "../../trace/file/incomplete.js";
import type { TraceReader } from "../../trace/file/reader.js";
import type { TraceWriter } from "../../trace/file/writer.js";
import { isLacking, lackableFacts, type PciFunction, type TraceHeader, type TraceUpdate } from "../../trace/header.js";
import type { LivingMapping, TraceState } from "../../trace/state.js";
import { TimeOrder, type TimesBack } from "../view/time-order.js";
import { copiedEvent, copiedHeader } from "./copied-losses.js";
import { noteOfWhole } from "./copied-notes.js";
import { dmaBefore } from "./dma-before.js";
import { hasMadeUpDevices, hasMadeUpSites, MadeUpDevices, MadeUpSites, renumberedDevice } from "./made-up-places.js";
import { identityOf, mappingNumbers, type NewMapping, noMapping, numberingsOf } from "./mapping-numbers.js";
import { Repeats } from "./repeats.js";
import { TraceCopy, updatedHeader } from "./trace-copy.js";

export interface MergeOptions {
  commandLine: string[];
  progress?: (events: number, all: number) => void;
  create: (header: TraceHeader) => Promise<TraceWriter>;
}

export interface Merged {
  /** Number of events in the new trace. */
  events: number;
  /** The traces whose own times go back: there the new trace isn't in the order of time. */
  timesBack: { name: string; back: TimesBack }[];
  /** Number of events that were in several of the traces, and that the new one has as often. */
  repeated: number;
}

/** Describes events that are in the merged trace more than once. */
export function repeatsSentence(count: number): string {
  const events = countOf(count, "event is", "events are");
  return `${events} in it twice: they were in two of the merged traces, which overlap or are the same`;
}

/** Clocks whose TSC was 0 at wall clock times this close together belong to one boot of one machine. */
const sameBoot_s = 2;
/** Relative difference allowed between frequencies: the kernel measures its clock anew at each boot. */
const sameFrequency = 1e-3;

interface Clock {
  tsc: bigint;
  wall_ns: bigint;
  tscFrequency_hz: number;
}

function clockOf({ clock }: TraceHeader): Clock {
  return { tsc: BigInt(clock.tsc), wall_ns: BigInt(clock.wall_ns), tscFrequency_hz: clock.tscFrequency_hz };
}

/** Returns the time when the TSC was 0, in seconds of the wall clock. */
const boot_s = (clock: Clock) => Number(clock.wall_ns) / 1e9 - Number(clock.tsc) / clock.tscFrequency_hz;

function isSameClock(a: Clock, b: Clock): boolean {
  const alike = Math.abs(a.tscFrequency_hz / b.tscFrequency_hz - 1) < sameFrequency;
  return alike && Math.abs(boot_s(a) - boot_s(b)) < sameBoot_s;
}

/** Turns a source's time stamps into those of `base`: by the wall clock if the TSCs differ. */
function translator(source: Clock, base: Clock): (tsc: bigint) => bigint {
  if (isSameClock(source, base)) return (tsc) => tsc;
  const ns_in_s = 1_000_000_000n;
  const from_hz = BigInt(Math.round(source.tscFrequency_hz));
  const to_hz = BigInt(Math.round(base.tscFrequency_hz));
  return (tsc) => {
    if (tsc === 0n) return 0n;
    const since_ns = ((tsc - source.tsc) * ns_in_s) / from_hz + source.wall_ns - base.wall_ns;
    return base.tsc + (since_ns * to_hz) / ns_in_s;
  };
}

/** The new places of a trace with made-up ones. */
interface SourcePlaces {
  /** Numbers of its devices in the new trace. */
  devices: ReadonlyMap<number, number> | undefined;
  sites: MadeUpSites | undefined;
}

/** One of the traces, and the reading position in it. */
class Source {
  readonly reader: TraceReader;
  readonly timeOrder = new TimeOrder();
  private readonly translate: (tsc: bigint) => bigint;
  private readonly batches: ReturnType<TraceReader["batches"]>;
  private events: Iterator<TraceEvent> = [][Symbol.iterator]();
  private updates = 0;
  private readonly mappings = new Map<number, number>();
  private readonly newMapping: NewMapping;
  private readonly places: SourcePlaces;
  /** Number of its mappings' own numbering. */
  private readonly numbering: number;
  state!: TraceState;
  /** The mappings alive before its first event. */
  living: LivingMapping[] | undefined;
  /** The next event; undefined at the end. */
  event: TraceEvent | undefined;
  tsc = 0n;

  constructor(
    reader: TraceReader,
    translate: (tsc: bigint) => bigint,
    newMapping: NewMapping,
    numbering: number,
    places: SourcePlaces,
  ) {
    this.reader = reader;
    this.places = places;
    this.numbering = numbering;
    this.translate = translate;
    this.newMapping = newMapping;
    this.batches = reader.batches();
  }

  /** Its devices are in the new trace's header as they are at its end. */
  get hasMadeUpDevices(): boolean {
    return this.places.devices !== undefined;
  }

  /** Knows the symbols of the event's sites. */
  get symbols(): Pick<TraceState, "symbolOf"> {
    return this.places.sites ?? this.state;
  }

  /** Goes on to the next event; passes updates that are due to `note`. Await the result if there is one. */
  next(note: (source: Source, update: number) => Promise<void>): Promise<void> | undefined {
    const { done, value } = this.events.next();
    if (done === true) return this.nextBatch(note);
    this.take(value);
    return undefined;
  }

  private async nextBatch(note: (source: Source, update: number) => Promise<void>): Promise<void> {
    const { done, value: batch } = await this.batches.next();
    await letOthersRun();
    if (done === true || batch === undefined) {
      this.event = undefined;
      return;
    }
    const { updates } = this.reader;
    for (; this.updates < updates.length; this.updates += 1) {
      if (updates[this.updates]!.firstRecord > batch.block.firstRecord) break;
      await note(this, this.updates);
    }
    this.state = batch.state;
    this.living ??= [...batch.state.mappings.values()].map((mapping) => {
      return { ...mapping, id: this.mappingOf(mapping.id, identityOf(mapping, mapping.id)) };
    });
    this.events = batch.events[Symbol.iterator]();
    await this.next(note);
  }

  private take(event: TraceEvent): void {
    if (event.kind === "read" || event.kind === "write") this.timeOrder.take(event);
    const tsc = this.translate(event.tsc);
    const { devices, sites } = this.places;
    const placed = devices === undefined ? event : renumberedDevice(event, devices);
    this.event = { ...(sites === undefined ? placed : sites.renumbered(placed, this.state)), tsc };
    // An event without a time follows the one before it.
    if (tsc !== 0n) this.tsc = tsc;
    if ("mapping" in this.event) {
      const { mapping } = this.event;
      this.event.mapping = this.mappingOf(mapping, event.kind === "map" ? identityOf(event, mapping) : undefined);
    }
  }

  private mappingOf(id: number, identity: string | undefined): number {
    if (id === noMapping || id === 0) return id;
    let given = this.mappings.get(id);
    if (given === undefined) {
      given = this.newMapping(this.numbering, id, identity);
      this.mappings.set(id, given);
    }
    return given;
  }
}

/**
 * Writes all events of all traces.
 * Throws UserError if the traces can't be of one machine, FormatError.
 */
export async function mergeTraces(readers: readonly TraceReader[], options: MergeOptions): Promise<Merged> {
  checkMachines(readers);
  const all = readers.reduce((sum, reader) => sum + reader.events, 0);
  const clocks = readers.map(({ header }) => clockOf(header));
  const base = earliest(clocks);
  const newMapping = mappingNumbers();
  const numberings = numberingsOf(readers);
  const [devices, sites] = [new MadeUpDevices(), new MadeUpSites()];
  const sources = readers.map((reader, index) => {
    const places = {
      devices: hasMadeUpDevices(reader) ? devices.take(functionsOf(reader)) : undefined,
      sites: hasMadeUpSites(reader) ? sites : undefined,
    };
    return new Source(reader, translator(clocks[index]!, clocks[base]!), newMapping, numberings[index]!, places);
  });
  const repeats = new Repeats();
  // Updates before a source's first event go into the header.
  const early: { source: Source; update: number }[] = [];
  const note = async (from: Source, update: number) => {
    if (!from.hasMadeUpDevices) early.push({ source: from, update });
  };
  for (const source of sources) await source.next(note);
  const writer = await options.create({
    ...mergedHeader(readers, base, [
      { pciFunctions: devices.functions },
      ...early.map(({ source, update }) => source.reader.updates[update]!.update),
    ]),
    commandLine: options.commandLine,
  });
  const earliestSource = first(sources);
  const dma = earliestSource === undefined ? undefined : dmaBefore(earliestSource.state, earliestSource.event!);
  writer.begin(
    sources.flatMap((source) => source.living ?? []),
    dma ?? { next: 1, buffers: [] },
  );
  const copy = new TraceCopy(writer);
  const noteLater = async (source: Source, update: number) => {
    if (!source.hasMadeUpDevices) await copy.note(source.reader.updates[update]!.update);
  };
  for (;;) {
    const source = first(sources);
    if (source === undefined) break;
    const event = source.event!;
    repeats.take(event, source);
    const copied = copiedEvent(event, source.reader.header);
    const written = copied && copy.add(copied, source.symbols);
    if (written !== undefined) {
      options.progress?.(copy.events, all);
      await written;
    }
    const more = source.next(noteLater);
    if (more !== undefined) await more;
  }
  const missed = readers.reduce((sum, { summary }) => sum + (summary?.missed ?? 0), 0);
  const noted = readers.flatMap(({ summary, source }) =>
    (summary?.notes ?? []).map((note) => noteOfWhole(source.name, note)),
  );
  const notes = [...new Set(noted)];
  if (repeats.count > 0) notes.push(repeatsSentence(repeats.count));
  const part = [...new Set(readers.flatMap(({ summary }) => summary?.part ?? []))];
  await copy.close({
    ...{ missed, incomplete: readers.flatMap(incompleteness) },
    ...(notes.length === 0 ? {} : { notes }),
    ...(part.length === 0 ? {} : { part }),
  });
  const timesBack = sources.flatMap(({ reader: { source, header }, timeOrder }) => {
    const back = timeOrder.result(header.clock.tscFrequency_hz);
    return back === null ? [] : [{ name: source.name, back }];
  });
  return { events: copy.events, timesBack, repeated: repeats.count };
}

/** Finds the source with the earliest event; of equals, the first. */
function first(sources: readonly Source[]): Source | undefined {
  let found: Source | undefined;
  for (const source of sources) {
    if (source.event !== undefined && (found === undefined || source.tsc < found.tsc)) found = source;
  }
  return found;
}

function incompleteness({ summary, damage, holes, source }: TraceReader): string[] {
  const sentences = [...(summary?.incomplete ?? []), ...(source.incomplete ?? []), ...holes.map(holeSentence)];
  if (damage !== null) sentences.push(`the trace is cut: ${damage.what}`);
  return sentences.map((sentence) => `${source.name}: ${sentence}`);
}

/** Returns the number of the clock that was started first. */
function earliest(clocks: readonly Clock[]): number {
  let least = 0;
  clocks.forEach((clock, index) => {
    const other = clocks[least]!;
    const earlier = isSameClock(clock, other) ? clock.tsc < other.tsc : clock.wall_ns < other.wall_ns;
    if (earlier) least = index;
  });
  return least;
}

function mergedHeader(readers: readonly TraceReader[], base: number, early: readonly TraceUpdate[]) {
  const headers = readers.map(({ header }) => header);
  const real = readers.map((reader) =>
    hasMadeUpDevices(reader) ? { ...reader.header, pciFunctions: [] } : reader.header,
  );
  const { pciFunctions, modules } = updatedHeader(real[base]!, [...real, ...early]);
  const options = headers.map((header) => header.options);
  const { lacks: _, ...header } = headers[base]!;
  // a fact that one of them lacks isn't known of every event; an event without a site or a caller shows that by itself
  const lacks = lackableFacts.filter((fact) => {
    const isLackedBy = (one: TraceHeader) => isLacking(one, fact);
    return fact === "site" || fact === "caller" ? headers.every(isLackedBy) : headers.some(isLackedBy);
  });
  const producer = [...new Set(headers.map((one) => one.producer))].join(", ");
  return {
    ...copiedHeader({ ...header, pciFunctions }, header.pciFunctions),
    ...{ modules, producer, fence: null },
    ...(lacks.length === 0 ? {} : { lacks }),
    options: {
      filter: [...new Set(options.flatMap(({ filter }) => filter))],
      relaxed: options.some(({ relaxed }) => relaxed),
      cleanRoom: options.every(({ cleanRoom }) => cleanRoom),
      excludeWriteCombining: options.some(({ excludeWriteCombining }) => excludeWriteCombining),
      interrupts: options.some(({ interrupts }) => interrupts === true),
      dma: options.some(({ dma }) => dma === true),
      ...configurationOfAll(options.map(({ configuration }) => configuration)),
      ring_bytes: Math.max(...options.map(({ ring_bytes }) => ring_bytes)),
    },
  };
}

function configurationOfAll(recorded: readonly TraceHeader["options"]["configuration"][]) {
  const known = recorded.filter((functions) => functions !== undefined);
  if (known.length === 0) return {};
  return { configuration: known.includes("all") ? ("all" as const) : [...new Set(known.flat())] };
}

/** Checks that the traces are of one machine: the same devices at the same places, comparable clocks. */
function checkMachines(readers: readonly TraceReader[]): void {
  const [one] = readers;
  for (const { isTimeless, source } of readers) {
    if (isTimeless) throw new UserError(`merging ${source.name} failed: it has no times, by which traces are merged`);
  }
  for (const other of readers.slice(1)) {
    const names = `${one!.source.name} and ${other.source.name}`;
    const [imported, otherImported] = [one, other].map((reader) => reader!.header.engine === "import");
    if (imported !== otherImported) {
      throw new UserError(`merging ${names} failed: only one of them was imported from a text, and has no wall clock`);
    }
    const [dated, otherDated] = [one, other].map((reader) => BigInt(reader!.header.clock.wall_ns) !== 0n);
    if (dated !== otherDated) {
      throw new UserError(`merging ${names} failed: only one of them has a wall clock, and the other times since boot`);
    }
    for (const found of functionsOf(other)) {
      const before = functionsOf(one!).find(({ address }) => address === found.address);
      const areMadeUp = hasMadeUpDevices(one!) && hasMadeUpDevices(other);
      if (before !== undefined && !(areMadeUp ? mayBeSame(before, found) : identity(before) === identity(found))) {
        throw new UserError(
          `merging ${names} failed: they are of different machines: ${found.address} isn't the same device`,
          {
            advice: "convert each to Parquet instead, and query them together",
          },
        );
      }
    }
  }
}

function functionsOf(reader: TraceReader): readonly PciFunction[] {
  return updatedHeader(
    reader.header,
    reader.updates.map(({ update }) => update),
  ).pciFunctions;
}

/** Returns true unless both logs tell the ids, and they differ. */
function mayBeSame(one: PciFunction, other: PciFunction): boolean {
  if (BigInt(one.vendor) === 0n || BigInt(other.vendor) === 0n) return true;
  return one.vendor === other.vendor && one.device === other.device;
}

const identity = ({ vendor, device, bars }: PciFunction) => {
  return JSON.stringify([vendor, device, bars.map(({ index, start, length_bytes }) => [index, start, length_bytes])]);
};
