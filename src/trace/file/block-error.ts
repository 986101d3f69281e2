// The error of the readers of blocks.

/** A fault in a block's content. The reader turns it into a FormatError with the file's name and the offset. */
export class BlockError extends Error {}
