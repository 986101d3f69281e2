// tier: quick
// Limits of types, at their last good and first bad place: of the parts of one, of all of a domain's, and of types inside types.
import { describe, expect, test } from "vitest";
import { Limits, type Schema, type TypeDefinition, type ValueDefinition } from "./schema.js";
import { TypeResolver } from "./types.js";
import { outermost, VariantResolver } from "./variants.js";

const place = { file: "a.xml", line: 7 };
const plain = { shr: 0, add: 0n, min: undefined, max: undefined, align: undefined, radix: 0, fields: [], values: [] };
const everywhere = { variants: undefined, varset: undefined, prefix: undefined };
const ofType = (typeName: string | undefined, more: Partial<TypeDefinition> = {}) => ({ ...plain, typeName, ...more });

const valuesOf = (count: number): ValueDefinition[] =>
  Array.from({ length: count }, (_, at) => ({
    ...{ ...place, ...everywhere, line: at + 1, name: `V${at}`, value: BigInt(at), brief: undefined },
  }));

const fieldOf = (name: string, bit: number, type: TypeDefinition) => ({
  ...{ ...place, ...everywhere, line: 100 + bit, name, low: bit, high: bit, type, brief: undefined },
});

function resolverOf(parts: Partial<Schema>) {
  const schema: Schema = {
    ...{ path: "a.xml", files: ["a.xml"], domains: new Map(), groups: new Map(), bitsets: new Map(), enums: new Map() },
    ...{ spectypes: new Map(), ownDomains: [], warnings: [], ...parts },
  };
  const told: string[] = [];
  const types = new TypeResolver(schema, new VariantResolver(schema, new Map()), ({ line }, message) => {
    told.push(`${line}: ${message}`);
  });
  return { told, resolve: (type: TypeDefinition) => types.resolve(type, 32, outermost, place) };
}

const named = { ...place, ...everywhere, bare: false };
const enumOf = (name: string, values: ValueDefinition[]) => [name, { ...named, name, inline: false, values }] as const;
const bitsetOf = (name: string, ...types: string[]) =>
  [
    name,
    { ...named, name, inline: false, fields: types.map((type, bit) => fieldOf(`F${bit}`, bit, ofType(type))) },
  ] as const;

describe("parts of a type", () => {
  const tooMany = "a type has more than 65536 bit fields and values";

  test("are at most 65536, written in it", () => {
    const { resolve } = resolverOf({});
    expect(resolve(ofType(undefined, { values: valuesOf(Limits.typePartsMax) })).names.size).toBe(65_536);
    expect(() => resolve(ofType(undefined, { values: valuesOf(Limits.typePartsMax + 1) }))).toThrow(
      `a.xml:65537: ${tooMany}`,
    );
    // the next type counts anew
    expect(resolve(ofType(undefined, { values: valuesOf(2) })).names.size).toBe(2);
  });

  test("are counted with those of shared types, as often as these are in it", () => {
    const enums = new Map([enumOf("E", valuesOf(32_767))]);
    const bitsets = new Map([bitsetOf("TWO", "E", "E"), bitsetOf("THREE", "E", "E", "hex")]);
    const { resolve } = resolverOf({ enums, bitsets });
    expect(resolve(ofType("TWO")).fields).toHaveLength(2);
    // the third field is one too many
    expect(() => resolve(ofType("THREE"))).toThrow(`a.xml:102: ${tooMany}`);
    expect(resolve(ofType("TWO")).fields).toHaveLength(2);
  });
});

test("parts that types share don't count towards the limit of a domain's types", () => {
  const { resolve } = resolverOf({ enums: new Map([enumOf("SHARED", valuesOf(50_000))]) });
  const turns = Limits.typePartsOfDomainMax / 50_000 + 1;
  for (let turn = 0; turn < turns; turn += 1) expect(resolve(ofType("SHARED")).names.size).toBe(50_000);
});

describe("types inside types", () => {
  const chainOf = (length: number) =>
    new Map(Array.from({ length }, (_, at) => bitsetOf(`B${at}`, at === length - 1 ? "uint" : `B${at + 1}`)));

  test("are at most 16 deep", () => {
    expect(resolverOf({ bitsets: chainOf(16) }).resolve(ofType("B0")).fields[0]?.type.kind).toBe("bitset");
    const { resolve } = resolverOf({ bitsets: chainOf(17) });
    expect(() => resolve(ofType("B0"))).toThrow("a.xml:100: types are made of one another more than 16 deep");
    expect(resolve(ofType("B1")).fields).toHaveLength(1);
  });

  test("aren't inside themselves", () => {
    const bitsets = new Map([bitsetOf("A", "B"), bitsetOf("B", "A", "uint")]);
    const spectypes = new Map([["S", { ...place, line: 9, name: "S", type: ofType("S") }]]);
    const { resolve, told } = resolverOf({ bitsets, spectypes });
    const b = resolve(ofType("A")).fields[0]!.type;
    expect([b.kind, b.fields.map(({ type }) => type.kind)]).toEqual(["bitset", ["hex", "uint"]]);
    expect(resolve(ofType("S")).kind).toBe("hex");
    expect(told).toEqual([...["100: bitset A contains itself", "9: spectype S contains itself"]]);
  });

  test("of no known name are told", () => {
    const { resolve, told } = resolverOf({});
    expect([resolve(ofType("nothing")).kind, resolve(ofType("bitfield")).kind, resolve(ofType("enum")).kind]).toEqual([
      ...["hex", "bitset", "enum"],
    ]);
    expect(told).toEqual(["7: there is no type nothing"]);
  });
});
