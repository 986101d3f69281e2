// The recorded traces of test/data, opened, for tests.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { AccessRegisters } from "../../src/analysis/view/access-registers.js";
import type { EventView } from "../../src/analysis/view/event-view.js";
import type { Selection } from "../../src/analysis/view/range.js";
import { selectedViews } from "../../src/analysis/view/selection.js";
import { builtInFor } from "../../src/registers/files/index.js";
import type { TraceReader } from "../../src/trace/file/reader.js";
import type { TraceHeader } from "../../src/trace/header.js";
import { importMmiotrace } from "../../src/trace/import/mmiotrace.js";
import { createTrace } from "../../src/trace/node/create-trace.js";
import { openTrace } from "../../src/trace/node/file-source.js";
import { madeUpHeader, madeUpSummary } from "./made-up-records.js";

const data = (name: string) => new URL(`../../test/data/${name}`, import.meta.url);

/** Returns the text that the kernel's mmiotrace printed for e1000. */
export function recordedText(): string {
  return gunzipSync(readFileSync(data("e1000-mmiotrace.txt.gz"))).toString();
}

/** The trace that mmiostrider recorded of e1000 on two CPUs. */
export const recordedTrace = fileURLToPath(data("e1000.mmt"));

/** Makes a trace of these records, in a file that vanishes with its reader's descriptor. */
export async function traceOf(records: Uint8Array, header: TraceHeader = madeUpHeader()): Promise<TraceReader> {
  const directory = mkdtempSync(join(tmpdir(), "mmiostrider-test-"));
  try {
    const path = join(directory, "trace.mmt");
    const writer = await createTrace(path, header);
    await writer.append(records);
    await writer.close(madeUpSummary);
    return await openTrace(path);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Makes a trace of the kernel's text. */
export async function importedTrace(text = recordedText()): Promise<TraceReader> {
  const imported = importMmiotrace(text);
  return traceOf(imported.records, imported.header);
}

/** Returns the result of `take` for each selected event. */
export async function mapSelected<T>(
  reader: TraceReader,
  selection: Selection,
  take: (view: EventView) => T,
): Promise<T[]> {
  const taken: T[] = [];
  for await (const { views } of selectedViews(reader, new AccessRegisters(builtInFor), selection)) {
    for (const view of views) taken.push(take(view));
  }
  return taken;
}
