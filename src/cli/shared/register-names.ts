// The register databases that a command names registers by: those of --registers, else the built-in ones. Says where an option has
// no effect, where a database has faults, and where names are uncertain.
import { AccessRegisters } from "../../analysis/view/access-registers.js";
import { isNamed, namesOf } from "../../analysis/view/device-names.js";
import { FormatError } from "../../base/errors.js";
import { countOf } from "../../base/units.js";
import { builtInFor, chooseDatabase, configurationDatabaseFor } from "../../registers/files/index.js";
import type { RegisterDatabase } from "../../registers/index.js";
import type { DatabaseWarning } from "../../registers/schema.js";
import type { TraceReader } from "../../trace/file/reader.js";
import { type PciFunction, resourceFlag } from "../../trace/header.js";
import { UsageError } from "./exit-code.js";

export interface RegisterOptions {
  registers?: string[];
  variant?: string[];
}

/** Faults and devices listed in a message. */
const listedMax = 5;

interface Choice {
  /** The option's value. */
  text: string;
  /** The name of the devices that it is for; undefined: all. */
  device: string | undefined;
  database: RegisterDatabase;
  /** Some trace has a device that it names registers of. */
  fits: boolean;
}

export class RegisterNames {
  private readonly choices: readonly Choice[];
  private readonly namers: AccessRegisters[] = [];
  /** The devices of all traces in words, by PCI address. */
  private readonly devices = new Map<string, string>();

  /** Throws UsageError, FormatError and the errors of chooseDatabase(). */
  constructor({ registers = [], variant }: RegisterOptions) {
    if (registers.length === 0 && variant !== undefined) throw new UsageError("--variant needs --registers");
    this.choices = registers.map((text) => {
      const parts = /^([^=/]+)=(.+)$/s.exec(text);
      const database = chooseFaultless(parts?.[2] ?? text, variant);
      return { text, device: parts?.[1], database, fits: false };
    });
  }

  /** Makes the namer of a trace's registers: a new one for each trace, because it learns from the devices. */
  namerFor(reader: TraceReader): AccessRegisters {
    this.look(reader);
    const namer = new AccessRegisters(
      (found) => this.choiceFor(found)?.database ?? builtInFor(found),
      configurationDatabaseFor,
    );
    this.namers.push(namer);
    return namer;
  }

  /** Takes the devices that a trace knows by now. */
  look({ header, updates }: TraceReader): void {
    for (const found of [...header.pciFunctions, ...updates.flatMap(({ update }) => update.pciFunctions ?? [])]) {
      const [address, ...others] = namesOf(found).filter((name) => !found.address.endsWith(`:${name}`));
      this.devices.set(found.address, `${address} (${others.join(", ")})`);
      const choice = this.choiceFor(found);
      if (choice !== undefined && hasBarOf(choice.database, found)) choice.fits = true;
    }
  }

  /** Throws UsageError for a --registers that names registers of no device in the traces. */
  requireUse(): void {
    const useless = this.choices.find(({ fits }) => !fits);
    if (useless === undefined) return;
    const shown = [...this.devices.values()].slice(0, listedMax).join("; ");
    const more = this.devices.size > listedMax ? `; and ${this.devices.size - listedMax} more` : "";
    throw new UsageError(`--registers ${useless.text} fits no device of the trace`, {
      advice:
        this.devices.size === 0
          ? "the trace knows no devices, so that no register can be named"
          : `the trace's devices: ${shown}${more}`,
    });
  }

  /** Prints on standard error what was uncertain about the names, and the faults that they met. Returns true if there were any faults. */
  tell(): boolean {
    const naming = this.namers.flatMap((namer) => namer.naming);
    for (const { text, database } of this.choices) {
      if (!naming.some(({ schema }) => schema === database.schema)) say(`note: --registers ${text} named no access`);
    }
    const undecided = new Set(naming.flatMap((database) => database.undecidedVarsets()));
    if (undecided.size > 0) {
      const names = [...undecided].join(", ");
      say(`note: names of registers may be another variant's: choose with --variant, a value of ${names}`);
    }
    const early = this.namers.reduce((all, { uncertainNames }) => all + uncertainNames, 0);
    if (early > 0) {
      const named = countOf(early, "access was", "accesses were");
      say(`note: ${named} named before the device told its variant, which may have other names`);
    }
    const faults = new Set(this.namers.flatMap(({ faults: met }) => met.map(faultText)));
    for (const fault of [...faults].slice(0, listedMax)) say(fault);
    if (faults.size > listedMax) say(`… and ${countOf(faults.size - listedMax, "more fault")} in register databases`);
    return faults.size > 0;
  }

  private choiceFor(found: PciFunction): Choice | undefined {
    const named = this.choices.find(({ device }) => device !== undefined && isNamed(found, device));
    return named ?? this.choices.find(({ device, database }) => device === undefined && hasBarOf(database, found));
  }
}

function hasBarOf({ layout }: RegisterDatabase, { bars }: PciFunction): boolean {
  return bars.some(({ index, flags }) => layout.has(index) && (BigInt(flags) & resourceFlag.memory) !== 0n);
}

/** Does the same as chooseDatabase(), but throws FormatError for a database in whose files reading found faults. */
export function chooseFaultless(choice: string, variants?: readonly string[]): RegisterDatabase {
  const database = chooseDatabase(choice, variants);
  requireFaultless(database.schema.warnings);
  return database;
}

/** Throws FormatError for the first of the faults. */
function requireFaultless(faults: readonly DatabaseWarning[]): void {
  const [first] = faults;
  if (first === undefined) return;
  const others = faults.length === 1 ? "" : `, and ${countOf(faults.length - 1, "other fault")}`;
  throw new FormatError(first.file, `${first.message}${others}`, {
    line: first.line,
    advice: "`mmiostrider registers check` lists a database's faults",
  });
}

/** Formats `FILE:LINE: MESSAGE`. */
export function faultText({ file, line, message }: DatabaseWarning): string {
  return `${file}:${line}: ${message}`;
}

function say(text: string): void {
  process.stderr.write(`mmiostrider: ${text}\n`);
}
