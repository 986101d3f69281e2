/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The core's side of drivers whose files are rewritten: src/rewrite.
 */
#ifndef MMIOSTRIDER_REWRITTEN_H
#define MMIOSTRIDER_REWRITTEN_H

#include <linux/ptrace.h>
#include <linux/types.h>

/* rewritten-entry.S: not to be called from C. */
void mms_rewritten_access(void);
bool mms_rewritten_make(struct pt_regs *regs);

void mms_rewritten_reset(void);
/* Accesses that rewritten drivers have made without a fault. */
u64 mms_rewritten_made(void);

/* fault.c: executes a plain move on a decoy that hasn't faulted. False: it is none,
 * or its access failed, and nothing has changed. */
bool mms_fault_avoided(struct pt_regs *regs);

#endif
