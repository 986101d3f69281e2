// SPDX-License-Identifier: GPL-2.0
/*
 * Tells by which native instructions an emulated store reaches the device. The core's
 * emulator runs an instruction, and core/kernel/device.c makes its stores, on this
 * CPU, one single step after the other (TF): an instruction after which the
 * device's memory is another one has stored.
 *
 * Input: an instruction a line, hexadecimal; its stores go to [rdi], its loads come
 * from [rsi]. Output: a line for each, the bytes at the instructions that stored,
 * 15 of each, hexadecimal.
 */
#define _GNU_SOURCE	/* REG_RIP */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "kernel/device.h"
#include "plain-machine.h"
#include "single-steps.h"

#define WATCHED_BYTES 64
#define STORES_MAX 64

static uint8_t device[MMS_PLAIN_AREA_BYTES] __attribute__((aligned(64)));
static uint8_t ordinary[MMS_PLAIN_AREA_BYTES] __attribute__((aligned(64)));
static struct mms_plain_machine machine = { .device = 0 };

static uint8_t seen[WATCHED_BYTES];	/* the device's memory before the step */
static const uint8_t *before;		/* the instruction of the step */
static const uint8_t *stored[STORES_MAX];
static unsigned int stores;

static void step_done(int signal, siginfo_t *info, void *context)
{
	const ucontext_t *state = context;

	(void)signal;
	(void)info;
	if (memcmp(seen, device, WATCHED_BYTES)) {
		memcpy(seen, device, WATCHED_BYTES);
		if (before && stores < STORES_MAX)
			stored[stores++] = before;
	}
	before = (const uint8_t *)state->uc_mcontext.gregs[REG_RIP];
}

/* As core/kernel/access.c does it. Linked in place of plain-machine.c's (--wrap). */
void __wrap_mms_machine_store(struct mms_machine *m, uint64_t address,
			      const void *value, unsigned int bytes)
{
	uint64_t number = 0;

	if (bytes <= sizeof(number))
		memcpy(&number, value, bytes);
	before = NULL;
	step_begin();
	if (bytes <= sizeof(number))
		mms_device_store((void *)address, number, bytes, m->store_kind);
	else
		mms_device_copy_wide((void *)address, value, bytes, m->store_kind);
	step_end();
}

static void print_stores(const char *hexadecimal)
{
	uint8_t bytes[16] = { 0 };
	struct mms_instruction i;
	unsigned int n, at;

	for (n = 0; n < 15 && sscanf(hexadecimal + 2 * n, "%2hhx", &bytes[n]) == 1; n++)
		;
	memset(device, 0, sizeof(device));
	memset(seen, 0, sizeof(seen));
	memset(machine.vector, 0x5a, sizeof(machine.vector));
	for (n = 0; n < 16; n++)
		machine.gpr[n] = 0x1122334455667788 + n;
	machine.gpr[MMS_RDI] = (uint64_t)device;
	machine.gpr[MMS_RSI] = (uint64_t)ordinary;
	mms_plain_reset(&machine, (uint64_t)bytes, 2);
	stores = 0;
	if (!mms_decode(bytes, 15, &i) ||
	    mms_emulate(&machine.machine, &i) != MMS_DONE) {
		printf("not emulated\n");
		return;
	}
	for (n = 0; n < stores; n++) {
		for (at = 0; at < 15; at++)
			printf("%02x", stored[n][at]);
		printf(n + 1 < stores ? " " : "");
	}
	printf("\n");
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = step_done, .sa_flags = SA_SIGINFO };
	char line[64];

	machine.device = (uint64_t)device;
	machine.ordinary = (uint64_t)ordinary;
	memset(ordinary, 0xa5, sizeof(ordinary));
	if (sigaction(SIGTRAP, &action, NULL))
		return EXIT_FAILURE;
	while (fgets(line, sizeof(line), stdin))
		print_stores(line);
	return EXIT_SUCCESS;
}
