// The tests' two tiers. A test file's first line declares its tier, `// tier: quick` or `// tier: all`; the helpers here declare what
// a quick file leaves to the other tier. `npm test` runs the quick tier, `npm run test:all` runs both, and so does vitest by itself.
import { readFileSync } from "node:fs";

/** `check` is neither: a command of its own runs it, see CONTRIBUTING.md. */
export const tiers = ["quick", "all", "check"] as const;
export type Tier = (typeof tiers)[number];

/** True if this run leaves out all but the quick tier. */
export const onlyQuick = process.env.MMIOSTRIDER_TEST_TIER === "quick";

/** The tier that a test file declares; undefined where it declares none, or more than one. */
export function tierOf(file: string): Tier | undefined {
  const declared = readFileSync(file, "utf8").match(/^\/\/ tier: .*$/gm) ?? [];
  const [line] = declared;
  if (declared.length !== 1 || !readFileSync(file, "utf8").startsWith(`${line}\n`)) return undefined;
  return tiers.find((tier) => line === `// tier: ${tier}`);
}

/** The cases of a table of tests: `quick` in every run, `rest` in `npm run test:all`, too. */
export function casesByTier<T>(cases: { quick: readonly T[]; rest: readonly T[] }): T[] {
  return onlyQuick ? [...cases.quick] : [...cases.quick, ...cases.rest];
}

/** The size of a sample: the same proof is made in both tiers, with less to go by in the quick one. */
export function sampleByTier(size: { quick: number; all: number }): number {
  return onlyQuick ? size.quick : size.all;
}
