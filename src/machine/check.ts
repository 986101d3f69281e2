// A thing that is needed on this machine, and whether it is there: what `doctor` prints a line for.

export interface Check {
  /** What is looked at: `headers`. */
  what: string;
  /** Only `missing` keeps a thing from working. `unknown`: it could not be found out; `without`: it works without, but worse. */
  state: "good" | "missing" | "unknown" | "without";
  /** What was found, in words. */
  found: string;
  /** What to do when it is missing. */
  advice?: string;
}

export function good(what: string, found: string): Check {
  return { what, state: "good", found };
}

export function unknown(what: string, found: string): Check {
  return { what, state: "unknown", found };
}

export function without(what: string, found: string): Check {
  return { what, state: "without", found };
}

export function missing(what: string, found: string, advice?: string): Check {
  return { what, state: "missing", found, ...(advice === undefined ? {} : { advice }) };
}

/** True when nothing that is needed is missing. */
export function isUsable(checks: readonly Check[]): boolean {
  return checks.every((check) => check.state !== "missing");
}
