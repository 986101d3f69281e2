// The bytes of a fence, which marks a recording's beginning and end in QEMU's log. The core's control.c has them, too.

/** Returns a fence's bytes. `kind`: 1 for the recording's beginning, 2 for its end. `id`: eight hexadecimal digits. */
export function fenceBytes(kind: 1 | 2, id: string): number[] {
  return [0x4d, 0x4d, 0x53, kind, ...id.match(/../g)!.map((digits) => Number.parseInt(digits, 16))];
}
