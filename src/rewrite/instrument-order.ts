// The messages between a command and the thread that rewrites for it, and the names that both of them need. Loads no decoder.

/** The core's function that rewritten modules call: core/kernel/rewritten.c. */
export const coreEntry = "mms_rewritten_access_2";

/** The accesses whose instructions can be rewritten: plain loads and stores of device memory; instructions on I/O ports. */
export const accessKinds = ["mmio", "ports"] as const;
export type AccessKind = (typeof accessKinds)[number];

export interface InstrumentOrder {
  /** Named in errors. */
  file: string;
  /** Decompressed. */
  content: Uint8Array;
  /** The checksum of the core's function in its Module.symvers; undefined for a kernel without such versions. */
  crc: number | undefined;
  accesses: readonly AccessKind[];
  /** Functions to which checks are confined; none for all of the module. */
  only: readonly string[];
  /** Instructions to which checks are confined, as `function+0x1a`; undefined for all. */
  sites: readonly string[] | undefined;
}

export type InstrumentAnswer =
  | { kind: "made"; bytes: Uint8Array; checks: number }
  | { kind: "refused"; section: string; offset: number; reason: string }
  | { kind: "broken"; what: string; offset: number | undefined }
  | { kind: "unknown"; given: string; known: readonly string[] };
