// The results of an evaluation, as they are kept in a file while it goes on: what is known is not measured again.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { messageOf, UserError } from "../../src/base/errors.js";
import { finishedFile } from "../../src/base/finished-output.js";
import type { CostLine } from "../bench/access-cost.js";
import type { Makers, Target } from "./access-sites.js";
import type { GraphicsModule } from "./graphics-text.js";
import type { FormClass } from "./instruction-forms.js";

/** The ways of a run whose results are shown. */
export const ways = ["bare", "emulate", "instrument", "mmiotrace"] as const;
export type Way = (typeof ways)[number];

/** A workload in one way. */
export interface WayResult {
  /** Null if it didn't end well. */
  time_s: number | null;
  /** In the trace; 0 without recording. */
  accesses: number;
  /** Those of them to regions of which QEMU logs nothing. */
  unlogged: number;
  lost: number;
  /** Escapes; under mmiotrace UNKNOWN. */
  escaped: number;
  /** Those that rewritten modules made. */
  withoutFault: number;
  /** With QEMU's log; null without recording. */
  identical: boolean | null;
  workload: boolean;
  /** As in /sys/devices/system/cpu/online, when the workload had ended. */
  cpusOnline: string;
  /** The machine died. */
  gone: boolean;
  reasons: string[];
}

/** The accesses of one form to one target. */
export interface FormCount {
  /** "" for accesses whose instruction isn't known. */
  form: string;
  class: FormClass | "unknown";
  mmiotraceDecodes: boolean;
  isRewritten: boolean;
  target: Target;
  accesses: number;
  /** The instructions: `e1000_intr+0x12/0x200 [e1000]`. */
  sites: string[];
}

export interface DriverResult {
  driver: string;
  ways: Partial<Record<Way, WayResult>>;
  /** The reason why engine instrument can't record it. */
  notRewritten: string | null;
  /** Faults that can't be told to be of one way: of the picture, the keys, the sound. */
  faults: string[];
  /** Of engine emulate's trace; null if there is none. */
  makers: Record<Target, Makers> | null;
  /** Accesses to ports and configuration space in it. */
  elsewhere: number;
  forms: FormCount[];
}

export interface Evaluation {
  layout: typeof layout;
  /** The measured core, by its file: others can't go on with these results. */
  core: string;
  kernel: string;
  release: string;
  cpus: number;
  /** Dates in ISO's form; `finished` is null while it goes on. */
  begun: string;
  finished: string | null;
  /** The machine below the lab's. */
  processors: number;
  processor: string;
  qemu: string;
  /** By the cases' names. */
  drivers: Record<string, DriverResult>;
  costs: { timed: CostLine[]; counted: CostLine[] } | null;
  graphics: GraphicsModule[] | null;
}

/** The number of this file's layout. */
export const layout = 1;

/** Reads the results kept in `file`; undefined if there are none, or those of another layout. Throws UserError. */
export function keptResults(file: string): Evaluation | undefined {
  if (!existsSync(file)) return undefined;
  let kept: Evaluation;
  try {
    kept = JSON.parse(readFileSync(file, "utf8")) as Evaluation;
  } catch (error) {
    throw new UserError(`the results in ${file} can't be read: ${messageOf(error)}`, {
      advice: "--fresh begins anew",
    });
  }
  return kept.layout === layout ? kept : undefined;
}

/** True for results that can be gone on with: unfinished, and of the same core, kernel and CPUs. */
export function canGoOn(kept: Evaluation, of: Pick<Evaluation, "core" | "release" | "cpus">): boolean {
  return kept.finished === null && kept.core === of.core && kept.release === of.release && kept.cpus === of.cpus;
}

/** Writes the results; a reader sees the former ones or these. */
export async function keepResults(file: string, evaluation: Evaluation): Promise<void> {
  mkdirSync(dirname(file), { recursive: true });
  await finishedFile(file, async (temporary) => writeFileSync(temporary, `${JSON.stringify(evaluation)}\n`));
}

/** True if nothing in the result speaks against one of our engines. mmiotrace may lose accesses. */
export function isGood({ ways: found, faults, notRewritten }: DriverResult): boolean {
  const ours: Way[] = ["bare", "emulate", ...(notRewritten === null ? (["instrument"] as const) : [])];
  return (
    faults.length === 0 &&
    ours.every((way) => {
      const result = found[way];
      return result?.workload === true && result.identical !== false && result.lost === 0 && result.escaped === 0;
    })
  );
}
