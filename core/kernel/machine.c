// SPDX-License-Identifier: GPL-2.0
/*
 * The interrupted context as the emulator's machine: its registers, segments
 * and ports. Accesses are in access.c, ordinary memory in memory.c, vector
 * registers in vector.c.
 */
#include <linux/io.h>
#include <linux/preempt.h>
#include <asm/msr.h>
#include <asm/processor-flags.h>

#include "compat.h"
#include "core.h"

const uint16_t mms_pt_regs_at[MMS_REGISTER_COUNT] = {
	offsetof(struct pt_regs, ax), offsetof(struct pt_regs, cx),
	offsetof(struct pt_regs, dx), offsetof(struct pt_regs, bx),
	offsetof(struct pt_regs, sp), offsetof(struct pt_regs, bp),
	offsetof(struct pt_regs, si), offsetof(struct pt_regs, di),
	offsetof(struct pt_regs, r8), offsetof(struct pt_regs, r9),
	offsetof(struct pt_regs, r10), offsetof(struct pt_regs, r11),
	offsetof(struct pt_regs, r12), offsetof(struct pt_regs, r13),
	offsetof(struct pt_regs, r14), offsetof(struct pt_regs, r15),
};

/* The contexts that preempt_count() tells, as enum mms_flags. */
static u32 machine_context(unsigned int count, unsigned int nmis_of_ours,
			   bool *in_nmi)
{
	unsigned int nmis = (count & NMI_MASK) >> NMI_SHIFT;
	unsigned int hardirqs = (count & HARDIRQ_MASK) >> HARDIRQ_SHIFT;
	u32 flags = 0;

	*in_nmi = nmis != nmis_of_ours;
	if (*in_nmi)
		flags |= MMS_F_NMI;
	/* an NMI counts as a hard interrupt, too, in the kernel's counter */
	if (hardirqs > nmis)
		flags |= MMS_F_HARDIRQ;
	if (in_serving_softirq())
		flags |= MMS_F_SOFTIRQ;
	return flags;
}

u32 mms_record_context(void)
{
	bool in_nmi;

	return machine_context(preempt_count(), 0, &in_nmi);
}

/* Every field is assigned by itself: nearly all accesses of a driver come
 * through here, and clearing the structure first costs as much again. */
void mms_cpu_enter(struct mms_cpu *cpu, struct pt_regs *regs,
		   unsigned int nmis_of_ours)
{
	unsigned int count = preempt_count();

	cpu->machine.registers = regs;
	cpu->machine.register_at = mms_pt_regs_at;
	cpu->machine.ip = regs->ip;
	cpu->machine.flags = regs->flags;
	cpu->machine.store_kind = MMS_STORE_PLAIN;
	cpu->machine.fault_address = 0;
	cpu->machine.fault_write = false;
	cpu->machine.access_failed = false;
	cpu->regs = regs;
	cpu->mapping = NULL;
	cpu->mappings_version = 0;
	cpu->in_nmi = false;
	cpu->learns = false;
	cpu->drain = false;
	cpu->locks = 0;
	cpu->known = NULL;
	cpu->site = mms_clean_room ? 0 : regs->ip;
	cpu->caller = 0;
	cpu->caller_sought = mms_clean_room;
	cpu->record_flags = 0;
	cpu->instruction_flags = 0;
	cpu->run.parts = 0;
	/* PREEMPT_RT counts softirqs elsewhere */
	if (count & (NMI_MASK | HARDIRQ_MASK) || softirq_count() || nmis_of_ours)
		cpu->record_flags = machine_context(count, nmis_of_ours,
						    &cpu->in_nmi);
}

void mms_cpu_leave(struct mms_cpu *cpu)
{
	/* a fault sets RF, which every instruction that is completed clears */
	if (cpu->regs->ip != cpu->machine.ip)
		cpu->machine.flags &= ~(u64)X86_EFLAGS_RF;
	cpu->regs->ip = cpu->machine.ip;
	cpu->regs->flags = cpu->machine.flags;
}

/* The exception's frame lies right below the interrupted stack pointer. */
bool mms_machine_stack_is_free(struct mms_machine *machine)
{
	return false;
}

uint64_t mms_machine_segment_base(struct mms_machine *machine,
				  enum mms_segment segment)
{
	u64 base;

	rdmsrq(segment == MMS_SEGMENT_FS ? MSR_FS_BASE : MSR_GS_BASE, base);
	return base;
}

uint32_t mms_machine_port_in(struct mms_machine *machine, uint16_t port,
			     unsigned int bytes)
{
	return bytes == 1 ? inb(port) : bytes == 2 ? inw(port) : inl(port);
}

void mms_machine_port_out(struct mms_machine *machine, uint16_t port,
			  uint32_t value, unsigned int bytes)
{
	if (bytes == 1)
		outb(value, port);
	else if (bytes == 2)
		outw(value, port);
	else
		outl(value, port);
}
