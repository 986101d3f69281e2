// The sites of a former trace, by module: only these are rewritten then.
import { UserError } from "../base/errors.js";
import { openTrace } from "../trace/node/file-source.js";

export interface Profile {
  /** The trace's file. */
  file: string;
  /** `function+0x1a`, by the module as the kernel names it. */
  sites: ReadonlyMap<string, readonly string[]>;
}

/** Reads the sites of a trace's accesses. Throws UserError if no access has one in a module, FormatError for a broken trace. */
export async function readProfile(file: string): Promise<Profile> {
  const found = new Map<string, Set<string>>();
  const reader = await openTrace(file);
  try {
    for await (const { event, state } of reader.eventsWithState()) {
      if (event.kind !== "read" && event.kind !== "write") continue;
      const symbol = event.site === 0n ? undefined : state.symbolOf(event.site);
      const [, name, module] = /^(.+\+0x[0-9a-f]+)\/0x[0-9a-f]+ \[([\w-]+)\]$/.exec(symbol ?? "") ?? [];
      if (name === undefined) continue;
      const sites = found.get(module!) ?? new Set();
      found.set(module!, sites.add(name));
    }
  } finally {
    await reader.close();
  }
  if (found.size === 0) {
    throw new UserError(`${file} has no access by a module's own code: nothing in it says what to rewrite`, {
      advice: "record the driver with engine emulate, without --clean-room, and take that trace",
    });
  }
  return { file, sites: new Map([...found].map(([module, sites]) => [module, [...sites]])) };
}
