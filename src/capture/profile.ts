// The sites of a former trace, by module: only these are rewritten then.
import { UserError } from "../base/errors.js";
import { openTrace } from "../trace/node/file-source.js";
import { symbolPlace } from "../trace/symbol-place.js";

export interface Profile {
  /** The trace's file. */
  file: string;
  /** `function+0x1a`, by the module as the kernel names it. */
  sites: ReadonlyMap<string, readonly string[]>;
}

/** Length of a call of a kernel's function by its name. The trace has the address behind it. */
const call_bytes = 5;

/** Reads the sites of a trace's accesses, and the calls of functions that made some. Throws UserError if no access has one in a module, FormatError for a broken trace. */
export async function readProfile(file: string): Promise<Profile> {
  const found = new Map<string, Set<string>>();
  const reader = await openTrace(file);
  try {
    for await (const { event, state } of reader.eventsWithState()) {
      if (event.kind !== "read" && event.kind !== "write") continue;
      for (const [address, behind_bytes] of [
        [event.site, 0],
        [event.caller, call_bytes],
      ] as const) {
        const place = placeBefore(address === 0n ? undefined : state.symbolOf(address), behind_bytes);
        if (place === undefined) continue;
        found.set(place.module, (found.get(place.module) ?? new Set()).add(place.name));
      }
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

/** Names a place in a module, a number of bytes before the symbol's: `function+0x1f`. */
function placeBefore(symbol: string | undefined, bytes: number): { name: string; module: string } | undefined {
  const { name, offset = -1, module } = symbolPlace(symbol) ?? {};
  if (module === undefined || offset < bytes) return undefined;
  return { name: `${name}+0x${(offset - bytes).toString(16)}`, module };
}
