// The bytes of a fence, which shows in QEMU's log where a recording began and ended. The core's control.c has them, too.

/** `kind`: 1 where the recording begins, 2 where it ends. `id`: eight hexadecimal digits. */
export function fenceBytes(kind: 1 | 2, id: string): number[] {
  return [0x4d, 0x4d, 0x53, kind, ...id.match(/../g)!.map((digits) => Number.parseInt(digits, 16))];
}
