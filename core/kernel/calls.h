/* SPDX-License-Identifier: GPL-2.0 */
/* Calls of probed functions that call each other: calls.c. */
#ifndef MMIOSTRIDER_CALLS_H
#define MMIOSTRIDER_CALLS_H

#include <linux/types.h>

#include "../record.h"

/* The context of a probe's handler or of a tracepoint, as enum mms_flags. */
u32 mms_calls_context(void);
/* While no function is probed: forgets calls whose ends nobody saw. */
void mms_calls_forget(void);
/*
 * A probed `function` is called, with its return address at `sp`, `about` this object.
 * Returns true if another one about the same object, which has begun, has called it.
 */
bool mms_calls_is_inner(u64 sp, u64 about, const void *function);
/* The same; false if so. Otherwise the call has begun, and is to end. */
bool mms_calls_begin(u64 sp, u64 about, const void *function);
/* A call that has begun returns. */
void mms_calls_end(u64 sp);

#endif
