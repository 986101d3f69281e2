/* SPDX-License-Identifier: GPL-2.0 */
/* Registers and operands, shared by the parts of the emulator. */
#ifndef MMIOSTRIDER_OPERAND_H
#define MMIOSTRIDER_OPERAND_H

#include "emulate.h"

static inline uint64_t *mms_register(struct mms_machine *m, unsigned int number)
{
	return (uint64_t *)((char *)m->registers + m->register_at[number]);
}

static inline uint64_t mms_truncate(uint64_t value, unsigned int bytes)
{
	return bytes >= 8 ? value : value & ((1ull << (8 * bytes)) - 1);
}

static inline uint64_t mms_sign_extend(uint64_t value, unsigned int bytes)
{
	unsigned int shift = 64 - 8 * bytes;

	return (uint64_t)((int64_t)(value << shift) >> shift);
}

/* Without REX, registers 4 to 7 of one byte are AH, CH, DH and BH. */
static inline bool mms_is_high_byte(const struct mms_instruction *i,
				    unsigned int number, unsigned int bytes)
{
	return bytes == 1 && number >= 4 && number < 8 &&
	       i->encoding == MMS_LEGACY && !(i->prefixes & MMS_PREFIX_REX);
}

static inline uint64_t mms_read_register(struct mms_machine *m,
					 const struct mms_instruction *i,
					 unsigned int number, unsigned int bytes)
{
	if (mms_is_high_byte(i, number, bytes))
		return (*mms_register(m, number - 4) >> 8) & 0xff;
	return mms_truncate(*mms_register(m, number), bytes);
}

/* Four bytes clear the upper half; one and two leave the other bytes unchanged. */
static inline void mms_write_register(struct mms_machine *m,
				      const struct mms_instruction *i,
				      unsigned int number, unsigned int bytes,
				      uint64_t value)
{
	uint64_t *r = mms_register(m, number);

	if (mms_is_high_byte(i, number, bytes)) {
		r = mms_register(m, number - 4);
		*r = (*r & ~0xff00ull) | (value & 0xff) << 8;
	} else if (bytes >= 4) {
		*r = mms_truncate(value, bytes);
	} else {
		*r = (*r & ~((1ull << (8 * bytes)) - 1)) |
		     mms_truncate(value, bytes);
	}
}

/* Returns true if operand `n` is the memory operand. */
static inline bool mms_operand_is_memory(const struct mms_instruction *i,
					 unsigned int n)
{
	switch (i->opcode->operands[n]) {
	case MMS_OPERAND_MEM: case MMS_OPERAND_MEM_OFFS:
	case MMS_OPERAND_R8_OR_MEM: case MMS_OPERAND_R16_OR_MEM:
	case MMS_OPERAND_R32_OR_MEM: case MMS_OPERAND_R64_OR_MEM:
	case MMS_OPERAND_MM_OR_MEM: case MMS_OPERAND_K_OR_MEM:
	case MMS_OPERAND_XMM_OR_MEM: case MMS_OPERAND_YMM_OR_MEM:
	case MMS_OPERAND_ZMM_OR_MEM:
		return true;
	default:
		return false;
	}
}

/* Load and store up to 8 bytes of device memory as a number. */
static inline uint64_t mms_load(struct mms_machine *m, uint64_t address,
				unsigned int bytes)
{
	uint64_t value = 0;

	mms_machine_load(m, address, &value, bytes);
	return value;
}

static inline void mms_store(struct mms_machine *m, uint64_t address,
			     uint64_t value, unsigned int bytes)
{
	mms_machine_store(m, address, &value, bytes);
}

/* emulate-string.c: MOVS STOS LODS CMPS SCAS INS OUTS. */
enum mms_result mms_emulate_string(struct mms_machine *machine,
				   const struct mms_instruction *instruction);

/* emulate-vector.c: MMX, SSE and AVX moves. */
enum mms_result mms_emulate_vector(struct mms_machine *machine,
				   const struct mms_instruction *instruction,
				   uint64_t address);

#endif
