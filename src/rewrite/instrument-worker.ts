// The thread in which a module is rewritten: the decoder is WebAssembly, half the size of the whole program, which no other command
// is to load.
import { parentPort, workerData } from "node:worker_threads";
import { FormatError, UnknownNameError } from "../base/errors.js";
import { accessCheck } from "./access-check.js";
import type { InstrumentAnswer, InstrumentOrder } from "./instrument-order.js";
import { RewriteRefusal } from "./refusal.js";
import { rewriteModule } from "./rewrite-module.js";

function answer({ file, content, crc, accesses, only, sites }: InstrumentOrder): InstrumentAnswer {
  try {
    const { bytes, inserted } = rewriteModule(file, content, accessCheck({ crc, accesses, only, sites }));
    return { kind: "made", bytes, checks: inserted.filter(({ kind }) => kind === "before").length };
  } catch (error) {
    if (error instanceof RewriteRefusal) {
      return { kind: "refused", section: error.section, offset: error.offset, reason: error.reason };
    }
    if (error instanceof FormatError) return { kind: "broken", what: error.what, offset: error.offset };
    if (error instanceof UnknownNameError) return { kind: "unknown", given: error.given, known: error.known };
    throw error;
  }
}

// a process of its own has nobody to answer
parentPort?.postMessage(answer(workerData as InstrumentOrder));
