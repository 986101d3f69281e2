// Rewrites a module's file in a thread of its own, so that only those who rewrite load the decoder.
import { Worker } from "node:worker_threads";
import { assertUnreachable } from "../base/assert.js";
import { FormatError, UnknownNameError } from "../base/errors.js";
import type { InstrumentAnswer, InstrumentOrder } from "./instrument-order.js";
import { RewriteRefusal } from "./refusal.js";

export interface InstrumentedModule {
  bytes: Uint8Array;
  /** Instructions that have a check of their address now. */
  checks: number;
}

/** Puts checks in front of a module's accesses. Throws RewriteRefusal, FormatError or UnknownNameError. */
export async function instrumentModule(order: InstrumentOrder): Promise<InstrumentedModule> {
  const answer = await new Promise<InstrumentAnswer>((resolve, reject) => {
    const worker = new Worker(new URL("./instrument-worker.js", import.meta.url), { workerData: order });
    worker.once("message", resolve);
    worker.once("error", reject);
  });
  const { file } = order;
  switch (answer.kind) {
    case "made":
      return { bytes: answer.bytes, checks: answer.checks };
    case "refused":
      throw new RewriteRefusal(file, answer.section, answer.offset, answer.reason);
    case "broken":
      throw new FormatError(file, answer.what, answer.offset === undefined ? {} : { offset: answer.offset });
    case "unknown":
      throw new UnknownNameError(answer.given, answer.known, `${file} has no function ${answer.given}`);
    default:
      return assertUnreachable(answer);
  }
}
