// Finds the registers that a driver waits for, and tells how long, and what ended the wait. The longest waits come first.
//
//     node poll-finder.js e1000.mmt
import { findPolls, openTrace, type Poll } from "mmiostrider";

const [path = "trace.mmt"] = process.argv.slice(2);
const trace = await openTrace(path);
const polls: Poll[] = [];
for await (const poll of findPolls(trace)) if (poll.count >= 3) polls.push(poll);
await trace.close();

polls.sort((a, b) => b.duration_s - a.duration_s);
for (const { first, count, duration_s, words } of polls) {
  const name = first.register ?? `0x${first.address.toString(16)}`;
  console.log(
    `${name}: ${count} reads in ${(duration_s * 1e6).toFixed(1)} µs, ${words}; by ${first.site?.symbol ?? "?"}`,
  );
}
console.log(`${polls.length} polls`);
