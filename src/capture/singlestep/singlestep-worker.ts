// The process that reads mmiotrace's text for a recorder with -Z, without root's rights: see feed/drain-worker.ts.
import { runDrainWorker } from "../feed/drain-worker.js";
import { parseRange } from "../recording-scope.js";
import { type MmiotraceParameters, MmiotraceSource } from "./mmiotrace-source.js";

runDrainWorker((descriptor, parameters) => {
  const { ranges } = parameters as MmiotraceParameters;
  return new MmiotraceSource(ranges === "all" ? "all" : ranges.map(parseRange), descriptor);
});
