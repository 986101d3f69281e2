// SPDX-License-Identifier: GPL-2.0
/*
 * libFuzzer's entry into the decoder: any bytes, and exactly as many as may be
 * read. Asserts what holds for every answer; the comparison with iced-x86 checks
 * that the answer is right.
 */
#include <stdlib.h>
#include <string.h>

#include "decode.h"

#define MUST(condition) do { if (!(condition)) abort(); } while (0)

static void check(const struct mms_instruction *i, int length, size_t available)
{
	MUST(length > 0 && length <= MMS_INSTRUCTION_BYTES_MAX);
	MUST((size_t)length <= available && length == i->length);
	MUST(i->opcode);
	MUST(i->encoding <= MMS_D3NOW);
	MUST(i->operand_bytes == 2 || i->operand_bytes == 4 ||
	     i->operand_bytes == 8);
	MUST(i->address_bytes == 4 || i->address_bytes == 8);
	MUST(i->reg < 32 && i->rm < 32 && i->vvvv < 32 && i->opmask < 8);
	MUST(i->rex < 16 && i->vector_length < 4);
	MUST(i->memory <= MMS_MEMORY_XLAT);
	MUST(i->segment <= MMS_SEGMENT_GS);
	MUST(i->access <= (MMS_ACCESS_READ_WRITE | MMS_ACCESS_CONDITIONAL));
	if (i->memory == MMS_MEMORY_NONE) {
		MUST(!i->access && !i->memory_bytes);
		return;
	}
	if (i->memory != MMS_MEMORY_MODRM && i->memory != MMS_MEMORY_VECTOR)
		return;
	MUST(i->base <= MMS_RIP || i->base == MMS_NO_REGISTER);
	MUST(i->index < 32 || i->index == MMS_NO_REGISTER);
	MUST(i->index < MMS_REGISTER_COUNT || i->index == MMS_NO_REGISTER ||
	     i->memory == MMS_MEMORY_VECTOR);
	MUST(i->scale == 1 || i->scale == 2 || i->scale == 4 || i->scale == 8);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mms_instruction i, again;
	/* a copy of exactly this size, so that a read beyond it is noticed */
	uint8_t *bytes = malloc(size ? size : 1);
	int length;

	MUST(bytes);
	memset(&i, 0, sizeof(i));
	memset(&again, 0, sizeof(again));
	memcpy(bytes, data, size);
	length = mms_decode(bytes, size, &i);
	if (length) {
		check(&i, length, size);
		/* the bytes behind an instruction don't matter; all of its own
		 * bytes do */
		MUST(mms_decode(bytes, (size_t)length, &again) == length);
		MUST(!memcmp(&i, &again, sizeof(i)));
		MUST(!mms_decode(bytes, (size_t)length - 1, &again));
	}
	free(bytes);
	return 0;
}
