// tier: quick
// Names by address: arrays, stripes, groups, copies, first match; compared with a search through every copy.
import { beforeEach, describe, expect, it } from "vitest";
import { databaseOf, temporaryFolder } from "../../dev/test-support/made-up-files.js";
import type { Node } from "./compile.js";
import type { RegisterDatabase } from "./database.js";
import { find } from "./search.js";

const folder = temporaryFolder();

describe("names", () => {
  const xml = `<group name="G"><reg8 name="IN_GROUP" offset="0x3"/><reg8 name="COPIES" offset="0x4" length="2"/></group>
     <domain name="D">
       <reg32 name="ONE" offset="0x0"/>
       <reg32 name="SHADOWED" offset="0x0"/>
       <reg8 name="MANY" offset="0x10" length="3" stride="4"/>
       <reg16 name="PACKED" offset="0x20" length="4"/>
       <array name="A" offset="0x100" stride="0x20" length="2">
         <reg32 name="X" offset="0x0"/>
         <use-group name="G"/>
         <array name="B" offset="0x10" stride="8" length="2"><reg32 name="Y" offset="0x4"/></array>
       </array>
       <array name="SINGLE" offset="0x200" stride="0x10" length="1"><reg32 name="Z" offset="0x4"/></array>
       <stripe offset="0x300" stride="8" length="4"><reg32 name="LOW" offset="0"/><reg32 name="HIGH" offset="4"/></stripe>
       <stripe name="S" offset="0x400" stride="4" length="4"><reg8 name="FAR" offset="0x40"/></stripe>
       <stripe offset="0x500" stride="0x10" length="2"><array name="IN" offset="0" stride="4" length="2"><reg8 name="R" offset="0"/></array></stripe>
       <stripe offset="0x600" stride="0x10" length="2"><stripe stride="2" length="2"><reg8 name="N" offset="0" length="2"/></stripe></stripe>
       <array offset="0x700" stride="0x10" length="2"><reg8 name="UNNAMED" offset="1"/></array>
       <reg8 name="LISTED" offsets="0x810,0x800,0x805"/>
       <array name="L" offsets="0x900,0x980" stride="0x10"><reg8 name="R" offset="2"/></array>
       <stripe name="ENDLESS" offset="0x1000" stride="0x100" length="0"><reg8 name="R" offset="8"/></stripe>
     </domain>`;
  let database: RegisterDatabase;
  // each test its own: a database remembers its answers
  beforeEach(() => {
    database = databaseOf(folder, xml);
  });

  it.each([
    [0x0, 4, "ONE"],
    [0x2, 2, "ONE+0x2"],
    [0x4, 4, undefined],
    [0x10, 1, "MANY[0]"],
    [0x11, 1, undefined],
    [0x18, 1, "MANY[0x2]"],
    [0x1c, 1, undefined],
    [0x20, 8, "PACKED[0],PACKED[0x1],PACKED[0x2],PACKED[0x3]"],
    [0x120, 4, "A[0x1].X"],
    [0x103, 1, "A[0].X+0x3"],
    [0x125, 1, "A[0x1].COPIES[0x1]"],
    [0x134, 4, "A[0x1].B[0].Y"],
    [0x138, 4, "A[0x1].B[0x1]+0"],
    [0x128, 4, "A[0x1]+0x8"],
    [0x140, 4, undefined],
    [0x204, 4, "SINGLE.Z"],
    [0x208, 4, "SINGLE+0x8"],
    [0x30c, 4, "HIGH[0x1]"],
    [0x318, 8, "LOW[0x3],HIGH[0x3]"],
    [0x320, 4, undefined],
    [0x448, 1, "S[0x2].FAR"],
    [0x514, 1, "IN[0x1][0x1].R"],
    [0x613, 1, "N[0x1][0x1][0x1]"],
    [0x711, 1, "UNNAMED[0x1]"],
    [0x712, 1, undefined],
    [0x805, 1, "LISTED[0x2]"],
    [0x810, 1, "LISTED[0]"],
    [0x982, 1, "L[0x1].R"],
    [0x983, 1, "L[0x1]+0x3"],
    [0x12_3408, 1, "ENDLESS[0x1224].R"],
  ])("0x%i", (offset, width_bytes, name) => {
    expect(database.lookup(0, offset, width_bytes)?.name).toBe(name);
    // The second time the answer is remembered; a bigint works, too.
    expect(database.lookup(0, BigInt(offset), width_bytes)?.name).toBe(name);
  });

  it("keeps reading and writing apart where they differ", () => {
    const split = databaseOf(
      folder,
      `<domain name="D"><reg8 name="STATUS" offset="0" access="r"/><reg8 name="COMMAND" offset="0" access="w"/>
       <reg8 name="ONLY_R" offset="1" access="r"/></domain>`,
    );
    expect(split.lookup(0, 0, 1)?.name).toBe("STATUS");
    expect(split.lookup(0, 0, 1, "read")?.name).toBe("STATUS");
    expect(split.lookup(0, 0, 1, "write")?.name).toBe("COMMAND");
    expect(split.lookup(0, 1, 1, "write")?.name).toBe("ONLY_R");
  });

  it("counts in the domain's units", () => {
    const cells = databaseOf(
      folder,
      `<domain name="D" width="32"><reg32 name="A" offset="1"/><reg64 name="B" offset="2"/></domain>`,
    );
    expect(cells.lookup(0, 4, 4)?.name).toBe("A");
    expect(cells.lookup(0, 8, 8)?.name).toBe("B");
    expect(cells.lookup(0, 12, 4)?.name).toBe("B+0x1");
  });
});

describe("against trying everything", () => {
  it("finds the same in random nests of arrays and stripes", () => {
    let state = 7;
    const random = (below: number): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return (state >>> 8) % below;
    };
    let names = 0;
    const make = (depth: number): string => {
      const offset = random(24);
      const length = [1, 1, 2, 3, 5][random(5)] as number;
      const stride = 1 + random(12);
      if (depth === 0 || random(3) === 0) {
        const width = [8, 16, 32][random(3)];
        const copies = random(2) === 0 ? "" : ` length="${length}" stride="${stride}"`;
        return `<reg${width} name="R${names++}" offset="${offset}"${copies}/>`;
      }
      const inside = Array.from({ length: 1 + random(3) }, () => make(depth - 1)).join("");
      const name = random(3) === 0 ? "" : ` name="N${names++}"`;
      const kind = random(2) === 0 && name !== "" ? "array" : "stripe";
      return `<${kind}${name} offset="${offset}" stride="${stride}" length="${length}">${inside}</${kind}>`;
    };
    let hits = 0;
    for (let round = 0; round < 150; round++) {
      const database = databaseOf(folder, `<domain name="D">${make(3)}${make(3)}${make(2)}</domain>`);
      const nodes = database.view("D").nodes;
      for (let address = 0; address < 200; address++) {
        const found = find(nodes, address, "rw")?.name;
        expect(found).toBe(tryEverything(nodes, address));
        if (found !== undefined) hits++;
      }
    }
    expect(hits).toBeGreaterThan(5000);
  });
});

/** Implements the definition literally, without shortcuts: tries each copy of each node in order. */
function tryEverything(nodes: readonly Node[], address: number, indices = ""): string | undefined {
  for (const node of nodes) {
    for (let copy = 0; copy < node.length; copy++) {
      const start = node.offset + copy * node.stride;
      const index = node.indexed ? `[${copy === 0 ? "0" : `0x${copy.toString(16)}`}]` : "";
      const inside = address - start;
      if (node.kind === "register") {
        // A copy ends at the start of the next, even if it is wider.
        const size = node.stride > 0 ? Math.min(node.size, node.stride) : node.size;
        if (inside >= 0 && inside < size) {
          return `${node.name}${indices}${index}${inside === 0 ? "" : `+0x${inside.toString(16)}`}`;
        }
      } else if (node.kind === "array") {
        if (inside < 0 || inside >= node.stride) continue;
        const inner = tryEverything(node.children, inside);
        return `${node.name}${indices}${index}${inner === undefined ? `+${inside === 0 ? "0" : `0x${inside.toString(16)}`}` : `.${inner}`}`;
      } else {
        const inner = tryEverything(node.children, inside, node.name === undefined ? indices + index : "");
        if (inner !== undefined) return node.name === undefined ? inner : `${node.name}${indices}${index}.${inner}`;
      }
    }
  }
  return undefined;
}
