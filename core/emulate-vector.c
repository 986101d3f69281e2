// SPDX-License-Identifier: GPL-2.0
/*
 * Moves between device memory and vector registers. Vector arithmetic on
 * device memory is left to the surroundings (MMS_UNSUPPORTED): the CPU can
 * execute it on a copy of the operand.
 */
#include "operand.h"

/* A load's effect on the part of the register that it doesn't fill. */
enum rest { KEEP_REST, CLEAR_TO_16, CLEAR_ALL };

/* Loads the memory operand to byte `at` of the register. */
static enum mms_result vector_load(struct mms_machine *m,
				   const struct mms_instruction *i, uint64_t address,
				   unsigned int at, enum rest rest)
{
	uint8_t value[MMS_VECTOR_BYTES_MAX] = { 0 };
	unsigned int bytes = i->memory_bytes;
	unsigned int whole = bytes < 16 ? 16 : bytes;

	if (rest == KEEP_REST)
		mms_machine_vector_load(m, i->reg, value, whole);
	mms_machine_begin(m, address, i->memory_bytes);
	mms_machine_load(m, address, value + at, bytes);
	mms_machine_end(m);
	mms_machine_vector_store(m, i->reg, value, whole, rest == CLEAR_ALL);
	return MMS_DONE;
}

/* Stores the register's bytes from `at` on. */
static enum mms_result vector_store(struct mms_machine *m,
				    const struct mms_instruction *i, uint64_t address,
				    unsigned int at)
{
	uint8_t value[MMS_VECTOR_BYTES_MAX];
	unsigned int bytes = i->memory_bytes;

	mms_machine_vector_load(m, i->reg, value, bytes < 16 ? 16 : bytes);
	mms_machine_begin(m, address, i->memory_bytes);
	mms_machine_store(m, address, value + at, bytes);
	mms_machine_end(m);
	return MMS_DONE;
}

static enum mms_result vector_load_or_store(struct mms_machine *m,
					    const struct mms_instruction *i,
					    uint64_t address, enum rest rest)
{
	return mms_operand_is_memory(i, 0) ? vector_store(m, i, address, 0) :
					     vector_load(m, i, address, 0, rest);
}

/* VMOVLPS and the like: half a register from memory, half from another register. */
static enum mms_result vector_load_half(struct mms_machine *m,
					const struct mms_instruction *i,
					uint64_t address, unsigned int at)
{
	uint8_t value[16];

	mms_machine_vector_load(m, i->vvvv, value, 16);
	mms_machine_begin(m, address, i->memory_bytes);
	mms_machine_load(m, address, value + at, 8);
	mms_machine_end(m);
	mms_machine_vector_store(m, i->reg, value, 16, true);
	return MMS_DONE;
}

/* VBROADCASTx: repeats the memory operand. */
static enum mms_result vector_broadcast(struct mms_machine *m,
					const struct mms_instruction *i,
					uint64_t address)
{
	uint8_t value[MMS_VECTOR_BYTES_MAX];
	unsigned int whole = 16u << i->vector_length, at, n;

	mms_machine_begin(m, address, i->memory_bytes);
	mms_machine_load(m, address, value, i->memory_bytes);
	mms_machine_end(m);
	for (at = i->memory_bytes; at < whole; at += i->memory_bytes)
		for (n = 0; n < i->memory_bytes; n++)
			value[at + n] = value[n];
	mms_machine_vector_store(m, i->reg, value, whole, true);
	return MMS_DONE;
}

/* Forms that fault on an address that isn't a multiple of their width. */
static bool vector_needs_alignment(enum mms_mnemonic mnemonic)
{
	switch (mnemonic) {
	case MMS_MN_MOVAPS: case MMS_MN_MOVAPD: case MMS_MN_MOVDQA:
	case MMS_MN_MOVNTPS: case MMS_MN_MOVNTPD: case MMS_MN_MOVNTDQ:
	case MMS_MN_MOVNTDQA:
	case MMS_MN_VMOVAPS: case MMS_MN_VMOVAPD: case MMS_MN_VMOVDQA:
	case MMS_MN_VMOVDQA32: case MMS_MN_VMOVDQA64:
	case MMS_MN_VMOVNTPS: case MMS_MN_VMOVNTPD: case MMS_MN_VMOVNTDQ:
	case MMS_MN_VMOVNTDQA:
		return true;
	default:
		return false;
	}
}

/* Returns true if an operand is an MMX register, which these functions don't
 * handle. */
static bool vector_uses_mmx(const struct mms_instruction *i)
{
	return i->opcode->operands[0] == MMS_OPERAND_MM_REG ||
	       i->opcode->operands[1] == MMS_OPERAND_MM_REG ||
	       i->opcode->operands[0] == MMS_OPERAND_MM_OR_MEM;
}

enum mms_result mms_emulate_vector(struct mms_machine *m,
				   const struct mms_instruction *i,
				   uint64_t address)
{
	enum rest clear = i->encoding == MMS_LEGACY ? CLEAR_TO_16 : CLEAR_ALL;

	/* masked moves touch only some elements */
	if (i->opmask || i->broadcast || vector_uses_mmx(i) || !i->memory_bytes ||
	    i->memory_bytes > MMS_VECTOR_BYTES_MAX)
		return MMS_UNSUPPORTED;
	if (vector_needs_alignment(i->opcode->mnemonic) &&
	    (address & (i->memory_bytes - 1u)))
		return MMS_UNSUPPORTED;	/* #GP of its own */

	switch (i->opcode->mnemonic) {
	case MMS_MN_MOVAPS: case MMS_MN_MOVAPD: case MMS_MN_MOVUPS:
	case MMS_MN_MOVUPD: case MMS_MN_MOVDQA: case MMS_MN_MOVDQU:
	case MMS_MN_MOVNTPS: case MMS_MN_MOVNTPD: case MMS_MN_MOVNTDQ:
	case MMS_MN_MOVNTDQA: case MMS_MN_LDDQU:
	case MMS_MN_VMOVAPS: case MMS_MN_VMOVAPD: case MMS_MN_VMOVUPS:
	case MMS_MN_VMOVUPD: case MMS_MN_VMOVDQA: case MMS_MN_VMOVDQU:
	case MMS_MN_VMOVDQA32: case MMS_MN_VMOVDQA64: case MMS_MN_VMOVDQU8:
	case MMS_MN_VMOVDQU16: case MMS_MN_VMOVDQU32: case MMS_MN_VMOVDQU64:
	case MMS_MN_VMOVNTPS: case MMS_MN_VMOVNTPD: case MMS_MN_VMOVNTDQ:
	case MMS_MN_VMOVNTDQA: case MMS_MN_VLDDQU:
	case MMS_MN_MOVD: case MMS_MN_MOVQ: case MMS_MN_MOVSS:
	case MMS_MN_MOVSD:
	case MMS_MN_VMOVD: case MMS_MN_VMOVQ: case MMS_MN_VMOVSS:
	case MMS_MN_VMOVSD: case MMS_MN_VMOVSH: case MMS_MN_VMOVW:
		return vector_load_or_store(m, i, address, clear);
	case MMS_MN_MOVLPS: case MMS_MN_MOVLPD:
		return vector_load_or_store(m, i, address, KEEP_REST);
	case MMS_MN_MOVHPS: case MMS_MN_MOVHPD:
		return mms_operand_is_memory(i, 0) ?
			       vector_store(m, i, address, 8) :
			       vector_load(m, i, address, 8, KEEP_REST);
	case MMS_MN_VMOVLPS: case MMS_MN_VMOVLPD:
		return mms_operand_is_memory(i, 0) ?
			       vector_store(m, i, address, 0) :
			       vector_load_half(m, i, address, 0);
	case MMS_MN_VMOVHPS: case MMS_MN_VMOVHPD:
		return mms_operand_is_memory(i, 0) ?
			       vector_store(m, i, address, 8) :
			       vector_load_half(m, i, address, 8);
	case MMS_MN_VBROADCASTSS: case MMS_MN_VBROADCASTSD:
	case MMS_MN_VBROADCASTF128: case MMS_MN_VBROADCASTI128:
	case MMS_MN_VPBROADCASTB: case MMS_MN_VPBROADCASTW:
	case MMS_MN_VPBROADCASTD: case MMS_MN_VPBROADCASTQ:
		return vector_broadcast(m, i, address);
	default:
		return MMS_UNSUPPORTED;
	}
}
