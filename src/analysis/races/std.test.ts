// tier: quick
// RAPID's STD format: what a line may have, the words for a line that isn't sound, and lines that arrive in pieces.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FormatError } from "../../base/errors.js";
import { eventWords } from "./event-batch.js";
import { StdReader } from "./std.js";

/** Reads pieces of a trace; returns its events as words. */
function read(...pieces: (string | Uint8Array)[]): string[] {
  const events: string[] = [];
  const reader: StdReader = new StdReader("trace.std", (batch) => {
    const { threads, locks, variables } = reader.names;
    for (let row = 0; row < batch.length; row += 1) {
      const kind = batch.kinds[row]!;
      const table = kind < 2 ? variables : kind < 4 ? locks : threads;
      const target = kind < 6 ? ` ${table.text(batch.targets[row]!)}` : "";
      events.push(`${threads.text(batch.threads[row]!)} ${eventWords[kind]}${target} ${batch.locations[row]}`);
    }
  });
  for (const piece of pieces) reader.push(typeof piece === "string" ? new TextEncoder().encode(piece) : piece);
  reader.finish();
  return events;
}

test("all operations are read", () => {
  const text =
    "T0|r(V123)|345\nT1|w(V234.23[0])|456\nT0|fork(T2)|123\nT2|acq(L34)|120\nT2|rel(L34)|130\nT0|join(T2)|134\n" +
    "T0|begin|1\nT0|end(of(it)|2\n";
  expect(read(text)).toEqual([
    "T0 read V123 345",
    "T1 write V234.23[0] 456",
    "T0 fork T2 123",
    "T2 acquire L34 120",
    "T2 release L34 130",
    "T0 join T2 134",
    "T0 begin 1",
    "T0 end 2",
  ]);
});

test("names are told apart whatever their length, parentheses included", () => {
  const names = Array.from({ length: 60 }, (_, length) => `(${"é".repeat(length)}x`);
  const longer = names.flatMap((name) => [name, `${name}y`, `y${name}`]);
  expect(read(longer.map((name) => `T|w(${name})|1\n`).join(""))).toEqual(longer.map((name) => `T write ${name} 1`));
});

test("a name has one number, whatever its length", () => {
  const numbers: number[] = [];
  const reader = new StdReader("trace.std", ({ targets, length }) => numbers.push(...targets.slice(0, length)));
  const names = Array.from({ length: 60 }, (_, length) => `${"x".repeat(length)}y`);
  const line = (name: string) => `T|w(${name})|1\n`;
  reader.push(new TextEncoder().encode([...names, ...names].map(line).join("")));
  reader.finish();
  expect(numbers).toEqual([...names.keys(), ...names.keys()]);
});

test("a variable, a lock and a thread may have one name", () => {
  expect(read("a|w(a)|1\na|acq(a)|2\n")).toEqual(["a write a 1", "a acquire a 2"]);
});

test("lines may end as Windows ends them, and the last one without an end", () => {
  expect(read("T|w(x)|1\r\nT|r(x)|-2")).toEqual(["T write x 1", "T read x -2"]);
  expect(read()).toEqual([]);
});

test("a location has 32 bits", () => {
  expect(read("T|w(x)|-2147483648\nT|w(x)|2147483647\nT|w(x)|+0000000000012\n")).toEqual([
    "T write x -2147483648",
    "T write x 2147483647",
    "T write x 12",
  ]);
});

test("a name may have control characters that are no white space", () => {
  const names = ["\x00", "\x08", "\x0e", "\x1f", "\x21", "\x7f"].map((character) => `a${character}b`);
  expect(read(names.map((name) => `T|w(${name})|1\n`).join(""))).toEqual(names.map((name) => `T write ${name} 1`));
});

test("more events than a batch has, and more names than a table begins with", () => {
  const lines = Array.from({ length: 10_000 }, (_, at) => `T${at % 300}|w(v${at % 3000})|${at}`);
  const events = read(`${lines.join("\n")}\n`);
  expect(events.length).toBe(10_000);
  expect(events[9_999]).toBe("T99 write v999 9999");
});

test("pieces may be cut anywhere, and their bytes reused", () => {
  const text = "Thread-1|w(variable)|1\r\nT2|acq(a long name of no use)|22\n".replaceAll(" ", "_").repeat(3);
  const whole = read(text);
  const bytes = new TextEncoder().encode(text);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: bytes.length })), (cuts) => {
      const events: number[] = [];
      const reader = new StdReader("trace.std", (batch) => events.push(batch.length, ...batch.locations.slice(0, 6)));
      let from = 0;
      for (const to of [...cuts.sort((a, b) => a - b), bytes.length]) {
        const piece = Buffer.from(bytes.subarray(from, to));
        reader.push(piece);
        piece.fill(0);
        from = to;
      }
      reader.finish();
      expect(events).toEqual([whole.length, 1, 22, 1, 22, 1, 22]);
    }),
  );
});

describe("a line that isn't sound is refused with its number", () => {
  test.each([
    ["T1|w(x)", "expected three fields with | between them, but there are 2"],
    ["", "expected three fields with | between them, but there is 1"],
    ["T1|w(x)|1|2", "expected three fields with | between them, but there are 4"],
    ["T1|write(x)|1", "expected r, w, acq, rel, fork, join, begin or end as the operation"],
    ["T1||1", "expected r, w, acq, rel, fork, join, begin or end as the operation"],
    ["T1|w|1", "expected a target without spaces in parentheses behind the operation"],
    ["T1|w()|1", "expected a target without spaces in parentheses behind the operation"],
    ["T1|w(x|1", "expected a target without spaces in parentheses behind the operation"],
    ["T1|w(x y)|1", "expected a target without spaces in parentheses behind the operation"],
    ["T1|acq(x) |1", "expected a target without spaces in parentheses behind the operation"],
    ["T1|w(x)|", "expected a whole number as the location"],
    ["T1|w(x)|a", "expected a whole number as the location"],
    ["T1|w(x)|1 ", "expected a whole number as the location"],
    ["T1|begin|", "expected a whole number as the location"],
    ["T1|w(x)|2147483648", "expected a location of 32 bits, from -2147483648 to 2147483647"],
    ["T1|w(x)|-2147483649", "expected a location of 32 bits, from -2147483648 to 2147483647"],
    ["T1|end|+4294967296", "expected a location of 32 bits, from -2147483648 to 2147483647"],
    ["T1|w(x)|+", "expected a whole number as the location"],
    ["T1|pretend|1", "expected r, w, acq, rel, fork, join, begin or end as the operation"],
    ["T1|rejoin(T2)|1", "expected r, w, acq, rel, fork, join, begin or end as the operation"],
    ["T1|wr(x)|1", "expected r, w, acq, rel, fork, join, begin or end as the operation"],
    ["T1|fork[T2)|1", "expected r, w, acq, rel, fork, join, begin or end as the operation"],
  ])("%j", (line, what) => {
    for (const text of [`T1|w(x)|1\n${line}\nT1|w(x)|1\n`, `T1|w(x)|1\n${line}\n`]) {
      expect(() => read(text)).toThrow(
        expect.objectContaining({ file: "trace.std", line: 2, what: `${what}: "${line}"` }),
      );
    }
  });

  test.each(["\t", "\n", "\v", "\f", "\r", " "])("a target with the white space %j", (space) => {
    expect(() => read(`T1|w(x${space}y)|1\n`)).toThrow(FormatError);
  });

  test("with an example, and without the end that Windows gives it", () => {
    expect(() => read("T1|w(x)|1\r\nT1|w(x)|a\r\n")).toThrow(
      expect.objectContaining({
        line: 2,
        what: 'expected a whole number as the location: "T1|w(x)|a"',
        advice: "a line of RAPID's STD format is thread|operation(target)|location, for example T1|w(x)|42",
      }),
    );
  });

  test("80 characters of a line are shown, and 1048576 bytes of one without an end are awaited", () => {
    const what = "expected three fields with | between them, but there is 1";
    const line = "x".repeat(80);
    expect(() => read(`${line}\n`)).toThrow(expect.objectContaining({ what: `${what}: "${line}"` }));
    expect(() => read(`${line}x\n`)).toThrow(expect.objectContaining({ what: `${what}: "${line}…"` }));
    const longest = new Uint8Array(1_048_576).fill(0x78);
    expect(() => read("T1|end|0\n", longest)).toThrow(
      expect.objectContaining({ line: 2, what: `${what}: "${line}…"` }),
    );
    expect(() => read("T1|end|0\n", longest, "x")).toThrow(
      expect.objectContaining({
        line: 2,
        what: "expected thread|operation(target)|location, but the line has more than 1048576 bytes",
      }),
    );
  });

  test("a long one is shown in part, and one without an end isn't read on and on", () => {
    expect(() => read(`${"x".repeat(1000)}\n`)).toThrow(
      expect.objectContaining({ what: expect.stringMatching(/x{80}…"$/) }),
    );
    const piece = new Uint8Array(600_000).fill(0x78);
    expect(() => read(piece, piece)).toThrow(
      expect.objectContaining({ line: 1, what: expect.stringContaining("more than 1048576 bytes") }),
    );
  });

  test("noise never gets through as anything but an error of the format", () => {
    const noise = fc.uint8Array({ maxLength: 60 });
    const nearly = fc.stringMatching(/^[T|rwacqel()x \r\n0-9]{0,40}$/);
    fc.assert(
      fc.property(fc.oneof(noise, nearly), (bytes) => {
        try {
          read(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
        }
      }),
      { numRuns: 3000 },
    );
  });
});
