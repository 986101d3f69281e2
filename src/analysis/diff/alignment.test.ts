// tier: quick
import { describe, expect, test } from "vitest";
import { randomNumbers } from "../../../dev/test-support/made-up-records.js";
import { align, type Sequences } from "./alignment.js";

/** Makes two sequences of numbers; numbers of the second may be skipped only before the first's places `changes`. */
function sequences(first: readonly number[], second: readonly number[], changes: readonly number[]): Sequences {
  return {
    firstCount: first.length,
    secondCount: second.length,
    same: (a, b) => first[a] === second[b],
    matched: () => {},
    skippable: (a) => changes.includes(a),
    maySkip: (a) => changes.includes(a),
    mustSkip: () => false,
  };
}

const count = (length: number, from = 0) => Array.from({ length }, (_, index) => from + index);
/** Makes a driver's accesses at every start, and then those of one piece of work. */
const lap = (work: number) => [...count(500), ...count(300, 1_000 * work)];

describe("accesses that only one of the two has", () => {
  /** A driver that reads an EEPROM bit by bit, again and again: the same few accesses, with a word's bits now and then. */
  const random = randomNumbers(3);
  const bits = Array.from({ length: 120 }, () => [
    ...Array.from({ length: 12 }, () => [1, 2, random() < 2 ** 31 ? 3 : 4]).flat(),
    9,
  ]).flat();

  test.each([1, 7, 36, 37, 98, 300, 900])(
    "are no others, among the same again and again: %d at the beginning",
    (lacking) => {
      const rest = bits.slice(lacking);
      const found = (first: number[], second: number[]) => {
        const { differences } = align(sequences(first, second, []), 2_000);
        return [differences.length, new Set(differences.map(({ kind }) => kind))];
      };
      expect(found(rest, bits)).toEqual([lacking, new Set(["missing"])]);
      expect(found(bits, rest)).toEqual([lacking, new Set(["extra"])]);
      const end = count(200, 50_000);
      const middle = (from: number) => [...end, ...bits.slice(from), ...end];
      expect(found(middle(lacking), middle(0))).toEqual([lacking, new Set(["missing"])]);
    },
  );

  test("are no others near the end, either", () => {
    for (const rest of [80, 100, 120]) {
      const whole = bits.slice(0, 98 + rest);
      const { differences } = align(sequences(whole.slice(98), whole, []), 2_000);
      expect([differences.length, new Set(differences.map(({ kind }) => kind))]).toEqual([98, new Set(["missing"])]);
      const back = align(sequences(whole, whole.slice(98), []), 2_000).differences;
      expect([back.length, new Set(back.map(({ kind }) => kind))]).toEqual([98, new Set(["extra"])]);
    }
  });

  test("don't hide a changed value", () => {
    const changed = [...bits];
    changed[50] = 77;
    changed[100] = 78;
    const { differences } = align(sequences(changed, bits, []), 100);
    expect(differences.map(({ kind, first }) => [kind, first])).toEqual([
      ["changed", 50],
      ["changed", 100],
    ]);
  });
});

describe("skipping", () => {
  test("is whatever makes all that follows alike, however long the wrong places look right", () => {
    const second = [...lap(1), ...lap(2), ...lap(3)];
    for (const kept of [1, 2, 3]) {
      const found = align(sequences(lap(kept), second, [0, 800]), 100);
      expect(found).toEqual({ differences: [], more: false, skipped: 1_600 });
    }
  });

  test("with a difference, is what leaves the fewest of them", () => {
    const first = lap(2);
    first[700] = -1;
    const found = align(sequences(first, [...lap(1), ...lap(2), ...lap(3)], [0, 800]), 100);
    expect(found).toEqual({
      differences: [{ kind: "changed", first: 700, second: 1_500 }],
      more: false,
      skipped: 1_600,
    });
  });

  test("leaves no rest behind the first's end where that may not be skipped", () => {
    // a queue's notifications: all alike, and the mapping lives on
    const notification = (length: number) => Array<number>(length).fill(7);
    const found = align(sequences(notification(3), notification(92), [0]), 100);
    expect(found).toEqual({ differences: [], more: false, skipped: 89 });
    // longer than the look-ahead
    expect(align(sequences(notification(200), notification(500), [0]), 100).skipped).toBe(300);
  });

  test("is nothing where one of the two lacks an access a little later", () => {
    const whole = lap(1);
    const lacking = whole.filter((_, at) => at !== 10);
    const missing = align(sequences(lacking, whole, [0, 799]), 100);
    expect(missing).toMatchObject({ differences: [{ kind: "missing", first: 10, second: 10 }], skipped: 0 });
    const extra = align(sequences(whole, lacking, [0, 800]), 100);
    expect(extra).toMatchObject({ differences: [{ kind: "extra", first: 10, second: 10 }], skipped: 0 });
  });

  test("goes to where most accesses in a row match, not to where every second one does and a shift explains the rest", () => {
    const first = count(200);
    const everySecond = first.slice(0, 40).map((access) => (access % 2 === 0 ? access : -1));
    const elsewhere = [...everySecond, -2, ...first.slice(40, 100)];
    const news = count(12, 5_000);
    const found = align(sequences(first, [...elsewhere, ...first.slice(0, 40), ...news, ...first.slice(40)], [0]), 100);
    expect(found.skipped).toBe(elsewhere.length);
    expect(found.differences).toEqual(
      news.map((_, at) => ({ kind: "missing", first: 40, second: elsewhere.length + 40 + at })),
    );
  });

  test("is nothing where nothing may be", () => {
    const found = align(sequences(lap(1), [...lap(1), ...count(3)], []), 100);
    expect(found.differences.map(({ kind }) => kind)).toEqual(["missing", "missing", "missing"]);
  });
});
