// Shared by all engines' recordings: the request, the progress, and the result.
import type { AddressRange } from "../base/address-range.js";
import type { UserError } from "../base/errors.js";
import type { KernelMapping } from "../machine/vmallocinfo.js";
import type { AccessKind } from "../rewrite/instrument-order.js";
import type { UnprivilegedUser } from "./feed/unprivileged-user.js";
import type { RecordingScope } from "./recording-scope.js";

/** A key to sign a kernel module with, and its certificate. */
export interface SigningKey {
  /** The private key's file, PEM; or a PKCS #11 URI if sign-file supports those. */
  key: string;
  /** The certificate's file, PEM or DER: the kernel must trust it. */
  certificate: string;
}

/** Options that only some engines offer; undefined or absent if not requested. */
export interface EngineOptions {
  /** CPUs may access devices at the same time; the order between CPUs isn't kept. */
  relaxed?: boolean | undefined;
  /** No addresses of instructions and no symbols are recorded. */
  cleanRoom?: boolean | undefined;
  /** Mappings that touch these physical addresses aren't recorded. */
  exclude?: readonly AddressRange[] | undefined;
  excludeWriteCombining?: boolean | undefined;
  /** Accesses to the functions' configuration space aren't recorded. */
  withoutConfiguration?: boolean | undefined;
  /** The functions' interrupts aren't recorded. */
  withoutInterrupts?: boolean | undefined;
  /** Memory that is given to the functions for direct access isn't recorded. */
  withoutDma?: boolean | undefined;
  /** The accesses whose instructions are rewritten; all kinds by default. */
  accesses?: readonly AccessKind[] | undefined;
  /** A former trace: only its sites are rewritten. */
  profile?: string | undefined;
  /** The core's file, instead of the one built for the kernel. */
  coreFile?: string | undefined;
  /** Signs the core before it is loaded. */
  sign?: SigningKey | undefined;
}

export interface RecordingRequest {
  scope: RecordingScope;
  ring_bytes: number;
  /** Unbind the scope's functions before the start and bind them after it. */
  rebind: boolean;
  commandLine: string[];
  /** The trace's file, made once recording has begun; `-` is standard output. */
  output: string;
  /** The user whose process, without root's rights, reads the records and writes the trace; undefined: this process. */
  user: UnprivilegedUser | undefined;
  /** Options that not every engine offers. */
  engineOptions: EngineOptions;
  /** Gets lines for the user during the recording. */
  onNotice: (line: string) => void;
}

export interface RecordingProgress {
  accesses: number;
  lost: number;
  escaped: number;
  /** Recorded mappings alive now. */
  mappings: number;
}

export interface RecordingResult {
  accesses: number;
  lost: number;
  escaped: number;
  missed: number;
  /** Mappings of wanted memory made in ways that give no decoy. */
  unrecorded: number;
  /** Number of mappings recorded since the start. */
  mappings: number;
  /** Accesses that rewritten drivers made without a fault; undefined for an engine without any. */
  withoutFault?: number;
  /** The reasons why the trace is incomplete, one sentence each. */
  incomplete: readonly string[];
  /** The reason why the trace couldn't be written to its end, or undefined. */
  failure: UserError | undefined;
  /** Other problems, one sentence each. */
  problems: string[];
}

export interface Recording {
  /** Settles if the recording can't go on because the trace can't be written any more. */
  readonly broken: Promise<void>;
  /** The mappings made before recording began: accesses through them are not recorded. */
  readonly earlyMappings: readonly KernelMapping[];
  /** Those made in other ways than ioremap(), for processes for example: the beginning of a sentence about each. */
  readonly earlyOthers: readonly string[];
  progress(): RecordingProgress;
  /** Stops, reads the remaining records, and closes the trace. */
  stop(): Promise<RecordingResult>;
}
