// Finds the registers that a driver waits for, and tells how long, and what ended the wait. The longest waits come first.
//
//     node poll-finder.js e1000.mmt
import { findPolls, openTrace, type Poll } from "mmiostrider";

const [path = "trace.mmt"] = process.argv.slice(2);
const trace = await openTrace(path);
const polls: Poll[] = [];
for await (const poll of findPolls(trace)) if (poll.count >= 3) polls.push(poll);
await trace.close();

// a log may have no times
polls.sort((a, b) => (b.duration_s ?? 0) - (a.duration_s ?? 0));
for (const { first, count, duration_s, words } of polls) {
  const name = first.register ?? `0x${first.address.toString(16)}`;
  const time = duration_s === null ? "" : ` in ${(duration_s * 1e6).toFixed(1)} µs`;
  console.log(`${name}: ${count} reads${time}, ${words}; by ${first.site?.symbol ?? "?"}`);
}
console.log(`${polls.length} polls`);
