// SPDX-License-Identifier: GPL-2.0
/*
 * String instructions: MOVS STOS LODS CMPS SCAS INS OUTS, alone or repeated.
 * Each element is its own access, as on the CPU with uncached memory.
 */
#include "arithmetic.h"
#include "operand.h"

/* One side of a string instruction. */
struct side {
	bool used;
	bool device;
	unsigned int number;	/* MMS_RSI or MMS_RDI */
	uint64_t segment_base;
	uint64_t address;
};

static uint64_t string_masked(const struct mms_instruction *i, uint64_t value)
{
	return i->address_bytes == 4 ? (uint32_t)value : value;
}

static void string_place(struct mms_machine *m, const struct mms_instruction *i,
			 struct side *side)
{
	if (!side->used)
		return;
	side->address = string_masked(i, *mms_register(m, side->number)) +
			side->segment_base;
	side->device = mms_machine_is_device(m, side->address, i->memory_bytes);
}

static void string_advance(struct mms_machine *m, const struct mms_instruction *i,
			   const struct side *side)
{
	uint64_t *r = mms_register(m, side->number);
	uint64_t step = i->memory_bytes;

	if (!side->used)
		return;
	*r = string_masked(i, m->flags & MMS_FLAG_DF ? *r - step : *r + step);
}

static int string_load_side(struct mms_machine *m, const struct mms_instruction *i,
			    const struct side *side, uint64_t *value)
{
	*value = 0;
	if (side->device) {
		mms_machine_load(m, side->address, value, i->memory_bytes);
		return m->access_failed ? -1 : 0;
	}
	return mms_machine_memory_load(m, side->address, value, i->memory_bytes);
}

static int string_store_side(struct mms_machine *m, const struct mms_instruction *i,
			     const struct side *side, uint64_t value)
{
	if (side->device) {
		mms_machine_store(m, side->address, &value, i->memory_bytes);
		return m->access_failed ? -1 : 0;
	}
	return mms_machine_memory_store(m, side->address, &value,
					i->memory_bytes);
}

/*
 * Finds out whether a store to ordinary memory would fail. This must be known
 * before the device is read.
 */
static int string_probe_store(struct mms_machine *m, const struct mms_instruction *i,
			      const struct side *side)
{
	if (side->device)
		return 0;
	return mms_machine_memory_writable(m, side->address, i->memory_bytes);
}

/* Does one element. Returns 0, or -1 if ordinary memory can't be used. */
static int string_element(struct mms_machine *m, const struct mms_instruction *i,
			  const struct side *to, const struct side *from)
{
	unsigned int bytes = i->memory_bytes;
	uint64_t value, other, difference;

	switch (i->opcode->mnemonic) {
	case MMS_MN_MOVSB: case MMS_MN_MOVSW: case MMS_MN_MOVSD:
	case MMS_MN_MOVSQ:
		if (from->device && string_probe_store(m, i, to))
			return -1;
		if (string_load_side(m, i, from, &value))
			return -1;
		return string_store_side(m, i, to, value);
	case MMS_MN_STOSB: case MMS_MN_STOSW: case MMS_MN_STOSD:
	case MMS_MN_STOSQ:
		value = mms_read_register(m, i, MMS_RAX, bytes);
		return string_store_side(m, i, to, value);
	case MMS_MN_LODSB: case MMS_MN_LODSW: case MMS_MN_LODSD:
	case MMS_MN_LODSQ:
		if (string_load_side(m, i, from, &value))
			return -1;
		mms_write_register(m, i, MMS_RAX, bytes, value);
		return 0;
	case MMS_MN_SCASB: case MMS_MN_SCASW: case MMS_MN_SCASD:
	case MMS_MN_SCASQ:
		if (string_load_side(m, i, to, &value))
			return -1;
		mms_binary(MMS_MN_CMP, mms_read_register(m, i, MMS_RAX, bytes),
			   value, bytes, &m->flags, &difference);
		return 0;
	case MMS_MN_CMPSB: case MMS_MN_CMPSW: case MMS_MN_CMPSD:
	case MMS_MN_CMPSQ:
		/* ordinary memory first: it may fault; of two devices the CPU
		 * reads RSI's first */
		if (from->device && !to->device) {
			if (string_load_side(m, i, to, &other) ||
			    string_load_side(m, i, from, &value))
				return -1;
		} else {
			if (string_load_side(m, i, from, &value) ||
			    string_load_side(m, i, to, &other))
				return -1;
		}
		mms_binary(MMS_MN_CMP, value, other, bytes, &m->flags,
			   &difference);
		return 0;
	case MMS_MN_INSB: case MMS_MN_INSW: case MMS_MN_INSD:
		value = mms_machine_port_in(m, (uint16_t)*mms_register(m, MMS_RDX),
					    bytes);
		return string_store_side(m, i, to, value);
	default:	/* OUTSB OUTSW OUTSD */
		if (string_load_side(m, i, from, &value))
			return -1;
		mms_machine_port_out(m, (uint16_t)*mms_register(m, MMS_RDX),
				     (uint32_t)value, bytes);
		return 0;
	}
}

static bool string_compares(enum mms_mnemonic mnemonic)
{
	switch (mnemonic) {
	case MMS_MN_SCASB: case MMS_MN_SCASW: case MMS_MN_SCASD:
	case MMS_MN_SCASQ: case MMS_MN_CMPSB: case MMS_MN_CMPSW:
	case MMS_MN_CMPSD: case MMS_MN_CMPSQ:
		return true;
	default:
		return false;
	}
}

/* Returns true if a repeated comparison ends after this element. */
static bool string_ends(const struct mms_machine *m, const struct mms_instruction *i)
{
	bool equal = m->flags & MMS_FLAG_ZF;

	return string_compares(i->opcode->mnemonic) &&
	       equal == !!(i->prefixes & MMS_PREFIX_REPNE);
}

/* Begins a step of up to `count` elements, with a device on one side or both. */
static void string_begin(struct mms_machine *m, const struct mms_instruction *i,
			 const struct side *to, const struct side *from,
			 uint64_t count)
{
	const struct side *side = to->device ? to : from;
	bool down = m->flags & MMS_FLAG_DF;
	uint64_t address = side->address;
	int stride = (int)i->memory_bytes;
	unsigned int bytes;

	if (count > MMS_STRING_ELEMENTS_MAX)
		count = MMS_STRING_ELEMENTS_MAX;
	bytes = (unsigned int)count * i->memory_bytes;
	if (down)
		address -= bytes - i->memory_bytes;
	if (to->device && from->device) /* wherever the two lie */
		bytes = MMS_ANYWHERE;
	mms_machine_begin(m, address, bytes);
	/* a comparison may end at any element, and reads from `to` */
	if (to->device != from->device && !string_compares(i->opcode->mnemonic))
		mms_machine_expect(m, side->address, to->device, i->memory_bytes,
				   down ? -stride : stride, (unsigned int)count);
}

enum mms_result mms_emulate_string(struct mms_machine *m,
				   const struct mms_instruction *i)
{
	bool repeated = i->prefixes & (MMS_PREFIX_REP | MMS_PREFIX_REPNE);
	uint64_t *rcx = mms_register(m, MMS_RCX);
	enum mms_result result = MMS_AGAIN;
	struct side to = { .number = MMS_RDI };
	struct side from = { .number = MMS_RSI };
	unsigned int done;

	to.used = i->memory != MMS_MEMORY_RSI;
	from.used = i->memory != MMS_MEMORY_RDI;
	if (from.used && i->segment)
		from.segment_base = mms_machine_segment_base(m, i->segment);
	string_place(m, i, &to);
	string_place(m, i, &from);
	if ((!to.device && !from.device) || (repeated && !string_masked(i, *rcx)))
		return MMS_NO_DEVICE;

	string_begin(m, i, &to, &from, repeated ? string_masked(i, *rcx) : 1);
	for (done = 0; done < MMS_STRING_ELEMENTS_MAX; done++) {
		if (string_element(m, i, &to, &from)) {
			/* those that are done stay done; the next fault is
			 * of the first element that isn't */
			if (done)
				m->access_failed = false;
			else
				result = MMS_MEMORY_FAULT;
			break;
		}
		string_advance(m, i, &to);
		string_advance(m, i, &from);
		if (!repeated) {
			result = MMS_DONE;
			break;
		}
		*rcx = string_masked(i, *rcx - 1);
		if (!*rcx || string_ends(m, i)) {
			result = MMS_DONE;
			break;
		}
		string_place(m, i, &to);
		string_place(m, i, &from);
		/* past the mapping's end: the CPU itself continues */
		if (!to.device && !from.device)
			break;
	}
	mms_machine_end(m);
	if (result == MMS_DONE)
		m->ip += i->length;
	return result;
}
