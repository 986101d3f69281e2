// SPDX-License-Identifier: GPL-2.0
/*
 * Genuine bugs. Each must end in the kernel's report of it, as without a tracer.
 * The task that runs one of these dies; for mms_bug_thread(), only its thread.
 */
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/kthread.h>
#include <linux/mm_types.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/string.h>
#include <asm/fpu/api.h>

#include "access-test.h"

/* An address that looks like a decoy, but belongs to no mapping. */
void mms_bug_wild(void)
{
	*(volatile u32 *)0x8badf00d8badf00dul = 1;
}

void mms_bug_null(void)
{
	volatile u32 *volatile nothing = NULL;

	*nothing = 1;
}

/* Beside the device's mapping. */
void mms_bug_beside(void)
{
	readl(mms_bar + (1ul << 40));
}

/* Device memory isn't code. */
void mms_bug_jump(void)
{
	void (*volatile function)(void) = (void __force *)mms_bar;

	function();
}

/* A copy without checks to an address where there is no user memory. */
void mms_bug_copy(void)
{
	void *volatile to = (void *)0x1000;

	asm volatile("rep movsb" : : "D" (to), "S" (mms_bar), "c" (16)
		     : "memory");
}

/* The same in a thread without any user memory. */
static noinline int mms_bug_in_thread(void *unused)
{
	void *volatile to = (void *)0x1000;

	asm volatile("rep movsb" : : "D" (to), "S" (mms_bar), "c" (16)
		     : "memory");
	return 0;
}

void mms_bug_thread(void)
{
	struct task_struct *task = kthread_create(mms_bug_in_thread, NULL,
						  "mms_bug");
	unsigned int waited;

	if (!mms_check(!IS_ERR(task), "no thread"))
		return;
	get_task_struct(task);
	wake_up_process(task);
	for (waited = 0; !READ_ONCE(task->exit_state) && waited < 5000; waited++)
		msleep(1);
	mms_check(task->exit_state, "the thread goes on");
	put_task_struct(task);
}

/* The CPU requires this 16-byte operand to be aligned. */
void mms_bug_aligned(void)
{
	kernel_fpu_begin();
	asm volatile("paddd 8(%0), %%xmm0" : : "r" (mms_bar));
	kernel_fpu_end();
}

/* User memory that is there, without the right to touch it (no STAC). */
void mms_bug_smap(void)
{
	void *to = (void *)current->mm->arg_start;

	asm volatile("rep movsb" : : "D" (to), "S" (mms_bar), "c" (1)
		     : "memory");
}

/* A mapping that is gone while the driver still has its address. Where that is a
 * decoy, the mapping goes behind the decoy's back. */
void mms_bug_unmapped(void)
{
	void __iomem *at = ioremap(mms_bar_physical, PAGE_SIZE);

	if (!mms_check(at, "no mapping"))
		return;
	iounmap((void __iomem *)((unsigned long)at | 1ul << 62));
	readl(at);
}
