// Follows a trace while it is being recorded: prints each write as it comes, and at the end what the recorder counted. Ctrl-C ends it
// earlier.
//
//     mmiostrider record --driver e1000 -o nic.mmt -- modprobe e1000 &
//     node live-follow.js nic.mmt
import { openTrace } from "mmiostrider";

const [path = "trace.mmt"] = process.argv.slice(2);
const stop = new AbortController();
process.once("SIGINT", () => stop.abort());
const trace = await openTrace(path);
for await (const event of trace.follow({ filter: "write", signal: stop.signal })) {
  if (event.kind === "lost") console.log(`${event.count} records were lost here`);
  if (event.kind !== "write") continue;
  const name = event.register ?? `0x${event.address.toString(16)}`;
  console.log(`${event.time_s?.toFixed(6)} ${name} = 0x${event.value.toString(16)} ${event.meaning ?? ""}`.trimEnd());
}
console.log(trace.summary === null ? "still being recorded" : `ended: ${trace.summary.accesses} accesses`);
await trace.close();
