// SPDX-License-Identifier: GPL-2.0
/*
 * The decoder. See decode.h.
 *
 * It finds a form in three steps: prefixes and escape bytes choose the opcode
 * map, the opcode byte chooses a run of rows in the generated table, and the
 * first row that accepts the prefixes, sizes and ModRM byte is the form. Rows
 * are sorted so that of two that fit, the more specific one comes first.
 */
#include "decode.h"
#include "opcode-rows.gen.h"

/*
 * The situation in which a row is looked for, as bits; a row accepts some of
 * them. In each group one bit is set, so that one comparison covers all groups.
 */
enum mms_situation {
	MANDATORY_NONE = 1 << 0,	/* the prefix that counts as mandatory */
	MANDATORY_66 = 1 << 1,
	MANDATORY_F3 = 1 << 2,
	MANDATORY_F2 = 1 << 3,
	SIZE_PLAIN = 1 << 4,		/* neither 66 nor W; << 1 with 66, */
	SIZE_W = 1 << 6,		/* << 2 with W, << 3 with both */
	ADDRESS_64 = 1 << 8,
	ADDRESS_32 = 1 << 9,
	LENGTH_128 = 1 << 10,		/* << L'L */
	LENGTH_ROUNDING = 1 << 14,	/* L'L is a rounding mode */
	MOD_MEMORY = 1 << 15,
	MOD_REGISTERS = 1 << 16,
	WITH_REX_B = 1 << 17,
};

/* The bytes being decoded and the knowledge about them so far. */
struct cursor {
	const uint8_t *bytes;
	size_t available;	/* never more than MMS_INSTRUCTION_BYTES_MAX */
	size_t at;
	bool cut;		/* the bytes ended too early */
	bool high_reg;		/* EVEX.R', inverted back */
	bool high_rm;		/* EVEX.X on a register form */
	uint8_t vvvv_bits;	/* as encoded, not inverted: 0x1f if unused */
	uint32_t situation;	/* enum mms_situation, except the ModRM byte's */
};

static uint8_t decode_take(struct cursor *c)
{
	if (c->at >= c->available) {
		c->cut = true;
		return 0;
	}
	return c->bytes[c->at++];
}

static uint64_t decode_take_little_endian(struct cursor *c, unsigned int count)
{
	const uint8_t *from = c->bytes + c->at;
	uint64_t value = 0;
	uint32_t value32;
	uint16_t value16;

	if (count > c->available - c->at) {
		c->cut = true;
		return 0;
	}
	c->at += count;
	if (count == 1)
		return *from;
	if (count == 4) {
		__builtin_memcpy(&value32, from, 4);
		return value32;
	}
	if (count == 2) {
		__builtin_memcpy(&value16, from, 2);
		return value16;
	}
	__builtin_memcpy(&value, from, 8);
	return value;
}

static int64_t decode_sign_extend(uint64_t value, unsigned int bytes)
{
	unsigned int shift = 64 - 8 * bytes;

	return (int64_t)(value << shift) >> shift;
}

/* Looks up the byte in a table with one bit for each of the 256 bytes. */
static bool decode_is_legacy_prefix(uint8_t byte)
{
	static const uint32_t bits[8] = {
		[0x20 / 32] = 1u << 6 | 1u << 14 | 1u << 22 | 1u << 30,
		[0x60 / 32] = 0xf0,			/* 64 to 67 */
		[0xe0 / 32] = 1u << 16 | 1u << 18 | 1u << 19,	/* F0, F2, F3 */
	};

	return bits[byte >> 5] >> (byte & 31) & 1;
}

static void decode_note_prefix(struct cursor *c, struct mms_instruction *i, uint8_t byte)
{
	const uint32_t mandatory = MANDATORY_NONE | MANDATORY_66 |
				   MANDATORY_F3 | MANDATORY_F2;

	/* 26, 2E, 36, 3E have no effect in 64-bit mode: FS or GS stays */
	if (byte == 0x66) {
		i->prefixes |= MMS_PREFIX_66;
		/* F3 and F2 before or behind it win */
		if (c->situation & MANDATORY_NONE)
			c->situation ^= MANDATORY_NONE | MANDATORY_66;
	} else if (byte == 0xf3) {
		i->prefixes &= ~MMS_PREFIX_REPNE;
		i->prefixes |= MMS_PREFIX_REP;
		c->situation = (c->situation & ~mandatory) | MANDATORY_F3;
	} else if (byte == 0xf2) {
		i->prefixes &= ~MMS_PREFIX_REP;
		i->prefixes |= MMS_PREFIX_REPNE;
		c->situation = (c->situation & ~mandatory) | MANDATORY_F2;
	} else if (byte == 0xf0) {
		i->prefixes |= MMS_PREFIX_LOCK;
	} else if (byte == 0x65) {
		i->segment = MMS_SEGMENT_GS;
	} else if (byte == 0x64) {
		i->segment = MMS_SEGMENT_FS;
	} else if (byte == 0x67) {
		i->prefixes |= MMS_PREFIX_67;
	}
}

/* Takes legacy prefixes and REX; returns the first opcode byte. */
static uint8_t decode_take_prefixes(struct cursor *c, struct mms_instruction *i)
{
	uint8_t byte = decode_take(c);

	for (;;) {
		if (decode_is_legacy_prefix(byte)) {
			decode_note_prefix(c, i, byte);
			byte = decode_take(c);
		} else if ((byte & 0xf0) == 0x40) {
			uint8_t rex = byte & 0x0f;

			byte = decode_take(c);
			/* REX counts only right before the opcode */
			if (decode_is_legacy_prefix(byte) || (byte & 0xf0) == 0x40)
				continue;
			i->rex = rex;
			i->prefixes |= MMS_PREFIX_REX;
			return byte;
		} else {
			return byte;
		}
	}
}

/* Any 3DNow! opcode. */
#define D3NOW_ANY 0x0c

/* VEX, EVEX and XOP encode the mandatory prefix in two bits. */
static uint32_t decode_mandatory_of_pp(unsigned int pp)
{
	return MANDATORY_NONE << pp;
}

/* A VEX or EVEX prefix after one of these is undefined. */
static bool decode_spoils_vex(const struct cursor *c, const struct mms_instruction *i)
{
	return !(c->situation & MANDATORY_NONE) ||
	       (i->prefixes & MMS_PREFIX_REX);
}

static void decode_set_vvvv(struct cursor *c, struct mms_instruction *i,
			    unsigned int encoded)
{
	c->vvvv_bits = encoded;
	i->vvvv = ~encoded & 0x1f;
}

/* Takes the bytes after C5, C4 or 8F. Returns the opcode map, or -1. */
static int decode_take_vex(struct cursor *c, struct mms_instruction *i, uint8_t first)
{
	unsigned int map = 1, p0 = decode_take(c), p1 = p0;

	i->encoding = first == 0x8f ? MMS_XOP : MMS_VEX;
	i->rex = p0 & 0x80 ? 0 : 4;
	if (first != 0xc5) {
		i->rex = (~p0 >> 5) & 7;
		map = p0 & 0x1f;
		p1 = decode_take(c);
		if (p1 & 0x80)
			i->rex |= 8;
	}
	decode_set_vvvv(c, i, 0x10 | ((p1 >> 3) & 0x0f));
	i->vector_length = (p1 >> 2) & 1;
	c->situation = decode_mandatory_of_pp(p1 & 3);
	if (first == 0x8f)
		return map >= 8 && map <= 10 ? (int)(MMS_MAP_XOP_MAP8 + map - 8) : -1;
	return map >= 1 && map <= 3 ? (int)(MMS_MAP_VEX_0F + map - 1) : -1;
}

/* Takes the three bytes after 62. Returns the opcode map, or -1. */
static int decode_take_evex(struct cursor *c, struct mms_instruction *i)
{
	static const int8_t map_of[8] = {
		-1, MMS_MAP_EVEX_0F, MMS_MAP_EVEX_0F38, MMS_MAP_EVEX_0F3A,
		-1, MMS_MAP_EVEX_MAP5, MMS_MAP_EVEX_MAP6, -1
	};
	unsigned int p0 = decode_take(c), p1 = decode_take(c), p2 = decode_take(c);

	i->encoding = MMS_EVEX;
	if ((p0 & 0x08) || !(p1 & 0x04))
		return -1;
	i->rex = (~p0 >> 5) & 7;
	if (p1 & 0x80)
		i->rex |= 8;
	c->high_reg = !(p0 & 0x10);
	c->high_rm = i->rex & 2;
	decode_set_vvvv(c, i, ((p1 >> 3) & 0x0f) | ((p2 & 0x08) << 1));
	i->vector_length = (p2 >> 5) & 3;
	i->broadcast = p2 & 0x10;
	i->zeroing = p2 & 0x80;
	i->opmask = p2 & 7;
	c->situation = decode_mandatory_of_pp(p1 & 3);
	return map_of[p0 & 7];
}

/* Takes everything up to and with the opcode byte. Returns the map, or -1. */
static int decode_take_opcode(struct cursor *c, struct mms_instruction *i,
			      uint8_t *opcode)
{
	uint8_t byte = decode_take_prefixes(c, i);
	int map = MMS_MAP_LEGACY;

	if (byte == 0xc4 || byte == 0xc5 || byte == 0x62 ||
	    (byte == 0x8f && c->at < c->available && (c->bytes[c->at] & 0x1f) >= 8)) {
		if (decode_spoils_vex(c, i))
			return -1;
		map = byte == 0x62 ? decode_take_evex(c, i) : decode_take_vex(c, i, byte);
		*opcode = decode_take(c);
		return map;
	}
	if (byte == 0x0f) {
		byte = decode_take(c);
		map = MMS_MAP_LEGACY_0F;
		if (byte == 0x38 || byte == 0x3a) {
			map = byte == 0x38 ? MMS_MAP_LEGACY_0F38 :
					     MMS_MAP_LEGACY_0F3A;
			byte = decode_take(c);
		} else if (byte == 0x0f) {
			/* 3DNow!: the opcode is the last byte */
			i->encoding = MMS_D3NOW;
			map = MMS_MAP_D3NOW;
		}
	}
	*opcode = byte;
	return map;
}

/* Takes base, index, scale and displacement of a ModRM byte with mod != 3. */
static void decode_take_memory(struct cursor *c, struct mms_instruction *i)
{
	unsigned int mod = i->modrm >> 6, rm = i->modrm & 7;

	i->memory = MMS_MEMORY_MODRM;
	i->scale = 1;
	i->base = rm | (i->rex & 1) << 3;
	if (rm == 4) {
		unsigned int sib = decode_take(c);

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
		i->displacement = decode_sign_extend(decode_take(c), 1);
	else if (mod == 2 || (mod == 0 && rm == 5))
		i->displacement = decode_sign_extend(decode_take_little_endian(c, 4), 4);
}

/* Bytes in one step of an EVEX disp8: Intel's manual, 2.7.5. */
static unsigned int decode_disp8_scale(uint8_t tuple, bool broadcast)
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

static bool decode_is_register_form(const struct mms_opcode *row, uint8_t modrm)
{
	return modrm >= 0xc0 || (row->flags & MMS_O_ANY_MOD);
}

/* All facts that decide between the rows of an opcode, except the low six bits
 * of the ModRM byte. */
static uint32_t decode_situation_of(const struct cursor *c,
				    const struct mms_instruction *i, uint8_t modrm)
{
	uint32_t situation = c->situation;
	uint32_t size = SIZE_PLAIN;

	if (i->prefixes & MMS_PREFIX_66)
		size <<= 1;
	if (i->rex & 8)
		size <<= 2;
	situation |= size;
	situation |= i->prefixes & MMS_PREFIX_67 ? ADDRESS_32 : ADDRESS_64;
	situation |= modrm >= 0xc0 ? MOD_REGISTERS : MOD_MEMORY;
	if (i->broadcast && modrm >= 0xc0)
		situation |= LENGTH_ROUNDING;
	else
		situation |= LENGTH_128 << i->vector_length;
	if (i->rex & 1)
		situation |= WITH_REX_B;
	return situation;
}

static const struct mms_opcode *decode_find_row(int map, uint8_t opcode,
						uint32_t situation, uint8_t modrm)
{
	const struct mms_opcode *row =
		&mms_opcodes[mms_opcode_start[map][opcode]];
	const struct mms_opcode *end =
		&mms_opcodes[mms_opcode_start[map][opcode + 1]];

	for (; row < end; row++)
		if (!(situation & ~row->accepts) &&
		    (modrm & row->modrm_mask) == row->modrm_value)
			return row;
	return NULL;
}

/* Bytes of a general operand: Intel's manual, volume 1, table 3-4. */
static uint8_t decode_operand_bytes_of(const struct mms_opcode *row,
				       const struct mms_instruction *i,
				       uint32_t situation)
{
	if ((i->rex & 8) || (row->flags & MMS_O_FORCE_64))
		return 8;
	/* a 66 that is part of the opcode says nothing about the size */
	if ((i->prefixes & MMS_PREFIX_66) &&
	    !((row->flags & MMS_O_MANDATORY) && (situation & MANDATORY_66)))
		return 2;
	return row->flags & MMS_O_DEFAULT_64 ? 8 : 4;
}

static void decode_take_immediate(struct cursor *c, struct mms_instruction *i)
{
	const struct mms_opcode *row = i->opcode;
	uint64_t value;

	if (row->memory == MMS_MEMORY_OFFSET) {
		i->displacement = (int64_t)decode_take_little_endian(c,
				i->prefixes & MMS_PREFIX_67 ? 4 : 8);
		return;
	}
	value = decode_take_little_endian(c, row->immediate_bytes);
	if (row->flags & MMS_O_SIGNED)
		i->immediate = (uint64_t)decode_sign_extend(value, row->immediate_bytes);
	else
		i->immediate = value;
	if (row->immediate2_bytes)
		i->immediate2 = decode_take(c);
}

/* Checks EVEX.b, z and aaa: the form decides their allowed values. */
static bool decode_evex_is_valid(const struct mms_instruction *i)
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

/* Returns true if a register of this class has this number. */
static bool decode_is_register(uint8_t class, uint8_t number)
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

/* Gathers and tile products need registers that all differ; some other forms
 * need a destination that is no source. */
static bool decode_are_registers_unique(const struct mms_instruction *i)
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

static bool decode_is_rare_valid(const struct mms_instruction *i)
{
	const struct mms_opcode *row = i->opcode;

	return decode_is_register(row->reg_class, i->reg) &&
	       decode_is_register(row->vvvv_class, i->vvvv) &&
	       decode_are_registers_unique(i) &&
	       !(row->rm_class == MMS_CLASS_TILE && i->rm > 7) &&
	       !((row->flags & MMS_O_NO_66) && (i->prefixes & MMS_PREFIX_66));
}

static bool decode_is_valid(const struct cursor *c, const struct mms_instruction *i)
{
	const struct mms_opcode *row = i->opcode;

	if ((row->flags & MMS_O_RARE) && !decode_is_rare_valid(i))
		return false;
	if ((i->prefixes & MMS_PREFIX_LOCK) &&
	    (!(row->flags & MMS_O_LOCK) || !i->memory))
		return false;
	if (i->encoding == MMS_LEGACY || i->encoding == MMS_D3NOW)
		return true;
	if (!(row->flags & MMS_O_VVVV) &&
	    (c->vvvv_bits | (i->memory == MMS_MEMORY_VECTOR ? 0x10 : 0)) != 0x1f)
		return false;
	return i->encoding != MMS_EVEX || decode_evex_is_valid(i);
}

/* Returns true if the access may be left out: rcx may be 0, or the opmask may
 * have no bit. */
static bool decode_is_conditional(const struct mms_instruction *i)
{
	if (i->opcode->flags & MMS_O_REP)
		return i->prefixes & (MMS_PREFIX_REP | MMS_PREFIX_REPNE);
	return i->opmask;
}

/* Takes the ModRM byte and its registers or address. */
static bool decode_take_modrm(struct cursor *c, struct mms_instruction *i)
{
	const struct mms_opcode *row = i->opcode;

	i->modrm = decode_take(c);
	i->reg = ((i->modrm >> 3) & 7) | (i->rex & 4) << 1 | c->high_reg << 4;
	if (decode_is_register_form(row, i->modrm)) {
		i->rm = (i->modrm & 7) | (i->rex & 1) << 3;
		if (c->high_rm && row->rm_class == MMS_CLASS_ANY)
			i->rm |= 16;
		return true;
	}
	decode_take_memory(c, i);
	if (i->encoding == MMS_EVEX && (i->modrm >> 6) == 1)
		i->displacement *= decode_disp8_scale(row->tuple, i->broadcast);
	if (row->memory == MMS_MEMORY_VECTOR) {
		i->memory = MMS_MEMORY_VECTOR;
		if (i->encoding == MMS_EVEX && !(c->vvvv_bits & 0x10))
			i->index |= 16;
		/* without a SIB byte there is no vector of indices */
		return (i->modrm & 7) == 4;
	}
	if (i->index == MMS_RSP)
		i->index = MMS_NO_REGISTER;
	return !(row->flags & MMS_O_NEEDS_SIB) || (i->modrm & 7) == 4;
}

int mms_decode(const uint8_t *bytes, size_t available,
	       struct mms_instruction *i)
{
	struct cursor c = {
		.bytes = bytes,
		.available = available < MMS_INSTRUCTION_BYTES_MAX ?
				     available : MMS_INSTRUCTION_BYTES_MAX,
		.vvvv_bits = 0x1f,
		.situation = MANDATORY_NONE,
	};
	const struct mms_opcode *row;
	uint8_t opcode, modrm;
	uint32_t situation;
	int map;

	*i = (struct mms_instruction){
		.base = MMS_NO_REGISTER,
		.index = MMS_NO_REGISTER,
	};
	map = decode_take_opcode(&c, i, &opcode);
	if (map < 0 || c.cut)
		return 0;

	/* rows are matched against the byte after the opcode; without that
	 * byte, only forms without ModRM can be complete */
	modrm = c.at < c.available ? c.bytes[c.at] : 0;
	situation = decode_situation_of(&c, i, modrm);
	/* all 3DNow! forms have the same operands; the opcode byte after them
	 * tells the form */
	row = decode_find_row(map, map == MMS_MAP_D3NOW ? D3NOW_ANY : opcode, situation,
			      modrm);
	if (!row)
		return 0;
	i->opcode = row;
	if (!(row->flags & MMS_O_MODRM))
		i->rm = (opcode & 7) | (i->rex & 1) << 3;
	else if (!decode_take_modrm(&c, i))
		return 0;
	if (row->memory > MMS_MEMORY_VECTOR)
		i->memory = row->memory;
	if (row->flags & MMS_O_ES_ONLY)
		i->segment = MMS_SEGMENT_NONE;
	if (row->immediate_bytes)
		decode_take_immediate(&c, i);
	if (map == MMS_MAP_D3NOW) {
		row = decode_find_row(map, decode_take(&c), situation, modrm);
		if (!row)
			return 0;
		i->opcode = row;
	}
	if (c.cut || !decode_is_valid(&c, i))
		return 0;

	/* F3 and F2 that choose the form repeat nothing */
	if ((row->flags & (MMS_O_MANDATORY | MMS_O_REP)) == MMS_O_MANDATORY)
		i->prefixes &= ~(MMS_PREFIX_REP | MMS_PREFIX_REPNE);
	i->address_bytes = i->prefixes & MMS_PREFIX_67 ? 4 : 8;
	i->operand_bytes = decode_operand_bytes_of(row, i, situation);
	if (i->memory) {
		i->access = row->access;
		if (i->access && decode_is_conditional(i))
			i->access |= MMS_ACCESS_CONDITIONAL;
		i->memory_bytes = i->broadcast ? row->broadcast_bytes :
						 row->memory_bytes;
	}
	i->length = (uint8_t)c.at;
	return i->length;
}
