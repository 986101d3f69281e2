// Memory moves of QEMU's 53c8xx itself. Its SCRIPTS copy memory, also from and to its own registers, and QEMU logs these
// accesses as if a CPU had made them. With `-trace lsi_memcpy` the log announces each move, so that its accesses can be told
// from the CPU's.

import { findLatin1, latin1 } from "../../base/bytes.js";

const word = "lsi_memcpy ";
/** No such line is longer. */
const lineMax_bytes = 200;

interface Piece {
  next: number;
  end: number;
}

export class DeviceMoves {
  private source: Piece = { next: 0, end: 0 };
  private destination: Piece = { next: 0, end: 0 };

  /** Takes a line of the log, `bytes[from]` to `bytes[end - 1]`, that isn't an access. */
  hear(bytes: Uint8Array, from: number, end: number): void {
    if (end - from > lineMax_bytes || findLatin1(bytes, from, end, word) < 0) return;
    const text = latin1(bytes, from, end);
    const move = /lsi_memcpy memcpy dest (0x[\da-f]+) src (0x[\da-f]+) count (\d+)$/.exec(text);
    if (move === null) return;
    const [, destination, source, count] = move.map(Number) as [number, number, number, number];
    this.destination = { next: destination, end: destination + count };
    this.source = { next: source, end: source + count };
  }

  /** Returns true if an access is the next one of the move. */
  made(write: boolean, address: number, width_bytes: number): boolean {
    const piece = write ? this.destination : this.source;
    if (address !== piece.next || address + width_bytes > piece.end) return false;
    piece.next += width_bytes;
    return true;
  }
}
