// SPDX-License-Identifier: GPL-2.0
/*
 * User memory on the other side of an instruction, as in a copy straight from
 * a device to a process: its pages may not be there yet, and a fault handler
 * can't wait for them. So the interrupted context is sent to do it itself
 * (user-entry.S), and then executes its instruction again.
 */
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>

#include "core.h"

/* Contexts on their way to a page, or back from it, at once. */
#define TOUCHES_MAX 64

struct touch {
	struct task_struct *task;	/* NULL: free */
	u64 ip;
	u64 sp;
	u64 address;
	bool failed;	/* the page can't be had: give the instruction up */
};

static struct touch touches[TOUCHES_MAX];
static DEFINE_RAW_SPINLOCK(touches_lock);

/* A nested context of the same task lies deeper in the stack. */
static struct touch *find(u64 ip, u64 sp)
{
	unsigned int n;

	for (n = 0; n < TOUCHES_MAX; n++)
		if (touches[n].task == current && touches[n].ip == ip &&
		    touches[n].sp == sp)
			return &touches[n];
	return NULL;
}

static struct touch *find_free(void)
{
	unsigned int n;

	for (n = 0; n < TOUCHES_MAX; n++)
		if (!touches[n].task)
			return &touches[n];
	return NULL;
}

bool mms_user_touch(struct mms_cpu *cpu, bool *give_up)
{
	struct pt_regs *regs = cpu->regs;
	struct touch *touch;
	unsigned long flags;

	if (cpu->machine.fault_address >= TASK_SIZE_MAX || in_nmi()) {
		/* kernel memory that isn't there */
		*give_up = true;
		return true;
	}
	raw_spin_lock_irqsave(&touches_lock, flags);
	touch = find(regs->ip, regs->sp);
	if (touch && touch->failed &&
	    touch->address == cpu->machine.fault_address) {
		touch->task = NULL;
		*give_up = true;
	} else {
		if (!touch)
			touch = find_free();
		if (touch) {
			*touch = (struct touch){
				.task = current,
				.ip = regs->ip,
				.sp = regs->sp,
				.address = cpu->machine.fault_address,
			};
			/* as if called: room for where to go back to */
			regs->sp -= sizeof(u64);
			regs->ip = (unsigned long)mms_user_entry;
		} else {
			*give_up = true;
		}
	}
	raw_spin_unlock_irqrestore(&touches_lock, flags);
	return true;
}
NOKPROBE_SYMBOL(mms_user_touch);

/* Takes the page in, where the context may sleep. True when it is there. */
static bool fault_in(u64 address)
{
	char __user *byte = (char __user *)address;

	if (faulthandler_disabled())
		return false;
	/* for reading, too, when it can't be written: the second attempt of
	 * the instruction tells whether that was enough */
	return !fault_in_writeable(byte, 1) || !fault_in_readable(byte, 1);
}

/*
 * Called by mms_user_entry in the interrupted context. `back` is where the
 * address to go back to belongs; the stack pointer was right behind it.
 */
asmlinkage __visible void mms_user_resume(u64 *back);
asmlinkage __visible void mms_user_resume(u64 *back)
{
	u64 sp = (u64)(back + 1), address = 0;
	struct touch *touch = NULL;
	unsigned long flags;
	unsigned int n;
	bool there;

	raw_spin_lock_irqsave(&touches_lock, flags);
	for (n = 0; n < TOUCHES_MAX && !touch; n++)
		if (touches[n].task == current && touches[n].sp == sp)
			touch = &touches[n];
	BUG_ON(!touch);
	*back = touch->ip;
	address = touch->address;
	raw_spin_unlock_irqrestore(&touches_lock, flags);

	there = fault_in(address);

	raw_spin_lock_irqsave(&touches_lock, flags);
	if (there)
		touch->task = NULL;
	else
		touch->failed = true;
	raw_spin_unlock_irqrestore(&touches_lock, flags);
}
