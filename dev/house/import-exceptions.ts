// Imports that break a rule today, each to be mended. The test fails for one that is no longer needed.
import type { Exceptions } from "./import-rules.js";

export const arrowExceptions: Exceptions = {};

export const browserExceptions: Exceptions = {};

export const circleExceptions: Exceptions = {};
