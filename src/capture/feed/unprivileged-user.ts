// Finds the user that a process of ours becomes when it needs root no more, and becomes that user for good.
import { readFileSync } from "node:fs";
import { InvalidValueError, UserError } from "../../base/errors.js";
import { runTool } from "../../base/run-tool.js";

export interface UnprivilegedUser {
  name: string;
  uid: number;
  /** The primary group. */
  gid: number;
}

/** Finds a user by name or number. Throws InvalidValueError for what can't be meant, UserError for one that there isn't. */
export async function findUser(asked: string): Promise<UnprivilegedUser> {
  if (!/^[A-Za-z0-9_][\w.@+-]*\$?$/.test(asked)) throw new InvalidValueError(asked, `"${asked}" isn't a user's name`);
  const line = await passwdLine(asked);
  // passwd(5): name, password, user id, group id, …
  const [name, , uid, gid] = line?.split(":") ?? [];
  if (name === undefined || !/^\d+$/.test(uid ?? "") || !/^\d+$/.test(gid ?? "")) {
    throw new UserError(`giving up root's rights failed: there is no user "${asked}" on this machine`, {
      advice: "`getent passwd` lists those that there are; nobody is one on every Linux",
    });
  }
  if (Number(uid) === 0) {
    throw new InvalidValueError(asked, `user ${asked} is root: there would be nothing to give up`, {
      advice: "name a user without rights, for example nobody",
    });
  }
  return { name, uid: Number(uid), gid: Number(gid) };
}

/** Finds a user's line in the system's database of users, or, without the tool for that, in its file. */
async function passwdLine(asked: string): Promise<string | undefined> {
  const result = await runTool("getent", ["passwd", asked]);
  if (!result.missing) return result.code === 0 ? result.stdout.split("\n")[0] : undefined;
  return readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((line) => line.split(":")[0] === asked || line.split(":")[2] === asked);
}

/**
 * Makes this process the user's for good, with all its threads and in the user's groups: no id and no capability of root's is
 * left, else it throws. Must be called after exec, not before: then the kernel keeps the user's other processes from looking
 * into this one.
 */
export function becomeUser(user: UnprivilegedUser): void {
  // missing in our types
  const { initgroups } = process as { initgroups?: (user: string, group: number) => void };
  initgroups!(user.name, user.gid);
  process.setgid!(user.gid);
  process.setuid!(user.uid);
  const kept = privilegesIn(readFileSync("/proc/self/status", "latin1"), user);
  if (kept.length > 0) throw new Error(`becoming ${user.name} failed: the process still has ${kept.join(", ")}`);
}

/** Lists the rights in a process's status (proc(5)) beyond the user's; empty if there are none. */
export function privilegesIn(status: string, user: UnprivilegedUser): string[] {
  const value = (key: string) => new RegExp(`^${key}:\\s*(.*)$`, "m").exec(status)?.[1]?.trim();
  const kept: string[] = [];
  for (const [key, id] of [
    ["Uid", user.uid],
    ["Gid", user.gid],
  ] as const) {
    const ids = value(key)?.split(/\s+/).map(Number) ?? [];
    if (ids.length !== 4 || ids.some((found) => found !== id)) kept.push(`${key} ${value(key)}`);
  }
  for (const key of ["CapPrm", "CapEff", "CapAmb"]) {
    if (!/^0+$/.test(value(key) ?? "")) kept.push(`${key} ${value(key)}`);
  }
  return kept;
}
