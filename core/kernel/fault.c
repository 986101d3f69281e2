// SPDX-License-Identifier: GPL-2.0
/*
 * A fault on a decoy: which exception it comes as, and what becomes of it.
 *
 * #GP asks fixup_exception() first, which a probe sees before it looks for an
 * exception-table entry; then, and for #SS at once, the die notifiers are
 * called. Whichever of the two comes first does the work, so that a disarmed
 * probe costs nothing but the instructions that have an entry.
 */
#include <linux/kdebug.h>
#include <linux/kprobes.h>
#include <linux/notifier.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <asm/extable.h>
#include <asm/trapnr.h>

#include "core.h"

/* The bytes at `ip`; fewer than asked for where a page ends that has no next. */
static size_t fetch(u64 ip, u8 *bytes)
{
	size_t first = PAGE_SIZE - offset_in_page(ip);

	if (first >= MMS_INSTRUCTION_BYTES_MAX) {
		/* the CPU has just fetched from here */
		memcpy(bytes, (const void *)ip, MMS_INSTRUCTION_BYTES_MAX);
		return MMS_INSTRUCTION_BYTES_MAX;
	}
	memcpy(bytes, (const void *)ip, first);
	if (copy_from_kernel_nofault(bytes + first, (const void *)(ip + first),
				     MMS_INSTRUCTION_BYTES_MAX - first))
		return first;
	return MMS_INSTRUCTION_BYTES_MAX;
}
NOKPROBE_SYMBOL(fetch);

/*
 * True: the fault was ours and is dealt with. `give_up` then says that the
 * instruction's exception-table entry is to have it, as after a page fault.
 */
static bool handle(struct pt_regs *regs, bool *give_up)
{
	struct mms_instruction instruction;
	u8 bytes[MMS_INSTRUCTION_BYTES_MAX];
	struct mms_cpu cpu;
	bool ours = true;

	*give_up = false;
	mms_cpu_enter(&cpu, regs);
	if (!mms_decode(bytes, fetch(regs->ip, bytes), &instruction))
		return false;
	if (instruction.prefixes & MMS_PREFIX_LOCK)
		cpu.instruction_flags |= MMS_F_LOCKED;
	switch (mms_emulate(&cpu.machine, &instruction)) {
	case MMS_DONE:
	case MMS_AGAIN:
		mms_cpu_leave(&cpu);
		break;
	case MMS_MEMORY_FAULT:
		ours = mms_user_touch(&cpu, give_up);
		break;
	case MMS_UNSUPPORTED:
		ours = mms_step(&cpu, &instruction);
		break;
	case MMS_NO_DEVICE:
		/* gathers and scatters say so too: their addresses are many */
		ours = instruction.memory == MMS_MEMORY_VECTOR &&
		       mms_step(&cpu, &instruction);
		break;
	}
	return ours;
}
NOKPROBE_SYMBOL(handle);

static bool handle_fault(struct pt_regs *regs, bool *give_up)
{
	unsigned long flags;
	bool ours;

	*give_up = false;
	if (user_mode(regs) || !mms_mapping_any())
		return false;
	local_irq_save(flags);
	ours = handle(regs, give_up);
	local_irq_restore(flags);
	return ours;
}
NOKPROBE_SYMBOL(handle_fault);

static int on_die(struct notifier_block *block, unsigned long value, void *data)
{
	struct die_args *args = data;
	bool give_up;

	switch (value) {
	case DIE_DEBUG:
		return mms_step_end(args->regs, (unsigned long *)args->err) ?
			       NOTIFY_STOP : NOTIFY_DONE;
	case DIE_GPF:
		break;
	case DIE_TRAP:
		if (args->trapnr == X86_TRAP_SS)
			break;
		return NOTIFY_DONE;
	default:
		return NOTIFY_DONE;
	}
	/* to give up without an exception-table entry is a bug of the driver's
	 * that the kernel is to report */
	return handle_fault(args->regs, &give_up) && !give_up ? NOTIFY_STOP :
								NOTIFY_DONE;
}
NOKPROBE_SYMBOL(on_die);

static struct notifier_block die_block = {
	.notifier_call = on_die,
	.priority = INT_MAX,
};

/* bool fixup_exception(regs, trapnr, error_code, fault_address) */
static int on_fixup(struct kprobe *probe, struct pt_regs *regs)
{
	struct pt_regs *fault_regs = (struct pt_regs *)regs->di;
	unsigned long trap = regs->si;
	bool give_up;

	if (trap != X86_TRAP_GP && trap != X86_TRAP_SS)
		return 0;
	if (!handle_fault(fault_regs, &give_up))
		return 0;
	if (give_up) {
		/* as if the other side's page fault had come by itself */
		regs->si = X86_TRAP_PF;
		return 0;
	}
	/* return 1 from the probed function without running it */
	regs->ax = 1;
	regs->ip = (unsigned long)mms_return;
	return 1;
}
NOKPROBE_SYMBOL(on_fixup);

static struct kprobe fixup_probe = {
	.symbol_name = "fixup_exception",
	.pre_handler = on_fixup,
};

int mms_fault_init(void)
{
	int error = register_die_notifier(&die_block);

	if (error)
		return error;
	error = register_kprobe(&fixup_probe);
	if (error)
		unregister_die_notifier(&die_block);
	return error;
}

void mms_fault_exit(void)
{
	unregister_kprobe(&fixup_probe);
	unregister_die_notifier(&die_block);
}

/* A load that yields a wrong value instead of an oops when it faults. */
static u32 load_or_zero(const void *address)
{
	u32 value = 0;

	asm volatile("1: movl (%1), %0\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : "+r" (value) : "r" (address) : "memory");
	return value;
}

/* A page of ordinary memory serves as a device whose accesses aren't recorded. */
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
		value = load_or_zero((const void *)decoy);
		mms_mapping_remove(decoy);
		error = value == *page ? 0 : -EIO;
	}
	free_page((unsigned long)page);
	return error;
}
