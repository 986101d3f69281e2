// Aligns two long sequences of numbers, which match mostly, with gaps of any length. alignment.ts is for sequences that
// should be identical.

/** Places of matching numbers in the two sequences; ascending in both. */
export type Pairs = { first: number; second: number }[];

/** Lengths of a match that proves a place from which both match again. Tried in this order. */
const anchorLengths = [8, 3] as const;
/** Limit of changes on the shortest way from one sequence to the other. */
const changesMax = 16_384;
/** Limit of cells (one's length times the other's) of a gap that is compared cell by cell. */
const tableCellsMax = 1 << 20;

/** Finds the most pairs possible, in the order of both; if the two are too different for that, nearly as many. */
export function alignSequences(first: Int32Array, second: Int32Array): Pairs {
  const pairs: Pairs = [];
  alignRange(first, second, { at: 0, other: 0, nextAt: first.length, nextOther: second.length }, pairs);
  return pairs;
}

function alignRange(first: Int32Array, second: Int32Array, range: Gap, pairs: Pairs): void {
  let { at, other, nextAt, nextOther } = range;
  for (; at < nextAt && other < nextOther && first[at] === second[other]; at += 1, other += 1) {
    pairs.push({ first: at, second: other });
  }
  let tail = 0;
  while (nextAt > at && nextOther > other && first[nextAt - 1] === second[nextOther - 1]) {
    nextAt -= 1;
    nextOther -= 1;
    tail += 1;
  }
  if (nextAt > at && nextOther > other) {
    const run = middleRun(first.subarray(at, nextAt), second.subarray(other, nextOther));
    if (run === undefined) alignNearest(first, second, { at, other, nextAt, nextOther }, pairs);
    else {
      const [runAt, runOther] = [at + run.at, other + run.other];
      alignRange(first, second, { at, other, nextAt: runAt, nextOther: runOther }, pairs);
      for (let step = 0; step < run.length; step += 1) pairs.push({ first: runAt + step, second: runOther + step });
      const rest = { at: runAt + run.length, other: runOther + run.length, nextAt, nextOther };
      alignRange(first, second, rest, pairs);
    }
  }
  for (let step = 0; step < tail; step += 1) pairs.push({ first: nextAt + step, second: nextOther + step });
}

/** Marks a diagonal that the search hasn't reached. */
const nowhere = -(2 ** 30);

/**
 * Finds a run of equal entries, perhaps of length 0, halfway on a shortest way from one sequence to the other (E. Myers,
 * "An O(ND) Difference Algorithm and Its Variations", 1986, section 4b). Undefined if that way has more than `changesMax`
 * changes. Both sequences must be non-empty, begin with different entries, and end with different entries.
 */
function middleRun(first: Int32Array, second: Int32Array): { at: number; other: number; length: number } | undefined {
  const rows = first.length;
  const columns = second.length;
  const difference = rows - columns;
  const isOdd = (difference & 1) !== 0;
  const stepsMax = Math.min(Math.ceil((rows + columns) / 2), changesMax / 2);
  const middle = stepsMax + 1;
  /** Furthest place in `first` by diagonal, for the current number of changes, from the starts and from the ends. */
  const forward = new Int32Array(2 * middle + 1).fill(nowhere);
  const backward = new Int32Array(2 * middle + 1).fill(nowhere);
  forward[middle + 1] = 0;
  backward[middle + 1] = 0;
  for (let steps = 0; steps <= stepsMax; steps += 1) {
    for (let diagonal = -steps; diagonal <= steps; diagonal += 2) {
      const start = reach(forward, middle + diagonal, diagonal, rows, columns);
      let row = start;
      while (row >= 0 && row < rows && row - diagonal < columns && first[row] === second[row - diagonal]) row += 1;
      forward[middle + diagonal] = row;
      const opposite = difference - diagonal;
      if (isOdd && row >= 0 && Math.abs(opposite) < steps && row + backward[middle + opposite]! >= rows) {
        return { at: start, other: start - diagonal, length: row - start };
      }
    }
    for (let diagonal = -steps; diagonal <= steps; diagonal += 2) {
      const start = reach(backward, middle + diagonal, diagonal, rows, columns);
      let row = start;
      while (
        row >= 0 &&
        row < rows &&
        row - diagonal < columns &&
        first[rows - 1 - row] === second[columns - 1 - (row - diagonal)]
      ) {
        row += 1;
      }
      backward[middle + diagonal] = row;
      const opposite = difference - diagonal;
      if (!isOdd && row >= 0 && Math.abs(opposite) <= steps && row + forward[middle + opposite]! >= rows) {
        return { at: rows - row, other: columns - (row - diagonal), length: row - start };
      }
    }
  }
  return undefined;
}

/** Computes the furthest place on a diagonal with one change more, from the diagonals beside it, within both sequences. */
function reach(reached: Int32Array, index: number, diagonal: number, rows: number, columns: number): number {
  const down = reached[index + 1]!;
  const right = reached[index - 1]! + 1;
  const isDown = down >= 0 && down - diagonal <= columns;
  const isRight = right > 0 && right <= rows;
  if (isDown && (!isRight || down > right)) return down;
  return isRight ? right : nowhere;
}

/** Aligns by the nearest places from which both match again: for sequences too different for the shortest way. */
function alignNearest(first: Int32Array, second: Int32Array, range: Gap, pairs: Pairs): void {
  let { at, other } = range;
  const ownFirst = first.subarray(0, range.nextAt);
  const ownSecond = second.subarray(0, range.nextOther);
  const indexes = anchorLengths.map((length) => new Anchors(ownSecond, length));
  while (at < range.nextAt && other < range.nextOther) {
    if (first[at] === second[other]) {
      pairs.push({ first: at, second: other });
      at += 1;
      other += 1;
      continue;
    }
    const next = indexes.map((anchors) => anchors.nearest(ownFirst, at, other)).find((found) => found !== undefined);
    const [nextAt, nextOther] = next ?? [range.nextAt, range.nextOther];
    fillGap(first, second, { at, other, nextAt, nextOther }, pairs);
    at = nextAt;
    other = nextOther;
  }
}

/** The places of all runs of one length in a sequence. */
class Anchors {
  private readonly sequence: Int32Array;
  private readonly length: number;
  /** By hash of the run: places in ascending order. */
  private readonly places = new Map<number, number[]>();

  constructor(sequence: Int32Array, length: number) {
    this.sequence = sequence;
    this.length = length;
    for (let at = 0; at + length <= sequence.length; at += 1) {
      const hash = this.hash(sequence, at);
      const places = this.places.get(hash);
      if (places === undefined) this.places.set(hash, [at]);
      else places.push(at);
    }
  }

  /** Finds the places from which both match again, with the fewest steps to them; undefined if there are none. */
  nearest(first: Int32Array, at: number, other: number): [number, number] | undefined {
    let best: [number, number] | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (let step = 0; step < least && at + step + this.length <= first.length; step += 1) {
      const places = this.places.get(this.hash(first, at + step));
      if (places === undefined) continue;
      for (let index = firstAtLeast(places, other); index < places.length; index += 1) {
        const place = places[index]!;
        if (step + place - other >= least) break;
        if (!this.same(first, at + step, place)) continue;
        least = step + place - other;
        best = [at + step, place];
        break;
      }
    }
    return best;
  }

  private hash(sequence: Int32Array, at: number): number {
    let hash = 0;
    for (let step = 0; step < this.length; step += 1) hash = (Math.imul(hash, 0x01000193) ^ sequence[at + step]!) | 0;
    return hash;
  }

  private same(first: Int32Array, at: number, place: number): boolean {
    for (let step = 0; step < this.length; step += 1) {
      if (first[at + step] !== this.sequence[place + step]) return false;
    }
    return true;
  }
}

/** Returns the index of the first of the ascending `places` that is at least `wanted`. */
function firstAtLeast(places: readonly number[], wanted: number): number {
  let low = 0;
  let high = places.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (places[middle]! < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

interface Gap {
  at: number;
  other: number;
  nextAt: number;
  nextOther: number;
}

/** Adds the pairs within a gap: the longest common subsequence, or none if the gap is too large for that. */
function fillGap(first: Int32Array, second: Int32Array, { at, other, nextAt, nextOther }: Gap, pairs: Pairs): void {
  const rows = nextAt - at;
  const columns = nextOther - other;
  if (rows === 0 || columns === 0 || rows * columns > tableCellsMax) return;
  const width = columns + 1;
  /** Number of pairs possible from a cell on. */
  const counts = new Int32Array((rows + 1) * width);
  for (let row = rows - 1; row >= 0; row -= 1) {
    for (let column = columns - 1; column >= 0; column -= 1) {
      counts[row * width + column] =
        first[at + row] === second[other + column]
          ? counts[(row + 1) * width + column + 1]! + 1
          : Math.max(counts[(row + 1) * width + column]!, counts[row * width + column + 1]!);
    }
  }
  for (let row = 0, column = 0; row < rows && column < columns; ) {
    if (first[at + row] === second[other + column]) {
      pairs.push({ first: at + row, second: other + column });
      row += 1;
      column += 1;
    } else if (counts[(row + 1) * width + column]! >= counts[row * width + column + 1]!) row += 1;
    else column += 1;
  }
}
