// SPDX-License-Identifier: GPL-2.0
/*
 * A kernel with KASAN has the compiler, memcpy(), memset() and their like ask
 * about each address before they use it. A decoy has no shadow: it would be
 * reported, and memset_io() not done at all. So the report is held back where
 * the address is a decoy's, or looks like one: then the CPU itself won't have it.
 *
 * This is for checks out of line. Inline ones read the shadow themselves and
 * fault on a decoy's; only plain dereferences have them, not readl() and its kin.
 */
#include <linux/kprobes.h>

#include "core.h"

/*
 * bool kasan_report(address, size, write, ip): whether it was reported. Short,
 * and not checked itself: an NMI meanwhile that uses a decoy, too, is reported,
 * for a probe isn't run within a probe.
 */
static int on_report(struct kprobe *probe, struct pt_regs *regs)
{
	if (!mms_is_decoy(regs->di))
		return 0;
	/* return false without running the function */
	regs->ax = 0;
	regs->ip = (unsigned long)mms_return;
	return 1;
}
NOKPROBE_SYMBOL(on_report);

/* With it, the probe isn't made a jump, which couldn't go anywhere else. */
static void after_report(struct kprobe *probe, struct pt_regs *regs,
			 unsigned long flags)
{
}
NOKPROBE_SYMBOL(after_report);

static struct kprobe report_probe = {
	.symbol_name = "kasan_report",
	.pre_handler = on_report,
	.post_handler = after_report,
};

int mms_kasan_init(void)
{
	return register_kprobe(&report_probe);
}

void mms_kasan_exit(void)
{
	unregister_kprobe(&report_probe);
}
