// SPDX-License-Identifier: GPL-2.0
/* Tells plain moves from other instructions: see move.h. */
#include "move.h"

static unsigned int move_register_bytes(enum mms_operand_kind kind)
{
	switch (kind) {
	case MMS_OPERAND_R8_REG:
		return 1;
	case MMS_OPERAND_R16_REG:
		return 2;
	case MMS_OPERAND_R32_REG:
		return 4;
	case MMS_OPERAND_R64_REG:
		return 8;
	default:
		return 0;
	}
}

static enum mms_move_kind move_kind(const struct mms_instruction *i)
{
	switch (i->opcode->mnemonic) {
	case MMS_MN_MOV:
		if (!mms_operand_is_memory(i, 0))
			return MMS_MOVE_LOAD;
		switch (i->opcode->operands[1]) {
		case MMS_OPERAND_IMM8: case MMS_OPERAND_IMM16:
		case MMS_OPERAND_IMM32: case MMS_OPERAND_IMM32SEX64:
			return MMS_MOVE_STORE_IMMEDIATE;
		default:
			return MMS_MOVE_STORE_REGISTER;
		}
	case MMS_MN_MOVZX:
		return MMS_MOVE_LOAD;
	case MMS_MN_MOVSX:
	case MMS_MN_MOVSXD:
		return MMS_MOVE_LOAD_SIGNED;
	default:
		return MMS_MOVE_NONE;
	}
}

void mms_move_describe(const struct mms_instruction *i, struct mms_move *p)
{
	enum mms_move_kind kind = MMS_MOVE_NONE;
	unsigned int reg_bytes = 0;
	bool high = false;

	if (i->memory == MMS_MEMORY_MODRM && i->encoding == MMS_LEGACY &&
	    i->base < MMS_REGISTER_COUNT && i->address_bytes == 8 &&
	    !i->segment && !(i->prefixes & MMS_PREFIX_LOCK))
		kind = move_kind(i);
	if (kind != MMS_MOVE_NONE && kind != MMS_MOVE_STORE_IMMEDIATE) {
		unsigned int n = kind == MMS_MOVE_STORE_REGISTER ? 1 : 0;

		reg_bytes = move_register_bytes(i->opcode->operands[n]);
		high = mms_is_high_byte(i, i->reg, reg_bytes);
		/* a segment register, for instance */
		if (!reg_bytes)
			kind = MMS_MOVE_NONE;
	}
	*p = (struct mms_move){
		.displacement = i->displacement,
		.immediate = i->immediate,
		.kind = (uint8_t)kind,
		.length = i->length,
		.bytes = (uint8_t)i->memory_bytes,
		.base = i->base,
		.index = i->index,
		.scale = i->scale,
		.reg = high ? i->reg - 4 : i->reg,
		.reg_bytes = (uint8_t)reg_bytes,
		.reg_shift = high ? 8 : 0,
	};
}
