// Aligns two sequences of accesses and lists their differences. At a difference it looks for the nearest place from which
// both match again, so that one missing access is one difference, and doesn't make everything after it differ.

export interface Difference {
  /** `missing`: only in the second. `extra`: only in the first. `changed`: in both, but not the same. */
  kind: "missing" | "extra" | "changed";
  /** Places in the two sequences. */
  first: number;
  second: number;
}

export interface Alignment {
  differences: Difference[];
  /** The list was cut: the rest of the sequences wasn't compared. */
  more: boolean;
  /** Number of the second sequence's accesses left out because of `skippable`. */
  skipped: number;
}

/** Search distance, in either sequence, for the place from which both match again. */
const lookAheadMax = 256;
/** Length of a match that proves such a place. */
const alikeWanted = 6;
/** Length of a match that is no coincidence, and the greatest number of accesses before it that only one of the two has. */
const sureAlike = 64;
const sureStepsMax = 1024;
/** Look-ahead for the number of accesses to skip; it looks further if all of this matches. */
const choiceAhead = 64;
/** Accesses in a row that may be only in one of the two, while that number is chosen. */
const shiftMax = 8;

/** Uncertain order in the first sequence: accesses `from` to `middle` may really come after any of those `middle` to `end`. */
export interface Movable {
  from: number;
  middle: number;
  end: number;
}

export interface Sequences {
  firstCount: number;
  secondCount: number;
  same(first: number, second: number): boolean;
  /** Called for every matching pair. */
  matched(first: number, second: number): void;
  /** Returns true if the second's access may be left out before the first's place `first`. */
  skippable(first: number, second: number): boolean;
  /** Returns true if `skippable` can be true at all at this place: it is called for every place. */
  maySkip(first: number): boolean;
  /** Called for every access of the second that is left out before the first's place `first`, because it may be. */
  leftOut?(first: number, second: number): void;
  /** Returns true if the second's access can't be in the first at this place: it is left out in any case. */
  mustSkip(first: number, second: number): boolean;
  /** Returns the accesses of uncertain order around the first's place. */
  mayBeLater?(first: number): Movable | undefined;
  /** The first may end early: then the rest of the second is no difference. */
  firstIsCut?: boolean;
  /** Called with the number of the second's accesses behind the end of a first that is cut. */
  behindEnd?(count: number): void;
}

/** Compares the sequences; stops after `differencesMax` differences. */
export function align(sequences: Sequences, differencesMax: number): Alignment {
  const { firstCount, secondCount } = sequences;
  const differences: Difference[] = [];
  let first = 0;
  let second = 0;
  let skipped = 0;
  /** The last place where skipping was decided. */
  let decided = -1;
  while (first < firstCount || (second < secondCount && !sequences.firstIsCut)) {
    if (decided !== first && sequences.maySkip(first)) {
      decided = first;
      const skips = chooseSkips(sequences, first, second);
      for (let skip = 0; skip < skips; skip += 1) sequences.leftOut?.(first, second + skip);
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
    const [stepsFirst, stepsSecond] = stepsToAlike(sequences, first, second);
    const both = Math.min(stepsFirst, stepsSecond);
    for (let step = 0; step < Math.max(stepsFirst, stepsSecond); step += 1) {
      const kind = step < both ? "changed" : stepsFirst > stepsSecond ? "extra" : "missing";
      const place = { first: first + Math.min(step, stepsFirst), second: second + Math.min(step, stepsSecond) };
      differences.push({ kind, ...place });
    }
    first += stepsFirst;
    second += stepsSecond;
  }
  sequences.behindEnd?.(secondCount - second);
  return { differences, more: false, skipped };
}

/**
 * Chooses the number of the second's next accesses to leave out: the smallest number after which both match up to the next
 * place where anything may be left out, or up to both ends; if a difference prevents that, the number with the longest match. Drivers do the same
 * at each start, so a short look-ahead would choose wrongly.
 */
function chooseSkips(sequences: Sequences, first: number, second: number): number {
  // At the first's end nothing can match any more: leave out all that may be left out.
  const atEnd = first === sequences.firstCount;
  let ahead = 1;
  while (ahead < choiceAhead && first + ahead < sequences.firstCount && !sequences.maySkip(first + ahead)) ahead += 1;
  let best = 0;
  let bestAlike = -1;
  for (let skips = 0; ; skips += 1) {
    const pairs = pairsFrom(sequences, first, second + skips, ahead);
    let { alike } = pairs;
    if (alike === ahead) {
      const further = goOnAlike(sequences, first + ahead, pairs.end);
      if (further.throughout) return skips;
      alike += further.steps;
    } else if (pairs.prefix > 0) {
      alike = Math.max(alike, pairs.prefix + alikeWhenShifted(sequences, first, second + skips, ahead, pairs.prefix));
    }
    if (alike > bestAlike || atEnd) {
      best = skips;
      bestAlike = alike;
    }
    if (second + skips >= sequences.secondCount || !sequences.skippable(first, second + skips)) return best;
  }
}

/**
 * Compares the next `ahead` accesses of the first, pair by pair: `alike` of them are, the first `prefix` of these without a gap; `end`
 * is the second's place behind them.
 */
function pairsFrom(
  sequences: Sequences,
  first: number,
  second: number,
  ahead: number,
): { alike: number; prefix: number; end: number } {
  let alike = 0;
  let prefix = 0;
  let other = second;
  for (let step = 0; step < ahead; step += 1, other += 1) {
    while (step > 0 && other < sequences.secondCount && sequences.mustSkip(first + step, other)) other += 1;
    const inBoth = first + step < sequences.firstCount && other < sequences.secondCount;
    if (!inBoth || !sequences.same(first + step, other)) continue;
    alike += 1;
    if (prefix === step) prefix += 1;
  }
  return { alike, prefix, end: other };
}

/** Returns the most pairs alike behind the first `prefix` ones, if some accesses there are only in one of the two. */
function alikeWhenShifted(sequences: Sequences, first: number, second: number, ahead: number, prefix: number): number {
  let most = 0;
  for (let shift = 1; shift <= shiftMax; shift += 1) {
    const rest = ahead - prefix;
    const missing = pairsFrom(sequences, first + prefix, second + prefix + shift, rest).alike;
    const extra = pairsFrom(sequences, first + prefix + shift, second + prefix, Math.max(rest - shift, 0)).alike;
    most = Math.max(most, missing, extra);
  }
  return most;
}

/** Length of the match from here; `throughout`: it reaches the next place where anything may be left out. */
function goOnAlike(sequences: Sequences, first: number, second: number): { steps: number; throughout: boolean } {
  let steps = 0;
  let other = second;
  for (let place = first; place < sequences.firstCount && !sequences.maySkip(place); place += 1) {
    while (other < sequences.secondCount && sequences.mustSkip(place, other)) other += 1;
    if (other >= sequences.secondCount || !sequences.same(place, other)) return { steps, throughout: false };
    steps += 1;
    other += 1;
  }
  return { steps, throughout: first + steps < sequences.firstCount || restMaySkip(sequences, other) };
}

/** Returns true if all of the second from here on may be left out behind the first's end. */
function restMaySkip(sequences: Sequences, second: number): boolean {
  if (sequences.firstIsCut) return true;
  const end = sequences.firstCount;
  const maySkip = sequences.maySkip(end);
  for (let other = second; other < sequences.secondCount; other += 1) {
    if (!(maySkip && sequences.skippable(end, other)) && !sequences.mustSkip(end, other)) return false;
  }
  return true;
}

/**
 * Length of the match from here if some accesses of the first, whose order is uncertain, are moved back; 0 if that doesn't
 * help. Those before `first` matched without it.
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

/**
 * Chooses the steps in both after which they go on alike: the fewest after which a few accesses match; or those after which many do, if
 * accesses only one of the two has explain everything up to there by fewer differences. A driver that does the same again and again
 * matches in wrong places, too.
 */
function stepsToAlike(sequences: Sequences, first: number, second: number): [number, number] {
  const nearest = nearestAlike(sequences, first, second);
  const sure = sureSteps(sequences, first, second, Math.max(...nearest));
  if (sure === undefined) return nearest;
  const steps = Math.max(...sure);
  let differences = Math.max(...nearest);
  let [a, b] = [first + nearest[0], second + nearest[1]];
  while (differences <= steps) {
    const alike = countAlike(sequences, a, b, sureAlike);
    a += alike;
    b += alike;
    if (alike === sureAlike) return nearest;
    const [restFirst, restSecond] = [sequences.firstCount - a, sequences.secondCount - b];
    if (restFirst === 0 || restSecond === 0) {
      differences += sequences.firstIsCut ? restFirst : Math.max(restFirst, restSecond);
      return differences > steps ? sure : nearest;
    }
    const [more, other] = nearestAlike(sequences, a, b);
    differences += Math.max(more, other);
    a += more;
    b += other;
  }
  return sure;
}

/** Finds the least number of accesses that only one of the two has, before many that match; undefined if it isn't above `least`. */
function sureSteps(sequences: Sequences, first: number, second: number, least: number): [number, number] | undefined {
  for (let steps = 1; steps <= sureStepsMax; steps += 1) {
    for (const [a, b] of [
      [0, steps],
      [steps, 0],
    ] as const) {
      if (countAlike(sequences, first + a, second + b, sureAlike) === sureAlike)
        return steps > least ? [a, b] : undefined;
    }
  }
  return undefined;
}

/** Finds the fewest steps in both after which they match again; if there is no such place near, steps to both ends. */
function nearestAlike(sequences: Sequences, first: number, second: number): [number, number] {
  const restFirst = sequences.firstCount - first;
  const restSecond = sequences.secondCount - second;
  for (let steps = 1; steps <= 2 * lookAheadMax; steps += 1) {
    // Equal steps first: a changed value is likelier than a missing access beside an extra one.
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
