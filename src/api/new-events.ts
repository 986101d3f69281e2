// The events that users write, with each field's limit; new-event-checks.ts checks them.
import type { DmaDirection, DmaWay } from "../trace/dma-kinds.js";
import type { Context, FlagName } from "../trace/flags.js";
import type { MemoryType } from "../trace/record.js";
import type { AddressSpace } from "../trace/space.js";
import type { UnrecordedWay } from "../trace/unrecorded.js";

/** Fields of all events to be written. `tsc` counts if both times are given; without either the event has no time. */
export interface NewEventBase {
  /** The time stamp counter, below 2^64: see `header.clock`. 0 is no time. */
  readonly tsc?: bigint | undefined;
  /** Seconds since recording began, from 0 on; null is no time. */
  readonly time_s?: number | null | undefined;
  /** 0 to 65,535; default: 0, also for null if it is an access. Other events may have none: null. */
  readonly cpu?: number | null | undefined;
  /** 0 to 2^32 - 1; default, also for null: 0. */
  readonly pid?: number | null | undefined;
  /** Default, also for null: `task`. */
  readonly context?: Context | null | undefined;
  /** Any of `flagNames`; default: none. */
  readonly flags?: readonly FlagName[] | undefined;
}

/** An instruction's address and symbol. */
export interface NewSite {
  /** Below 2^64; 0 is no site. */
  readonly address: bigint;
  /** `function+0x12 [module]`, of at most 16,384 bytes. */
  readonly symbol?: string | null | undefined;
}

/**
 * An event to be written. Events of `Trace.events()` are such events, too; unknown ones are refused. Numbers are integers, and
 * bigints where the types say so.
 */
export type NewEvent = NewEventBase &
  (
    | {
        readonly kind: "read" | "write";
        /** Physical, below 2^52; or a port's number, below 2^16. */
        readonly address: bigint;
        /** Default: `memory`. */
        readonly space?: AddressSpace | undefined;
        /** 1, 2, 4, 8, 16, 32 or 64. */
        readonly width_bytes: number;
        /** Unsigned, and of no more than `width_bytes`. */
        readonly value: bigint;
        readonly site?: NewSite | null | undefined;
        /** The place in the driver from which the site was called: kernel text, 2^64 - 2^32 or above. */
        readonly caller?: NewSite | null | undefined;
        /** The mapping's number, below 2^32; default: 0, which is none. */
        readonly mapping?: number | undefined;
      }
    | {
        readonly kind: "map";
        /** 1 to 2^32 - 1, and no other living mapping's. */
        readonly mapping: number;
        /** Physical, below 2^52; or a port's number, below 2^16. */
        readonly address: bigint;
        /** Default: `memory`. */
        readonly space?: AddressSpace | undefined;
        /** 1 to 2^64 - 1. */
        readonly length_bytes: bigint;
        /** Below 2^64; default: 0. */
        readonly decoy?: bigint | undefined;
        /** One of `memoryTypes`; default: `uncached`. */
        readonly memoryType?: MemoryType | undefined;
        readonly site?: NewSite | null | undefined;
      }
    | {
        readonly kind: "unmap";
        /** Below 2^32. */
        readonly mapping: number;
        /** Physical, below 2^52; or a port's number, below 2^16. */
        readonly address: bigint;
        /** Default: `memory`. */
        readonly space?: AddressSpace | undefined;
        /** Below 2^64; 0 is unknown. */
        readonly length_bytes: bigint;
        /** Below 2^64; default: 0. */
        readonly decoy?: bigint | undefined;
      }
    | {
        readonly kind: "mark";
        /** At most 16,384 bytes in UTF-8. */
        readonly text: string;
      }
    | {
        readonly kind: "lost";
        /** Not negative. */
        readonly count: number;
      }
    | {
        readonly kind: "escape";
        /** Physical, below 2^52; or a port's number, below 2^16. */
        readonly address: bigint;
        /** Default: `memory`. */
        readonly space?: AddressSpace | undefined;
        /** The mapping's number, below 2^32; default: 0, which is none. */
        readonly mapping?: number | undefined;
        readonly site?: NewSite | null | undefined;
        /** As an access's. */
        readonly caller?: NewSite | null | undefined;
        /** Lower-case hexadecimal digits of at most 15 bytes. */
        readonly instruction: string;
      }
    | {
        readonly kind: "module";
        /** At most 16,384 bytes in UTF-8. */
        readonly name: string;
        /** Below 2^64. */
        readonly textAddress: bigint;
        /** Below 2^32. */
        readonly text_bytes: number;
        readonly gone: boolean;
      }
    | {
        readonly kind: "unrecorded";
        /** Physical, below 2^52. */
        readonly address: bigint;
        /** Below 2^64. */
        readonly length_bytes: bigint;
        /** One of `unrecordedWays`. */
        readonly way: UnrecordedWay;
        /** 1 to 2^53 - 1; default: 1. */
        readonly calls?: number | undefined;
        readonly site?: NewSite | null | undefined;
      }
    | {
        readonly kind: "interrupt";
        readonly phase: "entry" | "exit";
        /** A PCI function's address: `0000:00:04.0` */
        readonly device: string;
        /** Below 2^32. */
        readonly irq: number;
        /** 0 to 255; default, also for null: 0, which is none. */
        readonly vector?: number | null | undefined;
        /** Default: false. */
        readonly handled?: boolean | undefined;
        /** Default: false. */
        readonly wakesThread?: boolean | undefined;
        readonly site?: NewSite | null | undefined;
      }
    | {
        readonly kind: "dma-map";
        /** A PCI function's address: `0000:00:04.0` */
        readonly device: string;
        /** Below 2^64. */
        readonly bus: bigint;
        /** Below 2^52; default, also for null: 0, which is unknown. */
        readonly physical?: bigint | null | undefined;
        /** Below 2^48. */
        readonly length_bytes: bigint;
        /** One of `dmaWays`. */
        readonly way: DmaWay;
        /** One of `dmaDirections`. */
        readonly direction: DmaDirection;
        readonly site?: NewSite | null | undefined;
        /** As an access's. */
        readonly caller?: NewSite | null | undefined;
      }
    | {
        readonly kind: "dma-unmap";
        /** A PCI function's address: `0000:00:04.0` */
        readonly device: string;
        /** Below 2^64. */
        readonly bus: bigint;
        /** Below 2^48. */
        readonly length_bytes: bigint;
        /** One of `dmaWays`. */
        readonly way: DmaWay;
        /** One of `dmaDirections`. */
        readonly direction: DmaDirection;
        readonly site?: NewSite | null | undefined;
        /** As an access's. */
        readonly caller?: NewSite | null | undefined;
      }
    | { readonly kind: "unknown" }
  );
