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

export function isKilled({ status }: Mutant): boolean {
  return status === "Killed" || status === "Timeout";
}

export function isAlive({ status }: Mutant): boolean {
  return status === "Survived" || status === "NoCoverage";
}

/** True for a mutant whose tests took too long, though nothing proves that a loop of it has no end. */
export function ranOutOfTime({ status, statusReason }: Mutant): boolean {
  return status === "Timeout" && !/hit limit/i.test(statusReason ?? "");
}

/** Mutants between two lines of progress. */
const progressEvery = 20;

class Survivors {
  #planned = 0;
  #tried = 0;

  onMutationTestingPlanReady({ mutantPlans }: { mutantPlans: readonly unknown[] }): void {
    this.#planned = mutantPlans.length;
  }

  onMutantTested(mutant: Mutant): void {
    this.#tried += 1;
    if (isAlive(mutant) || ranOutOfTime(mutant)) process.stdout.write(`  ${textOf(mutant)}\n`);
    if (this.#tried % progressEvery === 0) process.stderr.write(`${this.#tried} of ${this.#planned}\n`);
  }
}

function textOf(mutant: Mutant): string {
  const { line, column } = mutant.location.start;
  const shown = (mutant.replacement ?? "").replaceAll(/\s+/g, " ").slice(0, 100);
  const untested = mutant.status === "NoCoverage" ? ", which no test runs" : "";
  const slow = ranOutOfTime(mutant) ? ", killed by the limit of time alone" : "";
  return `${mutant.fileName}:${line}:${column}: ${mutant.mutatorName}${untested}${slow}: ${shown}`;
}

/** Read by Stryker. */
export const strykerPlugins = [{ kind: "Reporter", name: "survivors", injectableClass: Survivors }];
