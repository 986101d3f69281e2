// Prints what a driver writes to set its device up, as a table: every write before the first one that an interrupt's handler makes.
//
//     node initialisation-table.js e1000.mmt
import { type AccessEvent, openTrace } from "mmiostrider";

const [path = "trace.mmt"] = process.argv.slice(2);
const trace = await openTrace(path);
const rows: AccessEvent[] = [];
for await (const event of trace.events({ filter: "write" })) {
  if (event.kind !== "write") continue;
  // null: a log such as mmiotrace's doesn't tell it
  if (event.context !== "task" && event.context !== null) break;
  rows.push(event);
}
await trace.close();

console.log("| time/s | register | value | meaning | by |\n| --- | --- | --- | --- | --- |");
for (const { time_s, register, address, value, meaning, site } of rows) {
  const name = register ?? `0x${address.toString(16)}`;
  const cells = [time_s?.toFixed(6), name, `0x${value.toString(16)}`, meaning ?? "", site?.function ?? ""];
  console.log(`| ${cells.map((cell) => `${cell}`.replaceAll("|", "\\|")).join(" | ")} |`);
}
