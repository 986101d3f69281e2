// SPDX-License-Identifier: GPL-2.0
/*
 * Accesses from every context, on all CPUs at once, to the same registers.
 *
 * Each visit of work() adds one to counters in the device's memory in several
 * ways: in the end they show if an access was lost or done twice.
 */
#include <linux/completion.h>
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/irq_work.h>
#include <linux/kasan.h>
#include <linux/kthread.h>
#include <linux/smp.h>
#include <linux/timer.h>
#include <linux/workqueue.h>
#include <asm/apic.h>
#include <asm/nmi.h>

#include "access-test.h"
#include "compat.h"

#define VISITS 400	/* of each CPU's thread */
#define NMIS 300
#define TICK_NS (700 * NSEC_PER_USEC)

/* In the device's memory. */
struct counters {
	u32 added;	/* lock inc */
	u32 exchanged;	/* lock xadd */
	u64 compared;	/* cmpxchg in a loop */
	u32 by_cpu[NR_CPUS];
	u8 area[256];
};

static struct counters *counters(void)
{
	return (void __force *)mms_bar + MMS_UNCHECKED + 0x20000;
}

static atomic_t visits, bad;

static void add_compared(u64 *at)
{
	u64 old = READ_ONCE(*at);

	while (!try_cmpxchg(at, &old, old + 1))
		;
}

static void work(void)
{
	struct counters *c = counters();
	u64 pushed;
	u32 one = 1, seen;

	asm volatile("lock incl %0" : "+m" (c->added) : : "memory", "cc");
	asm volatile("lock xaddl %0, %1" : "+r" (one), "+m" (c->exchanged)
		     : : "memory", "cc");
	add_compared(&c->compared);
	/* executed by the CPU on a copy of the operand, a single step */
	asm volatile("pushq %1\n\tpopq %0" : "=r" (pushed)
		     : "m" (*(u64 *)c->area) : "memory");
	if (pushed != 0x1122334455667788)
		atomic_inc(&bad);
	if (mms_edu) {
		writel(0x5a5a5a5a, mms_edu + MMS_EDU_LIVENESS);
		seen = readl(mms_edu + MMS_EDU_LIVENESS);
		if (seen != 0xa5a5a5a5)
			atomic_inc(&bad);
	}
	atomic_inc(&visits);
}

/* A string instruction with more elements than are emulated at a time. */
static void work_string(void)
{
	u8 buffer[200];
	unsigned int n;

	memcpy_fromio(buffer, (void __iomem *)counters()->area + 8,
		      sizeof(buffer));
	for (n = 0; n < sizeof(buffer); n++)
		if (buffer[n] != 0x77) {
			atomic_inc(&bad);
			break;
		}
}

static void prepare(void)
{
	struct counters *real = mms_real(counters());

	memset(real, 0, sizeof(*real));
	memset(real->area, 0x77, sizeof(real->area));
	*(u64 *)real->area = 0x1122334455667788;
	atomic_set(&visits, 0);
	atomic_set(&bad, 0);
}

static void judge(const char *what)
{
	struct counters *real = mms_real(counters());
	u32 n = atomic_read(&visits);

	mms_check(n, "%s: never came by", what);
	mms_check(!atomic_read(&bad), "%s: %d wrong values", what,
		  atomic_read(&bad));
	mms_check(real->added == n && real->exchanged == n &&
			  real->compared == n,
		  "%s: %u visits, but %u added, %u exchanged, %llu compared",
		  what, n, real->added, real->exchanged, real->compared);
}

/* ---- One context at a time ---- */

static DECLARE_COMPLETION(done);

static void in_irq_work(struct irq_work *work_item)
{
	work();
	work_string();
	complete(&done);
}

static void in_tasklet(struct tasklet_struct *tasklet)
{
	work();
	work_string();
	complete(&done);
}

static void in_timer(struct timer_list *timer)
{
	work();
	complete(&done);
}

static enum hrtimer_restart in_hrtimer(struct hrtimer *timer)
{
	work();
	complete(&done);
	return HRTIMER_NORESTART;
}

static void in_workqueue(struct work_struct *item)
{
	work();
	work_string();
}

static void in_call(void *unused)
{
	work();
}

static DECLARE_WORK(work_item, in_workqueue);
static DECLARE_TASKLET(tasklet, in_tasklet);

static void each_context(void)
{
	struct irq_work irq;
	struct timer_list timer;
	struct hrtimer hrtimer;
	unsigned int n;

	mms_init_hard_irq_work(&irq, in_irq_work);
	for (n = 0; n < 20; n++) {
		irq_work_queue(&irq);
		wait_for_completion(&done);
		irq_work_sync(&irq);
		tasklet_schedule(&tasklet);
		wait_for_completion(&done);
		timer_setup_on_stack(&timer, in_timer, 0);
		mod_timer(&timer, jiffies + 1);
		wait_for_completion(&done);
		timer_delete_sync(&timer);
		timer_destroy_on_stack(&timer);
		hrtimer_setup_on_stack(&hrtimer, in_hrtimer, CLOCK_MONOTONIC,
				       HRTIMER_MODE_REL_HARD);
		hrtimer_start(&hrtimer, ns_to_ktime(100 * NSEC_PER_USEC), HRTIMER_MODE_REL_HARD);
		wait_for_completion(&done);
		hrtimer_cancel(&hrtimer);
		destroy_hrtimer_on_stack(&hrtimer);
		schedule_work(&work_item);
		flush_work(&work_item);
		on_each_cpu(in_call, NULL, 1);
	}
	tasklet_kill(&tasklet);
}

/* ---- All at once ---- */

static atomic_t running;
static bool timers_on;

static enum hrtimer_restart again(struct hrtimer *timer)
{
	work();
	if (!READ_ONCE(timers_on))
		return HRTIMER_NORESTART;
	hrtimer_forward_now(timer, ns_to_ktime(TICK_NS));
	return HRTIMER_RESTART;
}

static int thread(void *unused)
{
	struct counters *c = counters();
	unsigned int cpu = raw_smp_processor_id(), n;
	struct hrtimer hrtimer;

	hrtimer_setup_on_stack(&hrtimer, again, CLOCK_MONOTONIC,
			       HRTIMER_MODE_REL_PINNED_HARD);
	hrtimer_start(&hrtimer, ns_to_ktime(TICK_NS), HRTIMER_MODE_REL_PINNED_HARD);
	for (n = 0; n < VISITS; n++) {
		work();
		work_string();
		/* this CPU's own: not locked */
		c->by_cpu[cpu]++;
		cond_resched_tasks_rcu_qs();
	}
	hrtimer_cancel(&hrtimer);
	destroy_hrtimer_on_stack(&hrtimer);
	if (atomic_dec_and_test(&running))
		complete(&done);
	return 0;
}

static void start_threads(int (*function)(void *), unsigned int each)
{
	unsigned int cpu, n;

	cpus_read_lock();
	atomic_set(&running, num_online_cpus() * each);
	for_each_online_cpu(cpu) {
		for (n = 0; n < each; n++) {
			struct task_struct *task = mms_thread_on_cpu(
				function, cpu, "mms_access/%u");

			if (mms_check(!IS_ERR(task), "no thread"))
				wake_up_process(task);
			else if (atomic_dec_and_test(&running))
				complete(&done);
		}
	}
	cpus_read_unlock();
}

static void all_at_once(void)
{
	struct counters *real = mms_real(counters());
	unsigned int cpu;

	WRITE_ONCE(timers_on, true);
	start_threads(thread, 1);
	wait_for_completion(&done);
	WRITE_ONCE(timers_on, false);
	for_each_online_cpu(cpu)
		mms_check(real->by_cpu[cpu] == VISITS, "CPU %u made %u of %u",
			  cpu, real->by_cpu[cpu], VISITS);
}

/* Several threads a CPU, which preempt one another in the middle of an access. */
static int preempted(void *unused)
{
	unsigned int n;

	for (n = 0; n < VISITS; n++) {
		work();
		if (n % 16 == 0)
			usleep_range(50, 100);
	}
	if (atomic_dec_and_test(&running))
		complete(&done);
	return 0;
}

void mms_contexts(void)
{
	if (!mms_check(mms_bar, "no ivshmem device"))
		return;
	init_completion(&done);
	prepare();
	each_context();
	judge("one at a time");
	prepare();
	all_at_once();
	judge("all at once");
	prepare();
	start_threads(preempted, 3);
	wait_for_completion(&done);
	judge("preempted");
}

/* ---- NMIs ---- */

static atomic_t nmi_due, nmis;
static bool nmi_target_runs;

static int on_nmi(unsigned int type, struct pt_regs *regs)
{
	if (!atomic_xchg(&nmi_due, 0))
		return NMI_DONE;
	/* the core keeps KASAN from reporting decoys by a probe, and the kernel
	 * runs none if the NMI has interrupted another one */
	kasan_disable_current();
	work();
	work_string();
	kasan_enable_current();
	atomic_inc(&nmis);
	return NMI_HANDLED;
}

/* Repeats everything that an NMI may interrupt. */
static int nmi_target(void *unused)
{
	while (READ_ONCE(nmi_target_runs)) {
		work();
		work_string();
		cond_resched_tasks_rcu_qs();
	}
	complete(&done);
	return 0;
}

void mms_nmi(void)
{
	unsigned int target = cpumask_first(cpu_online_mask), n;
	struct task_struct *task;

	if (!mms_check(mms_bar, "no ivshmem device"))
		return;
	init_completion(&done);
	prepare();
	atomic_set(&nmi_due, 0);
	atomic_set(&nmis, 0);
	if (!mms_check(!register_nmi_handler(NMI_LOCAL, on_nmi, 0,
					     "mms_access_test"),
		       "no handler for NMIs"))
		return;
	WRITE_ONCE(nmi_target_runs, true);
	task = mms_thread_on_cpu(nmi_target, target, "mms_nmi/%u");
	if (mms_check(!IS_ERR(task), "no thread")) {
		wake_up_process(task);
		for (n = 0; n < NMIS; n++) {
			unsigned int waited = 0;

			atomic_set(&nmi_due, 1);
			apic->send_IPI_mask(cpumask_of(target), NMI_VECTOR);
			while (atomic_read(&nmi_due) && ++waited < 5000)
				usleep_range(20, 60);
			udelay(mms_random() % 50);
		}
		WRITE_ONCE(nmi_target_runs, false);
		wait_for_completion(&done);
	}
	unregister_nmi_handler(NMI_LOCAL, "mms_access_test");
	mms_check(atomic_read(&nmis) == NMIS, "%d of %d NMIs came",
		  atomic_read(&nmis), NMIS);
	judge("NMIs");
}
