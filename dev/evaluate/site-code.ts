// The instruction at a trace's site: its bytes come from the module's file or the kernel's image, and count only if they can have made
// the recorded access. So code that the kernel has patched since is never taken for another.
import { join } from "node:path";
import { Decoder, DecoderOptions, Instruction, InstructionInfoFactory, MemorySizeExt, OpAccess } from "iced-x86";
import { readDependencies } from "../../src/capture/driver-devices.js";
import { ElfFile, type ElfSymbol } from "../../src/elf/elf-file.js";
import { SymbolType } from "../../src/elf/layout.js";
import type { LabKernel } from "../../src/lab/kernel-package.js";
import { symbolPlace } from "../../src/trace/symbol-place.js";
import { decompressedFile, kernelOfBootImage } from "../core-proof/executable-code.js";
import type { SiteCount } from "./access-sites.js";
import { type Form, formOf } from "./instruction-forms.js";

const longest_bytes = 15;
const reads = new Set<OpAccess>([OpAccess.Read, OpAccess.CondRead, OpAccess.ReadWrite, OpAccess.ReadCondWrite]);
const writes = new Set<OpAccess>([OpAccess.Write, OpAccess.CondWrite, OpAccess.ReadWrite, OpAccess.ReadCondWrite]);

/** Finds the forms of a kernel's instructions. */
export class SiteCode {
  private readonly modulesFolder: string;
  private readonly files: ReadonlyMap<string, string>;
  private readonly image: string;
  private vmlinux: ElfFile | undefined;
  private readonly modules = new Map<string, { elf: ElfFile; functions: ElfSymbol[] }>();

  constructor({ release, modulesDirectory, imagePath }: LabKernel) {
    this.modulesFolder = join(modulesDirectory, release);
    this.files = new Map(readDependencies(this.modulesFolder).map(({ module, file }) => [module, file]));
    this.image = imagePath;
  }

  /** Returns the form of a site's instruction, or undefined. `textAddress`: the kernel's text in the machine that ran it. */
  formAt(site: SiteCount, textAddress: bigint): Form | undefined {
    const place = symbolPlace(site.symbol);
    if (place === undefined) return undefined;
    const candidates =
      place.module === undefined
        ? this.kernelBytes(site.address, textAddress)
        : this.moduleBytes(place.module, place.name, place.offset);
    const forms = new Map<string, Form>();
    for (const bytes of candidates) {
      const form = formThatMade(bytes, site);
      if (form !== undefined) forms.set(form.text, form);
    }
    return forms.size === 1 ? [...forms.values()][0] : undefined;
  }

  private kernelBytes(address: bigint, textAddress: bigint): Uint8Array[] {
    this.vmlinux ??= new ElfFile(this.image, kernelOfBootImage(this.image, decompressedFile(this.image)));
    const text = this.vmlinux.section(".text");
    if (text === undefined) return [];
    const at = Number(address - textAddress);
    const content = this.vmlinux.content(text);
    return at >= 0 && at < content.length ? [content.subarray(at, at + longest_bytes)] : [];
  }

  /** Returns the bytes in all functions of that name: static ones may share it. */
  private moduleBytes(module: string, name: string, offset: number): Uint8Array[] {
    const file = this.files.get(module);
    if (file === undefined) return [];
    let found = this.modules.get(module);
    if (found === undefined) {
      const path = join(this.modulesFolder, file);
      const elf = new ElfFile(path, decompressedFile(path));
      found = { elf, functions: elf.symbols().filter(({ type }) => type === SymbolType.function) };
      this.modules.set(module, found);
    }
    const { elf, functions } = found;
    return functions.flatMap((symbol) => {
      if (symbol.name !== name || symbol.section === undefined) return [];
      const at = Number(symbol.value) + offset;
      return [elf.content(symbol.section).subarray(at, at + longest_bytes)];
    });
  }
}

/** Decodes the instruction at the begin of `bytes`; undefined if it can't have made such accesses. */
export function formThatMade(
  bytes: Uint8Array,
  { kind, width_bytes, isString }: Pick<SiteCount, "kind" | "width_bytes" | "isString">,
): Form | undefined {
  const decoder = new Decoder(64, bytes, DecoderOptions.None);
  const instruction = new Instruction();
  const factory = new InstructionInfoFactory();
  try {
    decoder.decodeOut(instruction);
    if (instruction.isInvalid) return undefined;
    const prefix = instruction.hasLockPrefix
      ? "lock"
      : !instruction.isStringInstruction
        ? ""
        : instruction.hasRepPrefix
          ? "rep"
          : instruction.hasRepnePrefix
            ? "repne"
            : "";
    const form = formOf(instruction.code, prefix);
    if ((form.class === "string") !== isString) return undefined;
    const info = factory.info(instruction);
    const wanted = kind === "read" ? reads : writes;
    const used = info.usedMemory();
    // the extent of a repeated one is unknown, its element isn't
    const element_bytes = MemorySizeExt.size(instruction.memorySize);
    const fits = used.some(
      ({ access, memorySize }) =>
        wanted.has(access) && (isString ? element_bytes : MemorySizeExt.size(memorySize)) === width_bytes,
    );
    for (const one of used) one.free();
    info.free();
    return fits ? form : undefined;
  } finally {
    factory.free();
    instruction.free();
    decoder.free();
  }
}
