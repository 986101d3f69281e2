// The kernel's functions that access a device for a driver, and whose accesses are known: the core makes them in the function's
// place, with the driver's call as their site. Those whose accesses depend on the CPU aren't here: memset_io(), memcpy(), memset(),
// copies to and from users. They are called as ever, and fault.
import { FlowControl } from "iced-x86";
import { RelocationType, SpecialSection } from "../elf/layout.js";
import { InstructionKind } from "../x86/sweep.js";
import { type CodeSection, instructionAround, type ModuleCode } from "./module-code.js";
import { type Call, type CalledFunction, SiteKind } from "./sites.js";

/** Registers' numbers in machine code: a function's result, and its first two arguments. */
const result = 0;
const [first, second] = [7, 6];

/** By name. include/asm-generic/iomap.h, and the names that 64 bits have from 6.16 on; arch/x86/include/asm/io.h. */
const functions = new Map<string, CalledFunction>([
  ...[1, 2, 4].flatMap((bytes): [string, CalledFunction][] => {
    const [many, bits] = [{ bytes, address: first, value: second, value_bytes: 0 }, 8 * bytes];
    return [
      [`ioread${bits}`, loads(bytes)],
      [`iowrite${bits}`, stores(bytes)],
      [`ioread${bits}_rep`, { kind: SiteKind.rewrittenCallLoads, ...many }],
      [`iowrite${bits}_rep`, { kind: SiteKind.rewrittenCallStores, ...many }],
    ];
  }),
  ...swapped("ioread16be", "iowrite16be", 2),
  ...swapped("ioread32be", "iowrite32be", 4),
  ...["", "__"].flatMap((prefix) =>
    ["lo_hi", "hi_lo"].flatMap((order): [string, CalledFunction][] => [
      [`${prefix}ioread64_${order}`, loads(8)],
      [`${prefix}iowrite64_${order}`, stores(8)],
      ...swapped(`${prefix}ioread64be_${order}`, `${prefix}iowrite64be_${order}`, 8),
    ]),
  ),
  ["memcpy_fromio", copies(SiteKind.rewrittenCallCopyFrom, 0)],
  ["memcpy_toio", copies(SiteKind.rewrittenCallCopyTo, 0)],
  ["__ioread32_copy", copies(SiteKind.rewrittenCallCopyFrom, 4)],
  ["__iowrite32_copy", copies(SiteKind.rewrittenCallCopyTo, 4)],
  ["__iowrite64_copy", copies(SiteKind.rewrittenCallCopyTo, 8)],
]);

function loads(bytes: number, kind: number = SiteKind.rewrittenCallLoad): CalledFunction {
  return { kind, bytes, address: first, value: result, value_bytes: Math.max(bytes, 4) };
}

function stores(bytes: number, kind: number = SiteKind.rewrittenCallStore): CalledFunction {
  return { kind, bytes, address: second, value: first, value_bytes: bytes };
}

function swapped(read: string, write: string, bytes: number): [string, CalledFunction][] {
  return [
    [read, loads(bytes, SiteKind.rewrittenCallLoadSwapped)],
    [write, stores(bytes, SiteKind.rewrittenCallStoreSwapped)],
  ];
}

/** The first argument says where to, the second where from. */
function copies(kind: number, bytes: number): CalledFunction {
  const isFrom = kind === SiteKind.rewrittenCallCopyFrom;
  return { kind, bytes, address: isFrom ? second : first, value: isFrom ? first : second, value_bytes: 0 };
}

const found = new WeakMap<CodeSection, ReadonlyMap<number, Call>>();

/**
 * Finds the calls in a section, by the number of the instruction. Only those of the kernel, by their names: not calls by a pointer, and
 * not what the module calls so itself.
 */
export function callsIn(module: ModuleCode, code: CodeSection): ReadonlyMap<number, Call> {
  const known = found.get(code);
  if (known !== undefined) return known;
  const calls = new Map<number, Call>();
  found.set(code, calls);
  const entries = module.relocations[code.section.index]?.entries;
  if (entries === undefined || code.isFixed) return calls;
  for (let entry = 0; entry < entries.offsets.length; entry += 1) {
    const symbol = entries.symbols[entry]!;
    const { name, sectionNumber } = module.symbols[symbol]!;
    const called = sectionNumber === SpecialSection.undefined ? functions.get(name) : undefined;
    const offset = entries.offsets[entry]!;
    if (called === undefined || offset >= code.content.length) continue;
    const isBranch =
      entries.types[entry] === RelocationType.call32 || entries.types[entry] === RelocationType.relative32;
    const number = instructionAround(code, offset);
    if (isBranch && entries.addends[entry] === -4 && isCall(code, number))
      calls.set(number, { function: called, symbol });
  }
  return calls;
}

function isCall({ sweep }: CodeSection, number: number): boolean {
  const flow = sweep.flows[number];
  return (
    sweep.kinds[number] === InstructionKind.near &&
    sweep.lengths[number] === 5 &&
    (flow === FlowControl.Call || flow === FlowControl.UnconditionalBranch)
  );
}
