// SPDX-License-Identifier: GPL-2.0
/*
 * Tells if stores that may linger in a buffer are drained before the lock goes to the
 * next CPU. core/kernel/access.c makes the stores on this CPU, one single step after
 * the other (TF).
 *
 * Input: a case a line: the mapping's type, the stores' kind (record.h and emulate.h,
 * as numbers), bytes, and the number of stores; several are a string's. Output: a line
 * for each with these words, in their order: "store" when the device's memory changes,
 * "drain" after an SFENCE, "unlock".
 */
#define _GNU_SOURCE	/* REG_RIP */
#include <signal.h>
#include <stdio.h>
#include <ucontext.h>

#include "core.h"
#include "cpus.h"
#include "ring.h"
#include "single-steps.h"

#define DEVICE_BYTES 4096
#define WORDS_MAX 64
#define STORE_BYTES_MAX 64

static u8 device[DEVICE_BYTES] __aligned(4096);
static struct mms_mapping mapping = { .id = 1, .bytes = DEVICE_BYTES };
static u8 seen[DEVICE_BYTES];	/* the device's memory before the step */
static const u8 *before;	/* the instruction of the step */
static const char *words[WORDS_MAX];
static unsigned int word_count;

unsigned int mms_mappings_version;

const struct mms_mapping *mms_mapping_find(u64 decoy, unsigned int bytes)
{
	return decoy >= mapping.decoy &&
	       decoy + bytes <= mapping.decoy + mapping.bytes ? &mapping : NULL;
}

static void say(const char *word)
{
	if (word_count < WORDS_MAX)
		words[word_count++] = word;
}

void cpus_unlocked(void)
{
	say("unlock");
}

static void step_done(int signal, siginfo_t *info, void *context)
{
	static const u8 sfence[] = { 0x0f, 0xae, 0xf8 };
	const ucontext_t *state = context;

	(void)signal;
	(void)info;
	if (memcmp(seen, device, DEVICE_BYTES)) {
		memcpy(seen, device, DEVICE_BYTES);
		say("store");
	}
	if (before && !memcmp(before, sfence, sizeof(sfence)))
		say("drain");
	before = (const u8 *)state->uc_mcontext.gregs[REG_RIP];
}

static void make_stores(struct mms_machine *m, unsigned int bytes, unsigned int count)
{
	u64 value[STORE_BYTES_MAX / sizeof(u64)];
	unsigned int n;

	memset(value, 0xa5, sizeof(value));
	mms_machine_begin(m, mapping.decoy, bytes * count);
	if (count > 1)
		mms_machine_expect(m, mapping.decoy, true, bytes, bytes, count);
	for (n = 0; n < count; n++)
		mms_machine_store(m, mapping.decoy + n * bytes, value, bytes);
	mms_machine_end(m);
}

static void print_words(unsigned int type, unsigned int kind, unsigned int bytes,
			unsigned int count)
{
	struct mms_cpu cpu = { .machine.store_kind = kind };
	unsigned int n;

	memset(device, 0, sizeof(device));
	memset(seen, 0, sizeof(seen));
	mapping.memory_type = type;
	word_count = 0;
	before = NULL;
	step_begin();
	make_stores(&cpu.machine, bytes, count);
	step_end();
	for (n = 0; n < word_count; n++)
		printf(n ? " %s" : "%s", words[n]);
	printf("\n");
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = step_done, .sa_flags = SA_SIGINFO };
	unsigned int type, kind, bytes, count;

	mapping.decoy = (u64)device ^ MMS_DECOY_BIT;
	mms_clean_room = true;
	if (mms_ring_allocate(1024 * sizeof(struct mms_record)) ||
	    sigaction(SIGTRAP, &action, NULL))
		return EXIT_FAILURE;
	mms_ring_start();
	while (scanf("%u %u %u %u", &type, &kind, &bytes, &count) == 4)
		print_words(type, kind, bytes, count);
	return EXIT_SUCCESS;
}
