// Compares two runs of a driver: what the second one wrote differently, left out, or did in addition. Ends with 1 where they differ.
//
//     node compare-runs.js working.mmt broken.mmt
import { diff, openTrace, type SequenceEntry } from "mmiostrider";

const [first = "working.mmt", second = "broken.mmt"] = process.argv.slice(2);
const traces = [await openTrace(first), await openTrace(second)] as const;
const { same, devices, differences } = await diff(...traces);
for (const trace of traces) await trace.close();

const shown = ({ kind, register, value, site }: SequenceEntry) =>
  `${kind} ${register} 0x${value.toString(16)}${site === "" ? "" : ` by ${site}`}`;
for (const { kind, first: before, second: after } of differences) {
  if (kind === "missing" && before !== null) console.log(`- ${shown(before)}`);
  else if (kind === "extra" && after !== null) console.log(`+ ${shown(after)}`);
  else if (kind === "written" && before !== null && after !== null) {
    console.log(`! ${shown(before)}, then 0x${after.value.toString(16)}`);
  }
}
for (const { device, driver, aligned, written, missing, extra } of devices) {
  console.log(
    `${device} ${driver}: ${aligned} alike, ${written} written differently, ${missing} missing, ${extra} extra`,
  );
}
process.exitCode = same ? 0 : 1;
