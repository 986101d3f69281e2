// tier: quick
// The options of a kernel's configuration that engine `emulate` needs, and those without which it does less.
import { describe, expect, test } from "vitest";
import { isUsable } from "../../machine/check.js";
import { emulateNeeds } from "./needs.js";

const full = ["MODULE_UNLOAD", "KPROBES", "KRETPROBES", "TRACEPOINTS", "DYNAMIC_FTRACE_WITH_REGS", "UNWINDER_ORC"];

/** The check of this name, on a kernel that has all the options but one. */
function checkWithout(what: string, left?: string) {
  const names = full.filter((name) => name !== left).map((name) => `CONFIG_${name}`);
  const configuration = new Map(names.map((name) => [name, "y"]));
  const check = emulateNeeds({ release: "no-such-kernel", configuration }).find((one) => one.what === what);
  return check ?? expect.fail(`no check of ${what}`);
}

describe("options that are needed", () => {
  test.each([
    ["kprobes", "KPROBES"],
    ["kprobes", "KRETPROBES"],
  ])("%s: CONFIG_%s", (what, option) => {
    const check = checkWithout(what, option);
    expect(check.state).toBe("missing");
    expect(check.found).toMatch(new RegExp(`CONFIG_${option}\\b`));
    expect(isUsable([check])).toBe(false);
  });
});

describe("options without which there is less", () => {
  test.each([
    ["unloading", "MODULE_UNLOAD", /stays/],
    ["tracepoints", "TRACEPOINTS", /no interrupts/],
    ["ftrace", "DYNAMIC_FTRACE_WITH_REGS", /kprobe on an instruction/],
    ["unwinder", "UNWINDER_ORC", /caller/],
  ])("%s: CONFIG_%s", (what, option, lack) => {
    expect(checkWithout(what).state).toBe("good");
    const check = checkWithout(what, option);
    expect(check.state).toBe("without");
    expect(check.found).toMatch(new RegExp(`CONFIG_${option}\\b`));
    expect(check.found).toMatch(lack);
    expect(isUsable([check])).toBe(true);
  });

  test("aren't known of a kernel that doesn't show its configuration", () => {
    const checks = emulateNeeds({ release: "no-such-kernel", configuration: undefined });
    const states = Object.fromEntries(checks.map(({ what, state }) => [what, state]));
    expect(states).toMatchObject({ unloading: "unknown", tracepoints: "unknown", unwinder: "unknown" });
  });
});
