/* SPDX-License-Identifier: GPL-2.0 */
/* Between watch.c, which sees mappings without a decoy, and unrecorded.c. */
#ifndef MMIOSTRIDER_UNRECORDED_H
#define MMIOSTRIDER_UNRECORDED_H

#include "core.h"

/* Physical memory that was just mapped without a decoy. */
struct mms_unrecorded {
	u64 first, last;
	u64 caller;		/* the mapping function's return address */
	u64 callback;		/* the driver's, by which the kernel came there; 0 */
	u32 process;		/* 0 for a mapping of the kernel's own */
	u32 pid;
	enum mms_way way;
};

extern const char *const mms_way_names[];

/* For any context; while nothing records it does nothing. */
void mms_unrecorded_add(const struct mms_unrecorded *mapping);

/* ---- watch.c ---- */

/* Writes the status lines of the functions that can't be watched. */
size_t mms_watch_describe(char *text, size_t size);

#endif
