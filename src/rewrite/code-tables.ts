// The sections of a kernel module that refer to its code, and the meaning of each reference. A section that isn't here may not
// refer to code: the rewriter would not know what its author meant.

/**
 * A reference to an instruction's own bytes, which the kernel looks up or changes; or a place that is jumped to, called or unwound
 * from, which code that is put in front of the instruction belongs to.
 */
export type ReferenceRole = "instruction" | "destination";

/** include/linux/jump_label.h: struct jump_entry { s32 code; s32 target; long key; } */
export const jumpEntry = { size_bytes: 16, code: 0, target: 4 } as const;
/** arch/x86/include/asm/extable.h: struct exception_table_entry { int insn, fixup, data; } */
const exceptionEntry = { size_bytes: 12, instruction: 0 } as const;
/** arch/x86/include/asm/orc_types.h: struct orc_entry { s16 sp_offset; s16 bp_offset; u16 sp_reg:4, bp_reg:4, …; } */
export const orcEntry = { size_bytes: 6 } as const;

/** Tables all of whose references to code mean instructions. */
const instructionTables = new Set([
  ...[".return_sites", ".retpoline_sites", ".call_sites", ".smp_locks", ".static_call_sites", ".ibt_endbr_seal"],
  ...["__mcount_loc", "__patchable_function_entries", "__bug_table", ".altinstructions", ".parainstructions"],
]);

/** Sections of data, whose pointers to code are called or jumped to. */
const dataSections = [
  /^\.(?:init\.|exit\.|ref\.)?(?:ro)?data(?:[._].*)?$/,
  /^__ksymtab(?:_gpl)?(?:\+.*)?$/,
  /^(?:__tracepoints|__bpf_raw_tp_map|__param|__dyndbg|\.gnu\.linkonce\.this_module|\.kunit_test_suites|\.init_array)$/,
];

/** Returns the meaning of a reference to code at `offset` in a section; undefined where the section isn't known. */
export function referenceRole(section: string, offset: number): ReferenceRole | undefined {
  if (instructionTables.has(section)) return "instruction";
  if (section === "__jump_table") {
    return offset % jumpEntry.size_bytes === jumpEntry.code ? "instruction" : "destination";
  }
  if (section === "__ex_table") {
    return offset % exceptionEntry.size_bytes === exceptionEntry.instruction ? "instruction" : "destination";
  }
  if (section === ".orc_unwind_ip") return "destination";
  return dataSections.some((name) => name.test(section)) ? "destination" : undefined;
}

/** Sections of code whose bytes are copied or found by their distance, so that nothing is put in and nothing moves. */
export const fixedCodeSections = new Set([".altinstr_replacement", ".static_call.text"]);
