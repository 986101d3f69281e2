// Makes a fresh checkout runnable: installs npm's packages, then compiles the program. Skips finished steps.
// Plain JavaScript: without the compiler Node 20 runs nothing else.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const checkout = fileURLToPath(new URL("..", import.meta.url));
process.chdir(checkout);

/**
 * Runs a program with our output; if it fails, ends the process with its exit code.
 *
 * @param {string} program
 * @param {string[]} parameters
 * @param {Record<string, string>} environment
 */
export function run(program, parameters, environment = {}) {
  const result = spawnSync(program, parameters, { stdio: "inherit", env: { ...process.env, ...environment } });
  if (result.error !== undefined) {
    process.stderr.write(`${program} can't be run: ${result.error.message}\n`);
    process.exit(1);
  }
  if (result.status !== 0) process.exit(result.status ?? 1);
}

/** Installs and compiles. `npm ci` runs if the installed packages don't match package-lock.json. */
export function setUp() {
  const [major] = process.versions.node.split(".");
  if (Number(major) < 20) {
    process.stderr.write(`mmiostrider needs Node 20 or newer; this is ${process.version}\n`);
    process.exit(1);
  }
  if (!isInstalled()) {
    process.stdout.write("Installing npm packages\n");
    run("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
  }
  run("npm", ["run", "build", "--silent"]);
}

function isInstalled() {
  const installed = "node_modules/.package-lock.json";
  if (!existsSync(installed) || !existsSync("node_modules/typescript")) return false;
  if (statSync(installed).mtimeMs >= statSync("package-lock.json").mtimeMs) return true;
  // a checkout has new times: compare the wanted versions with the installed ones
  /** @param {string} path */
  const versions = (path) =>
    Object.entries(
      /** @type {Record<string, {version: string, optional?: boolean}>} */ (
        JSON.parse(readFileSync(path, "utf8")).packages
      ),
    )
      .filter(([name, entry]) => name !== "" && !entry.optional)
      .map(([name, { version }]) => `${name}@${version}`)
      .sort()
      .join();
  return versions(installed) === versions("package-lock.json");
}
