// SPDX-License-Identifier: GPL-2.0
/*
 * Single steps of others: a debugger that steps the kernel gets its debug exception
 * behind each instruction that accesses the device, too; and a step of the tracer's
 * own stops at the next instruction though the current process is stepped from
 * branch to branch.
 */
#include <linux/irqflags.h>
#include <linux/kdebug.h>
#include <linux/notifier.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/thread_info.h>
#include <asm/debugreg.h>
#include <asm/fpu/api.h>
#include <asm/msr-index.h>
#include <asm/msr-trace.h>

#include "access-test.h"

#define STOPS_MAX 64
#define MSR_WRITES_MAX 16

static void *device(void)
{
	return (void __force *)mms_bar + MMS_UNCHECKED + 0x30000;
}

/* ---- A debugger's steps ---- */

struct stops {
	unsigned int count;
	unsigned long at[STOPS_MAX];
};

static struct stops *stopping;	/* of the current thread, which can't be preempted */

static int on_die(struct notifier_block *block, unsigned long value, void *data)
{
	struct die_args *args = data;
	unsigned long *dr6 = (unsigned long *)args->err;
	struct stops *stops = READ_ONCE(stopping);

	if (value != DIE_DEBUG || user_mode(args->regs) || !stops ||
	    !(*dr6 & DR_STEP))
		return NOTIFY_DONE;
	if (stops->count < STOPS_MAX)
		stops->at[stops->count] = args->regs->ip;
	stops->count++;
	*dr6 &= ~DR_STEP;
	return *dr6 ? NOTIFY_DONE : NOTIFY_STOP;
}

static struct notifier_block die_block = { .notifier_call = on_die };

/* Instructions with a memory operand at rax, stepped from the first one on. */
#define STEPPED(name, instructions) \
static noinline MMS_UNCHECKED_CODE u64 name(void *at) \
{ \
	u64 result = 0x12345678; \
	asm volatile("pushfq; orq $0x100, (%%rsp); popfq\n" \
		     "nop\n" \
		     instructions \
		     "nop\n" \
		     "pushfq; andq $~0x100, (%%rsp); popfq\n" \
		     : "+c" (result), "+a" (at) : : "memory", "cc"); \
	return result; \
}

STEPPED(step_load, "movl (%%rax), %%ecx\n")
STEPPED(step_store, "movl %%ecx, 8(%%rax)\n")
STEPPED(step_modify, "addl %%ecx, 16(%%rax)\n movl 16(%%rax), %%ecx\n")
STEPPED(step_locked, "lock xaddq %%rcx, 24(%%rax)\n")
STEPPED(step_push, "pushq 32(%%rax)\n popq %%rcx\n")
STEPPED(step_several, "movzbl (%%rax), %%ecx\n movb %%cl, 1(%%rax)\n btsl $3, 4(%%rax)\n movq (%%rax), %%rcx\n")

static const struct stepped {
	const char *name;
	u64 (*run)(void *at);
} stepped[] = {
	{ "a load", step_load }, { "a store", step_store },
	{ "a modification", step_modify }, { "a locked one", step_locked },
	{ "a push", step_push }, { "several", step_several },
};

static u64 run_stepped(const struct stepped *what, void *at, struct stops *stops)
{
	unsigned long flags;
	u64 result;

	stops->count = 0;
	local_irq_save(flags);
	WRITE_ONCE(stopping, stops);
	result = what->run(at);
	WRITE_ONCE(stopping, NULL);
	local_irq_restore(flags);
	return result;
}

static void compare_steps(const struct stepped *what)
{
	static struct stops expected, seen;
	struct mms_window window;
	u64 result;
	unsigned int n;

	mms_window_fill(&window, MMS_UNCHECKED + 0x30000);
	result = run_stepped(what, window.ordinary, &expected);
	mms_check(result == run_stepped(what, window.device, &seen) &&
			  mms_window_equal(&window),
		  "%s, stepped: another result", what->name);
	mms_check(expected.count > 5 && seen.count == expected.count,
		  "%s, stepped: %u stops, on ordinary memory %u", what->name,
		  seen.count, expected.count);
	for (n = 0; n < min(seen.count, expected.count); n++)
		if (!mms_check(seen.at[n] == expected.at[n],
			       "%s, stepped: stop %u is another one", what->name, n))
			break;
}

/* ---- A process that is stepped from branch to branch ---- */

static u64 msr_writes[MSR_WRITES_MAX];
static unsigned int msr_write_count;

static void on_write_msr(void *unused, unsigned int msr, u64 value, int failed)
{
	if (msr == MSR_IA32_DEBUGCTLMSR && msr_write_count < MSR_WRITES_MAX)
		msr_writes[msr_write_count++] = value;
}

static u64 push_and_pop(void *at)
{
	u64 number;

	asm volatile("pushq %1\n\tpopq %0" : "=r" (number)
		     : "m" (*(u64 *)at) : "memory");
	return number;
}

/*
 * Such a step is executed by the CPU itself. Without a branch in sight the CPU must not
 * look for one: the flag goes before the step, and comes back behind it. The CPU's own
 * register needn't exist: an emulated CPU may have none.
 */
static void step_beside_blocks(void)
{
	u64 number = 0x1122334455667788, first, last;
	unsigned long flags;

	*(u64 *)mms_real(device()) = number;
	if (!mms_check(!register_trace_write_msr(on_write_msr, NULL),
		       "writes to registers can't be seen"))
		return;
	local_irq_save(flags);
	msr_write_count = 0;
	set_thread_flag(TIF_BLOCKSTEP);
	number ^= push_and_pop(device());
	clear_thread_flag(TIF_BLOCKSTEP);
	local_irq_restore(flags);
	unregister_trace_write_msr(on_write_msr, NULL);
	tracepoint_synchronize_unregister();
	mms_check(!number, "another number was pushed");
	if (!mms_check(msr_write_count >= 2, "%u writes to DEBUGCTL",
		       msr_write_count))
		return;
	first = msr_writes[0];
	last = msr_writes[msr_write_count - 1];
	mms_check(!(first & DEBUGCTLMSR_BTF), "the step goes to the next branch");
	mms_check(last & DEBUGCTLMSR_BTF, "the process isn't stepped any more");
}

void mms_trapped(void)
{
	unsigned int n;

	if (!mms_check(mms_bar, "no ivshmem device"))
		return;
	if (!mms_check(!register_die_notifier(&die_block), "no notifier"))
		return;
	for (n = 0; n < ARRAY_SIZE(stepped); n++)
		compare_steps(&stepped[n]);
	unregister_die_notifier(&die_block);
	step_beside_blocks();
}
