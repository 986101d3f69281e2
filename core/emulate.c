// SPDX-License-Identifier: GPL-2.0
/*
 * The emulator: chooses an instruction's function, and does the integer
 * instructions. Strings are in emulate-string.c, vectors in emulate-vector.c.
 * See emulate.h.
 */
#include "arithmetic.h"
#include "operand.h"
#include "move.h"

/* Reads the register or immediate operand `n` of `bytes` bytes. */
static uint64_t emulate_read_operand(struct mms_machine *m,
				     const struct mms_instruction *i, unsigned int n,
				     unsigned int bytes)
{
	switch (i->opcode->operands[n]) {
	case MMS_OPERAND_R8_REG: case MMS_OPERAND_R16_REG:
	case MMS_OPERAND_R32_REG: case MMS_OPERAND_R64_REG:
		return mms_read_register(m, i, i->reg, bytes);
	case MMS_OPERAND_R32_VVVV: case MMS_OPERAND_R64_VVVV:
		return mms_read_register(m, i, i->vvvv, bytes);
	case MMS_OPERAND_AL: case MMS_OPERAND_AX: case MMS_OPERAND_EAX:
	case MMS_OPERAND_RAX:
		return mms_read_register(m, i, MMS_RAX, bytes);
	case MMS_OPERAND_CL:
		return *mms_register(m, MMS_RCX) & 0xff;
	case MMS_OPERAND_IMM8_CONST_1:
		return 1;
	default:
		return i->immediate;
	}
}

uint64_t mms_effective_address(struct mms_machine *m,
			       const struct mms_instruction *i)
{
	uint64_t address = (uint64_t)i->displacement;
	bool segmented = true;

	switch (i->memory) {
	case MMS_MEMORY_RDI:
	case MMS_MEMORY_RDI_RSI:
	case MMS_MEMORY_RSI_RDI:
		/* ES, except for MASKMOVQ */
		segmented = i->opcode->operands[0] == MMS_OPERAND_SEG_RDI;
		address = *mms_register(m, MMS_RDI);
		break;
	case MMS_MEMORY_RSI:
		address = *mms_register(m, MMS_RSI);
		break;
	case MMS_MEMORY_XLAT:
		address = *mms_register(m, MMS_RBX) +
			  (*mms_register(m, MMS_RAX) & 0xff);
		break;
	case MMS_MEMORY_MODRM:
		if (i->base == MMS_RIP)
			address += m->ip + i->length;
		else if (i->base != MMS_NO_REGISTER)
			address += *mms_register(m, i->base);
		if (i->index != MMS_NO_REGISTER)
			address += *mms_register(m, i->index) * i->scale;
		break;
	default:
		break;
	}
	if (i->address_bytes == 4)
		address = (uint32_t)address;
	if (i->segment && segmented)
		address += mms_machine_segment_base(m, i->segment);
	return address;
}

/* MOV with an operand that move.h leaves out: an address in the instruction,
 * relative to rip, or with a segment. */
static enum mms_result emulate_other_move(struct mms_machine *m,
					  const struct mms_instruction *i, uint64_t address)
{
	unsigned int bytes = i->memory_bytes;

	if (i->opcode->operands[0] == MMS_OPERAND_SEG_REG ||
	    i->opcode->operands[1] == MMS_OPERAND_SEG_REG)
		return MMS_UNSUPPORTED;
	mms_machine_begin(m, address, i->memory_bytes);
	if (mms_operand_is_memory(i, 0)) {
		mms_store(m, address, emulate_read_operand(m, i, 1, bytes), bytes);
	} else {
		uint64_t value = mms_load(m, address, bytes);
		bool moffs = i->memory == MMS_MEMORY_OFFSET;

		mms_write_register(m, i, moffs ? MMS_RAX : i->reg, bytes, value);
	}
	mms_machine_end(m);
	return MMS_DONE;
}

/* Loads that widen or swap. */
static enum mms_result emulate_load_into_register(struct mms_machine *m,
						  const struct mms_instruction *i,
						  uint64_t address)
{
	unsigned int bytes = i->memory_bytes;
	unsigned int to = i->opcode->operands[0] == MMS_OPERAND_R16_REG ? 2 :
			  i->opcode->operands[0] == MMS_OPERAND_R64_REG ? 8 : 4;
	uint64_t value;

	mms_machine_begin(m, address, i->memory_bytes);
	value = mms_load(m, address, bytes);
	mms_machine_end(m);
	switch (i->opcode->mnemonic) {
	case MMS_MN_MOVSX:
	case MMS_MN_MOVSXD:
		value = mms_sign_extend(value, bytes);
		break;
	case MMS_MN_MOVBE:
		value = __builtin_bswap64(value) >> (64 - 8 * bytes);
		break;
	default:
		break;
	}
	mms_write_register(m, i, i->reg, to, value);
	return MMS_DONE;
}

/*
 * CMOVcc loads in any case, and clears the upper half of a 32-bit register
 * even when the condition doesn't hold.
 */
static enum mms_result emulate_conditional_move(struct mms_machine *m,
						const struct mms_instruction *i,
						uint64_t address, unsigned int code)
{
	unsigned int bytes = i->memory_bytes;
	uint64_t value;

	mms_machine_begin(m, address, i->memory_bytes);
	value = mms_load(m, address, bytes);
	mms_machine_end(m);
	if (!mms_condition(code, m->flags))
		value = mms_read_register(m, i, i->reg, bytes);
	mms_write_register(m, i, i->reg, bytes, value);
	return MMS_DONE;
}

static bool emulate_is_compare(enum mms_mnemonic mnemonic)
{
	return mnemonic == MMS_MN_CMP || mnemonic == MMS_MN_TEST ||
	       mnemonic == MMS_MN_BT;
}

/*
 * Locked ADD, SUB, INC, DEC, ADC and SBB are one fetch-and-add on the device's
 * memory, which returns the old value. No instruction returns the old value of
 * a locked AND, OR, XOR, NOT, NEG or bit operation, so those are a load and a
 * store under the lock that every traced access takes.
 */
static bool emulate_fetch_and_add(struct mms_machine *m,
				  const struct mms_instruction *i, uint64_t address,
				  uint64_t operand, uint64_t *old)
{
	uint64_t carry = m->flags & MMS_FLAG_CF ? 1 : 0;
	uint64_t addend;

	if (!(i->prefixes & MMS_PREFIX_LOCK))
		return false;
	switch (i->opcode->mnemonic) {
	case MMS_MN_ADD: addend = operand; break;
	case MMS_MN_SUB: addend = -operand; break;
	case MMS_MN_ADC: addend = operand + carry; break;
	case MMS_MN_SBB: addend = -(operand + carry); break;
	case MMS_MN_INC: addend = 1; break;
	case MMS_MN_DEC: addend = -1ull; break;
	default: return false;
	}
	*old = 0;
	mms_machine_atomic(m, address, MMS_ATOMIC_ADD, &addend, NULL, old,
			   i->memory_bytes);
	return true;
}

/* op memory, x: ALU, shifts and bit tests with memory as destination. */
static enum mms_result emulate_binary_to_memory(struct mms_machine *m,
						const struct mms_instruction *i,
						uint64_t address, uint64_t operand)
{
	unsigned int bytes = i->memory_bytes;
	uint64_t value, result = 0;

	mms_machine_begin(m, address, i->memory_bytes);
	if (emulate_fetch_and_add(m, i, address, operand, &value)) {
		mms_binary(i->opcode->mnemonic, value, operand, bytes,
			   &m->flags, &result);
	} else {
		value = mms_load(m, address, bytes);
		mms_binary(i->opcode->mnemonic, value, operand, bytes,
			   &m->flags, &result);
		if (!emulate_is_compare(i->opcode->mnemonic))
			mms_store(m, address, result, bytes);
	}
	mms_machine_end(m);
	return MMS_DONE;
}

static enum mms_result emulate_binary(struct mms_machine *m,
				      const struct mms_instruction *i, uint64_t address)
{
	unsigned int bytes = i->memory_bytes;
	uint64_t value, result = 0;

	if (mms_operand_is_memory(i, 0)) {
		/* read the operand before the operation changes the flags */
		return emulate_binary_to_memory(m, i, address,
						emulate_read_operand(m, i, 1, bytes));
	}
	mms_machine_begin(m, address, i->memory_bytes);
	value = mms_load(m, address, bytes);
	mms_machine_end(m);
	mms_binary(i->opcode->mnemonic, emulate_read_operand(m, i, 0, bytes), value,
		   bytes, &m->flags, &result);
	if (!emulate_is_compare(i->opcode->mnemonic))
		mms_write_register(m, i, i->reg, bytes, result);
	return MMS_DONE;
}

static enum mms_result emulate_unary(struct mms_machine *m,
				     const struct mms_instruction *i, uint64_t address)
{
	unsigned int bytes = i->memory_bytes;
	uint64_t value, result = 0;

	mms_machine_begin(m, address, i->memory_bytes);
	if (emulate_fetch_and_add(m, i, address, 0, &value)) {
		mms_unary(i->opcode->mnemonic, value, bytes, &m->flags, &result);
	} else {
		value = mms_load(m, address, bytes);
		mms_unary(i->opcode->mnemonic, value, bytes, &m->flags, &result);
		mms_store(m, address, result, bytes);
	}
	mms_machine_end(m);
	return MMS_DONE;
}

/*
 * BT, BTS, BTR, BTC: a bit number in a register can reach beyond the operand,
 * in both directions, in steps of the operand's width.
 */
static uint64_t emulate_bit_address(struct mms_machine *m,
				    const struct mms_instruction *i, uint64_t address)
{
	unsigned int bytes = i->memory_bytes;
	int64_t bit;

	if (i->opcode->operands[1] == MMS_OPERAND_IMM8)
		return address;
	bit = (int64_t)mms_sign_extend(mms_read_register(m, i, i->reg, bytes),
				       bytes);
	return address + (uint64_t)((bit >> (bytes == 8 ? 6 : bytes == 4 ? 5 : 4)) *
				    (int64_t)bytes);
}

static enum mms_result emulate_bit_test(struct mms_machine *m,
					const struct mms_instruction *i, uint64_t address)
{
	return emulate_binary_to_memory(m, i, address,
					emulate_read_operand(m, i, 1, i->memory_bytes));
}

static enum mms_result emulate_double_shift(struct mms_machine *m,
					    const struct mms_instruction *i,
					    uint64_t address)
{
	unsigned int bytes = i->memory_bytes;
	uint64_t value;

	mms_machine_begin(m, address, i->memory_bytes);
	value = mms_load(m, address, bytes);
	value = mms_double_shift(i->opcode->mnemonic == MMS_MN_SHLD, value,
				 mms_read_register(m, i, i->reg, bytes),
				 (unsigned int)emulate_read_operand(m, i, 2, 1), bytes,
				 &m->flags);
	mms_store(m, address, value, bytes);
	mms_machine_end(m);
	return MMS_DONE;
}

/* XCHG is locked with and without a LOCK prefix. */
static enum mms_result emulate_exchange(struct mms_machine *m,
					const struct mms_instruction *i, uint64_t address)
{
	unsigned int bytes = i->memory_bytes;
	uint64_t value = mms_read_register(m, i, i->reg, bytes), old = 0;

	mms_machine_begin(m, address, i->memory_bytes);
	mms_machine_atomic(m, address, MMS_ATOMIC_EXCHANGE, &value, NULL, &old,
			   bytes);
	mms_machine_end(m);
	mms_write_register(m, i, i->reg, bytes, old);
	return MMS_DONE;
}

static enum mms_result emulate_exchange_add(struct mms_machine *m,
					    const struct mms_instruction *i,
					    uint64_t address)
{
	unsigned int bytes = i->memory_bytes;
	uint64_t value = mms_read_register(m, i, i->reg, bytes), old = 0, sum;

	mms_machine_begin(m, address, i->memory_bytes);
	if (i->prefixes & MMS_PREFIX_LOCK) {
		mms_machine_atomic(m, address, MMS_ATOMIC_ADD, &value, NULL,
				   &old, bytes);
	} else {
		old = mms_load(m, address, bytes);
		mms_store(m, address, old + value, bytes);
	}
	mms_machine_end(m);
	mms_binary(MMS_MN_ADD, old, value, bytes, &m->flags, &sum);
	mms_write_register(m, i, i->reg, bytes, old);
	return MMS_DONE;
}

/* The destination is always written: if unequal, with its old value. */
static enum mms_result emulate_compare_exchange(struct mms_machine *m,
						const struct mms_instruction *i,
						uint64_t address)
{
	unsigned int bytes = i->memory_bytes;
	uint64_t value = mms_read_register(m, i, i->reg, bytes);
	uint64_t expected = mms_read_register(m, i, MMS_RAX, bytes);
	uint64_t old = 0, difference;

	mms_machine_begin(m, address, i->memory_bytes);
	if (i->prefixes & MMS_PREFIX_LOCK) {
		mms_machine_atomic(m, address, MMS_ATOMIC_COMPARE_EXCHANGE,
				   &value, &expected, &old, bytes);
	} else {
		old = mms_load(m, address, bytes);
		mms_store(m, address, old == expected ? value : old, bytes);
	}
	mms_machine_end(m);
	mms_binary(MMS_MN_CMP, expected, old, bytes, &m->flags, &difference);
	if (old != expected)
		mms_write_register(m, i, MMS_RAX, bytes, old);
	return MMS_DONE;
}

/* CMPXCHG8B and CMPXCHG16B: two registers of half the width on each side. */
static enum mms_result emulate_compare_exchange_pair(struct mms_machine *m,
						     const struct mms_instruction *i,
						     uint64_t address)
{
	unsigned int half = i->memory_bytes / 2;
	uint64_t value[2], expected[2], old[2] = { 0, 0 };
	bool equal;

	if (half == 8 && (address & 15))
		return MMS_UNSUPPORTED;	/* #GP of its own */
	value[0] = *mms_register(m, MMS_RBX);
	value[1] = *mms_register(m, MMS_RCX);
	expected[0] = *mms_register(m, MMS_RAX);
	expected[1] = *mms_register(m, MMS_RDX);
	if (half == 4) {
		value[0] = (uint32_t)value[0] | value[1] << 32;
		expected[0] = (uint32_t)expected[0] | expected[1] << 32;
	}
	mms_machine_begin(m, address, i->memory_bytes);
	if (i->prefixes & MMS_PREFIX_LOCK) {
		equal = mms_machine_atomic(m, address,
					   MMS_ATOMIC_COMPARE_EXCHANGE, value,
					   expected, old, 2 * half);
	} else {
		mms_machine_load(m, address, old, 2 * half);
		equal = old[0] == expected[0] &&
			(half == 4 || old[1] == expected[1]);
		mms_machine_store(m, address, equal ? value : old, 2 * half);
	}
	mms_machine_end(m);
	if (equal) {
		m->flags |= MMS_FLAG_ZF;
		return MMS_DONE;
	}
	m->flags &= ~(uint64_t)MMS_FLAG_ZF;
	*mms_register(m, MMS_RAX) = half == 4 ? (uint32_t)old[0] : old[0];
	*mms_register(m, MMS_RDX) = half == 4 ? old[0] >> 32 : old[1];
	return MMS_DONE;
}

static enum mms_result emulate_multiply_divide(struct mms_machine *m,
					       const struct mms_instruction *i,
					       uint64_t address)
{
	enum mms_mnemonic mnemonic = i->opcode->mnemonic;
	bool is_signed = mnemonic == MMS_MN_IMUL || mnemonic == MMS_MN_IDIV;
	unsigned int bytes = i->memory_bytes;
	uint64_t value, low, high, result[2];

	low = mms_read_register(m, i, MMS_RAX, bytes);
	high = bytes == 1 ? (*mms_register(m, MMS_RAX) >> 8) & 0xff :
			    mms_read_register(m, i, MMS_RDX, bytes);
	mms_machine_begin(m, address, i->memory_bytes);
	value = mms_load(m, address, bytes);
	mms_machine_end(m);
	if (mnemonic == MMS_MN_MUL || mnemonic == MMS_MN_IMUL) {
		mms_multiply(is_signed, low, value, bytes, &m->flags,
			     &result[0], &result[1]);
	} else if (!mms_divide(is_signed, low, high, value, bytes, &m->flags,
			       &result[0], &result[1])) {
		return MMS_UNSUPPORTED;	/* #DE of its own */
	}
	if (bytes == 1) {
		mms_write_register(m, i, MMS_RAX, 2, result[0] | result[1] << 8);
	} else {
		mms_write_register(m, i, MMS_RAX, bytes, result[0]);
		mms_write_register(m, i, MMS_RDX, bytes, result[1]);
	}
	return MMS_DONE;
}

/* Instructions that compute a register from memory and perhaps another one. */
static enum mms_result emulate_scan(struct mms_machine *m,
				    const struct mms_instruction *i, uint64_t address)
{
	enum mms_mnemonic mnemonic = i->opcode->mnemonic;
	unsigned int bytes = i->memory_bytes, bytes_written = bytes, to = i->reg;
	uint64_t value, other, result;

	mms_machine_begin(m, address, i->memory_bytes);
	value = mms_load(m, address, bytes);
	mms_machine_end(m);
	switch (mnemonic) {
	case MMS_MN_IMUL:
		/* two operands: by the destination; three: by the immediate */
		other = i->opcode->operands[2] ? i->immediate :
			mms_read_register(m, i, i->reg, bytes);
		break;
	case MMS_MN_BSF: case MMS_MN_BSR:
		/* a zero leaves the destination unchanged, on some CPUs all 64
		 * bits of it: the instruction gets the whole register and
		 * changes it as the CPU does */
		other = *mms_register(m, i->reg);
		bytes_written = 8;
		break;
	case MMS_MN_ADCX: case MMS_MN_ADOX:
		other = mms_read_register(m, i, i->reg, bytes);
		break;
	case MMS_MN_RORX:
		other = i->immediate;
		break;
	case MMS_MN_BLSI: case MMS_MN_BLSMSK: case MMS_MN_BLSR:
		other = 0;
		to = i->vvvv;
		break;
	default:
		other = mms_read_register(m, i, i->vvvv, bytes);
		break;
	}
	if (!mms_scan(mnemonic, value, other, bytes, &m->flags, &result))
		return MMS_UNSUPPORTED;
	mms_write_register(m, i, to, bytes_written, result);
	return MMS_DONE;
}

static enum mms_result emulate_multiply_wide(struct mms_machine *m,
					     const struct mms_instruction *i,
					     uint64_t address)
{
	unsigned int bytes = i->memory_bytes;
	uint64_t value, low, high, flags = 0;

	mms_machine_begin(m, address, i->memory_bytes);
	value = mms_load(m, address, bytes);
	mms_machine_end(m);
	mms_multiply(false, mms_read_register(m, i, MMS_RDX, bytes), value,
		     bytes, &flags, &low, &high);
	mms_write_register(m, i, i->vvvv, bytes, low);
	mms_write_register(m, i, i->reg, bytes, high);
	return MMS_DONE;
}

static enum mms_result emulate_crc32(struct mms_machine *m,
				     const struct mms_instruction *i, uint64_t address)
{
	uint64_t value;

	mms_machine_begin(m, address, i->memory_bytes);
	value = mms_load(m, address, i->memory_bytes);
	mms_machine_end(m);
	*mms_register(m, i->reg) =
		mms_crc32((uint32_t)*mms_register(m, i->reg), value,
			  i->memory_bytes);
	return MMS_DONE;
}

static enum mms_result emulate_store_from_register(struct mms_machine *m,
						   const struct mms_instruction *i,
						   uint64_t address)
{
	unsigned int bytes = i->memory_bytes;
	uint64_t value = mms_read_register(m, i, i->reg, bytes);

	if (i->opcode->mnemonic == MMS_MN_MOVBE)
		value = __builtin_bswap64(value) >> (64 - 8 * bytes);
	mms_machine_begin(m, address, i->memory_bytes);
	mms_store(m, address, value, bytes);
	mms_machine_end(m);
	return MMS_DONE;
}

static enum mms_result emulate_set_on_condition(struct mms_machine *m,
						uint64_t address, unsigned int code)
{
	mms_machine_begin(m, address, 1);
	mms_store(m, address, mms_condition(code, m->flags), 1);
	mms_machine_end(m);
	return MMS_DONE;
}

/* PUSH, POP, CALL and JMP through device memory. */
static enum mms_result emulate_stack_or_jump(struct mms_machine *m,
					     const struct mms_instruction *i,
					     uint64_t address)
{
	enum mms_mnemonic mnemonic = i->opcode->mnemonic;
	unsigned int bytes = i->memory_bytes;
	uint64_t *sp = mms_register(m, MMS_RSP);
	uint64_t value = 0, pushed;

	if (bytes != 8 && mnemonic != MMS_MN_PUSH && mnemonic != MMS_MN_POP)
		return MMS_UNSUPPORTED;
	if (mms_is_vendors_branch(i))
		return MMS_UNSUPPORTED;
	if (mnemonic != MMS_MN_JMP && !mms_machine_stack_is_free(m))
		return MMS_UNSUPPORTED;
	if (mnemonic == MMS_MN_POP) {
		if (mms_machine_memory_load(m, *sp, &value, bytes))
			return MMS_MEMORY_FAULT;
		/* with rsp as base, the address is computed after the pop */
		*sp += bytes;
		address = mms_effective_address(m, i);
		if (!mms_machine_is_device(m, address, bytes)) {
			*sp -= bytes;
			return MMS_NO_DEVICE;
		}
		mms_machine_begin(m, address, i->memory_bytes);
		mms_store(m, address, value, bytes);
		mms_machine_end(m);
		return MMS_DONE;
	}
	/* the stack first: reading the device can't be undone */
	if (mnemonic != MMS_MN_JMP &&
	    mms_machine_memory_writable(m, *sp - bytes, bytes))
		return MMS_MEMORY_FAULT;
	mms_machine_begin(m, address, i->memory_bytes);
	value = mms_load(m, address, bytes);
	mms_machine_end(m);
	if (mnemonic == MMS_MN_JMP) {
		m->ip = value - i->length;
		return MMS_DONE;
	}
	pushed = mnemonic == MMS_MN_CALL ? m->ip + i->length : value;
	*sp -= bytes;
	mms_machine_memory_store(m, *sp, &pushed, bytes);
	if (mnemonic == MMS_MN_CALL)
		m->ip = value - i->length;
	return MMS_DONE;
}

static enum mms_result emulate_translate(struct mms_machine *m, uint64_t address)
{
	uint64_t value;

	mms_machine_begin(m, address, 1);
	value = mms_load(m, address, 1);
	mms_machine_end(m);
	*mms_register(m, MMS_RAX) =
		(*mms_register(m, MMS_RAX) & ~0xffull) | value;
	return MMS_DONE;
}

static bool emulate_is_64_bytes(enum mms_mnemonic mnemonic)
{
	return mnemonic == MMS_MN_MOVDIR64B || mnemonic == MMS_MN_ENQCMD ||
	       mnemonic == MMS_MN_ENQCMDS;
}

/*
 * MOVDIR64B, ENQCMD, ENQCMDS: 64 bytes from memory to the address in a register,
 * in one store. ENQCMDS's is answered: ZF says that the device wants it again.
 */
static enum mms_result emulate_64_bytes(struct mms_machine *m,
					     const struct mms_instruction *i)
{
	uint64_t from = mms_effective_address(m, i);
	uint64_t to = *mms_register(m, i->reg);
	uint8_t line[64];

	if (i->address_bytes == 4)
		to = (uint32_t)to;
	/* ENQCMD sends the identity of the current process: the CPU has to
	 * execute it where it stands */
	if (!mms_machine_is_device(m, to, 64) || (to & 63) ||
	    mms_machine_is_device(m, from, 64) ||
	    i->opcode->mnemonic == MMS_MN_ENQCMD)
		return mms_machine_is_device(m, to, 1) ||
		       mms_machine_is_device(m, from, 1) ?
			       MMS_UNSUPPORTED : MMS_NO_DEVICE;
	if (mms_machine_memory_load(m, from, line, 64))
		return MMS_MEMORY_FAULT;
	mms_machine_begin(m, to, 64);
	if (i->opcode->mnemonic == MMS_MN_MOVDIR64B) {
		mms_machine_store(m, to, line, 64);
	} else {
		m->flags &= ~(uint64_t)MMS_FLAGS_ARITHMETIC;
		if (mms_machine_enqueue(m, to, line))
			m->flags |= MMS_FLAG_ZF;
	}
	mms_machine_end(m);
	return MMS_DONE;
}

static enum mms_result emulate_integer(struct mms_machine *m,
				       const struct mms_instruction *i,
				       uint64_t address)
{
	switch (i->opcode->mnemonic) {
	case MMS_MN_ADD: case MMS_MN_OR: case MMS_MN_ADC: case MMS_MN_SBB:
	case MMS_MN_AND: case MMS_MN_SUB: case MMS_MN_XOR: case MMS_MN_CMP:
	case MMS_MN_TEST:
	case MMS_MN_ROL: case MMS_MN_ROR: case MMS_MN_RCL: case MMS_MN_RCR:
	case MMS_MN_SHL: case MMS_MN_SAL: case MMS_MN_SHR: case MMS_MN_SAR:
		return emulate_binary(m, i, address);
	case MMS_MN_BT: case MMS_MN_BTS: case MMS_MN_BTR: case MMS_MN_BTC:
		return emulate_bit_test(m, i, address);
	case MMS_MN_INC: case MMS_MN_DEC: case MMS_MN_NOT: case MMS_MN_NEG:
		return emulate_unary(m, i, address);
	case MMS_MN_SHLD: case MMS_MN_SHRD:
		return emulate_double_shift(m, i, address);
	case MMS_MN_MOVZX: case MMS_MN_MOVSX: case MMS_MN_MOVSXD:
		return emulate_load_into_register(m, i, address);
	case MMS_MN_MOVBE:
		return mms_operand_is_memory(i, 0) ?
			       emulate_store_from_register(m, i, address) :
			       emulate_load_into_register(m, i, address);
	case MMS_MN_MOVNTI: case MMS_MN_MOVDIRI:
		return emulate_store_from_register(m, i, address);
	case MMS_MN_XCHG:
		return emulate_exchange(m, i, address);
	case MMS_MN_XADD:
		return emulate_exchange_add(m, i, address);
	case MMS_MN_CMPXCHG:
		return emulate_compare_exchange(m, i, address);
	case MMS_MN_CMPXCHG8B: case MMS_MN_CMPXCHG16B:
		return emulate_compare_exchange_pair(m, i, address);
	case MMS_MN_IMUL:
		return i->opcode->operands[1] ? emulate_scan(m, i, address) :
						emulate_multiply_divide(m, i, address);
	case MMS_MN_MUL: case MMS_MN_DIV: case MMS_MN_IDIV:
		return emulate_multiply_divide(m, i, address);
	case MMS_MN_BSF: case MMS_MN_BSR: case MMS_MN_TZCNT:
	case MMS_MN_LZCNT: case MMS_MN_POPCNT: case MMS_MN_ANDN:
	case MMS_MN_BLSI: case MMS_MN_BLSMSK: case MMS_MN_BLSR:
	case MMS_MN_BEXTR: case MMS_MN_BZHI: case MMS_MN_PDEP:
	case MMS_MN_PEXT: case MMS_MN_RORX: case MMS_MN_SARX:
	case MMS_MN_SHLX: case MMS_MN_SHRX: case MMS_MN_ADCX:
	case MMS_MN_ADOX:
		return emulate_scan(m, i, address);
	case MMS_MN_MULX:
		return emulate_multiply_wide(m, i, address);
	case MMS_MN_CRC32:
		return emulate_crc32(m, i, address);
	case MMS_MN_PUSH: case MMS_MN_POP: case MMS_MN_CALL: case MMS_MN_JMP:
		return emulate_stack_or_jump(m, i, address);
	case MMS_MN_XLATB:
		return emulate_translate(m, address);
	case MMS_MN_CLFLUSH: case MMS_MN_CLFLUSHOPT: case MMS_MN_CLWB:
		mms_machine_flush(m, address, i->opcode->mnemonic);
		return MMS_DONE;
	default:
		return MMS_UNSUPPORTED;
	}
}

/* SETcc and CMOVcc carry their condition in the opcode's low four bits. */
static int emulate_condition_of(enum mms_mnemonic mnemonic, bool *sets)
{
	static const struct {
		uint16_t set, move;
	} by_code[16] = {
		{ MMS_MN_SETO, MMS_MN_CMOVO }, { MMS_MN_SETNO, MMS_MN_CMOVNO },
		{ MMS_MN_SETB, MMS_MN_CMOVB }, { MMS_MN_SETAE, MMS_MN_CMOVAE },
		{ MMS_MN_SETE, MMS_MN_CMOVE }, { MMS_MN_SETNE, MMS_MN_CMOVNE },
		{ MMS_MN_SETBE, MMS_MN_CMOVBE }, { MMS_MN_SETA, MMS_MN_CMOVA },
		{ MMS_MN_SETS, MMS_MN_CMOVS }, { MMS_MN_SETNS, MMS_MN_CMOVNS },
		{ MMS_MN_SETP, MMS_MN_CMOVP }, { MMS_MN_SETNP, MMS_MN_CMOVNP },
		{ MMS_MN_SETL, MMS_MN_CMOVL }, { MMS_MN_SETGE, MMS_MN_CMOVGE },
		{ MMS_MN_SETLE, MMS_MN_CMOVLE }, { MMS_MN_SETG, MMS_MN_CMOVG },
	};
	int code;

	for (code = 0; code < 16; code++) {
		if (mnemonic == by_code[code].set ||
		    mnemonic == by_code[code].move) {
			*sets = mnemonic == by_code[code].set;
			return code;
		}
	}
	return -1;
}

static enum mms_store_kind emulate_store_kind(enum mms_mnemonic mnemonic)
{
	switch (mnemonic) {
	case MMS_MN_MOVNTI: case MMS_MN_MOVNTQ:
	case MMS_MN_MOVNTPS: case MMS_MN_MOVNTPD: case MMS_MN_MOVNTDQ:
	case MMS_MN_MOVNTSS: case MMS_MN_MOVNTSD:
	case MMS_MN_VMOVNTPS: case MMS_MN_VMOVNTPD: case MMS_MN_VMOVNTDQ:
		return MMS_STORE_NON_TEMPORAL;
	case MMS_MN_MOVDIRI: case MMS_MN_MOVDIR64B:
		return MMS_STORE_DIRECT;
	default:
		return MMS_STORE_PLAIN;
	}
}

enum mms_result mms_emulate_move(struct mms_machine *m,
				  const struct mms_move *p)
{
	uint64_t address = mms_move_address(m, p);
	uint64_t value;

	if (!mms_machine_is_device(m, address, p->bytes))
		return MMS_NO_DEVICE;
	value = mms_move_stores(p) ? mms_move_stored(m, p) : 0;
	mms_machine_begin(m, address, p->bytes);
	if (mms_move_stores(p))
		mms_machine_store(m, address, &value, p->bytes);
	else
		mms_machine_load(m, address, &value, p->bytes);
	mms_machine_end(m);
	if (m->access_failed)
		return MMS_DONE;
	if (!mms_move_stores(p))
		mms_move_loaded(m, p, value);
	m->ip += p->length;
	return MMS_DONE;
}

enum mms_result mms_emulate(struct mms_machine *m,
			    const struct mms_instruction *i)
{
	enum mms_mnemonic mnemonic = i->opcode->mnemonic;
	struct mms_move move;
	enum mms_result result;
	uint64_t address;
	bool sets;
	int code;

	m->store_kind = emulate_store_kind(mnemonic);
	mms_move_describe(i, &move);
	if (move.kind != MMS_MOVE_NONE)
		return mms_emulate_move(m, &move);
	switch (i->memory) {
	case MMS_MEMORY_NONE:
		return MMS_NO_DEVICE;
	case MMS_MEMORY_VECTOR:
		return MMS_UNSUPPORTED;
	case MMS_MEMORY_RDI: case MMS_MEMORY_RSI:
	case MMS_MEMORY_RDI_RSI: case MMS_MEMORY_RSI_RDI:
		if (i->encoding == MMS_LEGACY &&
		    i->opcode->operands[0] != MMS_OPERAND_SEG_RDI)
			return mms_emulate_string(m, i);
		break;
	default:
		break;
	}
	if (emulate_is_64_bytes(mnemonic)) {
		result = emulate_64_bytes(m, i);
		if (result == MMS_DONE)
			m->ip += i->length;
		return result;
	}
	address = mms_effective_address(m, i);
	if (mnemonic == MMS_MN_BT || mnemonic == MMS_MN_BTS ||
	    mnemonic == MMS_MN_BTR || mnemonic == MMS_MN_BTC)
		address = emulate_bit_address(m, i, address);
	if (!mms_machine_is_device(m, address,
				   i->memory_bytes ? i->memory_bytes : 1))
		return MMS_NO_DEVICE;

	if (mnemonic == MMS_MN_MOV) {
		result = emulate_other_move(m, i, address);
	} else if ((code = emulate_condition_of(mnemonic, &sets)) >= 0) {
		result = sets ? emulate_set_on_condition(m, address, (unsigned int)code) :
				emulate_conditional_move(m, i, address, (unsigned int)code);
	} else {
		result = emulate_integer(m, i, address);
		if (result == MMS_UNSUPPORTED)
			result = mms_emulate_vector(m, i, address);
	}
	if (result == MMS_DONE)
		m->ip += i->length;
	return result;
}
