/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Functions and types that the kernels from 5.10 on have in different forms, as
 * core/kernel/compat.h has them for the core. Kbuild looks for them.
 */
#ifndef MMS_TEST_COMPAT_H
#define MMS_TEST_COMPAT_H

#include <linux/hrtimer.h>
#include <linux/irq_work.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/shmem_fs.h>
#include <linux/timer.h>
#include <asm/msr.h>
#if __has_include(<linux/pfn_t.h>)
#include <linux/pfn_t.h>
#endif

/* "x86/msr: Rename 'rdmsrl()' to 'rdmsrq()'", 6.16; 7.3 has the new name only. */
#ifndef rdmsrq
#define rdmsrq(msr, value) rdmsrl(msr, value)
#endif

/* "timers: Rename del_timer_sync() to timer_delete_sync()", 6.2. */
#ifndef MMS_HAS_TIMER_DELETE_SYNC
#define timer_delete_sync(timer) del_timer_sync(timer)
#endif

/* "treewide, timers: Rename destroy_timer_on_stack() as timer_destroy_on_stack()",
 * 6.16. */
#ifndef MMS_HAS_TIMER_DESTROY_ON_STACK
#define timer_destroy_on_stack(timer) destroy_timer_on_stack(timer)
#endif

/* "hrtimers: Introduce hrtimer_setup_on_stack()", 6.13. */
#ifndef MMS_HAS_HRTIMER_SETUP_ON_STACK
#define hrtimer_setup_on_stack(timer, called, clock, mode)	\
	do {							\
		hrtimer_init_on_stack(timer, clock, mode);	\
		(timer)->function = called;			\
	} while (0)
#endif

/* Before 5.11 there is no initializer for work in a hard interrupt. */
static inline void mms_init_hard_irq_work(struct irq_work *work,
					  void (*called)(struct irq_work *))
{
#ifdef IRQ_WORK_INIT_HARD
	*work = IRQ_WORK_INIT_HARD(called);
#else
	init_irq_work(work, called);
	atomic_or(IRQ_WORK_HARD_IRQ, &work->flags);
#endif
}

/* As kthread_create_on_cpu(), which older kernels don't export. */
#define mms_thread_on_cpu(function, cpu, name)				\
	({								\
		struct task_struct *task_ =				\
			kthread_create(function, NULL, name, cpu);	\
									\
		if (!IS_ERR(task_))					\
			kthread_bind(task_, cpu);			\
		task_;							\
	})

/* Newer kernels take a page frame's number without its kind. */
#if __has_include(<linux/pfn_t.h>)
#define mms_device_pfn(pfn) __pfn_to_pfn_t(pfn, PFN_DEV)
#else
#define mms_device_pfn(pfn) (pfn)
#endif

/* Newer kernels have a type of its own for the flags of an area. */
#ifdef MMS_HAS_SHMEM_VMA_FLAGS
#define MMS_NO_SHMEM_FLAGS EMPTY_VMA_FLAGS
#else
#define MMS_NO_SHMEM_FLAGS 0
#endif

#endif
