// `npm run bench -- NAME…`: runs dev/bench/NAME.ts, one after the other; without a name, all of them.
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { UsageError } from "../../src/cli/shared/exit-code.js";
import { runCheck } from "../checks/run-check.js";

const here = fileURLToPath(new URL(".", import.meta.url));
const known = readdirSync(here)
  .filter((name) => name.endsWith(".js") && !/^(?:main|access-cost|measure.*)\.js$/.test(name))
  .map((name) => name.slice(0, -3))
  .sort();

await runCheck("bench", `usage: npm run bench -- [NAME…]\n  NAME  ${known.join(", ")} (default: all)`, async () => {
  const wanted = process.argv.slice(2);
  for (const name of wanted) if (!known.includes(name)) throw new UsageError(`there is no benchmark ${name}`);
  for (const name of wanted.length === 0 ? known : wanted) {
    const { run } = (await import(`./${name}.js`)) as { run: () => void | Promise<void> };
    await run();
  }
});
