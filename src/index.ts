/**
 * Traces of memory-mapped I/O for programs in Node: opens them, and logs of other formats, names what is in them, compares, counts,
 * writes and converts them. `mmiostrider/browser` has the part for pages.
 *
 * @packageDocumentation
 */
// The module that other programs import as "mmiostrider". Names and shapes here are promises; everything behind them may change.

export * from "./api/common.js";
export {
  type ConvertOptions,
  type ConvertResult,
  convert,
  createTrace,
  cut,
  merge,
  type OutputFormat,
  outputFormats,
  verify,
} from "./api/node/files.js";
export { type NodeOpenOptions, openTrace, type TraceInput } from "./api/node/open.js";
export { builtInRegisterNames, builtInRegisters, loadRegisters } from "./api/node/registers.js";
export { type RegisterChoice, type RegisterPlace, type RegisterQuery, Registers } from "./api/registers.js";
