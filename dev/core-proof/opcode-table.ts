// Renders the decoder's opcode tables, core/*.gen.h, from the rows of opcode-rows.ts. `npm run generate` writes the
// files; a test checks that the committed ones are current.
import { Mnemonic, OpCodeOperandKind, TupleType } from "iced-x86";
import { assert } from "../../src/base/assert.js";
import { enumMembers, enumName } from "./iced-names.js";
import { collectRows, opcodeMaps, type Row, slotsOf } from "./opcode-rows.js";

/** Renders the generated files of core/: name → content. */
export function renderOpcodeFiles(): Record<string, string> {
  const rows = collectRows();
  return { "opcodes.gen.h": renderNames(rows), "opcode-rows.gen.h": renderTables(rows) };
}

function banner(what: string): string[] {
  return [
    "/* SPDX-License-Identifier: GPL-2.0 */",
    "/*",
    ` * ${what}`,
    " * Generated from iced-x86's instruction tables by dev/core-proof/opcode-table.ts:",
    " * `npm run generate` writes it. Never edit it.",
    " */",
  ];
}

/** Renders the names of mnemonics, operand kinds and opcode maps, which every part of the core includes. */
function renderNames(rows: Row[]): string {
  const mnemonics = [...new Set(rows.map((row) => row.mnemonic))].sort((a, b) => a - b);
  const kinds = [...new Set(rows.flatMap((row) => row.operands))].sort((a, b) => a - b);
  return [
    ...banner("Names of mnemonics, operand kinds and opcode maps."),
    "#ifndef MMIOSTRIDER_OPCODES_GEN_H",
    "#define MMIOSTRIDER_OPCODES_GEN_H",
    "",
    "enum mms_mnemonic {",
    ...mnemonics.map((mnemonic) => `\tMMS_MN_${enumName(Mnemonic, mnemonic)} = ${mnemonic},`),
    "};",
    "",
    "enum mms_operand_kind {",
    "\tMMS_OPERAND_NONE = 0,",
    ...kinds.map((kind) => `\tMMS_OPERAND_${enumName(OpCodeOperandKind, kind)} = ${kind},`),
    "};",
    "",
    "enum mms_tuple {",
    ...enumMembers(TupleType).map(([name, value]) => `\tMMS_TUPLE_${name.toUpperCase()} = ${value},`),
    "};",
    "",
    "enum mms_opcode_map {",
    ...opcodeMaps.map((map, index) => `\tMMS_MAP_${map} = ${index},`),
    `\tMMS_MAP_COUNT = ${opcodeMaps.length},`,
    "};",
    "",
    "#endif",
    "",
  ].join("\n");
}

/** Renders the rows, and the place where each opcode's rows begin; only decode.c includes them. */
function renderTables(rows: Row[]): string {
  const lines = banner("The instruction forms, sorted by opcode map and opcode.");

  const bySlot = slotsOf(rows);
  const starts: number[][] = [];
  let next = 0;
  lines.push(`static const struct mms_opcode mms_opcodes[${rows.length + 1}] = {`);
  for (const map of opcodeMaps) {
    const mapStarts: number[] = [];
    for (let opcode = 0; opcode < 256; opcode++) {
      mapStarts.push(next);
      const slot = bySlot.get(`${map}/${opcode}`) ?? [];
      slot.sort((a, b) => b.specificity - a.specificity || commonness(b) - commonness(a));
      for (const row of slot) lines.push(...renderRow(row));
      next += slot.length;
    }
    mapStarts.push(next);
    starts.push(mapStarts);
  }
  lines.push("\t{ 0 },", "};", "");
  assert(next < 65536, "row numbers fit 16 bits");
  lines.push("/* Place in mms_opcodes of an opcode's first row. The next opcode's rows follow its last. */");
  lines.push(`static const uint16_t mms_opcode_start[MMS_MAP_COUNT][257] = {`);
  for (const [index, mapStarts] of starts.entries()) {
    lines.push(`\t[MMS_MAP_${opcodeMaps[index]}] = {`);
    for (let at = 0; at < mapStarts.length; at += 12) lines.push(`\t\t${mapStarts.slice(at, at + 12).join(", ")},`);
    lines.push("\t},");
  }
  lines.push("};", "");
  return lines.join("\n");
}

/** Order of forms that differ in size only: 32 bits is the most frequent, then 64. */
function commonness(row: Row): number {
  return row.sizes & 2 ? 2 : row.sizes & 4 ? 1 : 0;
}

function renderRow(row: Row): string[] {
  const hex = (value: number) => `0x${value.toString(16).padStart(2, "0")}`;
  const list = (prefix: string, names: string[]) =>
    names.length === 0 ? "0" : names.map((name) => prefix + name).join(", ");
  const operands = row.operands.map((kind) => enumName(OpCodeOperandKind, kind));
  return [
    `\t/* ${row.text} */`,
    `\t{ ${hex(row.accepts)}, ${row.flags.length === 0 ? "0" : row.flags.join(" | ")},`,
    `\t  ${hex(row.modrmMask)}, ${hex(row.modrmValue)}, ${row.immediateBytes}, ${row.immediate2Bytes}, MMS_MEMORY_${row.memory}, ` +
      `${row.access}, ${row.tuple}, ${row.broadcastBytes}, ${row.memoryBytes},`,
    `\t  ${list("MMS_CLASS_", [row.regClass, row.vvvvClass, row.rmClass])},`,
    `\t  { ${list("MMS_OPERAND_", operands)} }, MMS_MN_${enumName(Mnemonic, row.mnemonic)}, ${row.code} },`,
  ];
}
