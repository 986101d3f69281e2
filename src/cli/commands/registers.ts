// `mmiostrider registers`: looks into register databases: one address, all registers of a domain, faults of a file.

import { join } from "node:path";
import { type Command, Option } from "commander";
import { countOf } from "../../base/units.js";
import { defaultSysfs, readPciFunctions } from "../../machine/pci.js";
import { readPciConfig } from "../../machine/pci-config.js";
import { checkSchema } from "../../registers/check.js";
import type { Direction, RegisterDatabase } from "../../registers/database.js";
import { type Explanation, explain } from "../../registers/explain.js";
import { builtIns, chooseDatabase, findDatabase, loadSchema } from "../../registers/files/index.js";
import { withVariants } from "../../registers/index.js";
import { listRegisters } from "../../registers/list.js";
import { barName, configurationIndex } from "../../trace/header.js";
import { ExitCode, UsageError } from "../shared/exit-code.js";
import { collect } from "../shared/option-values.js";
import { chooseFaultless, faultText } from "../shared/register-names.js";

interface LookupOptions {
  registers?: string;
  variant?: string[];
  bar?: string;
  width?: string;
  direction?: Direction;
  full?: true;
  json?: true;
}

export function addRegisters(program: Command): void {
  const registers = program
    .command("registers")
    .summary("look into register databases")
    .description(
      "Looks into register databases: the built-in ones, and files in the rules-ng-ng format that envytools uses.",
    );
  registers
    .command("lookup")
    .summary("show the register at an offset, and the meaning of a value")
    .description(
      "Shows the register at OFFSET (from the BAR's start), and the meaning of VALUE in it. Without --registers, " +
        "OFFSET is a physical address on this machine, and its PCI function chooses the database.",
    )
    .argument("<offset>", "offset or physical address, decimal or 0x…")
    .argument("[value]", "value read or written, decimal or 0x…")
    .option("--registers <database>", "a built-in database's name, or PATH[:DOMAIN[@BAR[+OFFSET]],…]")
    .option("--variant <[enum=]name>", "hardware variant; may be given more than once", collect)
    .option("--bar <number>", "BAR of the offset (default: the database's first)")
    .option("--width <bytes>", "width of the access (default: the register's)")
    .addOption(new Option("--direction <direction>", "where reading and writing differ").choices(["read", "write"]))
    .option("--full", "also print fields that are zero")
    .option("--json", "print JSON, for programs")
    .addHelpText(
      "after",
      `
Examples:
  mmiostrider registers lookup --registers e1000 0x0 0x140248
  mmiostrider registers lookup --registers rnndb/nv_mmio.xml:NV_MMIO --variant G84 0x100 0x1100
  mmiostrider registers lookup 0xfebc0008        (a physical address on this machine)

Exit codes: 0 found, 1 nothing is known of the offset, or the database has faults, 2 wrong usage.`,
    )
    .action((offset: string, value: string | undefined, options: LookupOptions) => lookup(offset, value, options));
  registers
    .command("list")
    .summary("list the built-in databases, or a database's registers")
    .description("Lists the built-in databases; given a database, lists its registers in the order of their offsets.")
    .argument("[database]", "a built-in database's name, or PATH[:DOMAIN[@BAR[+OFFSET]],…]")
    .option("--variant <[enum=]name>", "hardware variant; may be given more than once", collect)
    .option("--json", "print JSON, for programs")
    .addHelpText(
      "after",
      `
Examples:
  mmiostrider registers list
  mmiostrider registers list e1000
  mmiostrider registers list rnndb/display/nv_evo.xml:NV_EVO_CORE --variant G80`,
    )
    .action((database: string | undefined, options: { variant?: string[]; json?: true }) => list(database, options));
  registers
    .command("check")
    .summary("list the faults of register database files")
    .description("Loads each file with its imports, resolves every name in it, and prints the faults.")
    .argument("<file...>", "files in the rules-ng-ng format")
    .option("--json", "print JSON, for programs")
    .addHelpText(
      "after",
      `
Example:
  mmiostrider registers check my-device.xml

Exit codes: 0 nothing is wrong, 1 something is.`,
    )
    .action((files: string[], options: { json?: true }) => check(files, options));
}

function parseInteger(text: string, what: string, bits: number): bigint {
  if (!/^(0[xX][0-9a-fA-F]+|[0-9]+)$/.test(text))
    throw new UsageError(`${what} "${text}" isn't a number, such as 0x1c or 28`);
  const value = BigInt(text);
  if (value >= 1n << BigInt(bits)) throw new UsageError(`${what} ${text} has more than ${bits} bits`);
  return value;
}

function lookup(offsetText: string, valueText: string | undefined, options: LookupOptions): void {
  let offset = parseInteger(offsetText, "the offset", 64);
  const value = valueText === undefined ? undefined : parseInteger(valueText, "the value", 64);
  const width_bytes = options.width === undefined ? undefined : Number(parseInteger(options.width, "the width", 8));
  if (width_bytes !== undefined && (width_bytes < 1 || width_bytes > 8)) {
    throw new UsageError(`the width ${width_bytes} isn't 1 to 8 bytes`);
  }
  let database: RegisterDatabase;
  let bar: number;
  let place: string;
  if (options.registers === undefined) {
    const found = locate(offset, offsetText);
    database = withVariants(found.database, options.variant ?? []);
    bar = found.bar;
    offset = found.offset;
    place = `${found.address} ${placeName(bar)} + 0x${offset.toString(16)}`;
  } else {
    database = chooseFaultless(options.registers, options.variant);
    bar = chosenBar(database, options.bar);
    place = `${database.name} ${placeName(bar)} + 0x${offset.toString(16)}`;
  }
  if (offset > BigInt(Number.MAX_SAFE_INTEGER)) throw new UsageError(`the offset ${offsetText} is beyond any BAR`);
  const explanation = explain(database, bar, Number(offset), {
    ...{ width_bytes, value, direction: options.direction, style: options.full === true ? "full" : "brief" },
  });
  if (explanation !== undefined && value !== undefined && value >= 1n << BigInt(8 * explanation.width_bytes)) {
    throw new UsageError(
      `the value ${valueText} has more than the ${countOf(8 * explanation.width_bytes, "bit")} accessed`,
      {
        advice: "--width says how many bytes an access has",
      },
    );
  }
  if (tellFaults(database)) process.exitCode = ExitCode.failed;
  if (explanation === undefined) process.exitCode = ExitCode.failed;
  if (options.json === true) {
    process.stdout.write(`${JSON.stringify(jsonOf(database, bar, offset, value, explanation), null, 2)}\n`);
    return;
  }
  noteUndecided(database);
  if (explanation === undefined) {
    process.stderr.write(`mmiostrider: ${place}: the database ${database.name} has nothing there\n`);
    return;
  }
  process.stdout.write(textOf(place, explanation, value));
}

/** Finds the PCI function, BAR and database of a physical address on this machine. */
function locate(
  physical: bigint,
  text: string,
): { address: string; bar: number; offset: bigint; database: RegisterDatabase } {
  for (const pci of readPciFunctions()) {
    for (const bar of pci.bars) {
      const start = BigInt(bar.start);
      if (physical < start || physical - start >= BigInt(bar.length_bytes)) continue;
      const config = readPciConfig(join(defaultSysfs, "bus/pci/devices", pci.address, "config"));
      const database = findDatabase(Number(pci.vendor), Number(pci.device), Number(pci.class), config);
      if (database === undefined) {
        throw new UsageError(
          `${text} is in BAR ${bar.index} of ${pci.address} (${pci.vendor}:${pci.device}), which no built-in register database is for`,
          { advice: `give one with --registers PATH, and the offset 0x${(physical - start).toString(16)}` },
        );
      }
      return { address: pci.address, bar: bar.index, offset: physical - start, database };
    }
  }
  throw new UsageError(`no PCI function's BAR on this machine has the physical address ${text}`, {
    advice: "for an offset rather than an address, say in which database: --registers NAME or PATH",
  });
}

function chosenBar(database: RegisterDatabase, text: string | undefined): number {
  const bars = [...database.layout.keys()];
  if (text === undefined) return bars[0] as number;
  const bar = Number(parseInteger(text, "the BAR", 8));
  if (!database.layout.has(bar)) {
    throw new UsageError(`the register database ${database.name} has nothing for BAR ${bar}`, {
      advice: `it has BAR ${bars.join(", ")}`,
    });
  }
  return bar;
}

/** Prints the faults that were met; returns true if there were any. */
function tellFaults({ warnings }: RegisterDatabase): boolean {
  for (const text of new Set(warnings.map(faultText))) process.stderr.write(`mmiostrider: ${text}\n`);
  return warnings.length > 0;
}

function noteUndecided(database: RegisterDatabase): void {
  const undecided = database.undecidedVarsets();
  if (undecided.length === 0) return;
  process.stderr.write(
    `mmiostrider: names may be another variant's: choose with --variant, a value of ${undecided.join(", ")}\n`,
  );
}

function textOf(place: string, explanation: Explanation, value: bigint | undefined): string {
  const lines: string[] = [];
  for (const part of explanation.parts) {
    const of = part.value === undefined ? "" : ` = 0x${part.value.toString(16)}`;
    const width = part.width_bits === undefined ? "" : `, ${part.width_bits} bits`;
    const brief = part.brief === undefined ? "" : `: ${part.brief}`;
    lines.push(`${part.name}${of}   (${place}${width}${brief})`);
    if (part.meaning !== undefined) lines.push(`  ${part.meaning}`);
    if (value === undefined && part.fields.length > 0) {
      const wide = Math.max(...part.fields.map((field) => field.name.length));
      for (const field of part.fields) {
        const bits = field.low === field.high ? `${field.low}` : `${field.high}:${field.low}`;
        const values = field.values.map((item) => `${item.value} ${item.name}`).join(", ");
        const words = [field.brief, values === "" ? undefined : values].filter((item) => item !== undefined).join("; ");
        lines.push(`  ${bits.padStart(5)}  ${field.name.padEnd(wide)}  ${words}`.trimEnd());
      }
    }
  }
  return `${lines.join("\n")}\n`;
}

function jsonOf(
  database: RegisterDatabase,
  bar: number,
  offset: bigint,
  value: bigint | undefined,
  explanation: Explanation | undefined,
): unknown {
  return {
    database: database.name,
    bar,
    offset: `0x${offset.toString(16)}`,
    value: value === undefined ? null : `0x${value.toString(16)}`,
    undecided: database.undecidedVarsets(),
    name: explanation?.name ?? null,
    parts: (explanation?.parts ?? []).map((part) => ({
      ...part,
      value: part.value === undefined ? null : `0x${part.value.toString(16)}`,
    })),
  };
}

function list(choice: string | undefined, options: { variant?: string[]; json?: true }): void {
  if (choice === undefined) {
    if (options.variant !== undefined) throw new UsageError("--variant needs a database to choose a variant of");
    listBuiltIns(options.json === true);
    return;
  }
  const database = chooseFaultless(choice, options.variant);
  const found = [...database.layout].flatMap(([bar, segments]) =>
    segments.flatMap(({ domain, start }) => listRegisters(database.view(domain), bar, start)),
  );
  if (tellFaults(database)) process.exitCode = ExitCode.failed;
  if (options.json === true) {
    const rows = found.map((row) => ({ ...row, offset: `0x${row.offset.toString(16)}` }));
    process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
    return;
  }
  noteUndecided(database);
  const lines = found.map((row) => {
    const copies = row.copies === "" ? "" : `  ${row.copies}`;
    const brief = row.brief === null ? "" : `  ${row.brief}`;
    return `${placeName(row.bar)} + 0x${row.offset.toString(16).padStart(5, "0")}  ${String(row.width_bits).padStart(2)}  ${row.name}${copies}${brief}\n`;
  });
  process.stdout.write(lines.join(""));
}

/** Returns `BAR 0`, …, or `CONFIG` for the configuration space. */
function placeName(bar: number): string {
  return bar === configurationIndex ? barName(bar) : `BAR ${bar}`;
}

function listBuiltIns(json: boolean): void {
  const rows = builtIns.map((entry) => {
    const database = chooseDatabase(entry.name);
    const domains = [...database.layout].flatMap(([bar, segments]) =>
      segments.map(({ domain, start }) => ({
        ...{ bar, offset: `0x${start.toString(16)}`, domain },
        registers: listRegisters(database.view(domain), bar, start).length,
      })),
    );
    const devices = entry.devices.flatMap(([vendor, ids]) =>
      ids.map((id) => `${vendor.toString(16).padStart(4, "0")}:${id.toString(16).padStart(4, "0")}`),
    );
    const classCode = entry.classCode === undefined ? null : `0x${entry.classCode.toString(16).padStart(6, "0")}`;
    return { name: entry.name, title: entry.title, domains, devices, classCode };
  });
  if (json) {
    process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
    return;
  }
  for (const row of rows) {
    const domains = row.domains.map(
      ({ bar, offset, domain }) => `${domain} at ${placeName(bar)}${offset === "0x0" ? "" : ` + ${offset}`}`,
    );
    const classes = row.classCode === null ? [] : [`class ${row.classCode}`];
    const told = [...classes, ...(row.devices.length === 0 ? [] : [`${row.devices.length} PCI ids`])];
    const ids = told.length === 0 ? "all functions" : told.join(", ");
    process.stdout.write(`${row.name.padEnd(12)} ${row.title} (${ids}); ${domains.join(", ")}\n`);
  }
}

function check(files: string[], options: { json?: true }): void {
  const results = files.map((file) => ({ file, faults: checkSchema(loadSchema(file)) }));
  if (results.some((result) => result.faults.length > 0)) process.exitCode = ExitCode.failed;
  if (options.json === true) {
    process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
    return;
  }
  for (const { file, faults } of results) {
    for (const fault of faults) process.stdout.write(`${fault.file}:${fault.line}: ${fault.message}\n`);
    const verdict = faults.length === 0 ? "nothing wrong" : countOf(faults.length, "fault");
    process.stdout.write(`${file}: ${verdict}\n`);
  }
}
