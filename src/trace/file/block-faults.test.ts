// tier: quick
// Blocks whose numbers can't be, each at its last good and first bad number; the words for each fault.
import { describe, expect, test } from "vitest";
import { nodeCodec } from "../node/codec.js";
import { decodeEvents } from "./block-decoder.js";
import { crc32 } from "./crc32.js";
import { encodeJson, inflatePayload } from "./json-block.js";
import { BlockType, decodeBlockHeader, encodeBlock, encodePaddingHeader } from "./layout.js";
import { decodeWords } from "./table-decoder.js";

describe("a block's header", () => {
  const payload = new Uint8Array(3);
  const content = { records: 5, events: 4, tscMin: 6n, tscMax: 2n ** 64n - 1n };
  const good = encodeBlock(BlockType.events, payload, { firstRecord: 7, firstEvent: 8 }, content).subarray(0, 64);

  /** Returns the header with a number at this place, and a checksum that fits. */
  function changed(at: number, value: number): Uint8Array {
    const bytes = Uint8Array.from(good);
    const view = new DataView(bytes.buffer);
    view.setUint32(at, value, true);
    view.setUint32(60, crc32(bytes.subarray(0, 60)), true);
    return bytes;
  }

  test("is read back", () => {
    expect(decodeBlockHeader(good)).toEqual({
      ...{ type: BlockType.events, payload_bytes: 3, payloadCrc: crc32(payload), firstRecord: 7, firstEvent: 8 },
      ...content,
    });
    const none = { firstRecord: 0, firstEvent: 0, records: 0, events: 0, tscMin: 0n, tscMax: 0n, payloadCrc: 0 };
    const padding = { type: BlockType.padding, payload_bytes: 100_000_000 };
    expect(decodeBlockHeader(encodePaddingHeader(100_000_064))).toEqual({ ...padding, ...none });
    expect(
      decodeBlockHeader(encodeBlock(BlockType.update, new Uint8Array(), { firstRecord: 1, firstEvent: 1 })),
    ).toEqual({
      ...{ ...none, type: BlockType.update, payload_bytes: 0, firstRecord: 1, firstEvent: 1 },
    });
  });

  test("that is short, of something else, or damaged", () => {
    expect(decodeBlockHeader(good.subarray(0, 63))).toBe("the block's header is cut short");
    expect(decodeBlockHeader(changed(0, 0x42534d4e))).toBe("no block begins here");
    for (let at = 4; at < 64; at += 1) {
      const bytes = Uint8Array.from(good);
      bytes[at]! ^= 1;
      expect(decodeBlockHeader(bytes)).toBe("the block's header doesn't fit its checksum");
    }
  });

  test("whose place, with its records and events, can't be told exactly", () => {
    const blockAt = (firstRecord: number, firstEvent: number) =>
      decodeBlockHeader(encodeBlock(BlockType.events, payload, { firstRecord, firstEvent }, content));
    const greatest = Number.MAX_SAFE_INTEGER;
    const [lastRecord, lastEvent] = [greatest - content.records, greatest - content.events];
    expect(blockAt(lastRecord, lastEvent)).toMatchObject({ firstRecord: lastRecord, firstEvent: lastEvent });
    const fault = "the block's place among the records can't be";
    expect(blockAt(lastRecord + 1, lastEvent)).toBe(fault);
    expect(blockAt(lastRecord, lastEvent + 1)).toBe(fault);
  });

  test.each([
    // the payload's length
    [8, 64 << 20, undefined],
    [8, (64 << 20) + 1, "a block of 67108865 bytes is longer than any may be"],
    // the upper halves of the first record's and the first event's number
    [20, 0x1f_ffff, undefined],
    [20, 0x20_0000, "the block's place among the records can't be"],
    [28, 0x1f_ffff, undefined],
    [28, 0x20_0000, "the block's place among the records can't be"],
    // records and events
    [32, 81_920, undefined],
    [32, 81_921, "the block claims 81921 records and 4 events"],
    [32, 4, undefined],
    [32, 3, "the block claims 3 records and 4 events"],
    [36, 5, undefined],
    [36, 6, "the block claims 5 records and 6 events"],
  ])("with another number at %i: %i", (at, value, fault) => {
    const header = decodeBlockHeader(changed(at, value));
    if (fault === undefined) expect(header).toBeTypeOf("object");
    else expect(header).toBe(fault);
  });
});

describe("the counts of a block of events", () => {
  /** An empty block with other counts: rows, other records, words, addresses, shapes, tasks. */
  const faultOf = (records: number, ...counts: number[]) => {
    const payload = new Uint8Array(32 + 14 * 12);
    for (const [index, count] of counts.entries()) new DataView(payload.buffer).setUint32(8 + 4 * index, count, true);
    return decodeEvents(payload, records, nodeCodec).then(
      () => undefined,
      (error: Error) => error.message,
    );
  };
  const contradict = "the block's counts contradict each other";
  /** The fault of one whose counts can be. */
  const noColumns = "column 0 twice or unknown";

  test.each([
    [0, [0, 0, 0, 0, 0, 0], noColumns],
    [6, [6, 0, 6, 6, 6, 6], noColumns],
    [5, [6, 0, 6, 6, 6, 6], contradict],
    [7, [6, 0, 6, 6, 6, 6], contradict],
    [7, [6, 1, 6, 6, 6, 6], noColumns],
    [6, [6, 1, 6, 6, 6, 6], contradict],
    [6, [6, 0, 7, 6, 6, 6], contradict],
    [6, [6, 0, 5, 6, 5, 6], contradict],
    [6, [6, 0, 5, 5, 5, 6], noColumns],
    [6, [6, 0, 6, 5, 6, 6], contradict],
    [6, [6, 0, 6, 6, 6, 7], contradict],
    [65_536, [65_536, 0, 0, 0, 0, 0], noColumns],
    [65_537, [65_537, 0, 0, 0, 0, 0], contradict],
    [16_384, [0, 16_384, 0, 0, 0, 0], noColumns],
    [16_385, [0, 16_385, 0, 0, 0, 0], contradict],
  ])("of %i records: %j", async (records, counts, fault) => {
    expect(await faultOf(records, ...counts)).toBe(fault);
  });

  test("have a place", async () => {
    await expect(decodeEvents(new Uint8Array(32 + 14 * 12 - 1), 0, nodeCodec)).rejects.toThrow(
      "the block is too short for its table of columns",
    );
  });
});

describe("JSON in a block", () => {
  test("has its length before it", async () => {
    const payload = await encodeJson({ a: 1 }, nodeCodec);
    expect(new TextDecoder().decode(await inflatePayload(payload, nodeCodec))).toBe('{"a":1}');
    expect([...payload.subarray(0, 4)]).toEqual([7, 0, 0, 0]);
    const withLength = (length: number) => {
      const bytes = Uint8Array.from(payload);
      new DataView(bytes.buffer).setUint32(0, length, true);
      return inflatePayload(bytes, nodeCodec);
    };
    await expect(withLength(8)).rejects.toThrow("the block can't be decompressed: 7 bytes, not 8");
    await expect(withLength(6)).rejects.toThrow("the block can't be decompressed: ");
    await expect(withLength(64 << 20)).rejects.toThrow("the block can't be decompressed: 7 bytes, not 67108864");
    await expect(withLength((64 << 20) + 1)).rejects.toThrow("the block claims 67108865 bytes of content");
    await expect(inflatePayload(payload.subarray(0, 3), nodeCodec)).rejects.toThrow("the block is too short");
    await expect(inflatePayload(payload.subarray(0, 4), nodeCodec)).rejects.toThrow(
      "the block can't be decompressed: ",
    );
  });
});

describe("a word's value", () => {
  const [up, down] = [32, 64];

  /** Decodes words of one address, each given by its tag and bytes. */
  function wordsOf(...words: [tag: number, bytes: number[]][]): bigint[] {
    const refs = Uint8Array.from(words, (_, at) => (at === 0 ? 0 : 1));
    const tags = Uint8Array.from(words, ([tag]) => tag);
    const bytes = Uint8Array.from(words.flatMap(([, some]) => some));
    const { wordLow, wordHigh, wordUpper } = decodeWords({ refs, tags, bytes }, words.length, 1);
    return words.map(
      (_, at) => ((wordUpper.get(at) ?? 0n) << 64n) | (BigInt(wordHigh[at]!) << 32n) | BigInt(wordLow[at]!),
    );
  }
  const ones = (count: number) => Array.from({ length: count }, () => 255);

  test("is as long as its tag says", () => {
    for (let length = 0; length <= 16; length += 1) {
      const bytes = Array.from({ length }, (_, at) => 255 - at);
      const value = bytes.reduce((sum, byte, at) => sum | (BigInt(byte) << BigInt(8 * at)), 0n);
      expect(wordsOf([length, bytes], [1, [1]])).toEqual([value, 1n]);
    }
  });

  test("is the last one's and more, or less, within 64 bits", () => {
    expect(wordsOf([8, [254, ...ones(7)]], [up + 1, [1]])).toEqual([2n ** 64n - 2n, 2n ** 64n - 1n]);
    expect(wordsOf([4, ones(4)], [up + 1, [1]], [down + 1, [1]])).toEqual([2n ** 32n - 1n, 2n ** 32n, 2n ** 32n - 1n]);
    expect(wordsOf([0, []], [up + 6, ones(6)], [down + 6, ones(6)])).toEqual([0n, 2n ** 48n - 1n, 0n]);
    const leaves = "a value's delta leaves 64 bits";
    expect(() => wordsOf([8, ones(8)], [up + 1, [1]])).toThrow(leaves);
    expect(() => wordsOf([0, []], [down + 1, [1]])).toThrow(leaves);
    expect(() => wordsOf([4, ones(4)], [down + 5, [0, 0, 0, 0, 1]])).toThrow(leaves);
  });

  test.each([17, up + 7, down + 7, up + down + 1, 128 + 1])("hasn't the tag %i", (tag) => {
    expect(() => wordsOf([8, ones(8)], [tag, ones(tag & 31)])).toThrow("column wordTag holds a wrong tag");
  });

  test("that is a difference needs one before", () => {
    expect(() => wordsOf([up + 1, [1]])).toThrow("column wordTag holds a wrong tag");
  });
});
