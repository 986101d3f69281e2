// The options of `mmiostrider record`: their values, and the checks before anything is started.
import { accessSync, constants, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { messageOf, UserError } from "../../base/errors.js";
import type { Engine, EngineOption } from "../../capture/engine.js";
import { findUnoffered } from "../../capture/engines.js";
import type { EngineOptions, SigningKey } from "../../capture/recording.js";
import type { RecordingScope } from "../../capture/recording-scope.js";
import type { AccessKind } from "../../rewrite/instrument-order.js";
import { requireTraceName } from "../../trace/node/create-trace.js";
import { UsageError } from "./exit-code.js";

/** Limits of the core, docs/control-device.md. */
const ringMin_bytes = 65_536;
const ringMax_bytes = 1024 ** 3;
/** Limits of the default, which is a part of the free memory. */
const ringDefault = { part: 1 / 16, min_bytes: 4 * 1024 ** 2, max_bytes: 256 * 1024 ** 2 };
/** FILE for standard output. */
export const stdout = "-";

export interface RecordOptions {
  engine: string;
  device?: string[];
  driver?: string[];
  range?: string[];
  all?: true;
  exclude?: string[];
  excludeMemory?: true;
  excludeWc?: true;
  /** Not given as --no-config. */
  config: boolean;
  /** Not given as --no-interrupts. */
  interrupts: boolean;
  /** Not given as --no-dma. */
  dma: boolean;
  ringSize?: number;
  relaxed?: true;
  cleanRoom?: true;
  rebind?: true;
  accesses?: AccessKind[];
  profile?: string;
  core?: string;
  signKey?: string;
  signCert?: string;
  duration?: number;
  relinquishPrivileges?: string;
  output?: string;
  json?: true;
}

/** Parses `65536`, `64K`, `16M`, `1G`. Throws UsageError. */
export function parseRingSize(text: string): number {
  const match = /^(\d{1,12})([KMG]?)(?:i?B)?$/i.exec(text);
  const unit = { "": 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 }[match?.[2]?.toUpperCase() ?? ""];
  const bytes = Number(match?.[1]) * (unit ?? Number.NaN);
  if (!(bytes >= ringMin_bytes && bytes <= ringMax_bytes)) {
    throw new UsageError(`--ring-size ${text}: not a size from 64K to 1G`, { advice: "for example: --ring-size 64M" });
  }
  return bytes;
}

/** Returns the ring's size for a machine with that much free memory: a power of two, as the core's rings are. */
export function ringDefault_bytes(free_bytes: number): number {
  const { part, min_bytes, max_bytes } = ringDefault;
  return Math.min(Math.max(2 ** Math.floor(Math.log2(free_bytes * part)), min_bytes), max_bytes);
}

export function parseDuration(text: string): number {
  const seconds = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  // Node's timers count milliseconds in 31 bits.
  if (!(seconds > 0 && seconds * 1000 < 2 ** 31)) throw new UsageError(`--duration ${text}: not a number of seconds`);
  return seconds;
}

/** The command line's option for each of the engines' own options. */
const flags: Record<EngineOption, string> = {
  relaxed: "--relaxed",
  cleanRoom: "--clean-room",
  exclude: "--exclude",
  excludeWriteCombining: "--exclude-wc",
  withoutConfiguration: "--no-config",
  withoutInterrupts: "--no-interrupts",
  withoutDma: "--no-dma",
  accesses: "--accesses",
  profile: "--profile",
  coreFile: "--core",
  sign: "--sign-key",
};

/** Returns the engine's own options. Throws UsageError for one that it doesn't offer. */
export function requireOffered(engine: Engine, options: RecordOptions, scope: RecordingScope): EngineOptions {
  const asked: EngineOptions = {
    relaxed: options.relaxed,
    cleanRoom: options.cleanRoom,
    exclude: scope.leftOut.length > 0 || options.excludeMemory === true ? scope.leftOut : undefined,
    excludeWriteCombining: options.excludeWc,
    withoutConfiguration: options.config ? undefined : true,
    withoutInterrupts: options.interrupts ? undefined : true,
    withoutDma: options.dma ? undefined : true,
    accesses: options.accesses,
    profile: options.profile,
    coreFile: options.core === undefined ? undefined : resolve(options.core),
    sign: signingKey(options),
  };
  const unoffered = findUnoffered(engine, asked);
  if (unoffered === undefined) return asked;
  throw new UsageError(`${flags[unoffered]} isn't for engine ${engine.name}: ${engine.limits}`);
}

/** Throws UserError unless this process has the rights that the engine needs. */
export function requireRoot(engine: Engine): void {
  if (process.geteuid?.() === 0) return;
  throw new UserError(`recording needs root: ${engine.rootFor}`, { advice: "try again with sudo" });
}

/** Throws UserError if the trace can't be made there, before anything is started; makes nothing. */
export function requireWritable(output: string): void {
  if (output === stdout) {
    if (process.stdout.isTTY === true) throw new UsageError("a trace is binary: it isn't written to a terminal");
    return;
  }
  requireTraceName(output);
  try {
    const there = statSync(output, { throwIfNoEntry: false });
    if (there?.isDirectory() === true) throw new Error("it is a folder");
    accessSync(there === undefined ? dirname(resolve(output)) : output, constants.W_OK);
  } catch (error) {
    throw new UserError(`writing the trace ${output} isn't possible: ${messageOf(error)}`, { cause: error });
  }
}

/** Returns the key to sign the core with, or undefined. Throws UsageError if half of it is missing. */
function signingKey({ signKey, signCert }: RecordOptions): SigningKey | undefined {
  if (signKey === undefined && signCert === undefined) return undefined;
  if (signKey === undefined || signCert === undefined) {
    throw new UsageError("--sign-key and --sign-cert belong together: the key signs, the certificate says whose it is");
  }
  const path = (file: string) => (file.startsWith("pkcs11:") ? file : resolve(file));
  return { key: path(signKey), certificate: path(signCert) };
}
