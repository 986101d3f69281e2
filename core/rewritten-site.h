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

	/* Calls of the kernel's functions that access a device for the driver. One
	 * value, in a register: */
	MMS_REWRITTEN_CALL_LOAD = 32,	/* ioread32() */
	MMS_REWRITTEN_CALL_LOAD_SWAPPED,	/* ioread32be() */
	MMS_REWRITTEN_CALL_STORE,	/* iowrite32() */
	MMS_REWRITTEN_CALL_STORE_SWAPPED,
	/* Several values, in memory; rdx counts them, or their bytes: */
	MMS_REWRITTEN_CALL_LOADS,	/* ioread32_rep(): from one address */
	MMS_REWRITTEN_CALL_STORES,
	MMS_REWRITTEN_CALL_COPY_FROM,	/* memcpy_fromio(), __ioread32_copy() */
	MMS_REWRITTEN_CALL_COPY_TO,
};

struct mms_rewritten_site {
	int32_t instruction;	/* its address, counted from that of this field */
	uint8_t kind;
	uint8_t length;		/* of the instruction, bytes */
	uint8_t bytes;		/* of the access: 1, 2, 4 or 8; of copies also 0: the
				 * address tells, and rdx counts bytes */
	uint8_t base;		/* enum mms_register; of IN and OUT, rdx or none */
	union {
		struct {
			int32_t displacement;
			int32_t immediate;	/* sign-extended; of IN and OUT, the
						 * port's number */
		};
		/* Of calls, the core's, in place of `mapping`: moves don't have to
		 * look if they are calls. */
		uint64_t call_mapping;
	};
	uint8_t index;		/* enum mms_register, or MMS_NO_REGISTER */
	uint8_t scale;		/* 1, 2, 4 or 8; of strings, 1: repeated */
	uint8_t reg;		/* enum mms_register; of calls with several values,
				 * that with the memory's address */
	uint8_t reg_bytes;	/* of the register that is read or written */
	uint8_t reg_shift;	/* 8: AH, CH, DH or BH */
	uint8_t jump;		/* of calls, 1: a jump to the function, which returns
				 * to the driver's caller */
	uint8_t unused[2];
	/* The core's, 0 in the file. One word, so that no lock is needed: */
	uint64_t mapping;	/* its number, and the table's version: mapping.c */
	/* The trace has the symbol since then, and the site is the driver's own. */
	uint32_t symbol_epoch;
	int32_t function;	/* of calls: its address, counted from that of this field */
};

#endif
