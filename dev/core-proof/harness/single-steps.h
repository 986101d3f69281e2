/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Single steps of this process: from step_begin() to step_end() the CPU raises SIGTRAP
 * behind each instruction. Inline: a call in between would be stepped, too.
 */
#ifndef HARNESS_SINGLE_STEPS_H
#define HARNESS_SINGLE_STEPS_H

#define TRAP_FLAG 0x100

static inline void step_begin(void)
{
	asm volatile("pushfq; orq %0, (%%rsp); popfq"
		     : : "i" (TRAP_FLAG) : "memory", "cc");
}

static inline void step_end(void)
{
	asm volatile("pushfq; andq %0, (%%rsp); popfq"
		     : : "i" (~TRAP_FLAG) : "memory", "cc");
}

#endif
