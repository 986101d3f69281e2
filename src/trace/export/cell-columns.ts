// A table's cells that wait in memory to be written, in compact columns: a row as an object of strings and bigints takes a kilobyte,
// here about 160 bytes.

import { assertUnreachable } from "../../base/assert.js";

export type Cell = string | number | bigint | undefined;

/** `text` is stored as an index into a list of the column's texts. */
export type CellKind = "text" | "int" | "long" | "double";

const firstRows = 256;

type Numbers = Int32Array<ArrayBuffer> | BigInt64Array<ArrayBuffer> | Float64Array<ArrayBuffer>;

/** A column of cells. */
export class CellColumn {
  private readonly kind: CellKind;
  private length = 0;
  private numbers: Numbers;
  /** 1: the cell has a value. */
  private present: Uint8Array<ArrayBuffer>;
  private readonly texts: string[] = [];
  private readonly textNumbers = new Map<string, number>();

  constructor(kind: CellKind) {
    this.kind = kind;
    this.numbers = numbersFor(kind, firstRows);
    this.present = new Uint8Array(firstRows);
  }

  push(cell: Cell): void {
    const at = this.length;
    if (at === this.present.length) this.grow();
    this.length += 1;
    this.present[at] = cell === undefined ? 0 : 1;
    if (cell === undefined) return;
    this.numbers[at] = this.kind === "text" ? this.numberOf(cell as string) : (cell as number);
  }

  /** Makes all cells. */
  cells(): Cell[] {
    const { numbers, present, texts, kind } = this;
    return Array.from({ length: this.length }, (_, at) => {
      if (present[at] === 0) return undefined;
      return kind === "text" ? texts[numbers[at] as number] : numbers[at];
    });
  }

  /** Forgets all cells, but keeps the memory. */
  clear(): void {
    this.length = 0;
    this.texts.length = 0;
    this.textNumbers.clear();
  }

  private numberOf(text: string): number {
    let number = this.textNumbers.get(text);
    if (number === undefined) {
      number = this.texts.length;
      this.texts.push(text);
      this.textNumbers.set(text, number);
    }
    return number;
  }

  private grow(): void {
    const rows = 2 * this.present.length;
    const { numbers, present } = this;
    this.numbers = numbersFor(this.kind, rows);
    this.numbers.set(numbers as never);
    this.present = new Uint8Array(rows);
    this.present.set(present);
  }
}

function numbersFor(kind: CellKind, rows: number): Numbers {
  switch (kind) {
    case "text":
    case "int":
      return new Int32Array(rows);
    case "long":
      return new BigInt64Array(rows);
    case "double":
      return new Float64Array(rows);
    default:
      return assertUnreachable(kind);
  }
}
