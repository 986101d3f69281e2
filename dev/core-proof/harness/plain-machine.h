/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A machine for the emulator outside any kernel: its registers are in a
 * structure, its device and its ordinary memory are two areas of the process.
 * All programs that check or measure the emulator link plain-machine.c.
 */
#ifndef MMIOSTRIDER_PLAIN_MACHINE_H
#define MMIOSTRIDER_PLAIN_MACHINE_H

#include "emulate.h"

#define MMS_PLAIN_AREA_BYTES 8192ul
#define MMS_PLAIN_ACCESSES_MAX 1024

struct mms_plain_vector {
	uint8_t byte[64];
};

/* An access that reached the device. */
struct mms_plain_access {
	bool write;
	uint64_t address;
	unsigned int bytes;
};

/* The accesses announced by mms_machine_expect(). */
struct mms_plain_expected {
	bool announced;
	struct mms_plain_access next;
	int stride;
	unsigned int left;
};

struct mms_plain_machine {
	struct mms_machine machine;	/* first: the two are cast */
	uint64_t gpr[16];
	struct mms_plain_vector vector[32];
	uint64_t device;	/* areas of MMS_PLAIN_AREA_BYTES */
	uint64_t ordinary;
	uint64_t fs_base;
	struct mms_plain_expected expected;
	unsigned int unannounced;	/* accesses other than expected */
	unsigned int accesses;	/* made; the first ones are kept */
	struct mms_plain_access access[MMS_PLAIN_ACCESSES_MAX];
};

/* Makes the machine ready for an instruction at `ip`; memory and registers stay. */
void mms_plain_reset(struct mms_plain_machine *machine, uint64_t ip,
		     uint64_t flags);

/*
 * Changes the registers that make the address, or the instruction's own bytes,
 * so that the operand lies at `target`. Returns false if that isn't possible, or
 * only by chance, and for string instructions.
 */
bool mms_plain_aim(const struct mms_plain_machine *machine, uint64_t gpr[16],
		   uint8_t *bytes, const struct mms_instruction *instruction,
		   uint64_t ip, uint64_t target);

#endif
