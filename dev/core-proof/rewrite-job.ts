// One job of check:rewrite, in a thread of its own: rewrites some modules, and proves each.
import { basename } from "node:path";
import { parentPort } from "node:worker_threads";
import { RewriteRefusal } from "../../src/rewrite/refusal.js";
import { rewriteModule } from "../../src/rewrite/rewrite-module.js";
import { probe, proveProbe } from "../test-support/rewrite-probe.js";
import { decompressedFile } from "./executable-code.js";
import { proveRewriting } from "./rewrite-proof/prove.js";

export interface RewriteOutcome {
  proven: number;
  /** The refusals, as sentences. */
  refused: string[];
  mistakes: string[];
  /** Places where code was put in. */
  places: number;
  /** Time in the rewriter alone. */
  rewriting_ms: number;
}

/** Rewrites and proves modules. */
export function runRewriteJob(files: readonly string[]): RewriteOutcome {
  const outcome: RewriteOutcome = { proven: 0, refused: [], mistakes: [], places: 0, rewriting_ms: 0 };
  for (const file of files) {
    const name = basename(file);
    const original = decompressedFile(file);
    const begin_ms = performance.now();
    try {
      const rewritten = rewriteModule(name, original, probe);
      outcome.rewriting_ms += performance.now() - begin_ms;
      const mistakes = proveRewriting(name, original, rewritten, proveProbe);
      outcome.places += rewritten.inserted.filter(({ kind }) => kind === "before").length;
      outcome.mistakes.push(...mistakes);
      if (mistakes.length === 0) outcome.proven += 1;
    } catch (error) {
      if (!(error instanceof RewriteRefusal)) throw error;
      outcome.refused.push(error.message);
    }
  }
  return outcome;
}

parentPort?.on("message", (files: string[]) => parentPort?.postMessage(runRewriteJob(files)));
