// Memory moves that QEMU's 53c8xx makes by itself. Its SCRIPTS copy memory, also from and to its own registers, and QEMU logs
// what they touch as if a CPU had accessed it. With `-trace lsi_memcpy` the log says before each move what it copies, so that
// these accesses can be told from the CPU's.

const word = "lsi_memcpy ";

interface Piece {
  next: number;
  end: number;
}

export class DeviceMoves {
  private source: Piece = { next: 0, end: 0 };
  private destination: Piece = { next: 0, end: 0 };

  /** Hears a line of the log, `bytes[from]` to `bytes[end - 1]`, that isn't an access. */
  hear(bytes: Buffer, from: number, end: number): void {
    // ordinary logs have few other lines
    if (end - from > 200 || bytes.indexOf(word, from, "latin1") < 0) return;
    const text = bytes.toString("latin1", from, end);
    const move = /lsi_memcpy memcpy dest (0x[\da-f]+) src (0x[\da-f]+) count (\d+)$/.exec(text);
    if (move === null) return;
    const [, destination, source, count] = move.map(Number) as [number, number, number, number];
    this.destination = { next: destination, end: destination + count };
    this.source = { next: source, end: source + count };
  }

  /** Whether an access is the next one of the move. */
  made(write: boolean, address: number, width_bytes: number): boolean {
    const piece = write ? this.destination : this.source;
    if (address !== piece.next || address + width_bytes > piece.end) return false;
    piece.next += width_bytes;
    return true;
  }
}
