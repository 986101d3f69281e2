// The registry of engines: everything outside the engines' own folders asks here, and knows none of them by name.
import { assert } from "../base/assert.js";
import { emulate } from "./emulate/engine.js";
import type { Engine, EngineOption } from "./engine.js";
import type { EngineOptions } from "./recording.js";
import { singlestep } from "./singlestep/engine.js";

/** In the order in which they are listed to users. */
export const engines: readonly Engine[] = [emulate, singlestep];

/** Records unless another one is asked for. */
export const defaultEngine: Engine = emulate;

/** `name` is one of the registry's. */
export function engineNamed(name: string): Engine {
  const found = engines.find((engine) => engine.name === name);
  assert(found !== undefined, `there is an engine ${name}`);
  return found;
}

/** The first of the options asked for that the engine doesn't offer, or undefined. */
export function findUnoffered(engine: Engine, options: EngineOptions): EngineOption | undefined {
  const asked = Object.entries(options) as [EngineOption, unknown][];
  return asked.find(([name, value]) => value !== undefined && !engine.offers.includes(name))?.[0];
}

/** Puts a marker into the recording that runs, whichever engine makes it. Throws UserError where none runs. */
export async function markRecording(text: string): Promise<void> {
  for (const engine of engines) if (await engine.isRecording()) return await engine.mark(text);
  // it says that nothing is running, or what lies in the way
  await defaultEngine.mark(text);
}
