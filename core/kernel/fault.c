// SPDX-License-Identifier: GPL-2.0
/*
 * Faults on decoys: the exceptions they come as, and their handling.
 *
 * For a #GP the kernel first calls fixup_exception(), which looks for an
 * exception-table entry; our hook runs before that. Then the kernel calls the
 * die notifiers. For a #SS the order is reversed. The first of the two does
 * the work. So if the hook is disarmed, only instructions that have an
 * exception-table entry are affected.
 */
#include <linux/ftrace.h>
#include <linux/kdebug.h>
#include <linux/kprobes.h>
#include <linux/notifier.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <asm/cpufeature.h>
#include <asm/extable.h>
#include <asm/msr.h>
#include <asm/processor-flags.h>
#include <asm/text-patching.h>
#include <asm/trapnr.h>

#include "compat.h"
#include "core.h"
#include "rewritten.h"
#include "site.h"

/*
 * The caller who asks about a fault. #GP: the hook on fixup_exception(), then
 * the notifier. #SS: the notifier, then the hook. The second one asks only if
 * the first one didn't deal with the fault, and must get the same answer.
 */
struct asker {
	bool first;
	/* there is no exception-table entry */
	bool no_entry;
	/* exceptions between the fault and us that count as an NMI */
	unsigned int nmis;
};

enum answer {
	NOT_OURS,
	DEALT_WITH,
	/* ours, but left to the exception-table entry, as after a page fault;
	 * without an entry it is a bug in the driver */
	GIVE_UP,
};

static atomic_t self_test_emulations;
/* Of this CPU, one in the other: an access may run code that makes one, too. */
static DEFINE_PER_CPU(unsigned int, faults_under_way);

/* The instruction has to fault as it would without us: nothing has happened. */
static enum answer fault_undo(struct mms_cpu *cpu,
			      const struct mms_instruction *instruction,
			      const struct asker *asker)
{
	/* on the real address the fault is the one that it is natively */
	if (asker->no_entry && mms_step_not(cpu, instruction))
		return DEALT_WITH;
	return GIVE_UP;
}

static bool fault_is_string(const struct mms_instruction *i)
{
	return i->encoding == MMS_LEGACY && i->memory >= MMS_MEMORY_RSI &&
	       i->memory <= MMS_MEMORY_RSI_RDI &&
	       i->opcode->operands[0] != MMS_OPERAND_SEG_RDI;
}

#define LOCK_UNIT_BYTES 64

/*
 * A locked operation that lies across two cache lines raises #AC where the kernel has
 * told the CPU so, and the kernel dies of that at once, whatever the exception
 * tables say. Ours would die in here, with the lock held: let the driver's do it.
 * The decoy is as aligned as the real address, so that no other one of ours can.
 */
static bool fault_is_split_lock(struct mms_cpu *cpu, const struct mms_instruction *i)
{
	u64 address, control;

	if (!boot_cpu_has(X86_FEATURE_SPLIT_LOCK_DETECT))
		return false;
	if (i->memory != MMS_MEMORY_MODRM ||
	    (!(i->prefixes & MMS_PREFIX_LOCK) && i->opcode->mnemonic != MMS_MN_XCHG))
		return false;
	address = mms_effective_address(&cpu->machine, i);
	if (address % LOCK_UNIT_BYTES + i->memory_bytes <= LOCK_UNIT_BYTES ||
	    !mms_machine_is_device(&cpu->machine, address, i->memory_bytes))
		return false;
	rdmsrq(MSR_TEST_CTRL, control);
	return control & MSR_TEST_CTRL_SPLIT_LOCK_DETECT;
}

/* An instruction that isn't a plain move. */
static enum answer fault_emulate_other(struct mms_cpu *cpu,
				       const struct mms_instruction *instruction,
				       const struct asker *asker)
{
	struct pt_regs before = *cpu->regs;
	enum mms_result result;

	if (unlikely(fault_is_split_lock(cpu, instruction)))
		return fault_undo(cpu, instruction, asker);
	if (instruction->prefixes & MMS_PREFIX_LOCK)
		cpu->instruction_flags |= MMS_F_LOCKED;
	if (fault_is_string(instruction))
		cpu->instruction_flags |= MMS_F_STRING;
	result = mms_emulate(&cpu->machine, instruction);
	if (unlikely(cpu->machine.access_failed)) {
		*cpu->regs = before;
		return fault_undo(cpu, instruction, asker);
	}
	switch (result) {
	case MMS_DONE:
	case MMS_AGAIN:
		mms_user_done(cpu);
		mms_cpu_leave(cpu);
		return DEALT_WITH;
	case MMS_MEMORY_FAULT:
		if (mms_user_touch(cpu, asker->first))
			return DEALT_WITH;
		/* a bug in the driver: let it be reported as a page fault */
		return fault_undo(cpu, instruction, asker);
	case MMS_UNSUPPORTED:
		return mms_step(cpu, instruction) ? DEALT_WITH : NOT_OURS;
	case MMS_NO_DEVICE:
		break;
	}
	return NOT_OURS;
}
NOKPROBE_SYMBOL(fault_emulate_other);

static enum answer fault_emulate(struct pt_regs *regs, const struct asker *asker,
				 bool aborted)
{
	/* neither is worth clearing at each access */
	struct mms_site spare mms_uninitialized;
	struct mms_cpu cpu mms_uninitialized;
	struct mms_site *site;

	mms_cpu_enter(&cpu, regs, asker->nmis);
	cpu.learns = !cpu.in_nmi && this_cpu_read(faults_under_way) == 1;
	switch (mms_site_find(regs->ip, cpu.learns, &spare, &site)) {
	case MMS_SITE_BREAKPOINT:
		/* A breakpoint can't have faulted: execute it again. */
		return asker->first ? DEALT_WITH : NOT_OURS;
	case MMS_SITE_INVALID:
		return NOT_OURS;
	case MMS_SITE_DECODED:
		break;
	}
	if (likely(site != &spare)) {
		cpu.known = site;
		cpu.mapping = site->mapping;
		cpu.mappings_version = site->mappings_version;
	}
	if (unlikely(aborted))
		return mms_step_not(&cpu, &site->instruction) ? DEALT_WITH : NOT_OURS;
	if (unlikely(regs->flags & X86_EFLAGS_TF) &&
	    mms_step_for_debugger(&cpu, &site->instruction))
		return DEALT_WITH;
	if (site->move.kind == MMS_MOVE_NONE)
		return fault_emulate_other(&cpu, &site->instruction, asker);
	if (mms_emulate_move(&cpu.machine, &site->move) != MMS_DONE)
		return NOT_OURS;
	/* the register of a load isn't written then */
	if (unlikely(cpu.machine.access_failed))
		return fault_undo(&cpu, &site->instruction, asker);
	if (unlikely(cpu.mapping && cpu.mapping->self_test))
		atomic_inc(&self_test_emulations);
	mms_user_done(&cpu);
	mms_cpu_leave(&cpu);
	return DEALT_WITH;
}
NOKPROBE_SYMBOL(fault_emulate);

static enum answer fault_handle(struct pt_regs *regs, struct asker asker)
{
	unsigned long flags;
	enum answer answer;

	if (user_mode(regs) || !mms_mapping_any())
		return NOT_OURS;
	local_irq_save(flags);
	this_cpu_inc(faults_under_way);
	answer = fault_emulate(regs, &asker, mms_step_abort(regs));
	this_cpu_dec(faults_under_way);
	/*
	 * If the fault was dealt with, interrupts stay off until the exception
	 * returns to the flags of its context. Pending interrupts then arrive in
	 * the driver, which may be preempted; here they would arrive in a hook,
	 * which may not. A driver that runs one string instruction after another
	 * spends nearly all its time in here: RCU would wait for it in vain and
	 * report a stall.
	 */
	if (answer != DEALT_WITH)
		local_irq_restore(flags);
	return answer;
}
NOKPROBE_SYMBOL(fault_handle);

/* A plain move on a decoy that has no fault to return from, or a call. */
static unsigned int fault_make_without(struct pt_regs *regs,
				       struct mms_rewritten_site *rewritten, bool failed)
{
	struct mms_site spare mms_uninitialized;
	struct mms_cpu cpu mms_uninitialized;
	struct mms_site *site;

	mms_cpu_enter(&cpu, regs, 0);
	cpu.learns = !cpu.in_nmi && this_cpu_read(faults_under_way) == 1;
	if (mms_site_find(regs->ip, cpu.learns, &spare, &site) != MMS_SITE_DECODED)
		return 0;
	if (likely(site != &spare)) {
		cpu.known = site;
		cpu.mapping = site->mapping;
		cpu.mappings_version = site->mappings_version;
	}
	if (mms_rewritten_is_call(rewritten))
		return mms_rewritten_call(&cpu, rewritten, &site->instruction, failed);
	if (site->move.kind == MMS_MOVE_NONE)
		return 0;
	if (likely(!failed)) {
		if (mms_emulate_move(&cpu.machine, &site->move) != MMS_DONE)
			return 0;
		failed = cpu.machine.access_failed;
	}
	if (unlikely(failed)) {
		mms_step_not(&cpu, &site->instruction);
		return 0;
	}
	mms_rewritten_learn(rewritten, &cpu);
	return 1;
}
NOKPROBE_SYMBOL(fault_make_without);

unsigned int mms_fault_avoided(struct pt_regs *regs, struct mms_rewritten_site *s,
			       bool failed)
{
	unsigned long flags;
	unsigned int made;

	if (!mms_mapping_any())
		return 0;
	local_irq_save(flags);
	this_cpu_inc(faults_under_way);
	made = fault_make_without(regs, s, failed);
	this_cpu_dec(faults_under_way);
	local_irq_restore(flags);
	return made;
}
NOKPROBE_SYMBOL(mms_fault_avoided);

static int fault_on_die(struct notifier_block *block, unsigned long value, void *data)
{
	struct die_args *args = data;
	struct asker asker = {
		.first = value == DIE_TRAP,
		.no_entry = value == DIE_GPF,
	};

	switch (value) {
	case DIE_DEBUG:
		return mms_step_end(args->regs, (unsigned long *)args->err) ?
			       NOTIFY_STOP : NOTIFY_DONE;
	case DIE_GPF:
		break;
	case DIE_TRAP:
		if (args->trapnr == X86_TRAP_SS)
			break;
		if (!user_mode(args->regs))
			mms_step_abort(args->regs);
		return NOTIFY_DONE;
	default:
		return NOTIFY_DONE;
	}
	return fault_handle(args->regs, asker) == DEALT_WITH ?
		       NOTIFY_STOP : NOTIFY_DONE;
}
NOKPROBE_SYMBOL(fault_on_die);

static struct notifier_block die_block = {
	.notifier_call = fault_on_die,
	.priority = INT_MAX,
};

/* ---- The hook on fixup_exception() ---- */

/* bool fixup_exception(regs, trap, …). True: go to mms_return instead. */
static bool fault_on_fixup(struct pt_regs *regs, unsigned int nmis)
{
	struct pt_regs *fault_regs = (struct pt_regs *)regs->di;
	unsigned long trap = regs->si;
	struct asker asker = { .first = trap == X86_TRAP_GP, .nmis = nmis };

	if (trap != X86_TRAP_GP && trap != X86_TRAP_SS)
		return false;
	switch (fault_handle(fault_regs, asker)) {
	case DEALT_WITH:
		if (irqs_disabled())
			regs->flags &= ~X86_EFLAGS_IF;
		/* return 1 without running the function */
		regs->ax = 1;
		regs->ip = (unsigned long)mms_return;
		return true;
	case GIVE_UP:
		/* as if the other side's page fault had come by itself */
		regs->si = X86_TRAP_PF;
		return false;
	default:
		return false;
	}
}
NOKPROBE_SYMBOL(fault_on_fixup);

/*
 * The hook as a kprobe, where there is no ftrace. The kernel doesn't call it
 * during another kprobe's handler or step. The post_handler keeps the kernel
 * from optimising the probe into a jump, which couldn't change `ip`.
 */
static int fault_on_fixup_kprobe(struct kprobe *probe, struct pt_regs *regs)
{
	/* the breakpoint counts as an NMI */
	return fault_on_fixup(regs, kprobe_ftrace(probe) ? 0 : 1);
}
NOKPROBE_SYMBOL(fault_on_fixup_kprobe);

static void fault_after_fixup_kprobe(struct kprobe *probe, struct pt_regs *regs,
				     unsigned long flags)
{
}
NOKPROBE_SYMBOL(fault_after_fixup_kprobe);

static struct kprobe fixup_kprobe = {
	.symbol_name = "fixup_exception",
	.pre_handler = fault_on_fixup_kprobe,
	.post_handler = fault_after_fixup_kprobe,
};

#ifdef CONFIG_DYNAMIC_FTRACE_WITH_REGS
static void fault_on_fixup_ftrace(unsigned long ip, unsigned long parent,
				  struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
	struct pt_regs *regs = ftrace_get_regs(fregs);

	if (regs)
		fault_on_fixup(regs, 0);
}
NOKPROBE_SYMBOL(fault_on_fixup_ftrace);

/*
 * RECURSION: it may be called while it runs, and the recursion ends.
 * PERMANENT: nobody may switch ftrace off meanwhile, and with it the hooks on
 * ioremap().
 */
static struct ftrace_ops fixup_ops = {
	.func = fault_on_fixup_ftrace,
	.flags = FTRACE_OPS_FL_SAVE_REGS | FTRACE_OPS_FL_IPMODIFY |
		 FTRACE_OPS_FL_RECURSION | FTRACE_OPS_FL_PERMANENT,
};
static bool hooked_by_ftrace;

/* As ftrace_free_filter(), which older kernels don't export: "ftrace: Export
 * ftrace_free_filter() to modules", 6.2. */
static void fault_free_ftrace_filter(void)
{
	ftrace_set_filter(&fixup_ops, NULL, 0, 1);
}

/* Finds the function's address by registering a kprobe for a moment. */
static int fault_hook_by_ftrace(void)
{
	struct kprobe probe = { .symbol_name = "fixup_exception" };
	unsigned long address;
	int error = register_kprobe(&probe);

	if (error)
		return error;
	address = (unsigned long)probe.addr;
	unregister_kprobe(&probe);
	error = ftrace_set_filter_ip(&fixup_ops, address, 0, 1);
	if (error)
		return error;
	error = register_ftrace_function(&fixup_ops);
	if (error)
		fault_free_ftrace_filter();
	hooked_by_ftrace = !error;
	return error;
}

static bool fault_unhook_from_ftrace(void)
{
	if (!hooked_by_ftrace)
		return false;
	unregister_ftrace_function(&fixup_ops);
	fault_free_ftrace_filter();
	return true;
}
#else
static int fault_hook_by_ftrace(void)
{
	return -EOPNOTSUPP;
}

static bool fault_unhook_from_ftrace(void)
{
	return false;
}
#endif

int mms_fault_init(void)
{
	int error = mms_site_init();

	if (error)
		return error;
	error = register_die_notifier(&die_block);
	if (error)
		goto no_notifier;
	error = fault_hook_by_ftrace();
	if (error)
		error = register_kprobe(&fixup_kprobe);
	if (!error)
		return 0;
	unregister_die_notifier(&die_block);
no_notifier:
	mms_site_exit();
	return error;
}

void mms_fault_exit(void)
{
	if (!fault_unhook_from_ftrace())
		unregister_kprobe(&fixup_kprobe);
	unregister_die_notifier(&die_block);
	mms_site_exit();
}

/* Loads a number; if the load faults, returns 0 instead of an oops. A test has a probe
 * at its entry. */
static noinline u32 fault_load_or_zero(const void *address)
{
	u32 value = 0;

	asm volatile("1: movl (%1), %0\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : "+r" (value) : "r" (address) : "memory");
	return value;
}

/*
 * A page of ordinary memory serves as a device whose accesses aren't recorded.
 * The right value isn't enough: a CPU that ignores bit 62 of an address (linear
 * address masking) reads it without a fault, and every access of a driver.
 */
int mms_fault_check(void)
{
	u32 *page = (u32 *)get_zeroed_page(GFP_KERNEL);
	u64 decoy = (u64)page ^ MMS_DECOY_BIT;
	u32 value;
	int error;

	if (!page)
		return -ENOMEM;
	*page = 0x4d4d5331;
	error = mms_mapping_add(decoy, __pa(page), PAGE_SIZE, 0, MMS_WRITE_BACK,
				true);
	if (!error) {
		atomic_set(&self_test_emulations, 0);
		value = fault_load_or_zero((const void *)decoy);
		mms_mapping_remove(decoy);
		if (value != *page)
			error = -EIO;
		else if (atomic_read(&self_test_emulations) != 1)
			error = -EOPNOTSUPP;
	}
	free_page((unsigned long)page);
	return error;
}
