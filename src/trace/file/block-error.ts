// What readers of blocks throw.

/** What is wrong with a block's content. The reader makes a FormatError with the file's name and offset of it. */
export class BlockError extends Error {}
