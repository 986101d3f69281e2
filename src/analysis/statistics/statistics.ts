// Counts a trace's accesses by device, register, site and CPU, and its polls. Takes events one by one, in order.
import { assertUnreachable } from "../../base/assert.js";
import { hex } from "../../base/hex.js";
import { type AccessEvent, codeOf } from "../../trace/events.js";
import { isLacking, type TraceHeader } from "../../trace/header.js";
import { RecordFlag } from "../../trace/record.js";
import { addressText } from "../../trace/text.js";
import type { EventView } from "../view/event-view.js";
import { TimeOrder, type TimesBack } from "../view/time-order.js";
import { type DmaStatistics, DmaTally, type InterruptStatistics, InterruptTally } from "./event-tally.js";
import { type PollStatistics, PollTally } from "./poll-tally.js";
import { Tally, type TallyResult } from "./tally.js";

/** The accesses to one PCI function. */
export interface DeviceStatistics extends TallyResult {
  /** PCI address, or null for accesses outside all memory BARs. */
  readonly device: string | null;
  readonly driver: string | null;
}

/** The accesses to one place, in one width. */
export interface RegisterStatistics extends TallyResult {
  readonly device: string | null;
  readonly driver: string | null;
  readonly bar: number | null;
  /**
   * Offset from the BAR's start, or the physical address if there is no BAR. Null for the sum of all places of a BAR, or in no BAR,
   * that were first seen after the limit: 65,536 places with a register's name, and as many without.
   */
  readonly offset: string | null;
  readonly width_bytes: number | null;
  readonly register: string | null;
  /** Number of different values; at least so many if `moreValues`. */
  readonly values: number;
  readonly moreValues: boolean;
  /** The last value. */
  readonly last: string;
}

/** The accesses of one instruction, called from one place. */
export interface SiteStatistics extends TallyResult {
  /** `function+0x12 [module]`, or the address; with the caller if it has one: `ioread8+0x1c from e100_exec_cmd+0x40 [e100]`. */
  readonly site: string;
  /** The caller's if it has one, else the site's. */
  readonly module: string | null;
}

/** The accesses of one CPU. */
export interface CpuStatistics extends TallyResult {
  readonly cpu: number;
  /** Accesses made in an interrupt handler, and in a softirq; null where the log has no contexts. */
  readonly hardirq: number | null;
  readonly softirq: number | null;
}

export interface Statistics extends TallyResult {
  readonly events: number;
  /** The places where the accesses' times go back; null if there is none. */
  readonly timesBack: TimesBack | null;
  readonly lost: number;
  /** Places where a log says that records were lost, but not how many: they aren't in `lost`. */
  readonly lostUncounted: number;
  /** Records in damaged parts of the trace. */
  readonly unreadable: number;
  readonly escaped: number;
  /** Mappings that got no decoy. */
  readonly unrecorded: number;
  readonly devices: Rows<DeviceStatistics>;
  /** The places first, the most frequent first; then the sums of many places, whose offset is null. */
  readonly registers: Rows<RegisterStatistics>;
  /** Number of `registers`' first rows, which are a place each. */
  readonly places: number;
  readonly sites: Rows<SiteStatistics>;
  /** Accesses without a site, which are in none of these rows. */
  readonly withoutSite: number;
  /** Empty where the log has no CPUs. */
  readonly cpus: Rows<CpuStatistics>;
  readonly polls: Rows<PollStatistics>;
  readonly interrupts: Rows<InterruptStatistics>;
  readonly dma: Rows<DmaStatistics>;
}

/** A table's rows, each made on demand: of tens of thousands of registers usually only a few are shown. */
export class Rows<T> implements Iterable<T> {
  private readonly make: (index: number) => T;
  readonly length: number;

  constructor(length: number, make: (index: number) => T) {
    this.length = length;
    this.make = make;
  }

  at(index: number): T {
    return this.make(index);
  }

  /** Returns the first `count` rows. */
  first(count: number): T[] {
    return Array.from({ length: Math.min(count, this.length) }, (_, index) => this.make(index));
  }

  *[Symbol.iterator](): Iterator<T> {
    for (let index = 0; index < this.length; index += 1) yield this.make(index);
  }
}

/** Limits of different values counted for one register, and for all registers together: each is kept in memory. */
export const valuesMax = 1024;
const valuesOfAllMax = 131_072;
/** Limits of places counted one by one, those with a register's name and others: a framebuffer alone has millions. */
export const registersMax = 65_536;

interface RegisterTally {
  tally: Tally;
  name: string | undefined;
  place: Pick<RegisterStatistics, "device" | "bar" | "offset">;
  width_bytes: number | null;
  /** Undefined while there is only one. */
  values: Set<bigint> | undefined;
  /** There was no room for some value. */
  moreValues: boolean;
  last: bigint;
}

interface CountedSite {
  tally: Tally;
  text: string;
  module: string | undefined;
  /** The trace's symbols for which `text` was looked up last. */
  symbolsVersion: number;
}

interface CpuTally {
  tally: Tally;
  hardirq: number;
  softirq: number;
}

export class StatisticsCollector {
  private readonly tscFrequency_hz: number;
  private readonly start: bigint;
  private readonly lacksCpus: boolean;
  private readonly lacksContexts: boolean;
  private readonly whole = new Tally();
  private readonly timeOrder = new TimeOrder();
  private events = 0;
  private lost = 0;
  private lostUncounted = 0;
  private unreadable = 0;
  private escaped = 0;
  private unrecorded = 0;
  private readonly devices = new Map<string | null, Tally>();
  /** Drivers by PCI address: one may be bound during the trace, and unbound before it ends. */
  private readonly drivers = new Map<string, string>();
  /** Registers by physical address, then by width: seldom more than one. */
  private readonly registers = new Map<bigint, RegisterTally[]>();
  private named = 0;
  private nameless = 0;
  private valuesCount = 0;
  /** Sums by PCI address and BAR for the places beyond `registersMax`. */
  private readonly elsewhere = new Map<string, RegisterTally>();
  /** By the number of their code: the last symbol's, where another module was loaded there. */
  private readonly sites = new Map<bigint, CountedSite>();
  /** By that number and their text. */
  private readonly namedSites = new Map<string, CountedSite>();
  private withoutSite = 0;
  private readonly cpus = new Map<number, CpuTally>();
  private readonly polls: PollTally<RegisterTally>;
  private readonly interrupts = new InterruptTally();
  private readonly dma = new DmaTally();

  constructor(header: Pick<TraceHeader, "clock" | "lacks">) {
    const { clock } = header;
    this.lacksCpus = isLacking(header, "cpu");
    this.lacksContexts = isLacking(header, "context");
    this.tscFrequency_hz = clock.tscFrequency_hz;
    this.start = BigInt(clock.tsc);
    this.polls = new PollTally(clock.tscFrequency_hz);
  }

  add(view: EventView): void {
    const { event } = view;
    this.events += 1;
    switch (event.kind) {
      case "read":
      case "write":
        this.addAccess(view, event);
        break;
      case "lost":
        if ((event.flags & RecordFlag.gone) !== 0) this.unreadable += Number(event.count);
        else if (event.count === 0n) this.lostUncounted += 1;
        else this.lost += Number(event.count);
        this.polls.breakOff();
        break;
      case "escape":
        this.escaped += 1;
        break;
      case "unrecorded":
        this.unrecorded += Number(event.calls);
        break;
      case "interrupt":
        this.interrupts.add(view, event);
        break;
      case "dma-map":
      case "dma-unmap":
        this.dma.add(view, event);
        break;
      case "map":
      case "unmap":
      case "mark":
      case "symbol":
      case "module":
      case "unknown":
        break;
      default:
        assertUnreachable(event);
    }
  }

  private addAccess(view: EventView, event: AccessEvent): void {
    const ticks = event.tsc === 0n ? Number.NaN : Number(event.tsc - this.start);
    const { place } = view;
    const found = place?.function;
    const address = found?.address ?? null;
    if (found !== undefined && found.driver !== null) this.drivers.set(found.address, found.driver);
    this.whole.add(event, ticks);
    this.timeOrder.take(event);
    obtain(this.devices, address, () => new Tally()).add(event, ticks);

    const register = this.registerOf(view, event);
    if (event.value !== register.last && register.tally.accesses > 0) this.countValue(register, event.value);
    register.tally.add(event, ticks);
    register.last = event.value;

    if (event.site === 0n) this.withoutSite += 1;
    else this.siteOf(view, event).tally.add(event, ticks);
    if (!this.lacksCpus) this.addToCpu(event, ticks);
    this.polls.add(event, register);
  }

  private siteOf(view: EventView, event: AccessEvent): CountedSite {
    const code = codeOf(event);
    const { symbolsVersion } = view.state;
    const known = this.sites.get(code);
    if (known?.symbolsVersion === symbolsVersion) return known;
    const text = view.siteAndCaller;
    const site = obtain(this.namedSites, `${code} ${text}`, () => {
      return { tally: new Tally(), text, module: view.callerModule ?? view.module, symbolsVersion };
    });
    site.symbolsVersion = symbolsVersion;
    this.sites.set(code, site);
    return site;
  }

  private addToCpu(event: AccessEvent, ticks: number): void {
    const cpu = obtain(this.cpus, event.cpu, () => ({ tally: new Tally(), hardirq: 0, softirq: 0 }));
    cpu.tally.add(event, ticks);
    if (event.flags & RecordFlag.hardirq) cpu.hardirq += 1;
    else if (event.flags & RecordFlag.softirq) cpu.softirq += 1;
  }

  /** Counts a value that differs from the one before. */
  private countValue(register: RegisterTally, value: bigint): void {
    const { values } = register;
    if (values?.has(value)) return;
    if ((values?.size ?? 1) >= valuesMax || this.valuesCount >= valuesOfAllMax) register.moreValues = true;
    else if (values === undefined) {
      register.values = new Set([register.last, value]);
      this.valuesCount += 2;
    } else {
      values.add(value);
      this.valuesCount += 1;
    }
  }

  private registerOf(view: EventView, event: AccessEvent): RegisterTally {
    const atAddress = this.registers.get(event.address);
    let register = atAddress?.find((one) => one.width_bytes === event.width_bytes);
    if (register === undefined) {
      const { place } = view;
      const device = place?.function.address ?? null;
      const bar = place?.bar ?? null;
      const isNamed = view.register?.name !== undefined;
      if ((isNamed ? this.named : this.nameless) >= registersMax) {
        return obtain(this.elsewhere, `${device} ${bar}`, () => newRegister({ device, bar, offset: null }, null));
      }
      if (isNamed) this.named += 1;
      else this.nameless += 1;
      register = newRegister(
        { device, bar, offset: place === undefined ? addressText(event.address) : hex(place.offset) },
        event.width_bytes,
      );
      if (atAddress === undefined) this.registers.set(event.address, [register]);
      else atAddress.push(register);
    }
    // Its name may be known only after the device has told the places of its registers.
    register.name ??= view.register?.name;
    return register;
  }

  /** Returns all counts, the most frequent first. Seconds count from the beginning of the recording. */
  result(): Statistics {
    const told = (tally: Tally) => tally.result(this.tscFrequency_hz);
    const driverOf = (device: string | null) => (device === null ? null : (this.drivers.get(device) ?? null));
    const where = (register: RegisterTally) => {
      const { device, bar, offset } = register.place;
      return { device, driver: driverOf(device), bar, offset, register: register.name ?? null };
    };
    const polls = this.polls.result((register, code) => {
      return { ...where(register), site: this.sites.get(code)?.text ?? null };
    });
    const registerRow = (register: RegisterTally): RegisterStatistics => ({
      ...where(register),
      width_bytes: register.width_bytes,
      ...told(register.tally),
      values: register.values?.size ?? 1,
      moreValues: register.moreValues,
      last: hex(register.last),
    });
    const places = sorted([...this.registers.values()].flat(), registerRow);
    const { lacksContexts } = this;
    const cpus = [...this.cpus].sort(([a], [b]) => a - b);
    return {
      ...told(this.whole),
      events: this.events,
      timesBack: this.timeOrder.result(this.tscFrequency_hz),
      lost: this.lost,
      lostUncounted: this.lostUncounted,
      unreadable: this.unreadable,
      escaped: this.escaped,
      unrecorded: this.unrecorded,
      devices: sorted(
        [...this.devices].map(([device, tally]) => ({ device, tally })),
        ({ device, tally }) => ({ device, driver: driverOf(device), ...told(tally) }),
      ),
      registers: joined(places, sorted([...this.elsewhere.values()], registerRow)),
      places: places.length,
      sites: sorted([...this.namedSites.values()], ({ tally, text, module }) => ({
        site: text,
        module: module ?? null,
        ...told(tally),
      })),
      withoutSite: this.withoutSite,
      cpus: new Rows(cpus.length, (index) => {
        const [cpu, { tally, hardirq, softirq }] = cpus[index]!;
        return { cpu, ...told(tally), ...(lacksContexts ? { hardirq: null, softirq: null } : { hardirq, softirq }) };
      }),
      polls: rowsOf(polls),
      interrupts: rowsOf(this.interrupts.result(this.tscFrequency_hz, driverOf)),
      dma: rowsOf(this.dma.result(driverOf)),
    };
  }
}

function newRegister(place: RegisterTally["place"], width_bytes: number | null): RegisterTally {
  const values = { values: undefined, moreValues: false, last: 0n };
  return { tally: new Tally(), name: undefined, place, width_bytes, ...values };
}

/** Makes a row for each of `tallies`, the most frequent first. */
function sorted<T extends { tally: Tally }, R>(tallies: T[], row: (tally: T) => R): Rows<R> {
  tallies.sort((a, b) => b.tally.accesses - a.tally.accesses);
  return new Rows(tallies.length, (index) => row(tallies[index]!));
}

function rowsOf<T>(rows: readonly T[]): Rows<T> {
  return new Rows(rows.length, (index) => rows[index]!);
}

function joined<T>(first: Rows<T>, second: Rows<T>): Rows<T> {
  const { length } = first;
  return new Rows(length + second.length, (index) => (index < length ? first.at(index) : second.at(index - length)));
}

function obtain<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
