// The error for a filter that can't be read: the column, and the words that would be right there.
import { InvalidValueError } from "../../base/errors.js";

/** A filter can't be read. `column` is the place, `given` the whole expression. */
export class FilterError extends InvalidValueError {
  override readonly name = "FilterError";
  /** Counted from 1. */
  readonly column: number;

  constructor(expression: string, column: number, what: string) {
    super(expression, `the filter can't be read at column ${column}: ${what}`, {
      advice: `${expression.replaceAll(/\s/g, " ")}\n  ${" ".repeat(column - 1)}^`,
    });
    this.column = column;
  }
}
