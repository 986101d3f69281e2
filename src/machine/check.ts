// A need of ours on this machine, and its state: `doctor` prints a line for each.

export interface Check {
  /** The thing that is checked: `headers`. */
  what: string;
  /** Only `missing` prevents work. `unknown`: it couldn't be found out; `without`: it works without, but worse. */
  state: "good" | "missing" | "unknown" | "without";
  /** The finding, in words. */
  found: string;
  /** Advice for the user if it is missing. */
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

/** Returns true if nothing that is needed is missing. */
export function isUsable(checks: readonly Check[]): boolean {
  return checks.every((check) => check.state !== "missing");
}
