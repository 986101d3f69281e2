/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What becomes of an instruction on device memory that the emulator doesn't do:
 * the rules, for whoever steps it. No OS calls.
 */
#ifndef MMIOSTRIDER_STEPPING_H
#define MMIOSTRIDER_STEPPING_H

#include "decode.h"

/* The largest operand that is stepped on a copy: FXSAVE's and its kin's are 512. */
#define MMS_STEP_BYTES_MAX 1024

/*
 * Whether the CPU can execute the instruction on a copy of its operand: which
 * general register is then aimed at the copy, or -1 when it can't.
 */
int mms_step_register(const struct mms_instruction *instruction);

/*
 * The registers one of which may hold the decoy that makes the address one, so
 * that it can be lifted out for a step on the real mapping. Returns how many.
 */
unsigned int mms_lift_registers(const struct mms_instruction *instruction,
				unsigned int registers[3]);

#endif
