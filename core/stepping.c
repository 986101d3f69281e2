// SPDX-License-Identifier: GPL-2.0
/* Ways to step an instruction. See stepping.h. */
#include "stepping.h"

/* Returns true if a general register is an operand, too: it can't be changed then. */
static bool stepping_is_operand(const struct mms_instruction *i, unsigned int number)
{
	unsigned int n;

	for (n = 0; n < MMS_OPERANDS_MAX; n++) {
		switch (i->opcode->operands[n]) {
		case MMS_OPERAND_R8_REG: case MMS_OPERAND_R16_REG:
		case MMS_OPERAND_R32_REG: case MMS_OPERAND_R64_REG:
			if (i->reg == number)
				return true;
			break;
		case MMS_OPERAND_R32_VVVV: case MMS_OPERAND_R64_VVVV:
			if (i->vvvv == number)
				return true;
			break;
		default:
			break;
		}
	}
	/* a division that is about to raise #DE: rax and rdx are operands */
	return i->opcode->mnemonic == MMS_MN_DIV ||
	       i->opcode->mnemonic == MMS_MN_IDIV;
}

/* Returns true if the instruction may store to a part of its operand only: a copy
 * would come back with bytes that weren't stored. */
static bool stepping_touches_a_part(const struct mms_instruction *i)
{
	if ((i->access & MMS_ACCESS_CONDITIONAL) || i->opmask)
		return true;
	switch (i->opcode->mnemonic) {
	case MMS_MN_VMASKMOVPS: case MMS_MN_VMASKMOVPD:
	case MMS_MN_VPMASKMOVD: case MMS_MN_VPMASKMOVQ:
	case MMS_MN_FXSAVE: case MMS_MN_FXSAVE64:
		return true;
	default:
		return false;
	}
}

int mms_step_register(const struct mms_instruction *i)
{
	if (!i->access || stepping_touches_a_part(i) || mms_is_vendors_branch(i) ||
	    !i->memory_bytes || i->memory_bytes > MMS_STEP_BYTES_MAX)
		return -1;
	if (i->memory != MMS_MEMORY_MODRM || i->address_bytes != 8 || i->segment)
		return -1;
	if (i->base >= MMS_REGISTER_COUNT || i->base == MMS_RSP ||
	    i->base == i->index || stepping_is_operand(i, i->base))
		return -1;
	return i->base;
}

unsigned int mms_lift_registers(const struct mms_instruction *i,
				unsigned int registers[3])
{
	unsigned int count = 0;

	switch (i->memory) {
	case MMS_MEMORY_RDI: case MMS_MEMORY_RDI_RSI: case MMS_MEMORY_RSI_RDI:
		registers[count++] = MMS_RDI;
		registers[count++] = MMS_RSI;
		break;
	case MMS_MEMORY_RSI:
		registers[count++] = MMS_RSI;
		break;
	case MMS_MEMORY_XLAT:
		registers[count++] = MMS_RBX;
		break;
	case MMS_MEMORY_MODRM:
	case MMS_MEMORY_VECTOR:
		if (i->base < MMS_REGISTER_COUNT)
			registers[count++] = i->base;
		if (i->memory == MMS_MEMORY_MODRM && i->scale == 1 &&
		    i->index < MMS_REGISTER_COUNT)
			registers[count++] = i->index;
		break;
	}
	/* MOVDIR64B, ENQCMD: a register as destination address */
	if (i->opcode->operands[0] == MMS_OPERAND_R64_REG_MEM)
		registers[count++] = i->reg;
	return count;
}
