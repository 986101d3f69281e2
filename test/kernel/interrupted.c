// SPDX-License-Identifier: GPL-2.0
/*
 * While a driver fills device memory, interrupts must find the driver, and only
 * seldom code that can't be preempted. Otherwise RCU would wait for the driver in
 * vain, because it may fill megabytes without a pause.
 */
#include <linux/hrtimer.h>
#include <linux/preempt.h>

#include "access-test.h"
#include "compat.h"

#define FILL_BYTES 4096
#define FILLS_MAX 100
#define TICKS 100
#define TICK_NS (500 * NSEC_PER_USEC)

static unsigned int ticks, unpreemptible;

static enum hrtimer_restart tick(struct hrtimer *timer)
{
	ticks++;
	if (preempt_count() & PREEMPT_MASK)
		unpreemptible++;
	hrtimer_forward_now(timer, ns_to_ktime(TICK_NS));
	return HRTIMER_RESTART;
}

void mms_interrupted(void)
{
	struct hrtimer timer;
	unsigned int n;

	if (!mms_check(mms_bar, "no ivshmem device"))
		return;
	ticks = unpreemptible = 0;
	/* the timer interrupts this CPU, where this task stays */
	migrate_disable();
	hrtimer_setup_on_stack(&timer, tick, CLOCK_MONOTONIC,
			       HRTIMER_MODE_REL_PINNED_HARD);
	hrtimer_start(&timer, ns_to_ktime(TICK_NS), HRTIMER_MODE_REL_PINNED_HARD);
	for (n = 0; n < FILLS_MAX && READ_ONCE(ticks) < TICKS; n++)
		memset_io(mms_bar + MMS_UNCHECKED + 0x40000, n, FILL_BYTES);
	hrtimer_cancel(&timer);
	destroy_hrtimer_on_stack(&timer);
	migrate_enable();
	mms_check(ticks >= TICKS, "only %u interrupts in %u fills", ticks, n);
	mms_check(unpreemptible < ticks / 2,
		  "%u of %u interrupts where nothing can be preempted",
		  unpreemptible, ticks);
}
