// The trace's reader for other programs and for pages: what a browser can load as it is. Nothing here, nor what it imports, is Node's;
// Node's own faster codec and its files are node-codec.ts and file-source.ts.

export type { EventColumns } from "./trace/event-columns.js";
export type { TraceEvent } from "./trace/events.js";
export { type Codec, streamCodec } from "./trace/file/compression.js";
export { type EventBatch, TraceReader } from "./trace/file/reader.js";
export { BlobSource, type ByteSource, MemorySource } from "./trace/file/source.js";
export type { TraceHeader, TraceSummary } from "./trace/header.js";
export type { TraceState } from "./trace/state.js";
