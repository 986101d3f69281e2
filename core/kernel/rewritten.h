/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The core's side of drivers whose files are rewritten: src/rewrite.
 */
#ifndef MMIOSTRIDER_REWRITTEN_H
#define MMIOSTRIDER_REWRITTEN_H

#include <linux/ptrace.h>
#include <linux/types.h>
#include <asm/text-patching.h>

#include "../rewritten-site.h"

struct mms_cpu;
struct mms_instruction;

/* rewritten-entry.S knows them. Not made: nothing has happened, or only a part. */
enum mms_rewritten_answer {
	MMS_REWRITTEN_NOT_MADE,
	MMS_REWRITTEN_MADE,
	MMS_REWRITTEN_FAILED,	/* the access: of the short way only */
	MMS_REWRITTEN_RETURNED,	/* made in place of a function that the driver has
				 * jumped to: it returns to the driver's caller */
};

/* rewritten-entry.S: not to be called from C. */
void mms_rewritten_access_2(void);

void mms_rewritten_reset(void);
/* Accesses that rewritten drivers have made without a fault. */
u64 mms_rewritten_made(void);

/* Of the registers only the general ones are there. */
unsigned int mms_rewritten_shortly(struct pt_regs *regs, struct mms_rewritten_site *s);
/* `answer`: the one of mms_rewritten_shortly(), which was not to be made, or failed. */
unsigned int mms_rewritten_make(struct pt_regs *regs, struct mms_rewritten_site *s,
				unsigned int answer);
/* Takes over what an access in the general way has found. */
void mms_rewritten_learn(struct mms_rewritten_site *s, const struct mms_cpu *cpu);

/*
 * fault.c: executes a plain move on a decoy that hasn't faulted, or a part of a call.
 * Returns the number of accesses. 0: it is no decoy, or its access failed; the register is
 * aimed at the real mapping then, so that the driver's instruction, or the function that it
 * calls, gets the fault that it gets natively. `failed`: its access has failed already.
 */
unsigned int mms_fault_avoided(struct pt_regs *regs, struct mms_rewritten_site *s,
			       bool failed);

/* ---- called.c ---- */

static inline bool mms_rewritten_is_call(const struct mms_rewritten_site *s)
{
	return s->kind >= MMS_REWRITTEN_CALL_LOAD;
}

/* The beginning of a jump, a call or a breakpoint. */
static __always_inline bool mms_rewritten_is_patch(u8 byte)
{
	return byte == INT3_INSN_OPCODE || byte == CALL_INSN_OPCODE ||
	       byte == JMP32_INSN_OPCODE;
}

/*
 * Returns true if somebody wants to see the function's calls: a tracer or a probe has
 * changed its first instruction, or the one behind its ENDBR. So does a kernel that looks
 * for mistakes in the use of memory: its functions tell it what they read and write. The
 * function is to be called then.
 */
static __always_inline bool mms_rewritten_is_watched(const struct mms_rewritten_site *s)
{
	const u8 *function = (const u8 *)&s->function + s->function;

	if (IS_ENABLED(CONFIG_KMSAN) ||
	    (IS_ENABLED(CONFIG_KASAN) && s->kind >= MMS_REWRITTEN_CALL_LOADS))
		return true;
	return mms_rewritten_is_patch(function[0]) ||
	       (IS_ENABLED(CONFIG_X86_KERNEL_IBT) && mms_rewritten_is_patch(function[4]));
}

/* Makes accesses in the called function's place, as mms_fault_avoided() does. */
unsigned int mms_rewritten_call(struct mms_cpu *cpu, struct mms_rewritten_site *s,
				const struct mms_instruction *instruction, bool failed);

#endif
