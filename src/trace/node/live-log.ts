// Opens what comes through a pipe, of any format, for reading while it comes: a trace as it is, a log of another format through its
// import into a temporary trace, which is read while it is being written. Node only.
import { join } from "node:path";
import { Readable } from "node:stream";
import { messageOf, UserError } from "../../base/errors.js";
import { temporaryFolder } from "../../base/finished-output.js";
import { notesOf } from "../file/incomplete.js";
import type { TraceReader } from "../file/reader.js";
import type { ByteSource } from "../file/source.js";
import { importLog } from "../import/import-log.js";
import { createTrace } from "./create-trace.js";
import { FileSource, openSource } from "./file-source.js";
import type { Input } from "./open-log.js";

/** Longest time that an event waits for its readers while more events come. */
const flushEvery_ms = 200;

/** A trace that still comes. */
export interface LiveTrace {
  reader: TraceReader;
  /** Remarks about the origin, one sentence each; known at the trace's end. */
  readonly notes: readonly string[];
}

/** Opens an input as it comes. The caller closes its reader, which ends the input. Throws UserError, FormatError. */
export async function openAsItComes(input: Input): Promise<LiveTrace> {
  if (input.format === "mmt") {
    // A generator that waits for its next chunk doesn't end before that has come: the input itself must be closed.
    const { name, incomplete } = input;
    const source = FileSource.ofStream(Readable.from(input.chunks), name, () => input.close(), incomplete);
    const reader = await openSource(source);
    return {
      reader,
      get notes() {
        return notesOf(reader);
      },
    };
  }
  const source = await LiveImport.start(input);
  return { reader: await openSource(source), notes: source.notes };
}

/** The bytes of a trace that an import is writing. */
class LiveImport implements ByteSource {
  readonly name: string;
  readonly notes: string[] = [];
  private readonly input: Input;
  private readonly file: FileSource;
  private ended = false;
  private closed = false;
  private failure: UserError | undefined;

  private constructor(input: Input, file: FileSource) {
    this.name = input.name;
    this.input = input;
    this.file = file;
  }

  /** Starts the import; settles when the trace's file is there. */
  static async start(input: Input): Promise<LiveImport> {
    return temporaryFolder(async (folder) => {
      const path = join(folder, "imported.mmt");
      let started: (source: LiveImport) => void = () => {};
      let failed: (error: unknown) => void = () => {};
      const begun = new Promise<LiveImport>((resolve, reject) => {
        started = resolve;
        failed = reject;
      });
      let live: LiveImport | undefined;
      const importing = importLog({ ...input, flushEvery_ms }, {}, async (header) => {
        const writer = await createTrace(path, header, "the temporary trace");
        live = new LiveImport(input, FileSource.open(path, { name: input.name }));
        started(live);
        return writer;
      });
      importing.then(
        ({ notes }) => live?.finish(notes),
        (error: unknown) => (live === undefined ? failed(error) : live.fail(error)),
      );
      // The folder goes as soon as both have their descriptors.
      return begun;
    });
  }

  private finish(notes: readonly string[]): void {
    this.notes.push(...notes);
    this.ended = true;
  }

  private fail(error: unknown): void {
    this.ended = true;
    if (this.closed) return;
    this.failure = error instanceof UserError ? error : new UserError(messageOf(error), { cause: error });
  }

  /** Throws UserError, FormatError if the import failed. */
  get coming(): boolean {
    if (this.failure !== undefined) throw this.failure;
    return !this.ended;
  }

  size(): Promise<number> {
    return this.file.size();
  }

  read(offset: number, length_bytes: number): Promise<Uint8Array> {
    return this.file.read(offset, length_bytes);
  }

  async close(): Promise<void> {
    this.closed = true;
    this.input.close();
    await this.file.close();
  }
}
