// Imports that break a rule today, each to be mended. The test fails for one that is no longer needed.
import type { Exceptions } from "./import-rules.js";

export const arrowExceptions: Exceptions = {
  "src/capture/feed/drain-worker.ts": [
    "src/capture/emulate/control-device.ts",
    "src/capture/singlestep/mmiotrace-source.ts",
  ],
};

export const browserExceptions: Exceptions = {};

export const circleExceptions: Exceptions = {
  "src/capture/feed/drain-process.ts": ["src/capture/feed/trace-feed.ts"],
};
