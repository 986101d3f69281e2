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

describe("accesses of uncertain order", () => {
  /** Aligns two words of letters; those of the first from `from` to `middle` may come after any of those up to `end`. */
  function found(first: string, second: string, movable?: { from: number; middle: number; end: number }) {
    const matched: string[] = [];
    const { differences, more } = align(
      {
        firstCount: first.length,
        secondCount: second.length,
        same: (a, b) => first[a] === second[b],
        matched: (a, b) => matched.push(`${a}${b}`),
        skippable: () => false,
        maySkip: () => false,
        mustSkip: () => false,
        mayBeLater: (a) => (movable !== undefined && movable.from <= a && a < movable.end ? movable : undefined),
      },
      10,
    );
    expect(more).toBe(false);
    return differences.map(({ kind, first: a, second: b }) => `${kind} ${a} ${b}`);
  }
  const one = { from: 1, middle: 2, end: 4 };

  test.each(["xANMy", "xNAMy", "xNMAy"])("may be anywhere among those behind them: %s", (second) => {
    expect(found("xANMy", second, one)).toEqual([]);
  });

  test("not without that uncertainty, and those behind keep their own order", () => {
    expect(found("xANMy", "xNAMy")).toEqual(["changed 1 1", "changed 2 2"]);
    expect(found("xANMy", "xMNAy", one)).not.toEqual([]);
    expect(found("xANMy", "AxNMy", one)).not.toEqual([]);
    expect(found("xANMy", "xNMyA", one)).not.toEqual([]);
  });

  test("several of one access move together", () => {
    const two = { from: 0, middle: 2, end: 4 };
    for (const second of ["ABNMy", "NABMy", "NMABy"])
      expect([second, found("ABNMy", second, two)]).toEqual([second, []]);
    expect(found("ABNMy", "ANBMy", two)).not.toEqual([]);
  });

  test("at the very end of both", () => {
    expect(found("xAN", "xNA", { from: 1, middle: 2, end: 3 })).toEqual([]);
    expect(found("xAN", "xN", { from: 1, middle: 2, end: 3 })).toEqual(["extra 1 1"]);
  });
});

describe("small differences", () => {
  const listed = (first: string, second: string, more: Partial<Sequences> = {}, most = 10) => {
    const alignment = align(
      {
        firstCount: first.length,
        secondCount: second.length,
        same: (a, b) => first[a] === second[b],
        matched: () => {},
        skippable: () => false,
        maySkip: () => false,
        mustSkip: () => false,
        ...more,
      },
      most,
    );
    return [
      ...alignment.differences.map(({ kind, first: a, second: b }) => `${kind} ${a} ${b}`),
      alignment.more,
      alignment.skipped,
    ];
  };

  test.each([
    ["", "", []],
    ["abc", "abc", []],
    ["", "ab", ["missing 0 0", "missing 0 1"]],
    ["ab", "", ["extra 0 0", "extra 1 0"]],
    ["abcdefgh", "abXdefgh", ["changed 2 2"]],
    ["abcdefgh", "abdefgh", ["extra 2 2"]],
    ["abdefgh", "abcdefgh", ["missing 2 2"]],
    ["abcdefgh", "Xbcdefgh", ["changed 0 0"]],
    ["abcdefgh", "abcdefgX", ["changed 7 7"]],
    ["abcdefgh", "abcdefg", ["extra 7 7"]],
    ["abcdefg", "abcdefgh", ["missing 7 7"]],
    ["abcdefgh", "abXYdefgh", ["changed 2 2", "missing 3 3"]],
    ["abXYdefgh", "abcdefgh", ["changed 2 2", "extra 3 3"]],
  ])("%j and %j", (first, second, differences) => {
    expect(listed(first, second)).toEqual([...differences, false, 0]);
  });

  test("a first that is cut may lack the end, which is told", () => {
    let behind = -1;
    const cut = { firstIsCut: true, behindEnd: (count: number) => (behind = count) } as unknown as Partial<Sequences>;
    expect([listed("abc", "abcdef", cut), behind]).toEqual([[false, 0], 3]);
    expect([listed("abcdef", "abcdef", cut), behind]).toEqual([[false, 0], 0]);
  });

  test("what must be skipped is left out and counted", () => {
    expect(listed("abc", "aXbXc", { mustSkip: (_a, b) => b === 1 || b === 3 })).toEqual([false, 2]);
  });

  test("what may be skipped is left out where that helps, and each is told", () => {
    const left: string[] = [];
    const may = {
      maySkip: (a: number) => a === 1,
      skippable: (a: number) => a === 1,
      leftOut: (a: number, b: number) => void left.push(`${a} ${b}`),
    };
    expect([listed("abc", "aXYbc", may), left]).toEqual([
      [false, 2],
      ["1 1", "1 2"],
    ]);
    expect(listed("abc", "abc", may)).toEqual([false, 0]);
    // only there
    expect(listed("abcdefgh", "abXcdefgh", may)).toEqual(["missing 2 2", false, 0]);
  });

  test("the list ends after so many", () => {
    expect(listed("abcdefghijkl", "aXcdefghijYl", {}, 1)).toEqual(["changed 1 1", true, 0]);
    expect(listed("abcdefghijkl", "aXcdefghijYl", {}, 2)).toEqual(["changed 1 1", "changed 10 10", false, 0]);
  });
});
