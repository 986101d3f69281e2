/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Rules for stepping an instruction on device memory that the emulator doesn't
 * do. No OS calls.
 */
#ifndef MMIOSTRIDER_STEPPING_H
#define MMIOSTRIDER_STEPPING_H

#include "decode.h"

/* The largest operand stepped on a copy. FXSAVE and the like have 512 bytes. */
#define MMS_STEP_BYTES_MAX 1024

/*
 * Returns the general register to aim at a copy of the operand, so that the CPU
 * executes the instruction on the copy; -1 if that isn't possible.
 */
int mms_step_register(const struct mms_instruction *instruction);

/*
 * Fills in the registers one of which may hold the decoy, to be replaced by the
 * real address for a step on the real mapping. Returns their number.
 */
unsigned int mms_lift_registers(const struct mms_instruction *instruction,
				unsigned int registers[3]);

#endif
