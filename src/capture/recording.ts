// What every engine's recording has in common: how it is asked for, what it says while it runs, and how it ends.
import type { UserError } from "../base/errors.js";
import type { KernelMapping } from "../machine/vmallocinfo.js";
import type { UnprivilegedUser } from "./feed/unprivileged-user.js";
import type { RecordingScope } from "./recording-scope.js";

/** A key to sign a kernel module with, and its certificate. */
export interface SigningKey {
  /** The private key's file, PEM; a PKCS #11 URI where sign-file was built for those. */
  key: string;
  /** The certificate's file, PEM or DER: the kernel must trust it. */
  certificate: string;
}

/** What only some engines offer; undefined or absent where it isn't asked for. */
export interface EngineOptions {
  /** CPUs may access devices at once; the order between CPUs isn't kept. */
  relaxed?: boolean | undefined;
  /** No addresses of instructions and no symbols are recorded. */
  cleanRoom?: boolean | undefined;
  excludeWriteCombining?: boolean | undefined;
  /** The core's file, in place of the one that is built for the kernel. */
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
  /** Who reads the records and writes the trace, in a process without root's rights; undefined: this process. */
  user: UnprivilegedUser | undefined;
  /** What not every engine offers. */
  engineOptions: EngineOptions;
  /** A line for the user, while it goes on. */
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
  /** Mappings that were recorded since the start. */
  mappings: number;
  /** Why the trace isn't complete, a sentence each. */
  incomplete: string[];
  /** Why the trace could not be written to its end, or undefined. */
  failure: UserError | undefined;
  /** What else went wrong, a sentence each. */
  problems: string[];
}

export interface Recording {
  /** Settles when the recording can't go on: the trace can't be written any more. */
  readonly broken: Promise<void>;
  /** The mappings that were made before recording began: accesses through them are not recorded. */
  readonly earlyMappings: readonly KernelMapping[];
  progress(): RecordingProgress;
  /** Stops, takes what is left, and closes the trace. */
  stop(): Promise<RecordingResult>;
}
