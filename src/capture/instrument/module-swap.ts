// Swaps modules for their rewritten ones, and back: each file below /lib/modules has the rewritten one mounted over it, so that
// modprobe, udev and other modules load that one; those that are loaded are unloaded and loaded again. A guardian undoes it all when the
// recorder is gone, however it ended.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../../base/errors.js";
import { cacheDirectory } from "../../base/paths.js";
import { runTool } from "../../base/run-tool.js";
import { shellQuoted } from "../../base/shell-quote.js";
import { compressLike } from "../../machine/decompress.js";
import type { Binding } from "../../machine/driver-binding.js";
import { readKernelFile } from "../../machine/kernel-files.js";
import { isModuleLoaded, moduleHolders } from "../../machine/kernel-modules.js";
import { type MovedModule, type Rewriting, readRewriting } from "../../machine/rewritten-module.js";
import type { AccessKind } from "../../rewrite/instrument-order.js";
import { coreName } from "../emulate/core-load.js";
import type { DriverExchange } from "../emulate/emulate-recording.js";
import { withSignedModule } from "../emulate/module-signing.js";
import { Guardian } from "../guardian.js";
import type { Profile } from "../profile.js";
import type { SigningKey } from "../recording.js";
import { type RewrittenFiles, rewrittenFiles } from "./rewritten-files.js";
import type { LeftModule, SwapPlan, SwappedModule } from "./swap-plan.js";

/** Drivers take their time to leave a device, and to probe it. */
const load_ms = 120_000;
const unloadTries = 20;
const unloadPause_ms = 100;

export interface SwapOptions {
  /** The running kernel's. */
  release: string;
  sign: SigningKey | undefined;
  /** The accesses whose instructions are rewritten; all kinds by default. */
  accesses: readonly AccessKind[] | undefined;
  /** Only sites of this trace are rewritten. */
  profile: Profile | undefined;
  onNotice: (line: string) => void;
}

export class ModuleSwap implements DriverExchange {
  private modules: SwappedModule[];
  private readonly left: LeftModule[];
  private readonly options: SwapOptions;
  private readonly files = new Map<string, RewrittenFiles>();
  private readonly rewritings = new Map<string, Rewriting>();
  private guardian: Guardian | undefined;

  constructor({ modules, left }: SwapPlan, options: SwapOptions) {
    this.modules = modules;
    this.left = [...left];
    this.options = options;
  }

  get moved(): readonly MovedModule[] {
    return [...this.rewritings].map(([module, { functions }]) => ({ module, functions }));
  }

  get recordsPorts(): boolean {
    return this.left.length === 0 && [...this.rewritings.values()].every(({ portsLeft }) => portsLeft === 0);
  }

  /** Rewrites the modules, as far as the cache doesn't have them. Throws UserError if that of a driver can't be rewritten. */
  async prepare(): Promise<void> {
    const { release, accesses, profile, onNotice } = this.options;
    const todo = [...this.modules];
    const rewriteNext = async (): Promise<void> => {
      for (let module = todo.shift(); module !== undefined; module = todo.shift()) {
        const { name, file } = module;
        const onRewrite = () => onNotice(`rewriting ${name} (once for this kernel)`);
        try {
          const files = await rewrittenFiles(file, { release, accesses, profile, onRewrite });
          this.rewritings.set(name, readRewriting(files.plain, readFileSync(files.plain)));
          this.files.set(name, files);
        } catch (error) {
          if (module.isDriver || !(error instanceof UserError)) throw error;
          this.left.push({ name, why: error.message });
        }
      }
    };
    await Promise.all(Array.from({ length: availableParallelism() }, rewriteNext));
    this.modules = this.modules.filter(({ name }) => this.files.has(name));
    if (this.left.length === 0) return;
    const names = this.left.map(({ name, why }) => `${name} (${why})`).join(", ");
    onNotice(`not rewritten, so that accesses by ${this.left.length === 1 ? "it" : "them"} fault: ${names}`);
  }

  /** Throws UserError; call `giveBack` then, too. */
  async takeOut(bindings: readonly Binding[]): Promise<void> {
    this.guardian = new Guardian(givingBack(this.modules, bindings));
    for (const module of this.modules) await this.cover(module);
    for (const { name, loaded } of [...this.modules].reverse()) if (loaded) await unload(name);
  }

  async putIn(): Promise<string[]> {
    const problems: string[] = [];
    for (const { name, loaded } of this.modules) {
      if (!loaded) continue;
      const result = await runTool("modprobe", [name], { timeout_ms: load_ms });
      if (result.code !== 0) problems.push(`loading the rewritten ${name} failed: ${lastWords(result.stderr)}`);
    }
    return problems;
  }

  /** Undoes everything, as far as that is possible. Returns sentences about what isn't as before. */
  async giveBack(): Promise<string[]> {
    if (this.guardian === undefined) return [];
    await this.guardian.undo(load_ms);
    this.guardian = undefined;
    const sentences: string[] = [];
    const covered = this.modules.filter(({ file }) => isMountPoint(file)).map(({ file }) => file);
    if (covered.length > 0) {
      sentences.push(`rewritten modules still lie over ${covered.join(", ")}; by hand: umount ${covered.join(" ")}`);
    }
    const gone = this.modules.filter(({ name, loaded }) => loaded && !isModuleLoaded(name)).map(({ name }) => name);
    if (gone.length > 0) {
      sentences.push(`loading ${gone.join(", ")} again failed; by hand: modprobe -a ${gone.join(" ")}`);
    }
    const staying = this.modules.filter(({ name }) => isRewritten(name)).map(({ name }) => name);
    if (staying.length === 1) {
      sentences.push(`the rewritten ${staying[0]} stays loaded, and the core with it: it works on without a recording`);
    } else if (staying.length > 1) {
      sentences.push(
        `the rewritten ${staying.join(", ")} stay loaded, and the core with them: they work on without a recording`,
      );
    }
    return sentences;
  }

  /** Mounts the rewritten file over the original one. */
  private async cover({ name, file }: SwappedModule): Promise<void> {
    const { plain, packed } = this.files.get(name)!;
    if (this.options.sign === undefined) return await mountOver(packed, file);
    const { sign, release } = this.options;
    await withSignedModule(plain, sign, `/lib/modules/${release}/build`, async (signed) => {
      // a mount keeps the file
      const folder = mkdtempSync(join(cacheDirectory("rewritten", release), ".signed-"));
      try {
        const source = join(folder, basename(file));
        writeFileSync(source, compressLike(file, readFileSync(signed)));
        await mountOver(source, file);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    });
  }
}

/** Throws UserError if a module's file has another one mounted over it: one that a killed recorder's guardian couldn't remove. */
export function requireUncovered({ modules }: SwapPlan): void {
  const covered = modules.find(({ file }) => isMountPoint(file));
  if (covered === undefined) return;
  throw new UserError(`something is mounted over ${covered.file}: it isn't the original module`, {
    advice: `if no recording is running: umount ${covered.file}`,
  });
}

async function mountOver(source: string, target: string): Promise<void> {
  const result = await runTool("mount", ["--bind", source, target]);
  if (result.code === 0) return;
  throw new UserError(`mounting the rewritten module over ${target} failed: ${lastWords(result.stderr)}`);
}

async function unload(name: string): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    const result = await runTool("rmmod", [name], { timeout_ms: load_ms });
    if (result.code === 0 || !isModuleLoaded(name)) return;
    if (tries >= unloadTries) throw new UserError(`unloading ${name} failed: ${lastWords(result.stderr)}`);
    await sleep(unloadPause_ms);
  }
}

function lastWords(text: string): string {
  return text.trim().split("\n").at(-1) || "without a word";
}

/** A rewritten module calls the core, and so uses it. */
function isRewritten(name: string): boolean {
  return moduleHolders(coreName).includes(name);
}

function isMountPoint(file: string): boolean {
  const mounts = readKernelFile("/proc/self/mounts")?.split("\n") ?? [];
  return mounts.some((line) => line.split(" ")[1] === file);
}

/** Makes the guardian's script. It looks at what there is: the recorder may be gone at any step. */
function givingBack(modules: readonly SwappedModule[], bindings: readonly Binding[]): string {
  const loaded = modules.filter((module) => module.loaded).map(({ name }) => name);
  return `PATH=/usr/sbin:/usr/bin:/sbin:/bin
for file in ${modules.map(({ file }) => shellQuoted(file)).join(" ")}; do
  for try in 1 2 3 4 5 6 7 8 9 10; do
    grep -qF " $file " /proc/self/mounts || break
    umount -l "$file" || sleep 0.1
  done
done
for try in $(seq ${unloadTries}); do
  left=0
  for name in ${[...loaded].reverse().join(" ")}; do
    [ -e "/sys/module/${coreName}/holders/$name" ] || continue
    rmmod "$name" || left=1
  done
  [ $left = 0 ] && break
  sleep 0.1
done
for name in ${loaded.join(" ")}; do
  [ -e "/sys/module/$name/refcnt" ] || modprobe "$name"
done
${bindings
  .map(({ address, driver }) => {
    const folder = `/sys/bus/pci/drivers/${driver}`;
    return `[ -e ${shellQuoted(`${folder}/${address}`)} ] || echo ${address} > ${shellQuoted(`${folder}/bind`)}`;
  })
  .join("\n")}
`;
}
