/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Plain moves: one general register or immediate, and one memory operand of up
 * to eight bytes at base + index * scale + displacement. Nearly all accesses
 * to devices are made by them, so they have a path of their own, short, from a
 * description that is made once an instruction. No OS calls.
 */
#ifndef MMIOSTRIDER_MOVE_H
#define MMIOSTRIDER_MOVE_H

#include "emulate.h"
#include "operand.h"

enum mms_move_kind {
	MMS_MOVE_NONE,			/* the instruction is no plain move */
	MMS_MOVE_LOAD,			/* MOV, MOVZX */
	MMS_MOVE_LOAD_SIGNED,		/* MOVSX, MOVSXD */
	MMS_MOVE_STORE_REGISTER,
	MMS_MOVE_STORE_IMMEDIATE,
};

struct mms_move {
	int64_t displacement;
	uint64_t immediate;
	uint8_t kind;		/* enum mms_move_kind */
	uint8_t length;		/* of the instruction, bytes */
	uint8_t bytes;		/* of the memory operand: 1, 2, 4 or 8 */
	uint8_t base;		/* enum mms_register */
	uint8_t index;		/* enum mms_register, or MMS_NO_REGISTER */
	uint8_t scale;
	uint8_t reg;		/* enum mms_register */
	uint8_t reg_bytes;	/* of the register that is read or written */
	uint8_t reg_shift;	/* 8: AH, CH, DH or BH */
};

/* Describes a plain move. `move->kind` is MMS_MOVE_NONE where it is none. */
void mms_move_describe(const struct mms_instruction *instruction,
			struct mms_move *move);

static inline uint64_t mms_move_address(struct mms_machine *m,
					 const struct mms_move *p)
{
	uint64_t address = *mms_register(m, p->base) + (uint64_t)p->displacement;

	if (p->index != MMS_NO_REGISTER)
		address += *mms_register(m, p->index) * p->scale;
	return address;
}

static inline bool mms_move_stores(const struct mms_move *p)
{
	return p->kind >= MMS_MOVE_STORE_REGISTER;
}

/* The value that a plain store stores; higher bytes are to be ignored. */
static inline uint64_t mms_move_stored(struct mms_machine *m,
					const struct mms_move *p)
{
	if (p->kind == MMS_MOVE_STORE_IMMEDIATE)
		return p->immediate;
	return *mms_register(m, p->reg) >> p->reg_shift;
}

/* Puts a loaded value, zero-extended to 64 bits, into the register. */
static inline void mms_move_loaded(struct mms_machine *m,
				    const struct mms_move *p, uint64_t value)
{
	uint64_t *r = mms_register(m, p->reg);
	uint64_t mask;

	if (p->kind == MMS_MOVE_LOAD_SIGNED)
		value = mms_sign_extend(value, p->bytes);
	if (p->reg_bytes == 8) {
		*r = value;
	} else if (p->reg_bytes == 4) {
		*r = (uint32_t)value;
	} else {
		mask = (p->reg_bytes == 1 ? 0xffull : 0xffffull) << p->reg_shift;
		*r = (*r & ~mask) | (value << p->reg_shift & mask);
	}
}

#endif
