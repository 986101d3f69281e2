// tier: quick
// Compares core/record.h and core/rewritten-site.h, according to the C compiler, with their sources in src: sizes, offsets, constants.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { projectDirectory } from "../src/base/paths.js";
import { SiteKind, site_bytes, siteOffset } from "../src/rewrite/sites.js";
import { dmaDirections, dmaWays } from "../src/trace/dma-kinds.js";
import {
  abiVersion,
  dmaDirectionBits,
  eventValueBits,
  memoryTypes,
  RecordFlag,
  RecordKind,
  record_bytes,
  recordOffset,
  ringHead_bytes,
  ringHeadOffset,
  ringMagic,
  runPart_bytes,
  runPartOffset,
  text_bytes,
  value_bytes,
} from "../src/trace/record.js";
import { configurationSpace, portSpace } from "../src/trace/space.js";
import { type UnrecordedWay, unrecordedWays } from "../src/trace/unrecorded.js";

const directory = mkdtempSync(join(tmpdir(), "mmiostrider-layout-"));
afterAll(() => rmSync(directory, { recursive: true }));

/** Converts camelCase to the style of the header's constants. */
const constant = (name: string) => name.replaceAll(/[A-Z]/g, "_$&").toUpperCase();
const member = (name: string) => name.replaceAll(/[A-Z]/g, "_$&").toLowerCase();

/** Returns a way's constant: `vmf_insert_pfn` is `MMS_BY_INSERT_PFN`. */
function wayConstant(way: UnrecordedWay): string {
  return way === "vmf_insert_pfn_pmd" ? "MMS_BY_INSERT_HUGE" : `MMS_BY_${way.replace(/^vmf_/, "").toUpperCase()}`;
}

/** Compiles a program that prints each of the C expressions, one a line; returns their values. */
function askCompiler(expressions: string[]): number[] {
  const source = join(directory, "layout.c");
  const program = join(directory, "layout");
  const prints = expressions.map((expression) => `  printf("%llu\\n", (unsigned long long)(${expression}));`);
  writeFileSync(
    source,
    `#include <stdio.h>\n#include <stddef.h>\n#include "move.h"\n#include "record.h"\n#include "rewritten-site.h"\nint main(void)\n{\n${prints.join("\n")}\n  return 0;\n}\n`,
  );
  const core = join(projectDirectory, "core");
  execFileSync("gcc", ["-Wall", "-Wextra", "-Werror", `-I${core}`, "-o", program, source], { stdio: "pipe" });
  return execFileSync(program, { encoding: "utf8" }).trimEnd().split("\n").map(Number);
}

test("the record's layout and constants are those of core/record.h", () => {
  const expected: [expression: string, value: number][] = [
    ["sizeof(struct mms_record)", record_bytes],
    ["sizeof(struct mms_ring_head)", ringHead_bytes],
    ["sizeof(struct mms_run_part)", record_bytes],
    ["MMS_RUN_PART_BYTES", runPart_bytes],
    ["MMS_ABI_VERSION", abiVersion],
    ["MMS_RING_MAGIC", ringMagic],
    ["MMS_TEXT_BYTES", text_bytes],
    ["MMS_VALUE_BYTES", value_bytes],
    ["MMS_PORT_SPACE", Number(portSpace)],
    ["MMS_CONFIGURATION_SPACE", Number(configurationSpace)],
    ...Object.entries(recordOffset).map(([name, at]): [string, number] => [
      `offsetof(struct mms_record, ${member(name)})`,
      at,
    ]),
    ...Object.entries(runPartOffset).map(([name, at]): [string, number] => [
      `offsetof(struct mms_run_part, ${member(name)})`,
      at,
    ]),
    ...Object.entries(ringHeadOffset).map(([name, at]): [string, number] => [
      `offsetof(struct mms_ring_head, ${member(name)})`,
      at,
    ]),
    ...Object.entries(RecordKind).map(([name, value]): [string, number] => [`MMS_${constant(name)}`, value]),
    ...Object.entries(RecordFlag).map(([name, value]): [string, number] => [`MMS_F_${constant(name)}`, value]),
    ...memoryTypes.map((name, value): [string, number] => [
      name === "other" ? "MMS_OTHER_TYPE" : `MMS_${name.replace("-", "_").toUpperCase()}`,
      value,
    ]),
    ["MMS_DMA_DIRECTION_BITS", dmaDirectionBits],
    ["MMS_DMA_DIRECTION_MASK", dmaDirections.length - 1],
    ["MMS_EVENT_VALUE_BITS", Number(eventValueBits)],
    ...dmaWays.map((way, value): [string, number] => [`MMS_DMA_${way.toUpperCase()}`, value]),
    ...unrecordedWays.map((way, value): [string, number] => [wayConstant(way), value]),
  ];
  const told = askCompiler(expected.map(([expression]) => expression));
  expect(expected.map(([expression], index) => [expression, told[index]])).toEqual(expected);
});

test("a rewritten driver's sites have the layout of core/rewritten-site.h", () => {
  const expected: [expression: string, value: number][] = [
    ["sizeof(struct mms_rewritten_site)", site_bytes],
    ...Object.entries(siteOffset).map(([name, at]): [string, number] => [
      `offsetof(struct mms_rewritten_site, ${member(name)})`,
      at,
    ]),
    ["offsetof(struct mms_rewritten_site, mapping)", 24],
    ...Object.entries(SiteKind).map(([name, value]): [string, number] => [`MMS_${constant(name)}`, value]),
  ];
  const told = askCompiler(expected.map(([expression]) => expression));
  expect(expected.map(([expression], index) => [expression, told[index]])).toEqual(expected);
});
