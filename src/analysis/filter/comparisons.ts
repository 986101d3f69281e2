// The filter language's single comparisons: makes a test of a field, an operator and a written value.

import { nearest } from "../../base/nearest.js";
import type { EventView } from "../view/event-view.js";
import type { FilterField } from "./fields.js";
import type { Token } from "./tokens.js";

type Test = (view: EventView) => boolean;
/** Throws FilterError for the current value. */
type Fail = (what: string) => never;

const integer = /^-?(0x[0-9a-f]+|0b[01]+|\d+)$/i;
const ticks_s: Readonly<Record<string, number>> = { "": 1, s: 1, ms: 1e-3, us: 1e-6, µs: 1e-6, ns: 1e-9 };

/** Converts `1.5`, `300ms`, `20us`, `7ns` to seconds; undefined for other texts. */
export function parseTime_s(text: string): number | undefined {
  const parts = /^(-?(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?)(s|ms|us|µs|ns|)$/i.exec(text);
  const time_s = parts === null ? Number.NaN : Number(parts[1]) * ticks_s[parts[2]!.toLowerCase()]!;
  return Number.isFinite(time_s) ? time_s : undefined;
}

/** Parses `FIRST..LAST`, both included, or one value, which is both. */
function rangeOf<T>(text: string, parse: (text: string) => T | undefined): [T, T] | undefined {
  const dots = text.indexOf("..");
  const first = parse(dots < 0 ? text : text.slice(0, dots));
  const last = dots < 0 ? first : parse(text.slice(dots + 2));
  return first === undefined || last === undefined ? undefined : [first, last];
}

const parseInteger = (text: string) => {
  if (!integer.test(text)) return undefined;
  return text.startsWith("-") ? -BigInt(text.slice(1)) : BigInt(text);
};

export function numberTest(
  read: (view: EventView) => bigint | undefined,
  name: string,
  operator: string,
  value: Token,
  mask: bigint | undefined,
  fail: Fail,
): Test {
  const range = rangeOf(value.text, parseInteger) ?? fail(`"${value.text}" is no number to compare ${name} with`);
  const of: (view: EventView) => bigint | undefined =
    mask === undefined
      ? read
      : (view) => {
          const whole = read(view);
          return whole === undefined ? undefined : whole & mask;
        };
  return compare(of, operator, range, fail);
}

const reversedRange = "the range's first is above its last";

/** Times are printed, and therefore compared, with nanoseconds. */
const roundingHalf_s = 0.5e-9;

export function timeTest(read: (view: EventView) => number, operator: string, value: Token, fail: Fail): Test {
  const range =
    rangeOf(value.text, parseTime_s) ?? fail(`"${value.text}" is no time; times are such as 1.5, 300ms, 20us, 7ns`);
  const [first, last] = range;
  switch (operator) {
    case "==":
      if (first > last) fail(reversedRange);
      return (view) => read(view) >= first - roundingHalf_s && read(view) <= last + roundingHalf_s;
    case "<=":
      return compare(read, operator, [first + roundingHalf_s, last + roundingHalf_s], fail);
    case ">=":
      return compare(read, operator, [first - roundingHalf_s, last - roundingHalf_s], fail);
    default:
      return compare(read, operator, range, fail);
  }
}

function compare<T extends number | bigint>(
  read: (view: EventView) => T | undefined,
  operator: string,
  [first, last]: [T, T],
  fail: Fail,
): Test {
  const test = (fits: (found: T) => boolean): Test => {
    return (view) => {
      const found = read(view);
      return found !== undefined && fits(found);
    };
  };
  if (operator === "==") {
    if (first > last) fail(reversedRange);
    return first === last ? test((found) => found === first) : test((found) => found >= first && found <= last);
  }
  if (first !== last) fail("a range can be compared with == and != only");
  switch (operator) {
    case "<":
      return test((found) => found < first);
    case "<=":
      return test((found) => found <= first);
    case ">":
      return test((found) => found > first);
    default:
      return test((found) => found >= first);
  }
}

export function textTest(
  field: FilterField & { kind: "text" },
  name: string,
  operator: string,
  value: Token,
  fail: Fail,
): Test {
  const { read, known } = field;
  if (operator === "~") {
    const pattern = expressionOf(value.text, fail);
    return (view) => read(view).some((text) => pattern.test(text));
  }
  if (known !== undefined) {
    const stands = known.get(value.text.toLowerCase());
    if (stands === undefined) {
      const near = nearest(value.text.toLowerCase(), known.keys());
      const all = [...new Set(known.values())].join(", ");
      fail(`there is no ${name} "${value.text}"; ${near === undefined ? `there are ${all}` : `did you mean ${near}?`}`);
    }
    return (view) => read(view).some((text) => text === stands);
  }
  const fits = globTest(value.text);
  return (view) => read(view).some(fits);
}

function expressionOf(text: string, fail: Fail): RegExp {
  try {
    return new RegExp(text, "iu");
  } catch (error) {
    return fail(`"${text}" is no regular expression: ${(error as Error).message.replace(/^.*: /, "")}`);
  }
}

/** Makes a test of a glob: `*` is any characters, `?` is one; case doesn't matter. Its time grows with both lengths. */
export function globTest(glob: string): (text: string) => boolean {
  const wanted = [...glob.toLowerCase()];
  if (!/[*?]/.test(glob)) {
    const whole = wanted.join("");
    return (text) => text.length === glob.length && text.toLowerCase() === whole;
  }
  return (text) => fitsGlob([...text.toLowerCase()], wanted);
}

/** Matches a glob. After a mismatch only the last star needs to take one more character; earlier stars needn't be tried. */
function fitsGlob(text: readonly string[], glob: readonly string[]): boolean {
  let at = 0;
  let place = 0;
  let starPlace = -1;
  let starAt = 0;
  while (at < text.length) {
    if (glob[place] === "*") {
      starPlace = place++;
      starAt = at;
    } else if (glob[place] === "?" || glob[place] === text[at]) {
      place += 1;
      at += 1;
    } else if (starPlace < 0) return false;
    else {
      place = starPlace + 1;
      at = ++starAt;
    }
  }
  while (glob[place] === "*") place += 1;
  return place === glob.length;
}
