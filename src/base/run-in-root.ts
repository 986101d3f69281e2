// Runs a tool in another root file system than this machine's: a compiler of another Debian, with its own libraries.
import { UserError } from "./errors.js";
import { runTool, type ToolResult } from "./run-tool.js";

/** A root file system in a folder, and this machine's folders that its programs see at their own paths. */
export interface OtherRoot {
  path: string;
  folders: readonly string[];
}

/** Mounts in a namespace that ends with the tool, so nothing is ever left to unmount. */
const script = `root=$1; shift
mount -t proc proc "$root/proc" || exit 1
while [ "$1" != -- ]; do
  mkdir -p "$root$1" && mount --bind "$1" "$root$1" || exit 1
  shift
done
shift
exec chroot "$root" "$@"`;

/** Does the same as runTool(), in `root` if one is given. That takes root's rights: throws UserError without them. */
export async function runToolIn(
  root: OtherRoot | undefined,
  name: string,
  parameters: readonly string[],
  options: { timeout_ms: number },
): Promise<ToolResult> {
  if (root === undefined) return await runTool(name, parameters, options);
  if (process.geteuid?.() !== 0)
    throw new UserError(`running ${name} in ${root.path} failed: only root can change to it`);
  return await runTool(
    "unshare",
    [
      "--mount",
      "--propagation",
      "private",
      "sh",
      "-c",
      script,
      "sh",
      root.path,
      ...root.folders,
      "--",
      name,
      ...parameters,
    ],
    { ...options, environment: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" } },
  );
}
