// SPDX-License-Identifier: GPL-2.0
/*
 * The locks that keep accesses apart: a CPU that stops while it has one, as on the
 * way of a machine down, and read-modify-writes beside accesses that lie across
 * the bytes of two locks.
 */
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/preempt.h>
#include <linux/printk.h>
#include <asm/apic.h>
#include <asm/fpu/api.h>
#include <asm/nmi.h>

#include "access-test.h"
#include "compat.h"

/* Another CPU's thread repeats an access until it is told to end. */
static DECLARE_COMPLETION(other_ended);
static bool other_runs;

/* The caller stays on its CPU. Returns false if there is no other CPU. */
static bool start_other(int (*thread)(void *), unsigned int *cpu)
{
	struct task_struct *task;

	*cpu = cpumask_any_but(cpu_online_mask, smp_processor_id());
	if (!mms_check(*cpu < nr_cpu_ids, "only one CPU"))
		return false;
	reinit_completion(&other_ended);
	WRITE_ONCE(other_runs, true);
	task = mms_thread_on_cpu(thread, *cpu, "mms_other/%u");
	if (!mms_check(!IS_ERR(task), "no thread"))
		return false;
	wake_up_process(task);
	return true;
}

static void end_other(void)
{
	WRITE_ONCE(other_runs, false);
	wait_for_completion(&other_ended);
}

/* ---- A holder that stops ---- */

#define STOPS 10
#define FILL_BYTES 8192
#define WAIT_MS 2000

static atomic_t stop_due;
static bool stopped, released;

/* Nearly always it finds the CPU in the middle of a long string instruction, for
 * which the CPU has the lock. */
static int on_stop(unsigned int type, struct pt_regs *regs)
{
	if (!atomic_xchg(&stop_due, 0))
		return NMI_DONE;
	WRITE_ONCE(stopped, true);
	while (!READ_ONCE(released))
		cpu_relax();
	WRITE_ONCE(stopped, false);
	return NMI_HANDLED;
}

static int fill(void *unused)
{
	while (READ_ONCE(other_runs)) {
		void *to = (void __force *)mms_bar + MMS_LOCKING_AT + 0x10000;
		unsigned long count = FILL_BYTES / 4;

		asm volatile("rep stosl" : "+D" (to), "+c" (count)
			     : "a" (0x55aa55aa) : "memory");
		cond_resched();
	}
	complete(&other_ended);
	return 0;
}

static bool wait_until(const bool *what, bool wanted)
{
	unsigned int waited;

	for (waited = 0; READ_ONCE(*what) != wanted && waited < WAIT_MS; waited++)
		mdelay(1);
	return READ_ONCE(*what) == wanted;
}

static void read_while_stopped(unsigned int cpu, unsigned int round)
{
	unsigned int at = MMS_LOCKING_AT + 4 * round;

	*(volatile u32 *)mms_real((void __force *)mms_bar + at) = 0x600d0000 + round;
	WRITE_ONCE(released, false);
	atomic_set(&stop_due, 1);
	apic->send_IPI_mask(cpumask_of(cpu), NMI_VECTOR);
	if (mms_check(wait_until(&stopped, true), "the CPU didn't stop")) {
		u32 value;

		oops_in_progress = 1;
		value = readl(mms_bar + at);
		oops_in_progress = 0;
		mms_check(value == 0x600d0000 + round, "0x%x in round %u", value,
			  round);
	}
	WRITE_ONCE(released, true);
	mms_check(wait_until(&stopped, false), "the CPU stays stopped");
}

void mms_going_down(void)
{
	unsigned int cpu, round;

	if (!mms_check(mms_bar, "no ivshmem device"))
		return;
	if (!mms_check(!register_nmi_handler(NMI_LOCAL, on_stop, 0, "mms_locking"),
		       "no handler for NMIs"))
		return;
	migrate_disable();
	if (start_other(fill, &cpu)) {
		for (round = 0; round < STOPS; round++) {
			msleep(2);
			read_while_stopped(cpu, round);
		}
		end_other();
	}
	migrate_enable();
	unregister_nmi_handler(NMI_LOCAL, "mms_locking");
}

/* ---- A read-modify-write beside accesses that cover it ---- */

#define STORES 20000
/* The last bytes before a border of 64, and the first behind it. */
#define BORDER (MMS_LOCKING_AT + 0x400)

/* The lowest bit of the number behind the border comes and goes; the other bits
 * are the other CPU's. There is no instruction that returns the old value of these. */
static int toggle(void *unused)
{
	u64 *at = (void __force *)mms_bar + BORDER;

	while (READ_ONCE(other_runs)) {
		asm volatile("lock orq $1, %0" : "+m" (*at) : : "cc");
		asm volatile("lock andq $-2, %0" : "+m" (*at) : : "cc");
		cond_resched();
	}
	complete(&other_ended);
	return 0;
}

static void store_vector(u64 number)
{
	u64 both[2] = { ~number, number };
	unsigned long at = (unsigned long)mms_bar + BORDER - 8;

	kernel_fpu_begin();
	asm volatile("movdqu %0, %%xmm0; movdqu %%xmm0, (%1)"
		     : : "m" (both), "r" (at) : "memory");
	kernel_fpu_end();
}

static void store_string(u64 number)
{
	unsigned long to = (unsigned long)mms_bar + BORDER - 16, count = 3;

	asm volatile("rep stosq" : "+D" (to), "+c" (count) : "a" (number)
		     : "memory");
}

static void count_beside(const char *what, void (*store)(u64 number))
{
	const volatile u64 *real = mms_real((void __force *)mms_bar + BORDER);
	unsigned int cpu, lost = 0;
	u64 n;

	store(0);
	if (!start_other(toggle, &cpu))
		return;
	for (n = 1; n <= STORES; n++) {
		store(n << 1);
		/* the other CPU may be about to store what it read before */
		udelay(2);
		lost += *real >> 1 != n;
	}
	end_other();
	mms_check(!lost, "%u of %u stores by a %s undone", lost, STORES, what);
}

void mms_beside(void)
{
	if (!mms_check(mms_bar, "no ivshmem device"))
		return;
	migrate_disable();
	count_beside("vector", store_vector);
	count_beside("string", store_string);
	migrate_enable();
}
