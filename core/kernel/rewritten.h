/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The core's side of drivers whose files are rewritten: src/rewrite.
 */
#ifndef MMIOSTRIDER_REWRITTEN_H
#define MMIOSTRIDER_REWRITTEN_H

#include <linux/ptrace.h>
#include <linux/types.h>

#include "../rewritten-site.h"

struct mms_cpu;

/* rewritten-entry.S: not to be called from C. */
void mms_rewritten_access_1(void);

void mms_rewritten_reset(void);
/* Accesses that rewritten drivers have made without a fault. */
u64 mms_rewritten_made(void);

/* Of the registers only the general ones are there. 0: nothing has happened, 1: the
 * instruction was executed, 2: its access failed. */
unsigned int mms_rewritten_shortly(struct pt_regs *regs, struct mms_rewritten_site *s);
/* `answer`: the one of mms_rewritten_shortly(), if not 1. */
bool mms_rewritten_make(struct pt_regs *regs, struct mms_rewritten_site *s,
			unsigned int answer);
/* Takes over what an access in the general way has found. */
void mms_rewritten_learn(struct mms_rewritten_site *s, const struct mms_cpu *cpu);

/*
 * fault.c: executes a plain move on a decoy that hasn't faulted. False: it is none, or
 * its access failed; the register is aimed at the real mapping then, so that the
 * driver's instruction gets the fault that it gets natively. `failed`: its access
 * has failed already.
 */
bool mms_fault_avoided(struct pt_regs *regs, struct mms_rewritten_site *s, bool failed);

#endif
