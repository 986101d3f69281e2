// The registry of engines. Code outside the engines' own folders uses it, and knows none of them by name.
import { assert } from "../base/assert.js";
import { emulate } from "./emulate/engine.js";
import type { Engine, EngineOption } from "./engine.js";
import { instrument } from "./instrument/engine.js";
import type { EngineOptions } from "./recording.js";
import { singlestep } from "./singlestep/engine.js";

/** All engines, in the order of their listing for users. */
export const engines: readonly Engine[] = [emulate, instrument, singlestep];

/** The engine for recordings without a choice. */
export const defaultEngine: Engine = emulate;

/** Returns the engine with this name, which must be in the registry. */
export function engineNamed(name: string): Engine {
  const found = engines.find((engine) => engine.name === name);
  assert(found !== undefined, `there is an engine ${name}`);
  return found;
}

/** Finds the first option of the request that the engine doesn't offer, or undefined. */
export function findUnoffered(engine: Engine, options: EngineOptions): EngineOption | undefined {
  const asked = Object.entries(options) as [EngineOption, unknown][];
  return asked.find(([name, value]) => value !== undefined && !engine.offers.includes(name))?.[0];
}

/** Puts a marker into the running recording of any engine. Throws UserError if there is none. */
export async function markRecording(text: string): Promise<void> {
  for (const engine of engines) if (await engine.isRecording()) return await engine.mark(text);
  // its error says that nothing is running, or names the obstacle
  await defaultEngine.mark(text);
}
