// tier: quick
// Notes about traces that no program makes.
import { expect, test } from "vitest";
import { markedTrace, racesOf } from "../../../dev/test-support/race-traces.js";

const forked = "1 forked thread without events: if the trace calls them by other names, these forks order nothing";

test.each([
  ["T1 fork(T2)\nT2 acq(m)\nT2 acq(m)\nT2 rel(m)\nT2 w(x)\nT2 rel(m)\nT1 join(T2)\nT1 acq(m)\nT1 rel(m)\nT1 begin", []],
  ["T1 fork(2)\nT2 w(x)", [forked]],
  ["T1 rel(m)\nT1 acq(n)\nT2 rel(n)", ["2 releases of locks that their threads don't hold: are acquires missing?"]],
  ["T1 acq(m)\nT1 rel(m)\nT1 rel(m)", ["1 release of locks that their threads don't hold: are acquires missing?"]],
  ["T1 acq(m)\nT2 acq(m)\nT2 rel(m)\nT3 acq(m)", ["1 acquire of locks that other threads hold: are releases missing?"]],
  ["T1 acq(m)\nT2 acq(m)", ["1 acquire of locks that other threads hold: are releases missing?"]],
  ["T2 w(x)\nT1 fork(T2)\nT1 fork(T2)\nT1 fork(T1)", ["3 forks of threads that were there before"]],
  ["T2 w(x)\nT1 join(T2)\nT2 w(x)\nT2 begin", ["2 events of threads that were joined before"]],
])("%j", async (text, notes) => {
  for (const algorithm of ["hb", "syncp"] as const) {
    expect((await racesOf(markedTrace(text).trace, algorithm)).notes).toEqual(notes);
  }
});
