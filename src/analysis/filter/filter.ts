// The filter language: compiles an expression about events into a test. docs/filter.md is its reference; fields.ts has
// the fields.

import { nearest } from "../../base/nearest.js";
import type { EventView } from "../view/event-view.js";
import { numberTest, textTest, timeTest } from "./comparisons.js";
import { conditions, type FilterField, fields } from "./fields.js";
import { FilterError } from "./filter-error.js";
import { type Token, tokensOf } from "./tokens.js";

/** Says whether an event fits. */
export interface Filter {
  (view: EventView): boolean;
  /** The names of the fields and conditions in it. */
  uses?: ReadonlySet<string>;
}

const depthMax = 100;

/**
 * Compiles a filter such as `register == STATUS and cpu == 1`.
 * Throws FilterError, whose message and advice point at the column.
 */
export function compileFilter(expression: string): Filter {
  const parser = new Parser(expression);
  const filter = parser.parse();
  filter.uses = parser.uses;
  return filter;
}

class Parser {
  private readonly expression: string;
  private readonly tokens: Token[];
  private at = 0;
  private depth = 0;
  readonly uses = new Set<string>();

  constructor(expression: string) {
    this.expression = expression;
    this.tokens = tokensOf(expression);
  }

  parse(): Filter {
    if (this.atEnd()) this.fail("it is empty");
    const filter = this.either();
    if (!this.atEnd()) this.fail(`"and" or "or" was expected, not ${shown(this.token)}`);
    return filter;
  }

  private either(): Filter {
    let left = this.both();
    while (this.takes("or", "||")) {
      const [first, second] = [left, this.both()];
      left = (view) => first(view) || second(view);
    }
    return left;
  }

  private both(): Filter {
    let left = this.negated();
    while (this.takes("and", "&&")) {
      const [first, second] = [left, this.negated()];
      left = (view) => first(view) && second(view);
    }
    return left;
  }

  private negated(): Filter {
    const { token } = this;
    if (!this.takes("not", "!")) return this.single();
    this.enter(token);
    const inner = this.negated();
    this.depth -= 1;
    return (view) => !inner(view);
  }

  private single(): Filter {
    const { token } = this;
    if (this.takesSign("(")) {
      this.enter(token);
      const inner = this.either();
      if (!this.takesSign(")")) {
        this.fail(`")" was expected, for the "(" at column ${token.column}, not ${shown(this.token)}`);
      }
      this.depth -= 1;
      return inner;
    }
    if (token.kind !== "word") this.fail(`a field such as register was expected, not ${shown(token)}`);
    this.at += 1;
    const name = token.text.toLowerCase();
    this.uses.add(name);
    const field = fields.get(name);
    if (field !== undefined) return this.comparison(field, name);
    const condition = conditions.get(name);
    // a function of its own: compileFilter adds to what it returns
    if (condition !== undefined) return (view) => condition(view);
    const near = nearest(name, [...fields.keys(), ...conditions.keys()]);
    return this.fail(`there is no field "${token.text}"${near === undefined ? "" : `; did you mean ${near}?`}`, token);
  }

  private comparison(field: FilterField, name: string): Filter {
    let mask: bigint | undefined;
    if (this.takesSign("&")) {
      if (field.kind !== "number") this.fail(`${name} has no bits`, this.tokens[this.at - 1]!);
      mask = this.integer(this.value(`a number of bits, for ${name}`), name);
      if (!isComparison(this.token)) {
        const { read } = field as FilterField & { kind: "number" };
        const bits = mask;
        return (view) => ((read(view) ?? 0n) & bits) !== 0n;
      }
    }
    const sign = this.token;
    if (this.takes("in")) {
      const tests = this.set(name).map((value) => this.test(field, name, "==", value, mask));
      return (view) => tests.some((test) => test(view));
    }
    if (!isComparison(sign)) this.fail(`a comparison such as == was expected after ${name}, not ${shown(sign)}`);
    this.at += 1;
    const value = this.value(`a value for ${name}`);
    const operator = sign.text === "=" ? "==" : sign.text;
    switch (operator) {
      // An event without this field differs from every value.
      case "!=":
        return not(this.test(field, name, "==", value, mask));
      case "!~":
        return not(this.test(field, name, "~", value, mask, sign));
      default:
        return this.test(field, name, operator, value, mask, sign);
    }
  }

  private test(
    field: FilterField,
    name: string,
    operator: string,
    value: Token,
    mask: bigint | undefined,
    sign?: Token,
  ): Filter {
    const fail = (what: string, at: Token | undefined = value) => this.fail(what, at);
    if (field.kind === "text") {
      if (operator !== "==" && operator !== "~") fail(`${name} is a text: it can be compared with ==, != and ~`, sign);
      return textTest(field, name, operator, value, fail);
    }
    if (operator === "~") fail(`${name} is a number: ~ is for texts`, sign);
    return field.kind === "time"
      ? timeTest(field.read, operator, value, fail)
      : numberTest(field.read, name, operator, value, mask, fail);
  }

  private set(name: string): Token[] {
    if (!this.takesSign("{")) this.fail(`"{" was expected after in, not ${shown(this.token)}`);
    const values = [this.value(`a value for ${name}`)];
    while (this.takesSign(",")) values.push(this.value(`a value for ${name}`));
    if (!this.takesSign("}")) this.fail(`"," or "}" was expected, not ${shown(this.token)}`);
    return values;
  }

  private value(what: string): Token {
    const { token } = this;
    if (token.kind !== "word" && token.kind !== "text") this.fail(`${what} was expected, not ${shown(token)}`);
    this.at += 1;
    return token;
  }

  private integer(token: Token, name: string): bigint {
    if (!/^(0x[0-9a-f]+|0b[01]+|\d+)$/i.test(token.text))
      this.fail(`"${token.text}" is no number to compare ${name} with`, token);
    return BigInt(token.text);
  }

  private atEnd(): boolean {
    return this.token.kind === "end";
  }

  private get token(): Token {
    return this.tokens[this.at]!;
  }

  /** Takes one of these words or signs. */
  private takes(...texts: string[]): boolean {
    const { token } = this;
    if (token.kind === "text" || !texts.includes(token.text.toLowerCase())) return false;
    this.at += 1;
    return true;
  }

  private takesSign(text: string): boolean {
    if (this.token.kind !== "sign" || this.token.text !== text) return false;
    this.at += 1;
    return true;
  }

  private enter(token: Token): void {
    this.depth += 1;
    if (this.depth > depthMax) this.fail(`it is nested more than ${depthMax} deep`, token);
  }

  private fail(what: string, token: Token = this.token): never {
    throw new FilterError(this.expression, token.column, what);
  }
}

const comparisons: readonly string[] = ["==", "=", "!=", "<", "<=", ">", ">=", "~", "!~"];

function isComparison(token: Token): boolean {
  return token.kind === "sign" ? comparisons.includes(token.text) : token.kind === "word" && token.text === "in";
}

function not(filter: Filter): Filter {
  return (view) => !filter(view);
}

function shown(token: Token): string {
  return token.kind === "end" ? "the end" : `"${token.text}"`;
}
