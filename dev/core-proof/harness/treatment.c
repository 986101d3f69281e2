// SPDX-License-Identifier: GPL-2.0
/*
 * The core's treatment of each instruction on device memory, as its own code
 * decides; and the emulator's speed. A shared library for Node.
 */
#include <stdlib.h>
#include <string.h>

#include "stepping.h"
#include "plain-machine.h"

enum treatment {
	NO_OPERAND,	/* no instruction, or none with a memory operand */
	NO_ACCESS,	/* computes an address, or is a hint: never faults */
	EMULATED,
	STEPPED,	/* by the CPU, on a copy of the operand */
	ESCAPED,	/* by the CPU, on the real mapping, unseen */
	REJECTED,	/* left to fault */
	MISSED,		/* its address is a decoy, and nobody notices: an oops */
};

struct answer {
	uint16_t code;		/* iced-x86's number of the form */
	uint8_t treatment;
	uint8_t variant;	/* 1: with an opmask; 2: REP and the like */
};

static struct mms_plain_machine machine;
static _Alignas(64) uint8_t device[MMS_PLAIN_AREA_BYTES];
static _Alignas(64) uint8_t ordinary[MMS_PLAIN_AREA_BYTES];

/* Prepares registers and memory so that every emulated form succeeds: aligned, no
 * division by 0 or with too large a quotient. */
static bool set_up(uint8_t *bytes, const struct mms_instruction *i)
{
	uint64_t at = (uint64_t)device + MMS_PLAIN_AREA_BYTES / 2;

	memset(device, 1, sizeof(device));
	memset(machine.gpr, 0, sizeof(machine.gpr));
	machine.device = (uint64_t)device;
	machine.ordinary = (uint64_t)ordinary;
	machine.gpr[MMS_RSP] = (uint64_t)ordinary + MMS_PLAIN_AREA_BYTES / 2;
	machine.gpr[MMS_RAX] = 1;
	machine.gpr[MMS_RCX] = 1;
	mms_plain_reset(&machine, (uint64_t)bytes, 0x202);
	switch (i->memory) {
	case MMS_MEMORY_RDI: case MMS_MEMORY_RSI:
	case MMS_MEMORY_RDI_RSI: case MMS_MEMORY_RSI_RDI:
		machine.gpr[MMS_RDI] = at;
		machine.gpr[MMS_RSI] = at;
		return true;
	case MMS_MEMORY_VECTOR:
		if (i->base < MMS_REGISTER_COUNT)
			machine.gpr[i->base] = at;
		return true;
	default:
		break;
	}
	if (i->opcode->operands[0] == MMS_OPERAND_R64_REG_MEM) {
		if (!mms_plain_aim(&machine, machine.gpr, bytes, i,
				   (uint64_t)bytes, machine.gpr[MMS_RSP]))
			return false;
		machine.gpr[i->reg] = at;
		return true;
	}
	return mms_plain_aim(&machine, machine.gpr, bytes, i, (uint64_t)bytes, at);
}

/* A bit whose number is an address: it may lie anywhere. */
static bool numbers_bit_by_address(const struct mms_instruction *i)
{
	switch (i->opcode->mnemonic) {
	case MMS_MN_BT: case MMS_MN_BTS: case MMS_MN_BTR: case MMS_MN_BTC:
		return i->opcode->operands[1] != MMS_OPERAND_IMM8 &&
		       (i->reg == i->base || i->reg == i->index ||
			i->reg == MMS_RSP);
	default:
		return false;
	}
}

static enum treatment treat(const struct mms_instruction *i)
{
	unsigned int registers[3];

	switch (mms_emulate(&machine.machine, i)) {
	case MMS_DONE:
	case MMS_AGAIN:
		return EMULATED;
	case MMS_NO_DEVICE:
		/* the kernel would take the fault for somebody's bug */
		return MISSED;
	case MMS_MEMORY_FAULT:
	case MMS_UNSUPPORTED:
		break;
	}
	if (mms_step_register(i) >= 0)
		return STEPPED;
	return mms_lift_registers(i, registers) ? ESCAPED : REJECTED;
}

/* Judges `count` strings of 16 bytes, changing them. */
__attribute__((visibility("default")))
void mms_treatments(uint8_t *strings, uint32_t count, struct answer *answers)
{
	struct mms_instruction i;
	uint32_t n;

	for (n = 0; n < count; n++) {
		uint8_t *bytes = strings + 16 * n;
		struct answer *a = &answers[n];

		*a = (struct answer){ 0 };
		if (!mms_decode(bytes, 15, &i) || !i.memory)
			continue;
		a->code = i.opcode->code;
		a->variant = i.opmask ? 1 : i.access & MMS_ACCESS_CONDITIONAL ? 2 : 0;
		if (!i.access) {
			a->treatment = NO_ACCESS;
			continue;
		}
		/* 32-bit addresses, and those in the instruction itself, don't
		 * reach a decoy: no driver has them */
		if (i.address_bytes == 4 || i.segment || i.base == MMS_RSP ||
		    (i.memory == MMS_MEMORY_MODRM && i.base >= MMS_REGISTER_COUNT) ||
		    numbers_bit_by_address(&i))
			continue;
		/* an address in the instruction was filled in: decode again */
		if (!set_up(bytes, &i) || !mms_decode(bytes, 15, &i))
			continue;
		a->treatment = treat(&i);
	}
}

/* Decodes and emulates one instruction on device memory `count` times. */
__attribute__((visibility("default")))
uint32_t mms_time_emulation(uint8_t *bytes, uint32_t count)
{
	struct mms_instruction i;
	uint32_t n, done = 0;

	if (!mms_decode(bytes, 15, &i) || !set_up(bytes, &i))
		return 0;
	for (n = 0; n < count; n++) {
		machine.machine.ip = (uint64_t)bytes;
		machine.accesses = 0;
		if (mms_decode(bytes, 15, &i))
			done += mms_emulate(&machine.machine, &i) == MMS_DONE;
	}
	return done;
}

/* The yardstick: a load of the same memory, `count` times. */
__attribute__((visibility("default")))
uint32_t mms_time_load(uint32_t count)
{
	const volatile uint32_t *at = (const volatile uint32_t *)(device + 64);
	uint32_t n, sum = 0;

	for (n = 0; n < count; n++)
		sum += *at;
	return sum;
}
