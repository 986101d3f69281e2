/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The records' clock: the time-stamp counter, which may begin anew when a machine
 * wakes from suspend to RAM or from disk. From then on `mms_clock_offset` continues
 * the old count.
 */
#ifndef MMIOSTRIDER_CLOCK_H
#define MMIOSTRIDER_CLOCK_H

#include <linux/types.h>

/*
 * Returns the offset after waking. `before`: the clock when the machine went to
 * sleep; `slept_ns`: the time since then; `counter`: the counter now, `khz` its
 * frequency. A counter that went on keeps its offset.
 */
static inline u64 mms_clock_continue(u64 offset, u64 before, u64 slept_ns,
				     u64 counter, u32 khz)
{
	u64 ms = slept_ns / 1000000, rest_ns = slept_ns % 1000000;

	if (counter + offset >= before)
		return offset;
	/* in two parts: years of nanoseconds times kilohertz don't fit */
	return before + ms * khz + rest_ns * khz / 1000000 - counter;
}

#ifdef __KERNEL__
#include <linux/compiler.h>
#include <asm/msr.h>

extern u64 mms_clock_offset;

static __always_inline u64 mms_clock(void)
{
	return rdtsc() + READ_ONCE(mms_clock_offset);
}

void mms_clock_init(void);
void mms_clock_exit(void);
#endif

#endif
