// The trace's reader for other programs and for pages: what a browser can load as it is. Nothing here, nor what it imports, is Node's;
// Node's own faster codec and its files are node-codec.ts and file-source.ts.
export { type Codec, streamCodec } from "./compression.js";
export type { EventColumns } from "./event-columns.js";
export type { TraceEvent } from "./events.js";
export type { TraceHeader, TraceSummary } from "./header.js";
export { type EventBatch, TraceReader } from "./reader.js";
export { BlobSource, type ByteSource, MemorySource } from "./source.js";
export type { TraceState } from "./state.js";
