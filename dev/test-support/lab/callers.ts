// Proves a trace's callers by the module's own code, as objdump disassembles it: before each return address stands a call.
import { expect } from "vitest";
import { runTool } from "../../../src/base/run-tool.js";
import { openTrace } from "../../../src/trace/node/file-source.js";
import { spaceOf } from "../../../src/trace/space.js";

interface SymbolParts {
  name: string;
  offset: number;
  module: string;
}

/** Takes `ioread8+0x31/0x60 [module]` apart; undefined for code without a symbol. */
function symbolParts(text: string | undefined): SymbolParts | undefined {
  const match = /^(.+)\+0x([0-9a-f]+)\/0x[0-9a-f]+(?: \[(.+)\])?$/.exec(text ?? "");
  if (match === null) return undefined;
  return { name: match[1]!, offset: Number.parseInt(match[2]!, 16), module: match[3] ?? "kernel" };
}

/** A module's calls: by `function+offset` of the return address, the function that is called; `*` for one by an address. */
async function callsOf(moduleFile: string): Promise<Map<string, string>> {
  const { stdout, code } = await runTool("objdump", ["-dr", "--no-show-raw-insn", moduleFile], { timeout_ms: 60_000 });
  expect(code).toBe(0);
  const calls = new Map<string, string>();
  let within = { name: "", start: 0 };
  let called: string | undefined;
  for (const line of stdout.split("\n")) {
    const head = /^([0-9a-f]+) <(.+)>:$/.exec(line);
    if (head !== null) {
      within = { name: head[2]!, start: Number.parseInt(head[1]!, 16) };
      called = undefined;
      continue;
    }
    const target = /R_X86_64_(?:PLT32|PC32)\s+(\w+)-0x4$/.exec(line);
    if (target !== null && called !== undefined) called = target[1]!;
    const [, at, operation] = /^\s*([0-9a-f]+):\t(\S+)/.exec(line) ?? [];
    if (at === undefined || operation === undefined || operation.startsWith("R_X86")) continue;
    if (called !== undefined) calls.set(`${within.name}+${Number.parseInt(at, 16) - within.start}`, called);
    called = operation.startsWith("call") ? "*" : undefined;
  }
  return calls;
}

export interface SeenCaller {
  /** The function that made the accesses. */
  site: string;
  /** The function that called it. */
  caller: string;
  /** The function that the caller's code calls there. Differs from `site` where that one calls another. */
  called: string;
  accesses: number;
}

/** Expects that each access from outside of the module has a caller in it, and that there is a call there. Returns the pairs. */
export async function expectCallers(
  trace: string,
  { name, file }: { name: string; file: string },
): Promise<SeenCaller[]> {
  const calls = await callsOf(file);
  const pairs = new Map<string, { site: string; caller: string | undefined; accesses: number }>();
  const reader = await openTrace(trace);
  try {
    for await (const { events, state } of reader.batches()) {
      for (const event of events) {
        state.apply(event);
        if (event.kind !== "read" && event.kind !== "write") continue;
        // several of the kernel's functions lie between such a site and the driver
        if (spaceOf(event.address) === "configuration") continue;
        const site = state.symbolOf(event.site)!;
        const caller = event.caller === 0n ? undefined : state.symbolOf(event.caller);
        if (event.caller !== 0n) expect(caller, "each caller has a name").toBeDefined();
        const pair = pairs.get(`${site} ${caller}`) ?? { site, caller, accesses: 0 };
        pair.accesses += 1;
        pairs.set(`${site} ${caller}`, pair);
      }
    }
  } finally {
    await reader.close();
  }
  return [...pairs.values()].flatMap(({ site, caller, accesses }) => {
    const at = symbolParts(site);
    // code that the module has put together at run time: the kernel has nothing by which to unwind it
    if (at === undefined) return [];
    if (at.module === name) {
      expect(caller, `${site} is the driver's own`).toBeUndefined();
      return [];
    }
    expect(caller, `${site} has a caller`).toBeDefined();
    const by = symbolParts(caller);
    expect(by?.module).toBe(name);
    // the kernel puts the calls of these in place of other code, when it boots
    const patchedIn = at.name.endsWith("_alternative") ? at.name : undefined;
    const called = calls.get(`${by!.name}+${by!.offset}`) ?? patchedIn;
    expect(called, `the call before ${caller}, for ${at.name}`).toBeDefined();
    return [{ site: at.name, caller: by!.name, called: called!, accesses }];
  });
}
