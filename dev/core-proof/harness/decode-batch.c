// SPDX-License-Identifier: GPL-2.0
/*
 * The decoder as a shared library, for tests and benchmarks: many strings a
 * call, plain results without pointers.
 */
#include "decode.h"

/* dev/core-proof/decode-batch.ts reads this by offset. */
struct mms_decode_result {
	uint64_t immediate;
	int64_t displacement;
	uint16_t code;		/* iced-x86's number of the form */
	uint16_t memory_bytes;
	uint8_t length;		/* 0: no valid instruction */
	uint8_t encoding;
	uint8_t prefixes;
	uint8_t rex;
	uint8_t operand_bytes;
	uint8_t address_bytes;
	uint8_t vector_length;
	uint8_t modrm;
	uint8_t reg;
	uint8_t rm;
	uint8_t vvvv;
	uint8_t opmask;
	uint8_t immediate2;
	uint8_t zeroing;
	uint8_t broadcast;
	uint8_t memory;
	uint8_t base;
	uint8_t index;
	uint8_t scale;
	uint8_t segment;
	uint8_t access;
	uint8_t unused[7];
};
_Static_assert(sizeof(struct mms_decode_result) == 48, "read by offset");

/*
 * Decodes the `count` strings that begin at `bytes + offsets[n]`, of which
 * `limits[n]` bytes may be read, into `results`.
 */
void mms_decode_batch(const uint8_t *bytes, const uint32_t *offsets,
		      const uint8_t *limits, uint32_t count,
		      struct mms_decode_result *results);

void mms_decode_batch(const uint8_t *bytes, const uint32_t *offsets,
		      const uint8_t *limits, uint32_t count,
		      struct mms_decode_result *results)
{
	struct mms_instruction i;
	uint32_t n;

	for (n = 0; n < count; n++) {
		if (!mms_decode(bytes + offsets[n], limits[n], &i)) {
			results[n] = (struct mms_decode_result){ 0 };
			continue;
		}
		results[n] = (struct mms_decode_result){
			.immediate = i.immediate,
			.displacement = i.displacement,
			.code = i.opcode->code,
			.memory_bytes = i.memory_bytes,
			.length = i.length,
			.encoding = i.encoding,
			.prefixes = i.prefixes,
			.rex = i.rex,
			.operand_bytes = i.operand_bytes,
			.address_bytes = i.address_bytes,
			.vector_length = i.vector_length,
			.modrm = i.modrm,
			.reg = i.reg,
			.rm = i.rm,
			.vvvv = i.vvvv,
			.opmask = i.opmask,
			.immediate2 = i.immediate2,
			.zeroing = i.zeroing,
			.broadcast = i.broadcast,
			.memory = i.memory,
			.base = i.base,
			.index = i.index,
			.scale = i.scale,
			.segment = i.segment,
			.access = i.access,
		};
	}
}

/*
 * Decodes all of `bytes`, one instruction after the other, `rounds` times, and
 * returns the number of instructions. For benchmarks: the loop does nothing
 * else. A byte that begins no instruction is skipped.
 */
uint64_t mms_decode_stream(const uint8_t *bytes, size_t count, uint32_t rounds);

uint64_t mms_decode_stream(const uint8_t *bytes, size_t count, uint32_t rounds)
{
	struct mms_instruction i;
	uint64_t decoded = 0;
	uint32_t round;
	size_t at;

	for (round = 0; round < rounds; round++) {
		for (at = 0; at < count; decoded++) {
			int length = mms_decode(bytes + at, count - at, &i);

			at += length ? (size_t)length : 1;
		}
	}
	return decoded;
}

/*
 * Stores the offsets in `bytes` at which instructions begin, one after the other
 * from 0 on, into `starts`, at most `starts_max`; returns their number. A byte
 * that begins no instruction counts as a start, too.
 */
uint32_t mms_decode_starts(const uint8_t *bytes, uint32_t count,
			   uint32_t *starts, uint32_t starts_max);

uint32_t mms_decode_starts(const uint8_t *bytes, uint32_t count,
			   uint32_t *starts, uint32_t starts_max)
{
	struct mms_instruction i;
	uint32_t at = 0, n = 0;

	while (at < count && n < starts_max) {
		int length = mms_decode(bytes + at, count - at, &i);

		starts[n++] = at;
		at += length ? (uint32_t)length : 1;
	}
	return n;
}
