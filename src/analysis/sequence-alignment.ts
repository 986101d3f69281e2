// Lays two long sequences of numbers beside each other: which of the one is which of the other. For sequences that are
// mostly alike, with gaps of any length. alignment.ts is for those that should be identical.

/** Places in the two sequences that are the same; ascending in both. */
export type Pairs = { first: number; second: number }[];

/** So many in a row must be alike for a place to be taken as one from which both go on. Tried in this order. */
const anchorLengths = [8, 3] as const;
/** Gaps of at most so many cells (one's length times the other's) are compared cell by cell. */
const tableCellsMax = 1 << 20;

export function alignSequences(first: Int32Array, second: Int32Array): Pairs {
  const pairs: Pairs = [];
  const indexes = anchorLengths.map((length) => new Anchors(second, length));
  let at = 0;
  let other = 0;
  while (at < first.length && other < second.length) {
    if (first[at] === second[other]) {
      pairs.push({ first: at, second: other });
      at += 1;
      other += 1;
      continue;
    }
    const next = indexes.map((anchors) => anchors.nearest(first, at, other)).find((found) => found !== undefined);
    const [nextAt, nextOther] = next ?? [first.length, second.length];
    fillGap(first, second, { at, other, nextAt, nextOther }, pairs);
    at = nextAt;
    other = nextOther;
  }
  return pairs;
}

/** Where runs of a length occur in a sequence. */
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

  /** The places from which both go on alike with the fewest steps to them; undefined where there are none. */
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

/** The index of the first of the ascending `places` that is `wanted` or more. */
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

/** Pairs within a gap: as many as can be (the longest common subsequence), none where the gap is too large for that. */
function fillGap(first: Int32Array, second: Int32Array, { at, other, nextAt, nextOther }: Gap, pairs: Pairs): void {
  const rows = nextAt - at;
  const columns = nextOther - other;
  if (rows === 0 || columns === 0 || rows * columns > tableCellsMax) return;
  const width = columns + 1;
  /** How many can be paired from a cell on. */
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
