// SPDX-License-Identifier: GPL-2.0
/*
 * In a kernel with KASAN, compiled code, memcpy(), memset() and the like check
 * each address before they use it. A decoy has no shadow: KASAN would report
 * it, and memset_io() would do nothing. So the report is suppressed if the
 * address is a decoy or looks like one. An address that only looks like one
 * faults on the CPU anyway.
 *
 * This is for out-of-line checks. Inline checks read the shadow themselves, and
 * fault on a decoy's. Only plain dereferences have inline checks; readl() and
 * the like have none.
 */
#include <linux/kprobes.h>

#include "core.h"

/*
 * bool kasan_report(address, size, write, ip) returns whether it reported. This
 * handler is short, and not checked itself. If an NMI comes during it and uses a
 * decoy, KASAN reports that: the kernel doesn't run a probe within a probe.
 */
static int kasan_on_report(struct kprobe *probe, struct pt_regs *regs)
{
	if (!mms_is_decoy(regs->di))
		return 0;
	/* return false without running the function */
	regs->ax = 0;
	regs->ip = (unsigned long)mms_return;
	return 1;
}
NOKPROBE_SYMBOL(kasan_on_report);

/* Keeps the kernel from optimising the probe into a jump, which couldn't change
 * `ip`. */
static void kasan_after_report(struct kprobe *probe, struct pt_regs *regs,
			       unsigned long flags)
{
}
NOKPROBE_SYMBOL(kasan_after_report);

static struct kprobe report_probe = {
	.symbol_name = "kasan_report",
	.pre_handler = kasan_on_report,
	.post_handler = kasan_after_report,
};

int mms_kasan_init(void)
{
	return register_kprobe(&report_probe);
}

void mms_kasan_exit(void)
{
	unregister_kprobe(&report_probe);
}
