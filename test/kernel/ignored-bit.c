// SPDX-License-Identifier: GPL-2.0
/*
 * A CPU that ignores bit 62 of an address, as linear address masking makes it for the
 * kernel's own: the tracer's self-test reads its decoy without a fault. A probe
 * at the read's function gives it the real address instead.
 */
#include <linux/kprobes.h>

#include "access-test.h"

static int ignored_on_load(struct kprobe *probe, struct pt_regs *regs)
{
	regs->di |= 1ull << 62;
	return 0;
}

static struct kprobe ignored_probe = {
	.symbol_name = "fault_load_or_zero",
	.pre_handler = ignored_on_load,
};

void mms_ignored_bit(void)
{
	ignored_probe.addr = NULL;
	ignored_probe.flags = 0;
	mms_check(!register_kprobe(&ignored_probe), "no self-test to deceive");
}

void mms_ignored_bit_over(void)
{
	unregister_kprobe(&ignored_probe);
}
