// Shares of a benchmark's time: samples of V8's own profiler, grouped by the purpose of the code.
import { Session } from "node:inspector/promises";

export interface Profile {
  what: string;
  /** Parts of the whole by purpose, the largest first. */
  shares: { name: string; share: number }[];
}

/** Purposes by file name, or by function name for Node's own. The first that fits counts. */
const purposes: [name: string, fits: RegExp][] = [
  ["garbage collection", /^\(garbage collector\)/],
  ["deflate and inflate", /zlib|processChunkSync|writeSync|(in|de)flate/i],
  ["coding words, addresses and shapes", /block-tables|table-decoder|byte-column|varints/],
  ["coding rows: word numbers, tasks, times", /block-encoder|row-decoder|block-decoder|events-payload/],
  ["checksums", /crc32/i],
  ["file system", /node:(fs|internal\/fs)|fsync|writeBuffer|readSync|\bread\b/],
  ["the benchmark itself", /gpu-mix|bench\/trace|made-up-records/],
  ["idle", /^\((idle|program|root)\)/],
];

/** Profiles `work`, without the time of the benchmark itself and of waiting. */
export async function profiled(what: string, work: () => Promise<unknown>): Promise<Profile> {
  const session = new Session();
  session.connect();
  await session.post("Profiler.enable");
  await session.post("Profiler.start");
  await work();
  const { profile } = await session.post("Profiler.stop");
  session.disconnect();
  const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, `${callFrame.functionName} ${callFrame.url}`]));
  const times = new Map<string, number>();
  for (const [index, id] of (profile.samples ?? []).entries()) {
    const frame = frames.get(id) ?? "";
    const name = purposes.find(([, fits]) => fits.test(frame))?.[0] ?? "else";
    times.set(name, (times.get(name) ?? 0) + (profile.timeDeltas?.[index] ?? 0));
  }
  for (const own of ["the benchmark itself", "idle"]) times.delete(own);
  const whole = [...times.values()].reduce((sum, time) => sum + time, 0);
  const shares = [...times].map(([name, time]) => ({ name, share: time / whole }));
  return { what, shares: shares.sort((a, b) => b.share - a.share) };
}

/** Describes the largest shares. */
export function sharesText({ shares }: Profile): string {
  const largest = shares.filter(({ share }) => share >= 0.03);
  return largest.map(({ name, share }) => `${name} ${(100 * share).toFixed(0)} %`).join(", ");
}
