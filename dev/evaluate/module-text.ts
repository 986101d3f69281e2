// The instructions with an operand in memory in a module's text: which forms there are, and in which functions those are that use
// vector registers or go past the caches. Nothing runs: whose memory the operand is, the text doesn't tell.
import { type Code, Register } from "iced-x86";
import type { ElfFile, ElfSection } from "../../src/elf/elf-file.js";
import { SectionFlag, SectionType, SymbolType } from "../../src/elf/layout.js";
import { sweepCode } from "../../src/x86/sweep.js";
import { type FormClass, formOf } from "./instruction-forms.js";

/** The instructions of one class, by their operand in memory: addressed by a general register, or in another way. */
export interface ClassCount {
  /** A general register but rsp, and no segment: the address may be a device's. */
  byRegister: number;
  /** On the stack (rsp), relative to rip, to a segment, or without a register: no device's. */
  elsewhere: number;
}

/** A function that has instructions of the classes vector, non-temporal or x87 whose address may be a device's. */
export interface UnusualFunction {
  name: string;
  /** Numbers of instructions by form: `movntdqa xmm1, m128`. */
  forms: Record<string, number>;
}

export interface ModuleText {
  module: string;
  classes: Partial<Record<FormClass, ClassCount>>;
  functions: UnusualFunction[];
  /** Sections of which a part could not be decoded. */
  undecoded: string[];
}

const unusual = new Set<FormClass>(["vector", "non-temporal", "x87"]);

/** Reads a module's text. Throws FormatError for a broken file. */
export function readModuleText(module: string, elf: ElfFile): ModuleText {
  const text: ModuleText = { module, classes: {}, functions: [], undecoded: [] };
  const symbols = elf.symbols().filter(({ type }) => type === SymbolType.function);
  for (const section of elf.sections) {
    if (section.type !== SectionType.bits || (section.flags & SectionFlag.executable) === 0n) continue;
    const starts = symbols
      .filter((symbol) => symbol.section === section)
      .map(({ name, value }) => ({ name, value: Number(value) }))
      .sort((a, b) => a.value - b.value);
    readSection(text, section, elf.content(section), starts);
  }
  return text;
}

function readSection(
  text: ModuleText,
  section: ElfSection,
  content: Uint8Array,
  functions: readonly { name: string; value: number }[],
): void {
  const sweep = sweepCode(content);
  if ("failedAt" in sweep) {
    text.undecoded.push(section.name);
    return;
  }
  let current = -1;
  let found: UnusualFunction | undefined;
  for (let number = 0; number < sweep.count; number += 1) {
    while (current + 1 < functions.length && functions[current + 1]!.value <= sweep.starts[number]!) {
      current += 1;
      found = undefined;
    }
    const form = formOf(sweep.codes[number]! as Code);
    if (form.class === "none") continue;
    const [base, index] = [sweep.bases[number]!, sweep.indexes[number]!];
    const isString = form.class === "string";
    if (!isString && base === Register.None && index === Register.None) continue;
    const isByRegister = isString || (sweep.segments[number] === Register.None && isGeneral(base));
    const counts = text.classes[form.class] ?? { byRegister: 0, elsewhere: 0 };
    counts[isByRegister ? "byRegister" : "elsewhere"] += 1;
    text.classes[form.class] = counts;
    if (!isByRegister || !unusual.has(form.class)) continue;
    if (found === undefined) {
      found = { name: functions[current]?.name ?? section.name, forms: {} };
      text.functions.push(found);
    }
    found.forms[form.text] = (found.forms[form.text] ?? 0) + 1;
  }
}

function isGeneral(base: Register): boolean {
  return base >= Register.RAX && base <= Register.R15 && base !== Register.RSP;
}
