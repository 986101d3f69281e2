// The JSON in a trace besides its columns: header, updates, summary, and each block's state. Reads it back with care:
// anything that contradicts header.ts is a BlockError.
import { hex } from "../../base/hex.js";
import type { DmaBuffer, DmaBuffers } from "../dma.js";
import { dmaDirections, dmaWays } from "../dma-kinds.js";
import type { Hex, TraceHeader, TraceSummary, TraceUpdate } from "../header.js";
import { memoryTypes } from "../record.js";
import type { LivingMapping, TraceState } from "../state.js";
import { BlockError } from "./block-error.js";
import type { Codec } from "./compression.js";
import { jsonMax_bytes } from "./layout.js";

const utf8 = new TextDecoder("utf-8", { fatal: true });
const encoder = new TextEncoder();

/** Makes the payload of a JSON block: its length before compression (4 bytes), then raw deflate. */
export async function encodeJson(value: unknown, codec: Codec): Promise<Uint8Array> {
  const raw = encoder.encode(JSON.stringify(value));
  const packed = await codec.deflate(raw, "small");
  const payload = new Uint8Array(4 + packed.length);
  new DataView(payload.buffer).setUint32(0, raw.length, true);
  payload.set(packed, 4);
  return payload;
}

/** Throws BlockError. */
export async function inflatePayload(payload: Uint8Array, codec: Codec): Promise<Uint8Array> {
  if (payload.length < 4) throw new BlockError("the block is too short");
  const raw_bytes = new DataView(payload.buffer, payload.byteOffset).getUint32(0, true);
  if (raw_bytes > jsonMax_bytes) throw new BlockError(`the block claims ${raw_bytes} bytes of content`);
  try {
    const raw = await codec.inflate(payload.subarray(4), raw_bytes);
    if (raw.length !== raw_bytes) throw new Error(`${raw.length} bytes, not ${raw_bytes}`);
    return raw;
  } catch (error) {
    throw new BlockError(`the block can't be decompressed: ${(error as Error).message}`);
  }
}

function parse(raw: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(raw));
  } catch (error) {
    throw new BlockError(`the block's JSON is broken: ${(error as Error).message}`);
  }
}

type Shape = { [name: string]: (value: unknown) => boolean };

const isText = (value: unknown): boolean => typeof value === "string";
const isTextOrNull = (value: unknown): boolean => value === null || typeof value === "string";
const isNumber = (value: unknown): boolean => typeof value === "number" && Number.isFinite(value);
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
const isFrequency = (value: unknown): boolean => isNumber(value) && (value as number) >= 1 && (value as number) <= 1e15;
const isBoolean = (value: unknown): boolean => typeof value === "boolean";
const isHex = (value: unknown): boolean => typeof value === "string" && /^0x[0-9a-f]{1,16}$/.test(value);
const listOf = (item: (value: unknown) => boolean) => (value: unknown) => Array.isArray(value) && value.every(item);
const objectOf = (shape: Shape) => (value: unknown) =>
  typeof value === "object" &&
  value !== null &&
  !Array.isArray(value) &&
  Object.entries(shape).every(([name, fits]) => fits((value as Record<string, unknown>)[name]));
const optional = (fits: (value: unknown) => boolean) => (value: unknown) => value === undefined || fits(value);

const isPciFunction = objectOf({
  address: isText,
  vendor: isHex,
  device: isHex,
  subsystemVendor: isHex,
  subsystemDevice: isHex,
  class: isHex,
  revision: isHex,
  irq: isNumber,
  driver: isTextOrNull,
  config: optional((value) => typeof value === "string" && /^(?:[0-9a-f]{2}){0,256}$/.test(value)),
  bars: listOf(objectOf({ index: isCount, start: isHex, length_bytes: isHex, flags: isHex })),
});
const isModule = objectOf({ name: isText, textAddress: isHex, text_bytes: isCount, buildId: isTextOrNull });
const isHeader = objectOf({
  engine: isText,
  producer: isText,
  machine: objectOf({ host: isText, release: isText, version: isText, architecture: isText }),
  cpu: objectOf({ model: isText, count: isCount }),
  clock: objectOf({ tsc: isHex, wall_ns: isHex, tscFrequency_hz: isFrequency }),
  pciFunctions: listOf(isPciFunction),
  modules: listOf(isModule),
  commandLine: listOf(isText),
  options: objectOf({
    filter: listOf(isText),
    relaxed: isBoolean,
    cleanRoom: isBoolean,
    excludeWriteCombining: isBoolean,
    interrupts: optional(isBoolean),
    dma: optional(isBoolean),
    configuration: optional((value) => value === "all" || listOf(isText)(value)),
    ports: optional(listOf(isText)),
    ring_bytes: isNumber,
  }),
  lacks: optional(listOf(isText)),
  fence: isTextOrNull,
  importedHead: optional(isText),
  importedLineEnd: optional(isText),
});
const isUpdate = objectOf({ pciFunctions: optional(listOf(isPciFunction)), modules: optional(listOf(isModule)) });
const isSummary = objectOf({
  accesses: isNumber,
  lost: isNumber,
  lostUncounted: optional(isNumber),
  notes: optional(listOf(isText)),
  part: optional(listOf(isText)),
  escaped: isNumber,
  missed: isNumber,
  unrecorded: optional(isNumber),
  mappings: isNumber,
  incomplete: listOf(isText),
});
const isState = objectOf({
  mappings: listOf(
    objectOf({ id: isCount, address: isHex, length_bytes: isHex, decoy: isHex, memoryType: isCount, site: isHex }),
  ),
  dma: optional(
    objectOf({
      next: isCount,
      buffers: listOf(
        objectOf({
          number: isCount,
          device: isText,
          bus: isHex,
          length_bytes: isHex,
          way: isCount,
          direction: isCount,
        }),
      ),
    }),
  ),
  symbols: (value) =>
    objectOf({})(value) && Object.entries(value as object).every(([site, text]) => isHex(site) && isText(text)),
});

function parseAs<T>(raw: Uint8Array, fits: (value: unknown) => boolean, what: string): T {
  const value = parse(raw);
  if (!fits(value)) throw new BlockError(`the ${what}'s JSON isn't what a ${what} is`);
  return value as T;
}

export const parseHeader = (raw: Uint8Array): TraceHeader => parseAs(raw, isHeader, "header");
export const parseUpdate = (raw: Uint8Array): TraceUpdate => parseAs(raw, isUpdate, "update");

/** Parses a summary. Recorders that didn't look for unrecorded mappings have no number of them: it is 0. */
export function parseSummary(raw: Uint8Array): TraceSummary {
  const told = parseAs<Omit<TraceSummary, "unrecorded"> & Partial<TraceSummary>>(raw, isSummary, "summary");
  return { ...told, unrecorded: told.unrecorded ?? 0 };
}

interface StateJson {
  mappings: { id: number; address: Hex; length_bytes: Hex; decoy: Hex; memoryType: number; site: Hex }[];
  symbols: { [site: Hex]: string };
  /** The living DMA buffers, and the next one's number; absent where there was none yet. */
  dma?: { next: number; buffers: DmaJson[] };
}

interface DmaJson {
  number: number;
  device: string;
  bus: Hex;
  length_bytes: Hex;
  way: number;
  direction: number;
}

/** Encodes the state before a block: the living mappings, and the names of those of `sites` that have one. */
export function encodeState(state: TraceState, sites: Iterable<bigint>): Uint8Array {
  const symbols: StateJson["symbols"] = {};
  for (const site of sites) {
    const text = state.symbolOf(site);
    if (text !== undefined) symbols[hex(site)] = text;
  }
  const mappings = [...state.mappings.values()].map((mapping) => ({
    id: mapping.id,
    address: hex(mapping.address),
    length_bytes: hex(mapping.length_bytes),
    decoy: hex(mapping.decoy),
    memoryType: memoryTypes.indexOf(mapping.memoryType),
    site: hex(mapping.site),
  }));
  const dma = dmaJson(state.dma);
  return encoder.encode(JSON.stringify({ mappings, symbols, ...(dma && { dma }) } satisfies StateJson));
}

function dmaJson(dma: DmaBuffers): StateJson["dma"] {
  if (dma.next === 1) return undefined;
  const buffers = [...dma.values()].map(({ number, device, bus, length_bytes, way, direction }) => ({
    ...{ number, device, bus: hex(bus), length_bytes: hex(length_bytes) },
    ...{ way: dmaWays.indexOf(way), direction: dmaDirections.indexOf(direction) },
  }));
  return { next: dma.next, buffers };
}

function* dmaOfJson(buffers: readonly DmaJson[]): Iterable<DmaBuffer> {
  for (const { number, device, bus, length_bytes, way, direction } of buffers) {
    yield {
      ...{ number, device, bus: BigInt(bus), length_bytes: BigInt(length_bytes) },
      ...{ way: dmaWays[way] ?? "streaming", direction: dmaDirections[direction] ?? "both" },
    };
  }
}

/** Throws BlockError if this isn't the state before a block. */
export function checkState(raw: Uint8Array): void {
  parseAs<StateJson>(raw, isState, "block state");
}

/** Sets `state` to the state before a block. Throws BlockError. */
export function applyState(raw: Uint8Array, state: TraceState): void {
  const { mappings, symbols, dma } = parseAs<StateJson>(raw, isState, "block state");
  for (const [site, text] of Object.entries(symbols)) state.nameSite(BigInt(site), text);
  state.dma.reset(dma?.next ?? 1, dmaOfJson(dma?.buffers ?? []));
  state.mappings.clear();
  for (const mapping of mappings) {
    const living: LivingMapping = {
      id: mapping.id,
      address: BigInt(mapping.address),
      length_bytes: BigInt(mapping.length_bytes),
      decoy: BigInt(mapping.decoy),
      memoryType: memoryTypes[mapping.memoryType] ?? "other",
      site: BigInt(mapping.site),
    };
    state.mappings.set(living.id, living);
  }
}
