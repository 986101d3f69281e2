// Stryker's plugin of check:mutants: prints each mutant that no test noticed as soon as it is known, for a run takes long.

/** The facts about a mutant that Stryker gives and we use. */
export interface Mutant {
  fileName: string;
  location: { start: { line: number; column: number } };
  mutatorName: string;
  replacement?: string;
  status: string;
  statusReason?: string;
}

/** Beginning of the error about a test file that can't be loaded with a mutant: mutants.vitest.config.ts. */
export const notLoaded = "no test runs, for this file can't be loaded:";

/**
 * True for a mutant that made a test fail, or a test file impossible to load, or a loop run a hundred times more often than it did
 * without it.
 */
export function isKilled(mutant: Mutant): boolean {
  const { status, statusReason = "" } = mutant;
  if (status === "RuntimeError") return statusReason.includes(notLoaded);
  return status === "Killed" || (status === "Timeout" && !ranOutOfTime(mutant));
}

export function isAlive({ status }: Mutant): boolean {
  return status === "Survived" || status === "NoCoverage";
}

/** True for a mutant whose tests took too long, which may be the machine's fault: it counts neither as killed nor as alive. */
export function ranOutOfTime({ status, statusReason }: Mutant): boolean {
  return status === "Timeout" && !/hit limit/i.test(statusReason ?? "");
}

/** Mutants between two lines of progress. */
const progressEvery = 10;

class Survivors {
  #planned = 0;
  #tried = 0;
  #killed = 0;

  onMutationTestingPlanReady({ mutantPlans }: { mutantPlans: readonly unknown[] }): void {
    this.#planned = mutantPlans.length;
  }

  onMutantTested(mutant: Mutant): void {
    this.#tried += 1;
    if (isKilled(mutant)) this.#killed += 1;
    if (isAlive(mutant) || ranOutOfTime(mutant)) process.stdout.write(`  ${textOf(mutant)}\n`);
    if (this.#tried % progressEvery === 0) {
      process.stderr.write(`${this.#tried} of ${this.#planned} tried, ${this.#killed} killed\n`);
    }
  }
}

function textOf(mutant: Mutant): string {
  const { line, column } = mutant.location.start;
  const shown = (mutant.replacement ?? "").replaceAll(/\s+/g, " ").slice(0, 100);
  const untested = mutant.status === "NoCoverage" ? ", which no test runs" : "";
  const slow = ranOutOfTime(mutant) ? ", ended by the limit of time alone" : "";
  return `${mutant.fileName}:${line}:${column}: ${mutant.mutatorName}${untested}${slow}: ${shown}`;
}

/** Read by Stryker. */
export const strykerPlugins = [{ kind: "Reporter", name: "survivors", injectableClass: Survivors }];
