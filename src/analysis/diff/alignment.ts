// Lays two sequences of accesses beside each other and lists where they differ. Where they do, it looks for the nearest
// place from which both go on alike, so that one missing access is told as one, not as everything after it.

export interface Difference {
  /** `missing`: only the second has it. `extra`: only the first has it. `changed`: both have one there, not the same. */
  kind: "missing" | "extra" | "changed";
  /** Places in the two sequences. */
  first: number;
  second: number;
}

export interface Alignment {
  differences: Difference[];
  /** The list was cut: more differences follow that weren't looked at. */
  more: boolean;
  /** How many of the second sequence were left out because `skippable` said so. */
  skipped: number;
}

/** How many places at most are looked ahead in either sequence for where both go on alike. */
const lookAheadMax = 256;
/** So many must be alike for a place to be taken as one from which both go on. */
const alikeWanted = 6;
/** A choice of how much to skip is made by looking so far ahead, and further where so much is alike. */
const choiceAhead = 64;

/** Of the first sequence, those from `from` to `middle` may in truth have come behind any of those from `middle` to `end`. */
export interface Movable {
  from: number;
  middle: number;
  end: number;
}

export interface Sequences {
  firstCount: number;
  secondCount: number;
  same(first: number, second: number): boolean;
  /** Hears of every pair that was found to be the same. */
  matched(first: number, second: number): void;
  /** Whether the second's access may be left out when the first has come to place `first`. */
  skippable(first: number, second: number): boolean;
  /** Whether `skippable` can be true at all at this place: it is asked at every place. */
  maySkip(first: number): boolean;
  /** Whether the second's access can't be in the first at this place, whatever comes: it is left out. */
  mustSkip(first: number, second: number): boolean;
  /** What may have come in another order than it stands in, around the first's place. */
  mayBeLater?(first: number): Movable | undefined;
  /** Whether the first may end early: then what the second has behind that is no difference. */
  firstIsCut?: boolean;
}

/** Compares the sequences; stops when `differencesMax` are found. */
export function align(sequences: Sequences, differencesMax: number): Alignment {
  const { firstCount, secondCount } = sequences;
  const differences: Difference[] = [];
  let first = 0;
  let second = 0;
  let skipped = 0;
  /** The place where skipping was already decided. */
  let decided = -1;
  while (first < firstCount || (second < secondCount && !sequences.firstIsCut)) {
    if (decided !== first && sequences.maySkip(first)) {
      decided = first;
      const skips = chooseSkips(sequences, first, second);
      second += skips;
      skipped += skips;
      continue;
    }
    if (first < firstCount && second < secondCount && sequences.same(first, second)) {
      sequences.matched(first, second);
      first += 1;
      second += 1;
      continue;
    }
    if (second < secondCount && sequences.mustSkip(first, second)) {
      second += 1;
      skipped += 1;
      continue;
    }
    const moved = stepsWhenMoved(sequences, first, second);
    if (moved > 0) {
      first += moved;
      second += moved;
      continue;
    }
    if (differences.length >= differencesMax) return { differences, more: true, skipped };
    const [stepsFirst, stepsSecond] = nearestAlike(sequences, first, second);
    const both = Math.min(stepsFirst, stepsSecond);
    for (let step = 0; step < Math.max(stepsFirst, stepsSecond); step += 1) {
      const kind = step < both ? "changed" : stepsFirst > stepsSecond ? "extra" : "missing";
      const place = { first: first + Math.min(step, stepsFirst), second: second + Math.min(step, stepsSecond) };
      differences.push({ kind, ...place });
    }
    first += stepsFirst;
    second += stepsSecond;
  }
  return { differences, more: false, skipped };
}

/**
 * How many of the second's next accesses to leave out: the fewest after which all goes on alike to the next place where
 * anything may be left out; where a difference prevents that, those after which it goes on alike the furthest. Drivers do
 * the same at each start, so that a short look ahead would find the wrong one.
 */
function chooseSkips(sequences: Sequences, first: number, second: number): number {
  // At the first's end nothing can be alike any more, and everything that may go goes.
  const atEnd = first === sequences.firstCount;
  let ahead = 1;
  while (ahead < choiceAhead && first + ahead < sequences.firstCount && !sequences.maySkip(first + ahead)) ahead += 1;
  let best = 0;
  let bestAlike = -1;
  for (let skips = 0; ; skips += 1) {
    let alike = 0;
    let other = second + skips;
    for (let step = 0; step < ahead; step += 1, other += 1) {
      while (step > 0 && other < sequences.secondCount && sequences.mustSkip(first + step, other)) other += 1;
      const inBoth = first + step < sequences.firstCount && other < sequences.secondCount;
      if (inBoth && sequences.same(first + step, other)) alike += 1;
    }
    if (alike === ahead) {
      const further = goOnAlike(sequences, first + ahead, other);
      if (further.throughout) return skips;
      alike += further.steps;
    }
    if (alike > bestAlike || atEnd) {
      best = skips;
      bestAlike = alike;
    }
    if (second + skips >= sequences.secondCount || !sequences.skippable(first, second + skips)) return best;
  }
}

/** For how many steps both go on alike from here, and whether that is to the next place where anything may be left out. */
function goOnAlike(sequences: Sequences, first: number, second: number): { steps: number; throughout: boolean } {
  let steps = 0;
  let other = second;
  for (let place = first; place < sequences.firstCount && !sequences.maySkip(place); place += 1) {
    while (other < sequences.secondCount && sequences.mustSkip(place, other)) other += 1;
    if (other >= sequences.secondCount || !sequences.same(place, other)) return { steps, throughout: false };
    steps += 1;
    other += 1;
  }
  return { steps, throughout: true };
}

/**
 * How far both go on alike when some of the first are moved back, as they may be; 0 where that doesn't help. Those
 * before `first` were alike without.
 */
function stepsWhenMoved(sequences: Sequences, first: number, second: number): number {
  const movable = sequences.mayBeLater?.(first);
  if (movable === undefined) return 0;
  const { from, middle } = movable;
  const start = second - (first - from);
  if (start < 0) return 0;
  for (let end = Math.max(middle, first) + 1; end <= movable.end; end += 1) {
    const order = [...places(middle, end), ...places(from, middle)];
    if (start + order.length > sequences.secondCount) return 0;
    if (order.every((place, index) => sequences.same(place, start + index))) return end - first;
  }
  return 0;
}

function places(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}

function countAlike(sequences: Sequences, first: number, second: number, wanted: number): number {
  let alike = 0;
  while (
    alike < wanted &&
    first + alike < sequences.firstCount &&
    second + alike < sequences.secondCount &&
    sequences.same(first + alike, second + alike)
  ) {
    alike += 1;
  }
  return alike;
}

/** The fewest steps in both after which they go on alike; to both ends where there is no such place near. */
function nearestAlike(sequences: Sequences, first: number, second: number): [number, number] {
  const restFirst = sequences.firstCount - first;
  const restSecond = sequences.secondCount - second;
  for (let steps = 1; steps <= 2 * lookAheadMax; steps += 1) {
    // Equal steps first: a changed value is likelier than a missing and an extra access.
    for (let off = steps % 2; off <= Math.min(steps, lookAheadMax); off += 2) {
      for (const stepsFirst of off === 0 ? [steps / 2] : [(steps + off) / 2, (steps - off) / 2]) {
        const stepsSecond = steps - stepsFirst;
        if (stepsFirst > restFirst || stepsSecond > restSecond) continue;
        const wanted = Math.min(alikeWanted, restFirst - stepsFirst, restSecond - stepsSecond);
        const atEnds = stepsFirst === restFirst && stepsSecond === restSecond;
        if (
          atEnds ||
          (wanted > 0 && countAlike(sequences, first + stepsFirst, second + stepsSecond, wanted) === wanted)
        ) {
          return [stepsFirst, stepsSecond];
        }
      }
    }
  }
  return [Math.min(restFirst, lookAheadMax), Math.min(restSecond, lookAheadMax)];
}
