// SPDX-License-Identifier: GPL-2.0
/*
 * libFuzzer's entry into the emulator: an instruction, then registers. Asserts
 * what holds for all of them: nothing outside the two areas is touched, and a
 * refused instruction changes nothing. The comparison with the CPU checks that
 * the result is right.
 */
#include <stdlib.h>
#include <string.h>

#include "plain-machine.h"

#define MUST(condition) do { if (!(condition)) abort(); } while (0)
#define INSTRUCTION_BYTES 15

static struct mms_plain_machine machine;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t bytes[INSTRUCTION_BYTES] = { 0 };
	struct mms_instruction i;
	uint64_t before[16];
	enum mms_result result;
	uint8_t *areas;
	size_t n;

	memcpy(bytes, data, size < INSTRUCTION_BYTES ? size : INSTRUCTION_BYTES);
	if (!mms_decode(bytes, INSTRUCTION_BYTES, &i))
		return 0;
	/* new for each input, so that the sanitizer knows their ends */
	areas = calloc(2, MMS_PLAIN_AREA_BYTES);
	MUST(areas);
	machine.device = (uint64_t)areas;
	machine.ordinary = machine.device + MMS_PLAIN_AREA_BYTES;
	for (n = 0; n < 16; n++) {
		uint8_t chosen = INSTRUCTION_BYTES + n < size ?
					 data[INSTRUCTION_BYTES + n] : 0x40;

		/* near an end of the areas, in their middle, or anywhere */
		machine.gpr[n] = chosen < 0xc0 ?
			(uint64_t)areas + chosen * (2 * MMS_PLAIN_AREA_BYTES / 0xc0) :
			chosen * 0x0123456789abcdefull;
	}
	machine.gpr[MMS_RCX] = size ? data[0] : 0;
	memcpy(before, machine.gpr, sizeof(before));
	mms_plain_reset(&machine, 0x1000, size > 1 ? data[1] | 0x202u : 0x202);
	result = mms_emulate(&machine.machine, &i);
	switch (result) {
	case MMS_DONE:
		break;
	case MMS_AGAIN:
		MUST(machine.machine.ip == 0x1000);
		break;
	case MMS_UNSUPPORTED:
		/* a division that would fault has already read its operand */
		if (i.opcode->mnemonic == MMS_MN_DIV ||
		    i.opcode->mnemonic == MMS_MN_IDIV)
			break;
		/* fall through */
	case MMS_NO_DEVICE:
	case MMS_MEMORY_FAULT:
		MUST(!machine.accesses);
		MUST(!memcmp(before, machine.gpr, sizeof(before)));
		MUST(machine.machine.ip == 0x1000);
		break;
	}
	free(areas);
	return 0;
}
