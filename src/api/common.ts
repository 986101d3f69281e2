// The part of the library that Node and pages have alike.
export { FilterError } from "../analysis/filter/filter-error.js";
export { UnfinishedFenceError } from "../analysis/verify/unfinished-fence.js";
export { AmbiguousNameError, FormatError, InvalidValueError, UnknownNameError, UserError } from "../base/errors.js";
export { Btf, type BtfOptions } from "../btf/btf.js";
export type { BtfKind } from "../btf/layout.js";
export type {
  BtfArray,
  BtfComposite,
  BtfDeclarationTag,
  BtfEnum,
  BtfFloat,
  BtfForward,
  BtfFunction,
  BtfFunctionType,
  BtfInt,
  BtfLinkage,
  BtfMember,
  BtfParameter,
  BtfPrototype,
  BtfReference,
  BtfSection,
  BtfType,
  BtfTypedef,
  BtfTypeId,
  BtfTypeTag,
  BtfUnknown,
  BtfVariable,
  BtfVoid,
} from "../btf/types.js";
export { type DmaDirection, type DmaWay, dmaDirections, dmaWays } from "../trace/dma-kinds.js";
export { type Context, type FlagName, flagNames } from "../trace/flags.js";
export type { TraceUpdate } from "../trace/header.js";
export { inputFormats } from "../trace/import/formats.js";
export { type MemoryType, memoryTypes, RecordFlag } from "../trace/record.js";
export { type AddressSpace, addressSpaces } from "../trace/space.js";
export { type UnrecordedWay, unrecordedWays } from "../trace/unrecorded.js";
export {
  type AccessText,
  type ComparedBy,
  type CpuStatistics,
  type DeviceComparison,
  type DeviceStatistics,
  type DifferenceKind,
  type DiffOptions,
  type DiffResult,
  type DmaStatistics,
  diff,
  findPolls,
  type InterruptStatistics,
  type Poll,
  type PollStatistics,
  type RegionResult,
  type RegisterStatistics,
  type ReportedDifference,
  type SequenceEntry,
  type SiteStatistics,
  type Statistics,
  statistics,
  type TallyResult,
  type TraceDifference,
  type ValueMask,
  type VerifyOptions,
  type VerifyResult,
} from "./analysis.js";
export {
  type AccessEvent,
  type DmaEventBase,
  type DmaMapEvent,
  type DmaPlace,
  type DmaUnmapEvent,
  type EscapeEvent,
  type EventBase,
  type InterruptEvent,
  type LostEvent,
  type MapEvent,
  type MarkEvent,
  type ModuleEvent,
  type Place,
  placeName,
  type Site,
  type TraceEvent,
  type UnknownEvent,
  type UnmapEvent,
  type UnrecordedEvent,
} from "./events.js";
export type { InputFormat, OpenOptions, TraceBytes } from "./open.js";
export {
  type FieldValue,
  type RegisterChoice,
  type RegisterPlace,
  type RegisterQuery,
  Registers,
} from "./registers.js";
export {
  type AccessColumns,
  type Bar,
  type Bound,
  type Damage,
  type EventSelection,
  Filter,
  type FollowSelection,
  type Hex,
  type KernelModule,
  type PciFunction,
  type Selection,
  Trace,
  type TraceHeader,
  type TraceSummary,
} from "./trace.js";
export { type Ending, type NewEvent, type NewEventBase, type NewSite, TraceWriter } from "./writing.js";
