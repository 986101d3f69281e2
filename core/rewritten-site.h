/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The sites of a rewritten driver: src/rewrite decodes each instruction that leads to
 * the core, and puts its description into the module's file, a section of its own.
 * Behind it the core keeps what the site's last access has found.
 */
#ifndef MMIOSTRIDER_REWRITTEN_SITE_H
#define MMIOSTRIDER_REWRITTEN_SITE_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdint.h>
#endif

/* Plain moves have the kind that move.h gives them: enum mms_move_kind. */
enum mms_rewritten_kind {
	MMS_REWRITTEN_IN = 16,		/* of al, ax or eax */
	MMS_REWRITTEN_OUT,
	MMS_REWRITTEN_IN_STRING,	/* INS, to rdi */
	MMS_REWRITTEN_OUT_STRING,	/* OUTS, from rsi */
};

struct mms_rewritten_site {
	int32_t instruction;	/* its address, counted from that of this field */
	int32_t displacement;
	int32_t immediate;	/* sign-extended; of IN and OUT, the port's number */
	uint8_t kind;
	uint8_t length;		/* of the instruction, bytes */
	uint8_t bytes;		/* of the access: 1, 2, 4 or 8 */
	uint8_t base;		/* enum mms_register; of IN and OUT, rdx or none */
	uint8_t index;		/* enum mms_register, or MMS_NO_REGISTER */
	uint8_t scale;		/* 1, 2, 4 or 8; of strings, 1: repeated */
	uint8_t reg;		/* enum mms_register */
	uint8_t reg_bytes;	/* of the register that is read or written */
	uint8_t reg_shift;	/* 8: AH, CH, DH or BH */
	uint8_t unused[3];
	/* The core's, 0 in the file. One word, so that no lock is needed: */
	uint64_t mapping;	/* its number, and the table's version: mapping.c */
	/* The trace has the symbol since then, and the site is the driver's own. */
	uint32_t symbol_epoch;
	uint32_t unused_too;
};

#endif
