/**
 * Traces of memory-mapped I/O for pages: the library's part that needs nothing of Node's. Traces come from files that the page was
 * given, from bytes, or from streams, and are written into memory.
 *
 * @packageDocumentation
 */
// The module that pages import as "mmiostrider/browser". Neither it nor its imports use anything of Node's.

export { verify } from "./api/analysis.js";
export * from "./api/common.js";
export { createMemoryTrace, type MemoryTrace, openTrace, type TraceInput } from "./api/in-memory.js";
