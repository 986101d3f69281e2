/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The decoder: bytes -> one instruction with its memory operand. No OS calls;
 * the same code in the kernel, in a process and in the tests' shared library.
 *
 * Its knowledge of opcodes comes from opcodes.gen.h. Intel's manual, volume 2,
 * chapter 2 (prefixes, ModRM, SIB, VEX, EVEX) and AMD's, volume 3, chapter 1
 * (XOP, 3DNow!) describe the encodings.
 */
#ifndef MMIOSTRIDER_DECODE_H
#define MMIOSTRIDER_DECODE_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#endif

#include "opcodes.gen.h"

#define MMS_INSTRUCTION_BYTES_MAX 15
#define MMS_OPERANDS_MAX 5

/* Properties of an instruction form: struct mms_opcode.flags */
enum mms_opcode_flags {
	MMS_O_MODRM = 1 << 0,
	MMS_O_MEM_ONLY = 1 << 1,	/* mod != 3 */
	MMS_O_REG_ONLY = 1 << 2,	/* mod == 3 */
	MMS_O_ANY_MOD = 1 << 3,		/* any mod counts as 3 */
	MMS_O_LOCK = 1 << 4,		/* LOCK allowed on a memory destination */
	MMS_O_REP = 1 << 5,
	MMS_O_DEFAULT_64 = 1 << 6,	/* 64-bit operands without REX.W */
	MMS_O_FORCE_64 = 1 << 7,	/* 64-bit operands with any prefixes */
	MMS_O_BROADCAST = 1 << 8,
	MMS_O_OPMASK = 1 << 9,
	MMS_O_ZEROING = 1 << 10,
	MMS_O_NEEDS_OPMASK = 1 << 11,
	MMS_O_ROUNDING = 1 << 12,
	MMS_O_SAE = 1 << 13,
	MMS_O_VVVV = 1 << 14,
	MMS_O_UNIQUE_REGISTERS = 1 << 15,
	MMS_O_UNIQUE_DESTINATION = 1 << 16,
	MMS_O_IGNORES_ROUNDING = 1 << 17,
	MMS_O_SIGNED = 1 << 18,		/* the immediate is sign-extended */
	MMS_O_ES_ONLY = 1 << 19,	/* no segment prefix applies to [RDI] */
	MMS_O_NEEDS_SIB = 1 << 20,
	MMS_O_NO_REX_B = 1 << 21,	/* with REX.B it is another form */
	MMS_O_NO_66 = 1 << 22,		/* 66 makes it invalid */
	MMS_O_MANDATORY = 1 << 23,	/* a prefix is part of the opcode */
	MMS_O_RARE = 1 << 24,		/* has rules about its registers */
};

/* A form's access to its memory operand: struct mms_opcode.access */
enum mms_access {
	MMS_ACCESS_NONE = 0,	/* LEA, NOP, prefetches: computes, doesn't touch */
	MMS_ACCESS_READ = 1,
	MMS_ACCESS_WRITE = 2,
	MMS_ACCESS_READ_WRITE = 3,
	MMS_ACCESS_CONDITIONAL = 4,	/* or-ed in: the access may be left out */
};

/* The registers that a field of the encoding may name. */
enum mms_register_class {
	MMS_CLASS_ANY,		/* all that the field can express */
	MMS_CLASS_GENERAL,	/* rax to r15, EVEX can express more */
	MMS_CLASS_OPMASK,	/* k0 to k7 */
	MMS_CLASS_TILE,		/* tmm0 to tmm7 */
	MMS_CLASS_DEBUG,	/* dr0 to dr7 */
	MMS_CLASS_CONTROL,
	MMS_CLASS_SEGMENT,
	MMS_CLASS_LOADED_SEGMENT,
};

/* One instruction form; a row of the generated table. */
struct mms_opcode {
	uint32_t accepts;	/* enum mms_situation, in decode.c */
	uint32_t flags;		/* enum mms_opcode_flags */
	uint8_t modrm_mask;	/* ModRM & mask == value */
	uint8_t modrm_value;
	uint8_t immediate_bytes;	/* a moffs address counts as one */
	uint8_t immediate2_bytes;
	uint8_t memory;		/* enum mms_memory; MODRM also if mod == 3 can
				 * make the operand a register */
	uint8_t access;		/* enum mms_access */
	uint8_t tuple;		/* enum mms_tuple: the scale of an EVEX disp8 */
	uint8_t broadcast_bytes;	/* of one element; 0 can't broadcast */
	uint16_t memory_bytes;	/* 0: not fixed, or no memory operand */
	uint8_t reg_class;	/* enum mms_register_class of ModRM.reg */
	uint8_t vvvv_class;	/* the class of VEX.vvvv */
	uint8_t rm_class;	/* the class of ModRM.rm if mod == 3 */
	uint8_t operands[MMS_OPERANDS_MAX];	/* enum mms_operand_kind */
	uint16_t mnemonic;	/* enum mms_mnemonic */
	uint16_t code;		/* iced-x86's number of the form: its name in
				 * comparisons and tables */
};

/* General registers have the numbers of their encoding: rax 0 to r15 15. */
enum mms_register {
	MMS_RAX, MMS_RCX, MMS_RDX, MMS_RBX, MMS_RSP, MMS_RBP, MMS_RSI, MMS_RDI,
	MMS_REGISTER_COUNT = 16,
	MMS_RIP = 16,
	MMS_NO_REGISTER = 0xff,
};

enum mms_segment { MMS_SEGMENT_NONE, MMS_SEGMENT_FS, MMS_SEGMENT_GS };

enum mms_prefix {
	MMS_PREFIX_LOCK = 1 << 0,
	MMS_PREFIX_REP = 1 << 1,	/* F3, unless a mandatory prefix */
	MMS_PREFIX_REPNE = 1 << 2,	/* F2, likewise */
	MMS_PREFIX_66 = 1 << 3,
	MMS_PREFIX_67 = 1 << 4,
	MMS_PREFIX_REX = 1 << 5,
};

enum mms_encoding {
	MMS_LEGACY, MMS_VEX, MMS_EVEX, MMS_XOP, MMS_D3NOW,
};

/* The place of the (first) memory operand. */
enum mms_memory {
	MMS_MEMORY_NONE,
	MMS_MEMORY_MODRM,	/* base + index * scale + displacement */
	MMS_MEMORY_VECTOR,	/* the same with a vector of indices */
	MMS_MEMORY_OFFSET,	/* the address is in the instruction */
	MMS_MEMORY_RSI,		/* LODS, OUTS */
	MMS_MEMORY_RDI,		/* STOS, SCAS, INS, MASKMOVQ */
	MMS_MEMORY_RDI_RSI,	/* MOVS: to RDI from RSI */
	MMS_MEMORY_RSI_RDI,	/* CMPS: both are read, RSI first */
	MMS_MEMORY_XLAT,	/* RBX + AL */
};

struct mms_instruction {
	const struct mms_opcode *opcode;
	uint64_t immediate;	/* zero-extended as encoded, or sign-extended
				 * where the form says so */
	int64_t displacement;
	uint8_t length;		/* bytes */
	uint8_t encoding;	/* enum mms_encoding */
	uint8_t prefixes;	/* enum mms_prefix */
	uint8_t rex;		/* REX, or its equivalent from VEX and EVEX:
				 * 8 W, 4 R, 2 X, 1 B */
	uint8_t operand_bytes;	/* 2, 4 or 8 */
	uint8_t address_bytes;	/* 4 or 8 */
	uint8_t vector_length;	/* L'L: 0 128, 1 256, 2 512 bits */
	uint8_t modrm;
	uint8_t reg;		/* ModRM.reg with its extensions, 0 to 31 */
	uint8_t rm;		/* ModRM.rm, when mod == 3; without ModRM the
				 * register in the opcode's low bits */
	uint8_t vvvv;
	uint8_t opmask;		/* EVEX.aaa */
	uint8_t immediate2;	/* ENTER, EXTRQ, INSERTQ: the second one */
	bool zeroing;
	bool broadcast;
	uint8_t memory;		/* enum mms_memory */
	uint8_t base;		/* enum mms_register */
	uint8_t index;
	uint8_t scale;		/* 1, 2, 4 or 8 */
	uint8_t segment;	/* enum mms_segment; not for [RDI] in STOS, SCAS,
				 * INS, MOVS and CMPS, whose segment is ES */
	uint8_t access;		/* enum mms_access, of the first memory operand,
				 * conditional also by REP and by an opmask */
	uint16_t memory_bytes;	/* 0: the CPU's state decides */
};

/*
 * Decodes the instruction at `bytes`, of which `available` may be read.
 * Returns its length, or 0 if it is invalid or cut off.
 */
int mms_decode(const uint8_t *bytes, size_t available,
	       struct mms_instruction *instruction);

/*
 * A near jump or call through memory with an operand-size prefix: Intel's CPUs
 * ignore the prefix, AMD's read two bytes (their manual, volume 3, appendix B).
 * No compiler makes one; the CPU itself executes it.
 */
static inline bool mms_is_vendors_branch(const struct mms_instruction *i)
{
	return (i->prefixes & MMS_PREFIX_66) && i->memory_bytes == 8 &&
	       (i->opcode->mnemonic == MMS_MN_JMP ||
		i->opcode->mnemonic == MMS_MN_CALL);
}

#endif
