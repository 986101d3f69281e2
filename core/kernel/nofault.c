// SPDX-License-Identifier: GPL-2.0
/*
 * Readers that expect faults: /dev/mem, tracers, debuggers. They copy by
 * copy_from_kernel_nofault(), which asks first whether the address can be one
 * at all, and takes a decoy for none. With the answer yes the copy's accesses
 * fault, are emulated and are recorded like anybody's.
 */
#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/kprobes.h>

#include "core.h"

/* bool copy_from_kernel_nofault_allowed(const void *address, size_t bytes) */
static int nofault_on_question(struct kprobe *probe, struct pt_regs *regs)
{
	unsigned long flags;
	bool ours;

	/* to look at a port would be an access to it, and none expects that */
	if (!mms_is_decoy(regs->di) || mms_is_port_decoy(regs->di))
		return 0;
	local_irq_save(flags);
	ours = mms_mapping_find(regs->di, min_t(u64, regs->si, UINT_MAX));
	local_irq_restore(flags);
	if (!ours)
		return 0;
	/* return true without running the function */
	regs->ax = 1;
	regs->ip = (unsigned long)mms_return;
	return 1;
}
NOKPROBE_SYMBOL(nofault_on_question);

/* Keeps the kernel from optimising the probe into a jump, which couldn't change
 * `ip`. */
static void nofault_after_question(struct kprobe *probe, struct pt_regs *regs,
				   unsigned long flags)
{
}
NOKPROBE_SYMBOL(nofault_after_question);

static struct kprobe question_probe = {
	.symbol_name = "copy_from_kernel_nofault_allowed",
	.pre_handler = nofault_on_question,
	.post_handler = nofault_after_question,
};

int mms_nofault_init(void)
{
	return register_kprobe(&question_probe);
}

void mms_nofault_exit(void)
{
	unregister_kprobe(&question_probe);
}
