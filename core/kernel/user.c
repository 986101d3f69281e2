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
#include <linux/uaccess.h>

#include "core.h"
#include "lock.h"

/* Contexts on their way to a page, or back from it, at once. */
#define TOUCHES_MAX 64

enum touch_state {
	FREE,
	UNDER_WAY,	/* between the fault and the instruction's next try */
	FAILED,		/* the page can't be had; the instruction tries again,
			 * for it may be there by now, and then gives up */
};

/*
 * There is one for a context, known by its task and stack pointer: a context
 * nested in it lies deeper in the stack, or on another.
 */
struct touch {
	enum touch_state state;
	struct task_struct *task;
	u64 sp;
	u64 ip;
	u64 address;
	bool write;
};

static struct touch touches[TOUCHES_MAX];
/* Not for an NMI, which can't wait for a page. */
static struct mms_spinlock touches_lock = MMS_SPINLOCK_FREE;
/* Those that aren't free: so that an instruction needn't look for its own. */
static atomic_t in_use;

static struct touch *find(u64 sp)
{
	unsigned int n;

	for (n = 0; n < TOUCHES_MAX; n++)
		if (touches[n].state != FREE && touches[n].task == current &&
		    touches[n].sp == sp)
			return &touches[n];
	return NULL;
}

static void release(struct touch *touch)
{
	touch->state = FREE;
	atomic_dec(&in_use);
}

/* One that failed may be left from a context that died: others need it more. */
static struct touch *find_free(void)
{
	struct touch *failed = NULL;
	unsigned int n;

	for (n = 0; n < TOUCHES_MAX; n++) {
		if (touches[n].state == FREE) {
			atomic_inc(&in_use);
			return &touches[n];
		}
		if (touches[n].state == FAILED)
			failed = &touches[n];
	}
	return failed;
}

static bool begin(struct mms_cpu *cpu)
{
	struct pt_regs *regs = cpu->regs;
	struct touch *touch = find(regs->sp);

	if (touch && touch->state == FAILED && touch->ip == regs->ip &&
	    touch->address == cpu->machine.fault_address) {
		release(touch);
		return false;
	}
	/* what is left of an earlier fault of this context is of no use */
	touch = touch ?: find_free();
	if (!touch)
		return false;
	*touch = (struct touch){
		.state = UNDER_WAY,
		.task = current,
		.sp = regs->sp,
		.ip = regs->ip,
		.address = cpu->machine.fault_address,
		.write = cpu->machine.fault_write,
	};
	/* as if called: room for where to go back to */
	regs->sp -= sizeof(u64);
	regs->ip = (unsigned long)mms_user_entry;
	return true;
}

bool mms_user_touch(struct mms_cpu *cpu, bool first)
{
	unsigned long flags;
	bool begun;

	/* kernel memory that isn't there is a bug; and an NMI can't wait */
	if (!first || cpu->machine.fault_address >= TASK_SIZE_MAX || cpu->in_nmi)
		return false;
	flags = mms_spin_lock_irqsave(&touches_lock);
	begun = begin(cpu);
	mms_spin_unlock_irqrestore(&touches_lock, flags);
	return begun;
}
NOKPROBE_SYMBOL(mms_user_touch);

void mms_user_done(struct mms_cpu *cpu)
{
	struct touch *touch;
	unsigned long flags;

	if (!atomic_read(&in_use) || cpu->in_nmi)
		return;
	flags = mms_spin_lock_irqsave(&touches_lock);
	touch = find(cpu->regs->sp);
	if (touch && touch->state != UNDER_WAY)
		release(touch);
	mms_spin_unlock_irqrestore(&touches_lock, flags);
}
NOKPROBE_SYMBOL(mms_user_done);

/* Takes the page in, where the context may sleep. True when it is there. */
static bool fault_in(u64 address, bool write)
{
	char __user *byte = (char __user *)address;

	/* where a page fault wouldn't be answered either: not in an atomic
	 * context, nor in a kernel thread, which has no user memory */
	if (faulthandler_disabled() || !current->mm)
		return false;
	/* the one that changes nothing in the page */
	return !(write ? fault_in_safe_writeable(byte, 1) :
			 fault_in_readable(byte, 1));
}

/*
 * Called by mms_user_entry in the interrupted context. `back` is where the
 * address to go back to belongs; the stack pointer was right behind it.
 */
asmlinkage __visible void mms_user_resume(u64 *back);
asmlinkage __visible void mms_user_resume(u64 *back)
{
	struct touch *touch, copy;
	unsigned long flags;
	bool there;

	flags = mms_spin_lock_irqsave(&touches_lock);
	touch = find((u64)(back + 1));
	/* nobody takes one away that is under way, and without it there is
	 * nowhere to go */
	BUG_ON(!touch || touch->state != UNDER_WAY);
	copy = *touch;
	mms_spin_unlock_irqrestore(&touches_lock, flags);

	*back = copy.ip;
	there = fault_in(copy.address, copy.write);

	flags = mms_spin_lock_irqsave(&touches_lock);
	if (there)
		release(touch);
	else
		touch->state = FAILED;
	mms_spin_unlock_irqrestore(&touches_lock, flags);
}
