// tier: quick
// BTF that gcc made is read as its source says it; every kind is read from bytes written by hand; broken bytes are told with their place.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BtfWriter } from "../../dev/test-support/btf-writer.js";
import { failureOf } from "../../dev/test-support/failure-of.js";
import { FormatError } from "../base/errors.js";
import { Btf } from "./btf.js";
import { kindLayouts } from "./layout.js";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "mmiostrider-btf-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("an object that gcc made", () => {
  const lines = [
    "struct device *parent",
    "const char *name",
    "char *const fixed",
    "const char *const *const *lists",
    "int (*open)(struct inode *, const char *, ...)",
    "void (*stop)(void)",
    "void (*(*choose)(int))(struct device *)",
    "u8 address[6]",
    "int (*row)[4]",
    "irqreturn_t (*handlers[5])(int, void *)",
    "volatile u32 *registers",
    "enum state state",
    "union word word",
    "_Bool up",
    "double ratio",
    "unsigned long long wide",
    "unsigned short port",
    "long count",
    "short delta",
    "signed char sign",
    "unsigned int mask",
    "u8 tail[]",
  ];
  const functions = [
    "void *dma_alloc(struct device *dev, u64 size, u64 *handle, unsigned int flags)",
    "int print(const char *format, ...)",
    "void stop(void)",
    "irqreturn_t (*handler_of(struct device *dev, int irq))(int, void *)",
  ];
  const source = `
    typedef unsigned char u8; typedef unsigned int u32; typedef unsigned long u64;
    enum irqreturn { IRQ_NONE, IRQ_HANDLED = 1 }; typedef enum irqreturn irqreturn_t;
    enum state { BROKEN = 2, IDLE, BUSY = 70000 };
    union word { u32 whole; struct { unsigned int low : 3, : 2, high : 27; }; };
    struct inode;
    struct device { ${lines.map((line) => `${line.replace("[]", "[0]")};`).join(" ")} };
    ${functions.map((line) => `${line} { ${line.startsWith("void stop") ? "" : "return 0;"} }`).join("\n")}
    static const struct device *device;
    const void *use(void) { return &device; }
  `;
  let btf: Btf;

  beforeAll(() => {
    writeFileSync(join(folder, "object.c"), source);
    execFileSync("gcc", ["-w", "-gbtf", "-c", "-o", join(folder, "object.o"), join(folder, "object.c")]);
    btf = Btf.read(readFileSync(join(folder, "object.o")), { name: "object.o" });
  });

  const device = () => btf.idsNamed("device", "struct")[0]!;

  test("its members are declared as in the source", () => {
    expect(btf.members(device())!.map(({ name, type }) => btf.declaration(type, name))).toEqual(lines);
  });

  test("its functions are declared as in the source", () => {
    const names = ["dma_alloc", "print", "stop", "handler_of"];
    const found = names.map((name) => btf.functions(name).map(({ id }) => btf.declaration(id)));
    expect(found).toEqual(functions.map((line) => [line]));
    const [dma] = btf.functions("dma_alloc");
    expect(dma?.parameters.map(({ name, type }) => [name, btf.size_bytes(type)])).toEqual([
      ["dev", 8],
      ["size", 8],
      ["handle", 8],
      ["flags", 4],
    ]);
    expect(dma).toMatchObject({ name: "dma_alloc", isVariadic: false });
    expect(btf.functions("print")[0]).toMatchObject({ isVariadic: true, parameters: [{ name: "format" }] });
  });

  test("sizes, offsets and bit fields are the compiler's", () => {
    const members = btf.members(device())!;
    expect(members.slice(0, 3).map(({ offset_bits }) => offset_bits)).toEqual([0, 64, 128]);
    const size = (name: string) => btf.size_bytes(members.find((member) => member.name === name)!.type);
    expect(["name", "address", "handlers", "registers", "state", "up", "ratio", "tail"].map(size)).toEqual([
      ...[8, 6, 40, 8, 4, 1, 8, 0],
    ]);
    expect(size("word")).toBe(4);
    const [whole, parts] = btf.members(btf.idsNamed("word", "union")[0]!)!;
    expect([whole?.name, parts?.name]).toEqual(["whole", undefined]);
    expect(btf.members(parts!.type)).toMatchObject([
      { name: "low", offset_bits: 0, bitField_bits: 3 },
      { name: "high", offset_bits: 5, bitField_bits: 27 },
    ]);
    expect(btf.declaration(parts!.type)).toBe("struct {…}");
  });

  test("an enumeration's values, a function's missing size, a name that there isn't", () => {
    expect(btf.type(btf.idsNamed("state")[0]!)).toMatchObject({
      values: [
        { name: "BROKEN", value: 2n },
        { name: "IDLE", value: 3n },
        { name: "BUSY", value: 70000n },
      ],
    });
    const [stop] = btf.functions("stop");
    expect([btf.size_bytes(stop!.id), btf.size_bytes(stop!.result)]).toEqual([undefined, undefined]);
    expect(btf.functions("device")).toEqual([]);
    expect(btf.idsNamed("nothing")).toEqual([]);
    expect(() => btf.functionOf(device())).toThrow(/is a struct, not a function/);
  });
});

/** A kernel's types: int, void *, struct page, a typedef of it, and a function. */
function kernel(): BtfWriter {
  const writer = new BtfWriter();
  const int = writer.add("int", { name: "int", sizeOrType: 4, words: [(1 << 24) | 32] });
  const pointer = writer.add("pointer");
  const page = writer.add("struct", { name: "page", sizeOrType: 16, count: 1, words: ["flags", int, 0] });
  writer.add("typedef", { name: "page_t", sizeOrType: page });
  const prototype = writer.add("prototype", { sizeOrType: pointer, count: 1, words: ["order", int] });
  writer.add("function", { name: "alloc", sizeOrType: prototype, count: 1 });
  return writer;
}

test("every kind is read", () => {
  const writer = new BtfWriter();
  const expected: unknown[] = [];
  const add = (shape: Record<string, unknown>, ...written: Parameters<BtfWriter["add"]>) => {
    expected.push({ id: writer.add(...written), ...shape });
  };
  const flags = { isSigned: true, isChar: true, isBool: true };
  add(
    { kind: "int", name: "odd", size_bytes: 4, bits: 7, firstBit: 3, ...flags },
    ...(["int", { name: "odd", sizeOrType: 4, words: [0x07030007] }] as const),
  );
  for (const kind of ["pointer", "const", "volatile", "restrict"] as const) {
    add({ kind, target: 1 }, kind, { sizeOrType: 1 });
  }
  add({ kind: "array", element: 1, index: 2, length: 9 }, "array", { words: [1, 2, 9] });
  add(
    {
      ...{ kind: "union", name: undefined, size_bytes: 300 },
      members: [{ name: "m", type: 2, offset_bits: 0x1000000, bitField_bits: 0 }],
    },
    ...(["union", { sizeOrType: 300, count: 1, words: ["m", 2, 0x1000000] }] as const),
  );
  add(
    { kind: "struct", name: "s", size_bytes: 8, members: [{ name: "b", type: 1, offset_bits: 5, bitField_bits: 200 }] },
    ...(["struct", { name: "s", sizeOrType: 8, flag: true, count: 1, words: ["b", 1, 0xc8000005] }] as const),
  );
  add(
    { kind: "enum", name: undefined, size_bytes: 4, isSigned: false, values: [{ name: "A", value: 0xffffffffn }] },
    ...(["enum", { sizeOrType: 4, count: 1, words: ["A", -1] }] as const),
  );
  add(
    {
      ...{ kind: "enum64", name: "wide", size_bytes: 8, isSigned: true },
      values: [
        { name: "MINUS", value: -2n },
        { name: "PLUS", value: 0x1_ffff_ffffn },
      ],
    },
    ...([
      "enum64",
      { name: "wide", sizeOrType: 8, flag: true, count: 2, words: ["MINUS", -2, -1, "PLUS", -1, 1] },
    ] as const),
  );
  add(
    { kind: "enum64", name: "bits", size_bytes: 8, isSigned: false, values: [{ name: "ALL", value: 2n ** 64n - 1n }] },
    ...(["enum64", { name: "bits", sizeOrType: 8, count: 1, words: ["ALL", -1, -1] }] as const),
  );
  add({ kind: "forward", name: "later", of: "union" }, "forward", { name: "later", flag: true });
  add({ kind: "typedef", name: "t", target: 8 }, "typedef", { name: "t", sizeOrType: 8 });
  add(
    { kind: "prototype", result: 0, parameters: [{ name: "a", type: 1 }], isVariadic: true },
    ...(["prototype", { count: 2, words: ["a", 1, 0, 0] }] as const),
  );
  add(
    { kind: "prototype", result: 1, parameters: [{ name: undefined, type: 1 }], isVariadic: false },
    ...(["prototype", { sizeOrType: 1, count: 1, words: [0, 1] }] as const),
  );
  add(
    { kind: "function", name: "f", linkage: "extern", prototype: 14 },
    ...(["function", { name: "f", count: 2, sizeOrType: 14 }] as const),
  );
  add(
    { kind: "variable", name: "v", linkage: "global", type: 1 },
    ...(["variable", { name: "v", sizeOrType: 1, words: [1] }] as const),
  );
  add(
    {
      ...{ kind: "section", name: ".data", size_bytes: 64 },
      variables: [{ variable: 17, offset_bytes: 8, size_bytes: 4 }],
    },
    ...(["section", { name: ".data", sizeOrType: 64, count: 1, words: [17, 8, 4] }] as const),
  );
  add({ kind: "float", name: "double", size_bytes: 8 }, "float", { name: "double", sizeOrType: 8 });
  add(
    { kind: "declarationTag", name: "kfunc", isAttribute: false, target: 16, component: undefined },
    ...(["declarationTag", { name: "kfunc", sizeOrType: 16, words: [-1] }] as const),
  );
  add(
    { kind: "declarationTag", name: "unused", isAttribute: true, target: 16, component: 1 },
    ...(["declarationTag", { name: "unused", flag: true, sizeOrType: 16, words: [1] }] as const),
  );
  add({ kind: "typeTag", name: "user", isAttribute: false, target: 0 }, ...(["typeTag", { name: "user" }] as const));
  add(
    { kind: "typeTag", name: "address_space(1)", isAttribute: true, target: 1 },
    ...(["typeTag", { name: "address_space(1)", flag: true, sizeOrType: 1 }] as const),
  );
  const btf = Btf.read(writer.bytes());
  expect(Array.from({ length: btf.count - 1 }, (_, index) => btf.type(index + 1))).toEqual(expected);
  expect(btf.type(0)).toEqual({ id: 0, kind: "void" });
  expect(new Set(expected.map((type) => (type as { kind: string }).kind)).size).toBe(kindLayouts.length - 1);
});

test("declarations that gcc's file has none of: tags, grids, restrict, names of functions and variables", () => {
  const writer = kernel();
  const tag = writer.add("typeTag", { name: "user", sizeOrType: 0 });
  const user = writer.add("pointer", { sizeOrType: tag });
  const onPointer = writer.add("typeTag", { name: "rcu", sizeOrType: user });
  const space = writer.add("typeTag", { name: "address_space(1)", flag: true, sizeOrType: 1 });
  const row = writer.add("array", { words: [1, 1, 4] });
  const grid = writer.add("array", { words: [row, 1, 3] });
  const fixedGrid = writer.add("const", { sizeOrType: grid });
  const restricted = writer.add("restrict", { sizeOrType: user });
  const variable = writer.add("variable", { name: "jiffies", sizeOrType: fixedGrid, words: [1] });
  const newer = writer.add("forward", { name: "later", flag: true });
  const btf = Btf.read(writer.bytes());
  const declared = [user, onPointer, space, grid, fixedGrid, restricted, newer].map((id) => btf.declaration(id, "x"));
  expect(declared).toEqual([
    "void __user *x",
    "void __user *__rcu x",
    "int __attribute__((address_space(1))) x",
    "int x[3][4]",
    "const int x[3][4]",
    "void __user *restrict x",
    "union later x",
  ]);
  expect(btf.declaration(variable)).toBe("const int jiffies[3][4]");
  expect(btf.declaration(variable, "y")).toBe("const int y[3][4]");
  expect(btf.declaration(btf.functions("alloc")[0]!.id)).toBe("void *alloc(int order)");
  expect(btf.declaration(5)).toBe("void *(int order)");
  expect(btf.declaration(grid)).toBe("int[3][4]");
  expect(btf.size_bytes(variable)).toBe(48);
});

describe("a module's types on top of the kernel's", () => {
  /** A module with a structure that holds a page by value, and a function with the kernel's name. */
  function moduleOn(base: BtfWriter, page: number, int: number, pointer: number): BtfWriter {
    const writer = new BtfWriter(base);
    const prototype = writer.add("prototype", { sizeOrType: pointer, count: 1, words: ["order", int] });
    writer.add("function", { name: "alloc", sizeOrType: prototype });
    writer.add("struct", { name: "card", sizeOrType: 24, count: 2, words: ["first", page, 0, "flags", int, 128] });
    return writer;
  }

  test("numbers and strings go on from the kernel's", () => {
    const base = kernel();
    const btf = Btf.read(moduleOn(base, 4, 1, 2).bytes(), { name: "x.ko", base: Btf.read(base.bytes()) });
    expect([btf.firstId, btf.count]).toEqual([7, 10]);
    expect(btf.functions("alloc").map(({ id, linkage }) => [id, linkage])).toEqual([
      [8, "static"],
      [6, "global"],
    ]);
    expect(btf.idsNamed("alloc", "struct")).toEqual([]);
    expect(btf.members(9)!.map(({ type, name }) => btf.declaration(type, name))).toEqual(["page_t first", "int flags"]);
    expect([btf.nameOf(9), btf.nameOf(3), btf.nameOf(2), btf.kindOf(9), btf.kindOf(3), btf.kindOf(0)]).toEqual([
      ...["card", "page", undefined, "struct", "struct", "void"],
    ]);
    expect(btf.size_bytes(4)).toBe(16);
    expect(() => btf.type(10)).toThrow("x.ko: 10 is no type's number: they are 0 to 9");
    expect(() => btf.kindOf(-1)).toThrow(RangeError);
  });

  /** The least that a module needs to know of its kernel, in another order than there. */
  function distilled(change: (writer: BtfWriter) => void = () => {}): BtfWriter {
    const writer = new BtfWriter();
    writer.add("struct", { name: "page", sizeOrType: 16 });
    writer.add("int", { name: "int", sizeOrType: 4, words: [(1 << 24) | 32] });
    change(writer);
    return writer;
  }

  function elfWith(sections: Record<string, Uint8Array>): Buffer {
    writeFileSync(join(folder, "empty.s"), "");
    const path = join(folder, "module.ko");
    execFileSync("as", ["-o", path, join(folder, "empty.s")]);
    for (const [name, bytes] of Object.entries(sections)) {
      writeFileSync(join(folder, "section"), bytes);
      execFileSync("objcopy", ["--add-section", `${name}=${join(folder, "section")}`, path]);
    }
    return readFileSync(path);
  }

  function relocated(base: BtfWriter, writeModule: (base: BtfWriter) => BtfWriter, kernelBytes = kernel()): Btf {
    const bytes = elfWith({ ".BTF": writeModule(base).bytes(), ".BTF.base": base.bytes() });
    return Btf.read(bytes, { name: "x.ko", base: Btf.read(kernelBytes.bytes()) });
  }

  test("with .BTF.base they fit a kernel that numbers its types differently", () => {
    const btf = relocated(distilled(), (base) => moduleOn(base, 1, 2, 0));
    expect(btf.members(9)!.map(({ type, name }) => [type, btf.declaration(type, name)])).toEqual([
      [3, "struct page first"],
      [1, "int flags"],
    ]);
    expect(btf.declaration(btf.functions("alloc")[0]!.id)).toBe("void alloc(int order)");
    expect(btf.nameOf(9)).toBe("card");
  });

  test("each kind finds its like: enumerations of either width, forwards of what is told or not, one of several by its size", () => {
    const found = new BtfWriter();
    found.add("enum64", { name: "wide", sizeOrType: 8, count: 1, words: ["W", 1, 0] });
    found.add("forward", { name: "told_nowhere", flag: true });
    found.add("struct", { name: "twice", sizeOrType: 8 });
    found.add("struct", { name: "twice", sizeOrType: 12 });
    found.add("union", { name: "pair", sizeOrType: 4 });
    found.add("struct", { name: "pair", sizeOrType: 4 });
    found.add("float", { name: "float", sizeOrType: 4 });
    const base = new BtfWriter();
    const wanted = [
      base.add("float", { name: "float", sizeOrType: 4 }),
      base.add("struct", { name: "twice", sizeOrType: 12 }),
      base.add("forward", { name: "told_nowhere", flag: true }),
      base.add("forward", { name: "pair", flag: true }),
      base.add("enum", { name: "wide", sizeOrType: 8 }),
    ];
    const write = (over: BtfWriter) => {
      const writer = new BtfWriter(over);
      for (const id of wanted) writer.add("const", { sizeOrType: id });
      return writer;
    };
    const btf = relocated(base, write, found);
    expect(wanted.map((_, index) => btf.type(8 + index))).toMatchObject(
      [7, 4, 2, 5, 1].map((target) => ({ kind: "const", target })),
    );
  });

  const holding = (base: BtfWriter) => moduleOn(base, 1, 2, 0);
  test.each<[string, (writer: BtfWriter) => void, RegExp]>([
    [
      "lacks",
      (w) => w.add("struct", { name: "folio", sizeOrType: 8 }),
      /struct folio of 8 bytes, which the kernel's types don't have/,
    ],
    [
      "has as another kind",
      (w) => w.add("union", { name: "page", sizeOrType: 16 }),
      /union page of 16 bytes, which the/,
    ],
    [
      "has with another size",
      (w) => w.add("int", { name: "int", sizeOrType: 8, words: [(1 << 24) | 64] }),
      /int int of 8 bytes/,
    ],
    [
      "has with another sign",
      (w) => w.add("int", { name: "int", sizeOrType: 4, words: [32] }),
      /int int of 4 bytes, which the/,
    ],
  ])("a type that the kernel %s is refused", (_, change, message) => {
    expect(() => relocated(distilled(change), holding)).toThrow(message);
    expect(() => relocated(distilled(change), holding)).toThrow(/^x\.ko: at byte \d+: \.BTF\.base has/);
  });

  test("a structure's size matters where the module holds it by value, also in an array of a typedef", () => {
    const base = new BtfWriter();
    base.add("struct", { name: "page", sizeOrType: 20 });
    const pointing = (over: BtfWriter) => {
      const writer = new BtfWriter(over);
      const pointer = writer.add("pointer", { sizeOrType: 1 });
      writer.add("struct", { name: "card", sizeOrType: 8, count: 1, words: ["page", pointer, 0] });
      return writer;
    };
    expect(relocated(base, pointing).type(7)).toMatchObject({ kind: "pointer", target: 3 });
    const keeping = (over: BtfWriter) => {
      const writer = new BtfWriter(over);
      const named = writer.add("typedef", { name: "page_t", sizeOrType: 1 });
      const array = writer.add("array", { words: [named, named, 2] });
      writer.add("struct", { name: "card", sizeOrType: 40, count: 1, words: ["pages", array, 0] });
      return writer;
    };
    expect(() => relocated(base, keeping)).toThrow(/struct page of 20 bytes, which the kernel's types don't have/);
  });

  test("a type that the kernel has twice, one of a kind that can't be there, one without a name, and a missing kernel are refused", () => {
    const twice = kernel();
    twice.add("struct", { name: "page", sizeOrType: 16 });
    expect(() => relocated(distilled(), holding, twice)).toThrow(/which fits the kernel's types 3 and 7/);
    expect(() =>
      relocated(
        distilled((w) => w.add("pointer")),
        holding,
      ),
    ).toThrow(/\.BTF\.base has a pointer; only int, /);
    expect(() =>
      relocated(
        distilled((w) => w.add("struct")),
        holding,
      ),
    ).toThrow(/\.BTF\.base has a struct without a name/);
    const bytes = elfWith({ ".BTF": holding(distilled()).bytes(), ".BTF.base": distilled().bytes() });
    expect(() => Btf.read(bytes)).toThrow(/can't be read without the kernel's types/);
    expect(() => Btf.read(elfWith({}), { name: "x.ko" })).toThrow("x.ko: it has no section .BTF");
  });
});

describe("broken bytes", () => {
  /** The kernel's bytes with one number of 1, 2 or 4 bytes changed. */
  function changed(offset: number, width: 1 | 2 | 4, value: number): Uint8Array {
    const bytes = kernel().bytes();
    Buffer.from(bytes.buffer).writeUIntLE(value, offset, width);
    return bytes;
  }
  const types = 24;

  test.each<[string, () => Uint8Array, string]>([
    ["nothing", () => new Uint8Array(0), "at byte 0: not BTF: it doesn't begin with 0xeb9f"],
    ["a text", () => Buffer.from("hello"), "at byte 0: not BTF: it doesn't begin with 0xeb9f"],
    ["big-endian", () => changed(0, 2, 0x9feb), "at byte 0: big-endian BTF, but only little-endian is read"],
    ["a cut header", () => kernel().bytes().subarray(0, 23), "at byte 23: the header ends after 23 of 24 bytes"],
    ["version 2", () => changed(2, 1, 2), "at byte 2: version 2 of BTF, but only 1 is known"],
    ["a short header", () => changed(4, 4, 20), "at byte 4: a header of 20 bytes in 155, at least 24 expected"],
    ["types outside", () => changed(12, 4, 1000), "at byte 8: the types end at byte 1024, but there are only 155"],
    ["strings outside", () => changed(16, 4, 1000), "at byte 16: the strings end at byte 1059, but there are only 155"],
    ["cut", () => kernel().bytes().subarray(0, 150), "at byte 16: the strings end at byte 155, but there are only 150"],
    ["an open string", () => changed(154, 1, 65), "at byte 154: the last string has no zero at its end"],
    ["a kind unknown", () => changed(types + 16 + 7, 1, 20), "at byte 40: type 2 of the file has the unknown kind 20"],
    ["kind 0", () => changed(types + 7, 1, 0), "at byte 24: type 1 of the file has the unknown kind 0"],
    [
      "too many parameters",
      () => changed(types + 16 + 12 + 24 + 12 + 4, 2, 99),
      "at byte 88: type 5 of the file ends at byte 892, its part at 120",
    ],
    ["half a type", () => changed(12, 4, 100), "at byte 120: type 7 of the file is cut off"],
  ])("%s", (_, make, message) => {
    expect(() => Btf.read(make(), { name: "vmlinux" })).toThrow(`vmlinux: ${message}`);
  });

  const offsetOf = { int: types, pointer: types + 16, page: types + 28, typedef: types + 52, prototype: types + 64 };

  test.each<[string, () => Uint8Array, (btf: Btf) => unknown, string]>([
    [
      "a type outside",
      () => changed(offsetOf.typedef + 8, 4, 7),
      (btf) => btf.type(4),
      "at byte 84: a reference to type 7, but the last type is 6",
    ],
    [
      "a name outside",
      () => changed(offsetOf.page, 4, 5000),
      (btf) => btf.nameOf(3),
      "at byte 52: a name's offset lies outside the 35 bytes of strings",
    ],
    [
      "no name",
      () => changed(offsetOf.typedef, 4, 0),
      (btf) => btf.type(4),
      "at byte 76: type 4, a typedef, lacks a name",
    ],
    [
      "a typedef of itself",
      () => changed(offsetOf.typedef + 8, 4, 4),
      (btf) => btf.resolve(4),
      "at byte 76: type 4 leads back to itself, or on to more than 64 types",
    ],
    [
      "the same, its size",
      () => changed(offsetOf.typedef + 8, 4, 4),
      (btf) => btf.size_bytes(4),
      "at byte 76: type 4 leads back to itself, or on to more than 64 types",
    ],
    [
      "a pointer to itself",
      () => changed(offsetOf.pointer + 8, 4, 2),
      (btf) => btf.declaration(5),
      "at byte 88: type 5 leads back to itself, or on to more than 64 types",
    ],
    [
      "a function of an int",
      () => changed(offsetOf.prototype + 20 + 8, 4, 1),
      (btf) => btf.functions("alloc"),
      "at byte 108: function alloc has a int, type 1, for its prototype",
    ],
    [
      "a linkage unknown",
      () => changed(offsetOf.prototype + 20 + 4, 2, 3),
      (btf) => btf.type(6),
      "at byte 108: type 6 has the unknown linkage 3",
    ],
  ])("%s, when it is asked for", (_, make, ask, message) => {
    const btf = Btf.read(make(), { name: "vmlinux" });
    expect(btf.count).toBe(7);
    expect(failureOf(() => ask(btf))).toBeInstanceOf(FormatError);
    expect(() => ask(btf)).toThrow(`vmlinux: ${message}`);
  });

  test("an array of itself has no size", () => {
    const writer = new BtfWriter();
    writer.add("array", { words: [1, 1, 2] });
    const btf = Btf.read(writer.bytes());
    expect(() => btf.size_bytes(1)).toThrow(FormatError);
    expect(() => btf.declaration(1, "x")).toThrow(FormatError);
  });

  test("a kind that came later is passed over by the lengths that the file tells", () => {
    const writer = kernel();
    const newer = writer.add(20, { name: "later", count: 2, words: [1, 2, 3] });
    writer.add("typedef", { name: "behind", sizeOrType: 1 });
    const layouts = kindLayouts.map(({ once_bytes, element_bytes }) => [once_bytes, element_bytes] as const);
    const btf = Btf.read(writer.bytes([...layouts, [4, 4]]));
    expect(btf.type(newer)).toEqual({ id: newer, kind: "unknown", number: 20 });
    expect([btf.kindOf(newer), btf.nameOf(newer), btf.nameOf(newer + 1)]).toEqual(["unknown", "later", "behind"]);
    expect(btf.size_bytes(newer)).toBeUndefined();
    expect(() => Btf.read(writer.bytes([...layouts]))).toThrow(/type 7 of the file has the unknown kind 20/);
  });

  test("cut anywhere, or damaged at random, it is read or a FormatError, and nothing else", () => {
    const whole = kernel().bytes();
    const readAll = (bytes: Uint8Array) => {
      try {
        const btf = Btf.read(bytes);
        for (let id = 1; id < btf.count; id += 1) {
          btf.declaration(id, "x");
          btf.size_bytes(id);
        }
        btf.functions("alloc");
        return true;
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        return false;
      }
    };
    expect(readAll(whole)).toBe(true);
    for (let length = 0; length < whole.length; length += 1) expect(readAll(whole.subarray(0, length))).toBe(false);
    let seed = 4711;
    const random = (below: number) => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return (seed >>> 8) % below;
    };
    const outcomes = { read: 0, refused: 0 };
    for (let round = 0; round < 10_000; round += 1) {
      const damaged = Uint8Array.from(whole);
      for (let changes = 0; changes < 3; changes += 1) damaged[random(damaged.length)] = random(256);
      outcomes[readAll(damaged) ? "read" : "refused"] += 1;
    }
    expect(Math.min(outcomes.read, outcomes.refused)).toBeGreaterThan(500);
  });
});
