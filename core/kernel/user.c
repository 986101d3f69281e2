// SPDX-License-Identifier: GPL-2.0
/*
 * User memory on the other side of an instruction, as in a copy straight from
 * a device to a process: its pages may not be present yet, and a fault handler
 * can't wait for them. So the interrupted context is sent to fault them in
 * itself (user-entry.S), and then executes its instruction again.
 */
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/uaccess.h>
#include <asm/cpufeature.h>
#include <asm/processor-flags.h>

#include "compat.h"
#include "core.h"
#include "lock.h"

/* Contexts that fault in a page at the same time. */
#define TOUCHES_MAX 64

enum touch_state {
	FREE,
	UNDER_WAY,	/* between the fault and the instruction's next try */
	FAILED,		/* the page can't be faulted in; the instruction tries
			 * once more, since the page may be there by now */
};

/*
 * There is one touch a context, identified by task and stack pointer: a nested
 * context lies deeper in the stack, or on another stack.
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
/* An NMI never takes it: it can't wait for a page. */
static struct mms_spinlock touches_lock = MMS_SPINLOCK_FREE;
/* The number of touches that aren't free. While it is 0, an instruction needn't
 * search for its own. */
static atomic_t in_use;

static struct touch *user_find_touch(u64 sp)
{
	unsigned int n;

	for (n = 0; n < TOUCHES_MAX; n++)
		if (touches[n].state != FREE && touches[n].task == current &&
		    touches[n].sp == sp)
			return &touches[n];
	return NULL;
}

static void user_release_touch(struct touch *touch)
{
	touch->state = FREE;
	atomic_dec(&in_use);
}

/* Returns a free touch, else one that failed, which may belong to a context
 * that died; NULL if there is neither. */
static struct touch *user_find_free_touch(void)
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

static bool user_begin_touch(struct mms_cpu *cpu)
{
	struct pt_regs *regs = cpu->regs;
	struct touch *touch = user_find_touch(regs->sp);

	if (touch && touch->state == FAILED && touch->ip == regs->ip &&
	    touch->address == cpu->machine.fault_address) {
		user_release_touch(touch);
		return false;
	}
	/* reuse the touch of an earlier fault of this context */
	touch = touch ?: user_find_free_touch();
	if (!touch)
		return false;
	/* the context comes back through our text */
	__module_get(THIS_MODULE);
	*touch = (struct touch){
		.state = UNDER_WAY,
		.task = current,
		.sp = regs->sp,
		.ip = regs->ip,
		.address = cpu->machine.fault_address,
		.write = cpu->machine.fault_write,
	};
	/* as if called: room for the return address */
	regs->sp -= sizeof(u64);
	regs->ip = (unsigned long)mms_user_entry;
	return true;
}

/* Supervisor mode access prevention: only behind a STAC, which sets AC. */
bool mms_user_allowed(const struct mms_cpu *cpu)
{
	return !boot_cpu_has(X86_FEATURE_SMAP) ||
	       (cpu->regs->flags & X86_EFLAGS_AC);
}
NOKPROBE_SYMBOL(mms_user_allowed);

bool mms_user_touch(struct mms_cpu *cpu, bool first)
{
	unsigned long flags;
	bool begun;

	/* missing kernel memory is a bug; and an NMI can't wait */
	if (!first || cpu->machine.fault_address >= TASK_SIZE_MAX || cpu->in_nmi)
		return false;
	/* the page may be there, but the driver may not use it: a bug, too */
	if (!mms_user_allowed(cpu))
		return false;
	flags = mms_spin_lock_irqsave(&touches_lock);
	begun = user_begin_touch(cpu);
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
	touch = user_find_touch(cpu->regs->sp);
	if (touch && touch->state != UNDER_WAY)
		user_release_touch(touch);
	mms_spin_unlock_irqrestore(&touches_lock, flags);
}
NOKPROBE_SYMBOL(mms_user_done);

/* Faults in the page if the context may sleep. Returns true if it is present. */
static bool user_fault_in(u64 address, bool write)
{
	/* contexts in which a page fault would fail, too: atomic ones, and
	 * kernel threads, which have no user memory */
	if (faulthandler_disabled() || !current->mm)
		return false;
	/* doesn't change the page */
	return mms_fault_in_page(address, write);
}

/*
 * Called by mms_user_entry in the interrupted context. `back` is the place for
 * the return address; the stack pointer was right behind it.
 */
asmlinkage __visible void mms_user_resume(u64 *back);
asmlinkage __visible void mms_user_resume(u64 *back)
{
	struct touch *touch, copy;
	unsigned long flags;
	bool there;

	flags = mms_spin_lock_irqsave(&touches_lock);
	touch = user_find_touch((u64)(back + 1));
	/* nobody removes a touch that is under way; without it there is no
	 * address to return to */
	BUG_ON(!touch || touch->state != UNDER_WAY);
	copy = *touch;
	mms_spin_unlock_irqrestore(&touches_lock, flags);

	*back = copy.ip;
	there = user_fault_in(copy.address, copy.write);

	flags = mms_spin_lock_irqsave(&touches_lock);
	if (there)
		user_release_touch(touch);
	else
		touch->state = FAILED;
	mms_spin_unlock_irqrestore(&touches_lock, flags);
	/* mms_user_exit() waits for the few instructions that are left */
	module_put(THIS_MODULE);
}

void mms_user_exit(void)
{
	synchronize_rcu_tasks();
}
