// SPDX-License-Identifier: GPL-2.0
/*
 * The core's clock across a suspend, outside the kernel. Input: lines of an offset, the
 * clock before, the time asleep in nanoseconds, the counter after waking, its
 * frequency in kilohertz. Output: the clock after waking.
 */
#include <inttypes.h>
#include <stdio.h>

#include "kernel/clock.h"

int main(void)
{
	uint64_t offset, before, slept_ns, counter;
	uint32_t khz;

	while (scanf("%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu32,
		     &offset, &before, &slept_ns, &counter, &khz) == 5)
		printf("%" PRIu64 "\n",
		       counter + mms_clock_continue(offset, before, slept_ns,
						    counter, khz));
	return 0;
}
