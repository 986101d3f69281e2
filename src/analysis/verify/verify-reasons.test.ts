// tier: quick
// The reasons why a trace can't be called identical, whatever was compared: it is cut, incomplete, or has no mappings.
import { expect, test } from "vitest";
import { madeUpHeader, madeUpSummary } from "../../../dev/test-support/made-up-records.js";
import { Recording } from "../../../dev/test-support/made-up-truth.js";
import { TraceReader } from "../../trace/file/reader.js";
import { MemorySink } from "../../trace/file/sink.js";
import { MemorySource } from "../../trace/file/source.js";
import { TraceWriter } from "../../trace/file/writer.js";
import type { TraceHeader, TraceSummary } from "../../trace/header.js";
import { nodeCodec } from "../../trace/node/codec.js";
import { RecordKind } from "../../trace/record.js";
import { verify } from "./verify.js";
import type { VerifyOptions } from "./verify-result.js";

/** Verifies the recording; `summary` null: it was killed. */
async function verified(
  { list, log }: Recording,
  summary: TraceSummary | null,
  options: VerifyOptions = {},
  header: Partial<TraceHeader> = {},
) {
  const sink = new MemorySink();
  const writer = await TraceWriter.into(sink, madeUpHeader(header), nodeCodec);
  await writer.append(list.records);
  if (summary === null) await writer.flush();
  else await writer.close(summary);
  const reader = await TraceReader.open(new MemorySource(sink.bytes), nodeCodec);
  const bytes = new TextEncoder().encode(`${log.join("\n")}\n`);
  const result = await verify(reader, new MemorySource(bytes, "truth.log"), options);
  return { ...result, end: sink.bytes.length };
}

const same = () => new Recording().map().both(0, 1n).both(4, 2n);

test("a trace that is cut, unless it is known to be", async () => {
  const cut = await verified(same(), null);
  expect([cut.identical, cut.reasons]).toEqual([false, [`the trace is cut at byte ${cut.end}`]]);
  expect(await verified(same(), null, { cut: true })).toMatchObject({ identical: true, reasons: [] });
});

test("what the recorder said that it lacks", async () => {
  const incomplete = ["a driver was loaded before the recorder", "a CPU was deaf"];
  expect(await verified(same(), { ...madeUpSummary, incomplete })).toMatchObject({
    identical: false,
    reasons: incomplete.map((what) => `the trace is incomplete: ${what}`),
  });
  // numbers of its own say it better than sentences
  const counted = (more: Partial<TraceSummary>) => verified(same(), { ...madeUpSummary, incomplete, ...more });
  expect((await counted({ lost: 1 })).reasons).toEqual(["1 record was lost while recording"]);
  expect((await counted({ lost: 2 })).reasons).toEqual(["2 records were lost while recording"]);
  expect((await counted({ escaped: 3 })).reasons).toEqual(["3 instructions escaped emulation"]);
});

test("of the recorder's count and the records, the greater number", async () => {
  const recording = same();
  recording.list.add({ kind: RecordKind.lost, value: [5n, 0n] });
  for (const [lost, told] of [
    [3, 5],
    [7, 7],
  ] as const) {
    const { reasons } = await verified(recording, { ...madeUpSummary, lost });
    expect(reasons).toEqual([`${told} records were lost while recording`]);
  }
});

test("a trace without mappings has nothing to compare", async () => {
  const unmapped = () => new Recording().both(0, 1n);
  expect((await verified(unmapped(), madeUpSummary)).reasons).toEqual([
    "the trace has no mapping, so that nothing can be compared",
  ]);
  const imported = { engine: "import" as const, producer: "QEMU" };
  expect((await verified(unmapped(), madeUpSummary, {}, imported)).reasons).toEqual([
    "the log that the trace comes from (QEMU) tells no mappings, so that nothing can be compared",
  ]);
});

test("an access as wide as the region's narrowest is compared as it is, a narrower one by its own bytes", async () => {
  const widths = async (width: number) => {
    const recording = new Recording().map().both(0, 1n);
    recording.traced("write", width, 4, 0x44n).logged("write", 4, 4, 0x44n);
    return verified(recording, madeUpSummary);
  };
  expect(await widths(4)).toMatchObject({ identical: true, widened: 0, split: 0 });
  expect(await widths(2)).toMatchObject({ identical: true, widened: 1, split: 0 });
});

test("the comparison stops in a CPU's accesses after many differences, and goes on with the next CPU's", async () => {
  const differing = (cpu: number, count: number, recording: Recording) => {
    for (let access = 0; access < count; access += 1) {
      recording
        .traced("write", 4, 8 * cpu, BigInt(2 * access), { cpu })
        .logged("write", 4, 8 * cpu, BigInt(2 * access + 1), cpu);
    }
  };
  const { options } = madeUpHeader();
  for (const [first, second, more] of [
    [1, 1, false],
    [1500, 1, true],
    [1, 1500, true],
    [700, 700, false],
  ] as const) {
    const recording = new Recording().map().both(0x100, 1n);
    differing(0, first, recording);
    differing(1, second, recording);
    const { moreDifferences } = await recording.verify({ options: { ...options, relaxed: true } });
    expect([first, second, moreDifferences]).toEqual([first, second, more]);
  }
});
