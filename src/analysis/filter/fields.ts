// The fields of events in filters: each field's name, kind and reading function. docs/filter.md describes them.
import { dmaName, dmaPlaceText } from "../../trace/dma.js";
import { resultWords } from "../../trace/event-words.js";
import type { LackableFact } from "../../trace/header.js";
import { RecordFlag } from "../../trace/record.js";
import { addressSpaces } from "../../trace/space.js";
import { namesOf } from "../view/device-names.js";
import type { EventView } from "../view/event-view.js";

/** A field's value is undefined if the event has none. */
export type FilterField =
  | { kind: "number"; read: (view: EventView) => bigint | undefined }
  | { kind: "time"; read: (view: EventView) => number }
  | {
      kind: "text";
      /** All names of the thing: one that fits is enough. */
      read: (view: EventView) => readonly string[];
      /** If only some texts can occur: those, each with its meaning. */
      known?: ReadonlyMap<string, string>;
    };

const none: readonly string[] = [];
const number = (value: number | null) => (value === null ? undefined : BigInt(value));
const one = (text: string | undefined | null) => (text === undefined || text === null ? none : [text]);

const operations = new Map(
  [
    ...["read", "write", "map", "unmap", "mark", "lost", "escape", "module", "unrecorded"],
    ...["interrupt", "dma-map", "dma-unmap", "unknown"],
  ].map((name) => [name, name]),
);
operations.set("r", "read").set("w", "write");

const contexts = new Map(["task", "hardirq", "softirq", "nmi"].map((name) => [name, name]));

const spaces = new Map(addressSpaces.map((name) => [name, name]));

/** Returns `PORT[0].SACT,PORT[0].CI` as a whole, and each of its names. */
function registerNames(name: string | undefined): readonly string[] {
  if (name === undefined) return none;
  return name.includes(",") ? [name, ...name.split(",").map((part) => part.trim())] : [name];
}

/** Returns the symbol in all its forms, and the address. */
function siteNames(view: EventView): readonly string[] {
  const { site } = view;
  return site === undefined || site === 0n ? none : [...view.siteNames, `0x${site.toString(16)}`];
}

/** The same of the caller. */
function callerNames(view: EventView): readonly string[] {
  return view.caller === 0n ? none : [...view.callerNames, `0x${view.caller.toString(16)}`];
}

/** Returns the site's module, and the caller's. */
function moduleNames({ module, callerModule }: EventView): readonly string[] {
  return [...one(module), ...one(callerModule)];
}

function vectorOf({ event }: EventView): bigint | undefined {
  return event.kind === "interrupt" && event.vector !== 0 ? BigInt(event.vector) : undefined;
}

/** Returns the names of the DMA buffers that the event begins, ends, or has an address in, with the way and the direction of the former. */
function dmaNames({ event, dmaPlace }: EventView): readonly string[] {
  if (event.kind === "dma-map") return [dmaName(event.buffer), event.way, event.direction];
  if (event.kind === "dma-unmap") return [...event.buffers.map(dmaName), event.way, event.direction];
  return dmaPlace === undefined ? none : [dmaName(dmaPlace.buffer.number), dmaPlaceText(dmaPlace)];
}

function textOf(view: EventView): string | undefined {
  const { event } = view;
  if (event.kind === "mark") return event.text;
  if (event.kind === "unrecorded") return event.way;
  if (event.kind === "interrupt") return event.phase === "entry" ? "entry" : `exit: ${resultWords(event)}`;
  return event.kind === "module" ? event.name : undefined;
}

export const fields: ReadonlyMap<string, FilterField> = new Map<string, FilterField>([
  ["time", { kind: "time", read: (view) => view.time_s }],
  ["event", { kind: "number", read: (view) => BigInt(view.event.number) }],
  ["cpu", { kind: "number", read: (view) => number(view.cpu) }],
  ["pid", { kind: "number", read: (view) => number(view.pid) }],
  ["op", { kind: "text", read: (view) => [view.event.kind], known: operations }],
  ["context", { kind: "text", read: (view) => one(view.context), known: contexts }],
  ["width", { kind: "number", read: ({ access }) => (access === undefined ? undefined : BigInt(access.width_bytes)) }],
  ["space", { kind: "text", read: ({ space }) => one(space), known: spaces }],
  ["address", { kind: "number", read: (view) => view.address }],
  ["device", { kind: "text", read: ({ function: found }) => (found === undefined ? none : namesOf(found)) }],
  ["driver", { kind: "text", read: ({ function: found }) => one(found?.driver) }],
  ["bar", { kind: "number", read: ({ place }) => (place === undefined ? undefined : BigInt(place.bar)) }],
  ["offset", { kind: "number", read: ({ place }) => place?.offset }],
  ["register", { kind: "text", read: ({ register }) => registerNames(register?.name) }],
  ["value", { kind: "number", read: ({ access }) => access?.value }],
  ["meaning", { kind: "text", read: ({ meaning }) => one(meaning) }],
  ["site", { kind: "text", read: siteNames }],
  ["caller", { kind: "text", read: callerNames }],
  ["module", { kind: "text", read: moduleNames }],
  ["mapping", { kind: "number", read: ({ event }) => ("mapping" in event ? BigInt(event.mapping) : undefined) }],
  ["irq", { kind: "number", read: ({ event }) => (event.kind === "interrupt" ? BigInt(event.irq) : undefined) }],
  ["vector", { kind: "number", read: vectorOf }],
  ["bus", { kind: "number", read: ({ event }) => ("bus" in event ? event.bus : undefined) }],
  ["dma", { kind: "text", read: dmaNames }],
  ["text", { kind: "text", read: (view) => one(textOf(view)) }],
]);

/** Words that are complete conditions. */
export const conditions: ReadonlyMap<string, (view: EventView) => boolean> = new Map<
  string,
  (view: EventView) => boolean
>([
  ["read", ({ event }) => event.kind === "read"],
  ["write", ({ event }) => event.kind === "write"],
  ["access", ({ access }) => access !== undefined],
  ["locked", ({ event }) => (event.flags & RecordFlag.locked) !== 0],
  ["string", ({ event }) => (event.flags & RecordFlag.string) !== 0],
  ["user", ({ event }) => (event.flags & RecordFlag.user) !== 0],
  ["unordered", ({ event }) => (event.flags & RecordFlag.unordered) !== 0],
]);

/** The facts that fields and conditions read, of those that a log may lack. */
export const factsOfFields: ReadonlyMap<string, LackableFact> = new Map<string, LackableFact>([
  ...(["cpu", "pid", "context", "mapping", "address", "site", "caller"] as const).map((fact) => [fact, fact] as const),
  ["module", "site"],
  ...["locked", "string", "user", "unordered"].map((condition) => [condition, "flags"] as const),
]);

/** Fields that only accesses to known devices have. */
export const deviceFields: readonly string[] = ["device", "driver", "bar", "offset", "register", "meaning"];
