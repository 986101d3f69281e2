// SPDX-License-Identifier: GPL-2.0
/* The records' clock across suspends: clock.h. */
#include <linux/ktime.h>
#include <linux/syscore_ops.h>
#include <linux/timekeeping.h>
#include <asm/tsc.h>

#include "clock.h"

u64 mms_clock_offset;

static u64 clock_before;
static u64 clock_before_ns;

/* Of the last CPU, with interrupts off: before the kernel's clock stops, and after
 * it goes on, for the latest to be registered is the first to suspend. */

#ifdef MMS_SYSCORE_HAS_DATA
#define CLOCK_CALLBACK_ARGUMENT void *unused
#else
#define CLOCK_CALLBACK_ARGUMENT void
#endif

static int clock_suspend(CLOCK_CALLBACK_ARGUMENT)
{
	clock_before_ns = ktime_get_boottime_ns();
	clock_before = mms_clock();
	return 0;
}

static void clock_resume(CLOCK_CALLBACK_ARGUMENT)
{
	u64 slept_ns = ktime_get_boottime_ns() - clock_before_ns;

	WRITE_ONCE(mms_clock_offset,
		   mms_clock_continue(mms_clock_offset, clock_before, slept_ns,
				      rdtsc(), tsc_khz));
}

#ifdef MMS_SYSCORE_HAS_DATA
static const struct syscore_ops clock_ops = {
	.suspend = clock_suspend,
	.resume = clock_resume,
};
static struct syscore clock = { .ops = &clock_ops };

void mms_clock_init(void)
{
	register_syscore(&clock);
}

void mms_clock_exit(void)
{
	unregister_syscore(&clock);
}
#else
static struct syscore_ops clock_ops = {
	.suspend = clock_suspend,
	.resume = clock_resume,
};

void mms_clock_init(void)
{
	register_syscore_ops(&clock_ops);
}

void mms_clock_exit(void)
{
	unregister_syscore_ops(&clock_ops);
}
#endif
