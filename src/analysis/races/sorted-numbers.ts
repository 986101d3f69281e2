// Search in rising numbers.

/** Returns the index of the last number that is at most `limit`, or -1. Looks from the end, near which most limits lie. */
export function lastAtMost(numbers: readonly number[], limit: number): number {
  let high = numbers.length;
  let step = 1;
  while (high - step >= 0 && numbers[high - step]! > limit) {
    high -= step;
    step *= 2;
  }
  let low = Math.max(high - step, -1);
  // numbers[low] is at most the limit, and numbers[high] isn't
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (numbers[middle]! <= limit) low = middle;
    else high = middle;
  }
  return low;
}
