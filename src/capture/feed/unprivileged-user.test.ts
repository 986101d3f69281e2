// tier: quick
// Users are the system's; the kernel's status decides if a process has no other rights than a user's.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { userInfo } from "node:os";
import { expect, test } from "vitest";
import { InvalidValueError, UserError } from "../../base/errors.js";
import { findUser, privilegesIn } from "./unprivileged-user.js";

/** Returns the status (proc(5)) of a process made by the system's own tool. */
function statusOf(...parameters: string[]): string {
  return execFileSync("setpriv", [...parameters, "cat", "/proc/self/status"], { encoding: "latin1" });
}

test("a user is found by name and by number", async () => {
  const id = (what: string) => Number(execFileSync("id", [what, "nobody"], { encoding: "utf8" }));
  const nobody = { name: "nobody", uid: id("-u"), gid: id("-g") };
  expect(await findUser("nobody")).toEqual(nobody);
  expect(await findUser(String(nobody.uid))).toEqual(nobody);
});

test.each([
  ["no-such-user", UserError, 'giving up root\'s rights failed: there is no user "no-such-user" on this machine'],
  ["4294967294", UserError, 'giving up root\'s rights failed: there is no user "4294967294" on this machine'],
  ["root", InvalidValueError, "user root is root: there would be nothing to give up"],
  ["0", InvalidValueError, "user 0 is root: there would be nothing to give up"],
  ["", InvalidValueError, "\"\" isn't a user's name"],
  ["-nobody", InvalidValueError, "\"-nobody\" isn't a user's name"],
  ["nobody:x", InvalidValueError, "\"nobody:x\" isn't a user's name"],
] as const)("%j is refused", async (name, kind, message) => {
  const refused = await findUser(name).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(kind);
  expect((refused as UserError).message).toBe(message);
});

test.skipIf(userInfo().uid !== 0)("what a process still has of root's is seen", () => {
  const user = { name: "nobody", uid: 65_534, gid: 65_534 };
  expect(privilegesIn(statusOf("--reuid=65534", "--regid=65534", "--clear-groups"), user)).toEqual([]);
  const own = privilegesIn(readFileSync("/proc/self/status", "latin1"), user);
  expect(own.map((found) => found.split(" ")[0])).toEqual(["Uid", "Gid", "CapPrm", "CapEff"]);
  const group = privilegesIn(statusOf("--reuid=65534", "--clear-groups"), user);
  expect(group.map((found) => found.split(" ")[0])).toEqual(["Gid"]);
  const ambient = ["--inh-caps=+net_raw", "--ambient-caps=+net_raw"];
  const capable = privilegesIn(statusOf("--reuid=65534", "--regid=65534", "--clear-groups", ...ambient), user);
  expect(capable.map((found) => found.split(" ")[0])).toEqual(["CapPrm", "CapEff", "CapAmb"]);
  expect(privilegesIn("", user).length).toBe(5);
});
