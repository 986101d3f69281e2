// One job of check:rewrite, in a thread of its own: rewrites some modules, and proves each.
import { basename } from "node:path";
import { parentPort } from "node:worker_threads";
import { accessCheck } from "../../src/rewrite/access-check.js";
import type { Instrumentation } from "../../src/rewrite/instrumentation.js";
import { RewriteRefusal } from "../../src/rewrite/refusal.js";
import { rewriteModule } from "../../src/rewrite/rewrite-module.js";
import { probe, proveProbe } from "../test-support/rewrite-probe.js";
import { decompressedFile } from "./executable-code.js";
import { type InsertedCodeProof, proveRewriting } from "./rewrite-proof/prove.js";
import { proveChecks } from "./rewrite-proof/prove-checks.js";

export interface RewriteOutcome {
  proven: number;
  /** The refusals, as sentences. */
  refused: string[];
  mistakes: string[];
  /** Operands in memory, where the probe was put in. */
  places: number;
  /** Those of them that got a check of the address. */
  checks: number;
  /** Time in the rewriter alone. */
  rewriting_ms: number;
}

/** The probe moves everything; the checks are what drivers run with. */
const instrumentations: [Instrumentation, InsertedCodeProof][] = [
  [probe, proveProbe],
  [accessCheck({ crc: undefined }), proveChecks(undefined)],
];

/** Rewrites and proves modules, with the probe and with checks of accesses. */
export function runRewriteJob(files: readonly string[]): RewriteOutcome {
  const outcome: RewriteOutcome = { proven: 0, refused: [], mistakes: [], places: 0, checks: 0, rewriting_ms: 0 };
  for (const file of files) {
    const original = decompressedFile(file);
    try {
      const mistakes = instrumentations.flatMap((one) => rewriteAndProve(outcome, basename(file), original, one));
      outcome.mistakes.push(...mistakes);
      if (mistakes.length === 0) outcome.proven += 1;
    } catch (error) {
      if (!(error instanceof RewriteRefusal)) throw error;
      outcome.refused.push(error.message);
    }
  }
  return outcome;
}

function rewriteAndProve(
  outcome: RewriteOutcome,
  name: string,
  original: Uint8Array,
  [instrumentation, proveInserted]: [Instrumentation, InsertedCodeProof],
): string[] {
  const begin_ms = performance.now();
  const rewritten = rewriteModule(name, original, instrumentation);
  outcome.rewriting_ms += performance.now() - begin_ms;
  const places = rewritten.inserted.filter(({ kind }) => kind === "before").length;
  if (instrumentation === probe) outcome.places += places;
  else outcome.checks += places;
  return proveRewriting(name, original, rewritten, proveInserted);
}

parentPort?.on("message", (files: string[]) => parentPort?.postMessage(runRewriteJob(files)));
