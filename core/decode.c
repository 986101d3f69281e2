// SPDX-License-Identifier: GPL-2.0
/*
 * The decoder. See decode.h.
 *
 * A form is found in three steps: prefixes and escape bytes choose the opcode
 * map, the opcode byte chooses a run of rows in the generated table, and the
 * first row that accepts the prefixes, sizes and ModRM byte is the form. Rows
 * are sorted so that the more specific of two that fit comes first.
 */
#include "decode.h"
#include "opcode-rows.gen.h"

enum {
	MANDATORY_NONE = 1, MANDATORY_66 = 2, MANDATORY_F3 = 4,
	MANDATORY_F2 = 8, MANDATORY_ANY = 15
};

/* The bytes being decoded and what is known of them so far. */
struct cursor {
	const uint8_t *bytes;
	size_t available;	/* never more than MMS_INSTRUCTION_BYTES_MAX */
	size_t at;
	bool cut;		/* a byte was asked for that isn't there */
	uint8_t mandatory;	/* the prefix that counts as mandatory */
	uint8_t vvvv_bits;	/* as encoded, not inverted: 0x1f when unused */
	bool sae;		/* EVEX.b on a register form */
	bool high_reg;		/* EVEX.R', inverted back */
	bool high_rm;		/* EVEX.X on a register form */
};

static uint8_t take(struct cursor *c)
{
	if (c->at >= c->available) {
		c->cut = true;
		return 0;
	}
	return c->bytes[c->at++];
}

static uint64_t take_little_endian(struct cursor *c, unsigned int count)
{
	uint64_t value = 0;
	unsigned int i;

	for (i = 0; i < count; i++)
		value |= (uint64_t)take(c) << (8 * i);
	return value;
}

static int64_t sign_extend(uint64_t value, unsigned int bytes)
{
	unsigned int shift = 64 - 8 * bytes;

	return (int64_t)(value << shift) >> shift;
}

/* Legacy prefixes and REX; leaves the cursor on the first opcode byte. */
static void take_prefixes(struct cursor *c, struct mms_instruction *i)
{
	for (;;) {
		uint8_t byte = take(c);

		switch (byte) {
		case 0x26: case 0x2e: case 0x36: case 0x3e:
			/* no effect in 64-bit mode, and FS or GS stays */
			break;
		case 0x64:
			i->segment = MMS_SEGMENT_FS;
			break;
		case 0x65:
			i->segment = MMS_SEGMENT_GS;
			break;
		case 0x66:
			i->prefixes |= MMS_PREFIX_66;
			if (c->mandatory == MANDATORY_NONE)
				c->mandatory = MANDATORY_66;
			break;
		case 0x67:
			i->prefixes |= MMS_PREFIX_67;
			break;
		case 0xf0:
			i->prefixes |= MMS_PREFIX_LOCK;
			break;
		case 0xf2:
			i->prefixes = (i->prefixes & ~MMS_PREFIX_REP) |
				      MMS_PREFIX_REPNE;
			c->mandatory = MANDATORY_F2;
			break;
		case 0xf3:
			i->prefixes = (i->prefixes & ~MMS_PREFIX_REPNE) |
				      MMS_PREFIX_REP;
			c->mandatory = MANDATORY_F3;
			break;
		default:
			if ((byte & 0xf0) == 0x40 && !c->cut) {
				i->rex = byte & 0x0f;
				i->prefixes |= MMS_PREFIX_REX;
				continue;
			}
			if (!c->cut)
				c->at--;
			return;
		}
		/* REX counts only right before the opcode */
		i->rex = 0;
		i->prefixes &= ~MMS_PREFIX_REX;
	}
}

static uint8_t mandatory_of_pp(unsigned int pp)
{
	static const uint8_t mandatory[4] = {
		MANDATORY_NONE, MANDATORY_66, MANDATORY_F3, MANDATORY_F2
	};

	return mandatory[pp];
}

/* A VEX or EVEX prefix after one of these is undefined. */
static bool spoils_vex(const struct cursor *c, const struct mms_instruction *i)
{
	return c->mandatory != MANDATORY_NONE ||
	       (i->prefixes & MMS_PREFIX_REX);
}

static void set_vvvv(struct cursor *c, struct mms_instruction *i,
		     unsigned int encoded)
{
	c->vvvv_bits = encoded;
	i->vvvv = ~encoded & 0x1f;
}

/* The bytes behind C5, C4 or 8F. Returns the opcode map, or -1. */
static int take_vex(struct cursor *c, struct mms_instruction *i, uint8_t first)
{
	unsigned int map = 1, p0 = take(c), p1 = p0;

	i->encoding = first == 0x8f ? MMS_XOP : MMS_VEX;
	i->rex = p0 & 0x80 ? 0 : 4;
	if (first != 0xc5) {
		i->rex = (~p0 >> 5) & 7;
		map = p0 & 0x1f;
		p1 = take(c);
		if (p1 & 0x80)
			i->rex |= 8;
	}
	set_vvvv(c, i, 0x10 | ((p1 >> 3) & 0x0f));
	i->vector_length = (p1 >> 2) & 1;
	c->mandatory = mandatory_of_pp(p1 & 3);
	if (first == 0x8f)
		return map >= 8 && map <= 10 ? (int)(MMS_MAP_XOP_MAP8 + map - 8) : -1;
	return map >= 1 && map <= 3 ? (int)(MMS_MAP_VEX_0F + map - 1) : -1;
}

/* The three bytes behind 62. Returns the opcode map, or -1. */
static int take_evex(struct cursor *c, struct mms_instruction *i)
{
	static const int8_t map_of[8] = {
		-1, MMS_MAP_EVEX_0F, MMS_MAP_EVEX_0F38, MMS_MAP_EVEX_0F3A,
		-1, MMS_MAP_EVEX_MAP5, MMS_MAP_EVEX_MAP6, -1
	};
	unsigned int p0 = take(c), p1 = take(c), p2 = take(c);

	i->encoding = MMS_EVEX;
	if ((p0 & 0x08) || !(p1 & 0x04))
		return -1;
	i->rex = (~p0 >> 5) & 7;
	if (p1 & 0x80)
		i->rex |= 8;
	c->high_reg = !(p0 & 0x10);
	c->high_rm = i->rex & 2;
	set_vvvv(c, i, ((p1 >> 3) & 0x0f) | ((p2 & 0x08) << 1));
	i->vector_length = (p2 >> 5) & 3;
	i->broadcast = p2 & 0x10;
	i->zeroing = p2 & 0x80;
	i->opmask = p2 & 7;
	c->mandatory = mandatory_of_pp(p1 & 3);
	return map_of[p0 & 7];
}

/* Escape bytes up to and with the opcode byte. Returns the map, or -1. */
static int take_opcode(struct cursor *c, struct mms_instruction *i,
		       uint8_t *opcode)
{
	uint8_t byte = take(c);
	int map = MMS_MAP_LEGACY;

	if (byte == 0xc4 || byte == 0xc5 || byte == 0x62 ||
	    (byte == 0x8f && c->at < c->available && (c->bytes[c->at] & 0x1f) >= 8)) {
		if (spoils_vex(c, i))
			return -1;
		map = byte == 0x62 ? take_evex(c, i) : take_vex(c, i, byte);
		*opcode = take(c);
		return map;
	}
	if (byte == 0x0f) {
		byte = take(c);
		map = MMS_MAP_LEGACY_0F;
		if (byte == 0x38 || byte == 0x3a) {
			map = byte == 0x38 ? MMS_MAP_LEGACY_0F38 :
					     MMS_MAP_LEGACY_0F3A;
			byte = take(c);
		} else if (byte == 0x0f) {
			/* 3DNow!: the opcode is the last byte */
			i->encoding = MMS_D3NOW;
			map = MMS_MAP_D3NOW;
		}
	}
	*opcode = byte;
	return map;
}

/* Base, index, scale and displacement of a ModRM byte with mod != 3. */
static void take_memory(struct cursor *c, struct mms_instruction *i)
{
	unsigned int mod = i->modrm >> 6, rm = i->modrm & 7;

	i->memory = MMS_MEMORY_MODRM;
	i->scale = 1;
	i->base = rm | (i->rex & 1) << 3;
	if (rm == 4) {
		unsigned int sib = take(c);

		i->base = (sib & 7) | (i->rex & 1) << 3;
		i->index = ((sib >> 3) & 7) | (i->rex & 2) << 2;
		i->scale = 1 << (sib >> 6);
		rm = sib & 7;
		if (rm == 5 && mod == 0)
			i->base = MMS_NO_REGISTER;
	} else if (rm == 5 && mod == 0) {
		i->base = MMS_RIP;
	}
	if (mod == 1)
		i->displacement = sign_extend(take(c), 1);
	else if (mod == 2 || (mod == 0 && rm == 5))
		i->displacement = sign_extend(take_little_endian(c, 4), 4);
}

/* How many bytes one step of an EVEX disp8 is: Intel's manual, 2.7.5. */
static unsigned int disp8_scale(uint8_t tuple, bool broadcast)
{
	static const uint8_t scale[][2] = {	/* memory, broadcast */
		[MMS_TUPLE_N1] = { 1, 1 }, [MMS_TUPLE_N2] = { 2, 2 },
		[MMS_TUPLE_N4] = { 4, 4 }, [MMS_TUPLE_N8] = { 8, 8 },
		[MMS_TUPLE_N16] = { 16, 16 }, [MMS_TUPLE_N32] = { 32, 32 },
		[MMS_TUPLE_N64] = { 64, 64 },
		[MMS_TUPLE_N8B4] = { 8, 4 }, [MMS_TUPLE_N16B4] = { 16, 4 },
		[MMS_TUPLE_N32B4] = { 32, 4 }, [MMS_TUPLE_N64B4] = { 64, 4 },
		[MMS_TUPLE_N16B8] = { 16, 8 }, [MMS_TUPLE_N32B8] = { 32, 8 },
		[MMS_TUPLE_N64B8] = { 64, 8 },
		[MMS_TUPLE_N4B2] = { 4, 2 }, [MMS_TUPLE_N8B2] = { 8, 2 },
		[MMS_TUPLE_N16B2] = { 16, 2 }, [MMS_TUPLE_N32B2] = { 32, 2 },
		[MMS_TUPLE_N64B2] = { 64, 2 },
	};

	return scale[tuple][broadcast];
}

/* The operand size that a row is to be compared with: 1 16, 2 32, 4 64 bits. */
static unsigned int operand_size(const struct mms_opcode *row,
				 const struct mms_instruction *i)
{
	if ((i->rex & 8) || (row->flags & MMS_O_FORCE_64))
		return 4;
	if ((i->prefixes & MMS_PREFIX_66) && row->prefixes != MANDATORY_66)
		return 1;
	return row->flags & MMS_O_DEFAULT_64 ? 4 : 2;
}

static bool is_register_form(const struct mms_opcode *row, uint8_t modrm)
{
	return modrm >= 0xc0 || (row->flags & MMS_O_ANY_MOD);
}

static bool accepts(const struct mms_opcode *row, const struct cursor *c,
		    const struct mms_instruction *i, uint8_t modrm)
{
	if (!(row->prefixes & c->mandatory))
		return false;
	if (i->encoding == MMS_LEGACY || i->encoding == MMS_D3NOW) {
		if (!(row->sizes & operand_size(row, i)))
			return false;
		if (!(row->sizes & (i->prefixes & MMS_PREFIX_67 ? 8 : 16)))
			return false;
	} else {
		unsigned int length = i->vector_length;

		if (!(row->vector & (i->rex & 8 ? 0x20 : 0x10)))
			return false;
		/* EVEX.b on registers: L'L is a rounding mode, or ignored */
		if (i->encoding == MMS_EVEX && i->broadcast && modrm >= 0xc0) {
			if (!(row->flags & (MMS_O_ROUNDING | MMS_O_SAE |
					    MMS_O_IGNORES_ROUNDING)))
				return false;
			length = row->vector & 4 ? 2 : 0;
		}
		if (!((row->vector >> length) & 1) || length == 3)
			return false;
	}
	if (!(row->flags & MMS_O_MODRM))
		return !(row->flags & MMS_O_NO_REX_B) || !(i->rex & 1);
	if ((modrm & row->modrm_mask) != row->modrm_value)
		return false;
	if (is_register_form(row, modrm))
		return !(row->flags & MMS_O_MEM_ONLY);
	return !(row->flags & MMS_O_REG_ONLY);
}

static const struct mms_opcode *find(int map, uint8_t opcode,
				     const struct cursor *c,
				     const struct mms_instruction *i,
				     uint8_t modrm)
{
	unsigned int row = mms_opcode_start[map][opcode];
	unsigned int end = mms_opcode_start[map][opcode + 1];

	for (; row < end; row++)
		if (accepts(&mms_opcodes[row], c, i, modrm))
			return &mms_opcodes[row];
	return NULL;
}

static void take_immediate(struct cursor *c, struct mms_instruction *i)
{
	const struct mms_opcode *row = i->opcode;
	uint64_t value;

	if (row->memory == MMS_MEMORY_OFFSET) {
		i->displacement = (int64_t)take_little_endian(c,
				i->prefixes & MMS_PREFIX_67 ? 4 : 8);
		return;
	}
	value = take_little_endian(c, row->immediate_bytes);
	if (row->flags & MMS_O_SIGNED)
		i->immediate = (uint64_t)sign_extend(value, row->immediate_bytes);
	else
		i->immediate = value;
	if (row->immediate2_bytes)
		i->immediate2 = take(c);
}

/* What EVEX.b, z and aaa may say depends on the form. */
static bool evex_is_valid(const struct mms_instruction *i)
{
	const struct mms_opcode *row = i->opcode;

	if (i->broadcast) {
		if (i->memory) {
			if (!(row->flags & MMS_O_BROADCAST))
				return false;
		} else if (!(row->flags & (MMS_O_ROUNDING | MMS_O_SAE |
					   MMS_O_IGNORES_ROUNDING))) {
			return false;
		}
	}
	if (i->opmask && !(row->flags & MMS_O_OPMASK))
		return false;
	if (!i->opmask && (row->flags & MMS_O_NEEDS_OPMASK))
		return false;
	if (i->zeroing && (!i->opmask || !(row->flags & MMS_O_ZEROING)))
		return false;
	/* there is no zeroing of memory */
	if (i->zeroing && i->memory && (row->access & MMS_ACCESS_WRITE))
		return false;
	return true;
}

/* Whether a register of this class has this number. */
static bool is_register(uint8_t class, uint8_t number)
{
	switch (class) {
	case MMS_CLASS_GENERAL:
		return number < 16;
	case MMS_CLASS_OPMASK:
	case MMS_CLASS_TILE:
	case MMS_CLASS_DEBUG:
		return number < 8;
	case MMS_CLASS_CONTROL:	/* CR0, CR2, CR3, CR4, CR8 */
		return number <= 8 && ((1 << number) & 0x11d);
	case MMS_CLASS_SEGMENT:	/* six of them; REX.R is ignored */
		return (number & 7) <= 5;
	case MMS_CLASS_LOADED_SEGMENT:	/* MOV can't load CS */
		return (number & 7) <= 5 && (number & 7) != 1;
	default:
		return true;
	}
}

/* Gathers and tile products need different registers, some others a
 * destination that is no source. */
static bool are_registers_unique(const struct mms_instruction *i)
{
	uint32_t flags = i->opcode->flags;
	/* the register in ModRM.rm, or the vector of indices */
	uint8_t other = i->memory ? i->index : i->rm;

	if (!(flags & (MMS_O_UNIQUE_REGISTERS | MMS_O_UNIQUE_DESTINATION)))
		return true;
	if (i->reg == other && (!i->memory || i->memory == MMS_MEMORY_VECTOR))
		return false;
	if (!(flags & MMS_O_VVVV))
		return true;
	if (i->reg == i->vvvv)
		return false;
	return !(flags & MMS_O_UNIQUE_REGISTERS) || i->vvvv != other;
}

static bool is_valid(const struct cursor *c, const struct mms_instruction *i)
{
	const struct mms_opcode *row = i->opcode;

	if (!is_register(row->reg_class, i->reg) ||
	    !is_register(row->vvvv_class, i->vvvv) ||
	    !are_registers_unique(i))
		return false;
	if (row->rm_class == MMS_CLASS_TILE && i->rm > 7)
		return false;
	if ((row->flags & MMS_O_NO_66) && (i->prefixes & MMS_PREFIX_66))
		return false;
	if ((i->prefixes & MMS_PREFIX_LOCK) &&
	    (!(row->flags & MMS_O_LOCK) || !i->memory))
		return false;
	if (i->encoding == MMS_LEGACY || i->encoding == MMS_D3NOW)
		return true;
	if (!(row->flags & MMS_O_VVVV) &&
	    (c->vvvv_bits | (i->memory == MMS_MEMORY_VECTOR ? 0x10 : 0)) != 0x1f)
		return false;
	return i->encoding != MMS_EVEX || evex_is_valid(i);
}

/* Whether the access may be left out: rcx is 0, or the opmask has no bit. */
static bool is_conditional(const struct mms_instruction *i)
{
	if (i->opcode->flags & MMS_O_REP)
		return i->prefixes & (MMS_PREFIX_REP | MMS_PREFIX_REPNE);
	return i->opmask;
}

int mms_decode(const uint8_t *bytes, size_t available,
	       struct mms_instruction *i)
{
	struct cursor c = {
		.bytes = bytes,
		.available = available < MMS_INSTRUCTION_BYTES_MAX ?
				     available : MMS_INSTRUCTION_BYTES_MAX,
		.mandatory = MANDATORY_NONE,
		.vvvv_bits = 0x1f,
	};
	bool displacement8;
	uint8_t opcode, modrm;
	int map;

	*i = (struct mms_instruction){
		.base = MMS_NO_REGISTER,
		.index = MMS_NO_REGISTER,
	};
	take_prefixes(&c, i);
	map = take_opcode(&c, i, &opcode);
	if (map < 0 || c.cut)
		return 0;

	/* rows are matched against the byte behind the opcode; if it isn't
	 * there, only forms without ModRM can still be whole */
	modrm = c.at < c.available ? c.bytes[c.at] : 0;
	if (i->encoding == MMS_D3NOW) {
		/* every 3DNow! form has the same operands; which one it is
		 * is known behind them */
		opcode = 0x0c;
	}
	i->opcode = find(map, opcode, &c, i, modrm);
	if (!i->opcode)
		return 0;
	if (i->opcode->flags & MMS_O_MODRM) {
		i->modrm = modrm;
		take(&c);
		i->reg = ((i->modrm >> 3) & 7) | (i->rex & 4) << 1;
		if (c.high_reg)
			i->reg |= 16;
		if (is_register_form(i->opcode, i->modrm)) {
			i->rm = (i->modrm & 7) | (i->rex & 1) << 3;
			if (c.high_rm && i->opcode->rm_class == MMS_CLASS_ANY)
				i->rm |= 16;
		} else {
			take_memory(&c, i);
		}
	} else {
		i->rm = (opcode & 7) | (i->rex & 1) << 3;
	}
	displacement8 = i->memory && (i->modrm >> 6) == 1;
	if (i->opcode->memory > MMS_MEMORY_MODRM)
		i->memory = i->opcode->memory;
	if (i->memory == MMS_MEMORY_MODRM && i->index == MMS_RSP)
		i->index = MMS_NO_REGISTER;
	if (i->memory == MMS_MEMORY_VECTOR || (i->opcode->flags & MMS_O_NEEDS_SIB)) {
		/* without a SIB byte there is no vector of indices */
		if ((i->modrm & 7) != 4)
			return 0;
		if (i->encoding == MMS_EVEX && !(c.vvvv_bits & 0x10))
			i->index |= 16;
	}
	if (i->opcode->flags & MMS_O_ES_ONLY)
		i->segment = MMS_SEGMENT_NONE;
	if (i->encoding == MMS_EVEX && displacement8)
		i->displacement *= disp8_scale(i->opcode->tuple, i->broadcast);
	if (i->opcode->immediate_bytes)
		take_immediate(&c, i);
	if (i->encoding == MMS_D3NOW) {
		i->opcode = find(map, take(&c), &c, i, modrm);
		if (!i->opcode)
			return 0;
	}
	if (c.cut || !is_valid(&c, i))
		return 0;

	i->address_bytes = i->prefixes & MMS_PREFIX_67 ? 4 : 8;
	switch (operand_size(i->opcode, i)) {
	case 1:
		i->operand_bytes = 2;
		break;
	case 2:
		i->operand_bytes = 4;
		break;
	default:
		i->operand_bytes = 8;
		break;
	}
	/* F3 and F2 that choose the form don't repeat anything */
	if (i->opcode->prefixes != MANDATORY_ANY &&
	    !(i->opcode->flags & MMS_O_REP))
		i->prefixes &= ~(MMS_PREFIX_REP | MMS_PREFIX_REPNE);
	if (i->memory) {
		i->access = i->opcode->access;
		if (i->access && is_conditional(i))
			i->access |= MMS_ACCESS_CONDITIONAL;
		i->memory_bytes = i->broadcast && i->opcode->broadcast_bytes ?
					  i->opcode->broadcast_bytes :
					  i->opcode->memory_bytes;
	}
	i->length = (uint8_t)c.at;
	return i->length;
}
