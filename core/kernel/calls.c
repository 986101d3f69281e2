// SPDX-License-Identifier: GPL-2.0
/*
 * Probed functions of the kernel that call each other, such as dma_map_page_attrs() and
 * dma_map_phys(): the outer call is the driver's, and the one that is recorded.
 * Kernels differ in who calls whom, and compilers inline one of them or jump to it.
 */
#include <linux/hash.h>
#include <linux/kprobes.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "calls.h"

#define CALLS_BITS 8
/* The inner function is called by the outer one itself. */
#define FRAME_BYTES_MAX 512

/*
 * A context has its place by chance, and others may take it: then a call may be
 * recorded twice, but none is overlooked.
 */
struct call {
	const struct task_struct *task;
	u64 sp;			/* the return address's place */
	u64 about;
	const void *function;
	u32 context;
};

static struct call calls[1 << CALLS_BITS];

/* A probe's breakpoint counts as an NMI and as a hard interrupt; real NMIs call no
 * function that is probed here. */
u32 mms_calls_context(void)
{
	unsigned int count = preempt_count();
	u32 flags = 0;

	if ((count & HARDIRQ_MASK) >> HARDIRQ_SHIFT > (count & NMI_MASK) >> NMI_SHIFT)
		flags |= MMS_F_HARDIRQ;
	if (in_serving_softirq())
		flags |= MMS_F_SOFTIRQ;
	return flags;
}

static struct call *calls_place(u32 context)
{
	return &calls[hash_64((u64)current ^ context, CALLS_BITS)];
}

void mms_calls_forget(void)
{
	memset(calls, 0, sizeof(calls));
}

bool mms_calls_is_inner(u64 sp, u64 about, const void *function)
{
	u32 context = mms_calls_context();
	const struct call *call = calls_place(context);

	/* an interrupt's calls aren't those of the task that it interrupts */
	return READ_ONCE(call->task) == current && READ_ONCE(call->context) == context &&
	       READ_ONCE(call->about) == about && READ_ONCE(call->function) != function &&
	       READ_ONCE(call->sp) - sp <= FRAME_BYTES_MAX;
}

bool mms_calls_begin(u64 sp, u64 about, const void *function)
{
	u32 context = mms_calls_context();
	struct call *call = calls_place(context);

	if (mms_calls_is_inner(sp, about, function))
		return false;
	WRITE_ONCE(call->task, current);
	WRITE_ONCE(call->context, context);
	WRITE_ONCE(call->about, about);
	WRITE_ONCE(call->function, function);
	WRITE_ONCE(call->sp, sp);
	return true;
}

void mms_calls_end(u64 sp)
{
	struct call *call = calls_place(mms_calls_context());

	if (READ_ONCE(call->task) == current && READ_ONCE(call->sp) == sp)
		WRITE_ONCE(call->task, NULL);
}

NOKPROBE_SYMBOL(mms_calls_context);
NOKPROBE_SYMBOL(calls_place);
NOKPROBE_SYMBOL(mms_calls_is_inner);
NOKPROBE_SYMBOL(mms_calls_begin);
NOKPROBE_SYMBOL(mms_calls_end);
