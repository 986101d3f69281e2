// tier: quick
// Switches over our own unions end in assertUnreachable(), so that the compiler finds each one that doesn't know a new kind. All other
// switches are listed here, with the reason why their default is right for any value.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAst } from "rolldown/parseAst";
import { expect, test } from "vitest";
import { projectDirectory } from "../../src/base/paths.js";
import { childrenOf, type SyntaxNode } from "./source-imports.js";

/** By file: the expressions of switches whose default takes all other values. */
const openSwitches: Record<string, string[]> = {
  // numbers of a file or of the kernel, which may be of a later version
  "src/trace/events.ts": ["first.kind"],
  "src/capture/singlestep/mmiotrace-source.ts": ["kind"],
  "src/rewrite/layout.ts": ["sweep.kinds[instruction]"],
  "src/rewrite/module-code.ts": ["next - offset"],
  "src/rewrite/references.ts": ["type"],
  // a column's number: begin and end order nothing
  "src/analysis/races/happens-before.ts": ["kind"],
  // another process's message, which is not trusted
  "src/capture/feed/drain-messages.ts": ["told"],
  // texts of a user or of a file
  "src/analysis/filter/comparisons.ts": ["operator"],
  "src/analysis/filter/filter.ts": ["operator"],
  "src/registers/files/parser.ts": ["element.tag"],
  // random numbers
  "dev/core-proof/byte-strings.ts": ["random.below(4)"],
  "dev/test-support/made-up-records.ts": ["below(60)"],
  // names of iced-x86, of which only some matter
  "src/x86/sweep.ts": ["instruction.op0Kind"],
  "src/x86/flag-liveness.ts": ["sweep.flows[number]"],
  "dev/core-proof/decoder-comparison.ts": ["kind"],
  "dev/core-proof/opcode-operands.ts": ['at < 0 ? "" : field.exec(names[at]!)![1]'],
  "dev/house/source-imports.ts": ["node.type"],
};

interface Switch {
  line: number;
  on: string;
  closed: boolean;
}

function switchesIn(text: string): Switch[] {
  const found: Switch[] = [];
  const textOf = ({ start, end }: SyntaxNode) => text.slice(start, end);
  const visit = (node: SyntaxNode): void => {
    if (node.type === "SwitchStatement") {
      const rest = (node.cases as SyntaxNode[]).find(({ test }) => test === null);
      const closed = rest !== undefined && /\bassertUnreachable\(/.test(textOf(rest));
      const line = text.slice(0, node.start).split("\n").length;
      found.push({ line, on: textOf(node.discriminant as SyntaxNode), closed });
    }
    for (const child of childrenOf(node)) visit(child);
  };
  visit(parseAst(text, { lang: "ts" }) as unknown as SyntaxNode);
  return found;
}

const files = ["src", "dev"].flatMap((folder) =>
  readdirSync(join(projectDirectory, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
    .map((name) => join(folder, name)),
);
const open = files.flatMap((file) =>
  switchesIn(readFileSync(join(projectDirectory, file), "utf8"))
    .filter(({ closed }) => !closed)
    .map(({ line, on }) => ({ file, line, on })),
);

test("every switch over a union ends in assertUnreachable()", () => {
  const unlisted = open.filter(({ file, on }) => openSwitches[file]?.includes(on) !== true);
  expect(unlisted.map(({ file, line, on }) => `${file}:${line}: switch (${on}) doesn't`)).toEqual([]);
  const needed = new Set(open.map(({ file, on }) => `${file}: ${on}`));
  const listed = Object.entries(openSwitches).flatMap(([file, all]) => all.map((on) => `${file}: ${on}`));
  expect(listed.filter((exception) => !needed.has(exception))).toEqual([]);
});

test("a switch without it is found", () => {
  const text = `
switch (a.kind) { case "x": break; default: assertUnreachable(a); }
switch (b.kind) { case "x": switch (c) { case 1: break; default: break; } break; }
`;
  expect(switchesIn(text)).toEqual([
    { line: 2, on: "a.kind", closed: true },
    { line: 3, on: "b.kind", closed: false },
    { line: 3, on: "c", closed: false },
  ]);
});
