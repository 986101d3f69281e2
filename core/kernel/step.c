// SPDX-License-Identifier: GPL-2.0
/*
 * Instructions on device memory that the emulator doesn't do: the CPU executes
 * them itself, one single step with interrupts off.
 *
 * If the operand's extent is known, the step runs on a copy of the operand: the
 * device is read into a buffer before the step, or written from it after the
 * step, with records as for any access, and a register is aimed at the buffer.
 * Otherwise the step runs on the real mapping, after the decoy in the register
 * was replaced by the real address. Its accesses are unknown: an ESCAPE record
 * says so. In both cases the register is restored afterwards.
 *
 * Until the end of the step nothing may move the context to another CPU, so
 * the caller leaves interrupts off (fault.c).
 *
 * An NMI makes no steps: it may have interrupted the handler of a debug
 * exception, and a second debug exception would overwrite that handler's stack
 * from the top. In an NMI the decoy in the register is replaced for good, which
 * is an escape, too. The same is done with an instruction that faults on the
 * copy of its operand: it shall fault on the device's memory, so that the
 * kernel reports that address.
 */
#include <linux/irqflags.h>
#include <linux/kprobes.h>
#include <linux/percpu.h>
#include <linux/string.h>
#include <asm/debugreg.h>
#include <asm/processor-flags.h>

#include "core.h"
#include "../operand.h"
#include "../stepping.h"

#define ALIGNMENT_BYTES 64	/* the highest that an instruction requires */

struct step {
	bool active;
	bool store;		/* the device is written after the step */
	struct mms_cpu cpu;
	u64 ip;			/* of the instruction */
	u8 *operand;		/* in the buffer */
	u64 address;		/* of the operand: a decoy */
	unsigned int bytes;
	unsigned int number;	/* the register that was changed */
	u64 changed_to;
	u64 original;
	bool always_restore;	/* the instruction moves the register on */
	bool to_branches;	/* TF was to stop at branches only */
	unsigned long flags;	/* TF and IF as they were */
};

struct buffer {
	u8 byte[MMS_STEP_BYTES_MAX + ALIGNMENT_BYTES];
} __aligned(ALIGNMENT_BYTES);

static DEFINE_PER_CPU(struct step, steps);
static DEFINE_PER_CPU(struct buffer, buffers);

static void step_arm(struct step *step, struct pt_regs *regs, unsigned int number,
		     u64 value)
{
	u64 *r = mms_register(&step->cpu.machine, number);

	step->ip = regs->ip;
	step->number = number;
	step->original = *r;
	step->changed_to = value;
	step->flags = regs->flags & (X86_EFLAGS_TF | X86_EFLAGS_IF);
	/* a debugger of the current process wants a stop at its next branch: that
	 * would be a step of many instructions */
	step->to_branches = test_thread_flag(TIF_BLOCKSTEP);
	if (step->to_branches)
		update_debugctlmsr(get_debugctlmsr() & ~DEBUGCTLMSR_BTF);
	*r = value;
	regs->flags = (regs->flags & ~X86_EFLAGS_IF) | X86_EFLAGS_TF;
	step->active = true;
}

/* Puts back what step_arm() changed, in the registers as they are now. */
static void step_disarm(struct step *step, struct pt_regs *regs)
{
	u64 *r;

	step->active = false;
	if (step->to_branches)
		update_debugctlmsr(get_debugctlmsr() | DEBUGCTLMSR_BTF);
	step->cpu.regs = regs;
	step->cpu.machine.registers = regs;
	r = mms_register(&step->cpu.machine, step->number);
	if (step->always_restore)
		*r ^= MMS_DECOY_BIT;
	else if (*r == step->changed_to)
		*r = step->original;
	regs->flags = (regs->flags & ~(X86_EFLAGS_TF | X86_EFLAGS_IF)) |
		      step->flags;
}

static bool step_on_copy(struct step *step, const struct mms_instruction *i)
{
	struct mms_machine *m = &step->cpu.machine;
	int number = mms_step_register(i);

	if (number < 0)
		return false;
	step->address = mms_effective_address(m, i);
	step->bytes = i->memory_bytes;
	if (!mms_machine_is_device(m, step->address, step->bytes))
		return false;
	step->cpu.instruction_flags |= MMS_F_STEPPED;
	/* at the step's end the registers are those of another exception */
	if (mms_ring_recording())
		mms_caller_find(&step->cpu);
	step->store = i->access & MMS_ACCESS_WRITE;
	/* for instructions that require alignment: the copy is aligned as the
	 * operand is */
	step->operand = this_cpu_ptr(&buffers)->byte + step->address % ALIGNMENT_BYTES;
	if (i->access & MMS_ACCESS_READ) {
		mms_machine_begin(m, step->address, step->bytes);
		mms_machine_load(m, step->address, step->operand, step->bytes);
		mms_machine_end(m);
		if (m->access_failed)
			return false;
	}
	step_arm(step, step->cpu.regs, number,
		 *mms_register(m, number) + ((u64)step->operand - step->address));
	return true;
}

static void step_put_escape(struct mms_cpu *cpu, const struct mms_instruction *i,
			    u64 decoy)
{
	const struct mms_mapping *m = mms_mapping_find(decoy, 1);
	struct mms_record record;

	if (m && m->silent)
		return;
	mms_record_init(&record, MMS_ESCAPE);
	if (m) {
		record.address = decoy - m->decoy + m->physical + m->space;
		record.mapping = m->id;
	}
	if (mms_ring_recording())
		mms_caller_find(cpu);
	record.site = cpu->site;
	record.caller = cpu->caller;
	record.flags |= cpu->record_flags;
	record.width = i->length;
	memcpy(record.value, (const void *)cpu->regs->ip, i->length);
	if (cpu->site)
		mms_ring_put_symbol(cpu->site);
	mms_ring_count_escape();
	mms_ring_put(&record);
}

/* Returns the register whose decoy makes the address a decoy, or -1. */
static int step_register_to_lift(struct mms_machine *m, const struct mms_instruction *i)
{
	unsigned int registers[3], count = mms_lift_registers(i, registers), n;

	for (n = 0; n < count; n++)
		if (mms_is_decoy(*mms_register(m, registers[n])))
			return registers[n];
	return -1;
}

/* Records the instruction as escaped. Returns the register to lift, or -1. */
static int step_escape(struct mms_cpu *cpu, const struct mms_instruction *i)
{
	struct mms_machine *m = &cpu->machine;
	int number = step_register_to_lift(m, i);
	u64 decoy;

	if (number < 0)
		return -1;
	decoy = *mms_register(m, number);
	/* the register may point before or behind the mapping; the operand's
	 * address, if there is one, is certain */
	if (i->memory == MMS_MEMORY_MODRM &&
	    mms_is_decoy(mms_effective_address(m, i)))
		decoy = mms_effective_address(m, i);
	if (!mms_mapping_find(decoy, 1))
		return -1;
	step_put_escape(cpu, i, decoy);
	return number;
}

static bool step_lifted(struct step *step, const struct mms_instruction *i)
{
	int number = step_escape(&step->cpu, i);

	if (number < 0)
		return false;
	step->store = false;
	step->always_restore = i->memory >= MMS_MEMORY_RSI &&
			       i->memory <= MMS_MEMORY_RSI_RDI;
	step_arm(step, step->cpu.regs, number,
		 *mms_register(&step->cpu.machine, number) ^ MMS_DECOY_BIT);
	return true;
}

bool mms_step_not(struct mms_cpu *cpu, const struct mms_instruction *i)
{
	int number = step_escape(cpu, i);

	if (number < 0)
		return false;
	*mms_register(&cpu->machine, number) ^= MMS_DECOY_BIT;
	return true;
}
NOKPROBE_SYMBOL(mms_step_not);

void mms_step_not_called(struct mms_cpu *cpu, const struct mms_instruction *i,
			 unsigned int number)
{
	u64 *r = mms_register(&cpu->machine, number);

	if (!mms_mapping_find(*r, 1))
		return;
	step_put_escape(cpu, i, *r);
	*r ^= MMS_DECOY_BIT;
}
NOKPROBE_SYMBOL(mms_step_not_called);

bool mms_step_for_debugger(struct mms_cpu *cpu, const struct mms_instruction *i)
{
	struct step *step = this_cpu_ptr(&steps);

	if (cpu->in_nmi)
		return false;
	*step = (struct step){ .cpu = *cpu };
	return step_on_copy(step, i);
}
NOKPROBE_SYMBOL(mms_step_for_debugger);

bool mms_step(struct mms_cpu *cpu, const struct mms_instruction *i)
{
	struct step *step = this_cpu_ptr(&steps);

	if (cpu->in_nmi)
		return mms_step_not(cpu, i);
	*step = (struct step){ .cpu = *cpu };
	return step_on_copy(step, i) || step_lifted(step, i);
}
NOKPROBE_SYMBOL(mms_step);

bool mms_step_abort(struct pt_regs *regs)
{
	struct step *step = this_cpu_ptr(&steps);

	if (!step->active || regs->ip != step->ip ||
	    !(regs->flags & X86_EFLAGS_TF))
		return false;
	/* a step on the real mapping raised the fault that it would have raised
	 * without us */
	if (!step->operand) {
		step->always_restore = false;
		step->original = step->changed_to;
	}
	step_disarm(step, regs);
	return step->operand;
}
NOKPROBE_SYMBOL(mms_step_abort);

static void step_put_lost_store(const struct step *step)
{
	struct mms_record record;

	mms_record_init(&record, MMS_ESCAPE);
	record.site = step->cpu.site;
	record.caller = step->cpu.caller;
	record.flags |= step->cpu.record_flags;
	mms_ring_count_escape();
	mms_ring_put(&record);
}

bool mms_step_end(struct pt_regs *regs, unsigned long *dr6)
{
	struct step *step = this_cpu_ptr(&steps);

	if (!step->active || user_mode(regs) || !(*dr6 & DR_STEP))
		return false;
	/* a debugger that steps the driver needs the exception, too */
	if (!(step->flags & X86_EFLAGS_TF))
		*dr6 &= ~DR_STEP;
	step_disarm(step, regs);
	if (step->store) {
		struct mms_machine *m = &step->cpu.machine;

		/* other faults may have come in between */
		step->cpu.mapping = NULL;
		step->cpu.known = NULL;
		if (mms_machine_is_device(m, step->address, step->bytes)) {
			mms_machine_begin(m, step->address, step->bytes);
			mms_machine_store(m, step->address, step->operand,
					  step->bytes);
			mms_machine_end(m);
		} else {
			m->access_failed = true;
		}
		/* the mapping went while the instruction was being stepped: too
		 * late for a fault, but not to say it */
		if (m->access_failed)
			step_put_lost_store(step);
	}
	/* Lockdep saw interrupts go off in the fault, but won't see the flags
	 * of the return turn them on. */
	if (step->flags & X86_EFLAGS_IF)
		lockdep_hardirqs_on(step->ip);
	/* a watchpoint may have been hit at the same time */
	return !*dr6;
}
NOKPROBE_SYMBOL(mms_step_end);
