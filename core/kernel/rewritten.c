// SPDX-License-Identifier: GPL-2.0
/*
 * Accesses by rewritten drivers, which call the core where other drivers fault. A
 * rewritten driver has a check in front of its plain moves: a base register that
 * may hold a decoy leads here.
 */
#include <linux/export.h>
#include <linux/kprobes.h>
#include <linux/percpu.h>

#include "core.h"
#include "rewritten.h"

static DEFINE_PER_CPU(u64, rewritten_made);

/* Counts from 0: for the next recording. */
void mms_rewritten_reset(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		per_cpu(rewritten_made, cpu) = 0;
}

u64 mms_rewritten_made(void)
{
	unsigned int cpu;
	u64 sum = 0;

	for_each_possible_cpu(cpu)
		sum += per_cpu(rewritten_made, cpu);
	return sum;
}

/*
 * Executes the instruction at regs->ip if it is a plain move on a decoy. Returns
 * false if it isn't, and has changed nothing then: the driver executes the
 * instruction itself, which faults where it must.
 */
bool mms_rewritten_make(struct pt_regs *regs)
{
	if (!mms_fault_avoided(regs))
		return false;
	this_cpu_inc(rewritten_made);
	return true;
}
NOKPROBE_SYMBOL(mms_rewritten_make);

EXPORT_SYMBOL(mms_rewritten_access);
