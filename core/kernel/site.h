/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sites that have made accesses on this CPU: their instructions, decoded once,
 * and what their last access has found. A driver has few of them and comes
 * back to each again and again.
 */
#ifndef MMIOSTRIDER_SITE_H
#define MMIOSTRIDER_SITE_H

#include "../move.h"

#define MMS_SITE_BYTES 16	/* compared: more than an instruction has */

struct mms_mapping;

/* The way to a site's caller: see caller.c. */
enum mms_caller_way {
	MMS_CALLER_UNKNOWN,	/* unwind */
	MMS_CALLER_NONE,	/* the site is the driver's own */
	MMS_CALLER_AT_DISTANCE,	/* on the stack there */
};

struct mms_site {
	u64 ip;				/* 0: unused, or being filled in */
	u64 bytes[MMS_SITE_BYTES / sizeof(u64)];
	const struct mms_mapping *mapping;	/* while the version is this: */
	unsigned int mappings_version;
	u32 symbol_epoch;		/* the trace has its symbol since then, */
	enum mms_caller_way caller_way;	/* and this and what follows is so */
	unsigned int caller_distance;	/* bytes above the stack pointer */
	u32 caller_epoch;		/* mms_ring.text_epoch */
	u64 caller;			/* the last one that was there */
	struct mms_move move;		/* if it is a plain one */
	struct mms_instruction instruction;
};

enum mms_site_answer {
	MMS_SITE_DECODED,
	MMS_SITE_BREAKPOINT,	/* somebody is patching the code */
	MMS_SITE_INVALID,
};

int mms_site_init(void);
void mms_site_exit(void);

/*
 * The instruction at `ip`, as its bytes are now. Interrupts are off. `*known` is
 * this CPU's own entry; where there can't be one it is `spare`, with only `move`
 * and `instruction` filled in. Without `learns` no entry is changed: somebody
 * whom we interrupted may be using it.
 */
enum mms_site_answer mms_site_find(u64 ip, bool learns, struct mms_site *spare,
				   struct mms_site **known);

#endif
