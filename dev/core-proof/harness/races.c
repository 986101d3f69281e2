// SPDX-License-Identifier: GPL-2.0
/*
 * The races of core/kernel/access.c, ring.c and rewritten.c, outside the kernel: several CPUs access a
 * device, a reader empties the ring, recording ends. Arguments: a scenario's name, a
 * number of seeds. Output: a line for each thing that mustn't be, with its seed, or
 * "ok", the accesses and the losses.
 *
 *	whole	 all records are read, and each loss is told once
 *	short	 the same with sites that have symbols, so that rewritten drivers take the
 *		 short way
 *	symbols	 no access stands before its site's symbol
 *	vector	 with relaxed order: a read-modify-write beside a vector's stores, which
 *		 cover its bytes and more
 *	string	 the same beside a string's
 */
#include <stdarg.h>
#include <stdio.h>

#include "core.h"
#include "cpus.h"
#include "rewritten.h"
#include "ring.h"
#include "site.h"

#define RECORDS_MAX 100000
#define DEVICE_BYTES 4096
#define FAULTS_SHOWN_MAX 5

static u8 device[DEVICE_BYTES] __aligned(4096);
struct mms_mapping mms_mapping_pool[MMS_MAPPINGS_MAX + MMS_MAPPINGS_RESTING] = {
	{ .id = 1, .physical = 0xfe000000, .bytes = DEVICE_BYTES },
};
#define mapping (mms_mapping_pool[0])
static struct mms_record taken[RECORDS_MAX];
static unsigned int taken_count;
static struct mms_site sites[CPUS_MAX][8];
static u64 seed;
static unsigned int faults, drivers_running;
static u64 accesses, losses;	/* of all seeds */

unsigned int mms_mappings_version;

u64 mms_mapping_remember(const struct mms_mapping *m, unsigned int version)
{
	return (u64)version << 32 | (u64)(m - mms_mapping_pool + 1);
}

void cpus_unlocked(void)
{
}

const struct mms_mapping *mms_mapping_find(u64 decoy, unsigned int bytes)
{
	return decoy >= mapping.decoy &&
	       decoy + bytes <= mapping.decoy + mapping.bytes ? &mapping : NULL;
}

static __printf(1, 2) void fault(const char *format, ...)
{
	va_list arguments;

	if (++faults > FAULTS_SHOWN_MAX)
		return;
	va_start(arguments, format);
	printf("seed %llu: ", (unsigned long long)seed);
	vprintf(format, arguments);
	printf("\n");
	va_end(arguments);
}

/* ---- A driver's accesses ---- */

static char rewritten_text[16 * 8];

static u64 ip_of(unsigned int site)
{
	return (u64)rewritten_text + 16 * site;
}

/* As fault.c does it: interrupts are off from the fault to the end of the access. */
static void begin(struct mms_cpu *cpu, unsigned int site, u64 address, unsigned int bytes)
{
	cpus_interrupts_off();
	*cpu = (struct mms_cpu){
		.site = mms_clean_room ? 0 : ip_of(site),
		.known = &sites[cpus_now()][site],
		.learns = true,
	};
	mms_machine_begin(&cpu->machine, address, bytes);
}

static void end(struct mms_cpu *cpu)
{
	mms_machine_end(&cpu->machine);
	cpus_interrupts_on();
}

static u64 decoy_of(unsigned int at)
{
	return (u64)(device + at) ^ MMS_DECOY_BIT;
}

const uint16_t mms_pt_regs_at[MMS_REGISTER_COUNT] = {
	[MMS_RAX] = offsetof(struct pt_regs, ax),
	[MMS_RCX] = offsetof(struct pt_regs, cx),
};

/* mov (%rax),%ecx, as decoded and as a rewritten driver's file has it. Sites with an odd
 * number call a function that does the same. */
static const struct mms_move load = {
	.kind = MMS_MOVE_LOAD, .length = 2, .bytes = 4, .base = MMS_RAX,
	.index = MMS_NO_REGISTER, .scale = 1, .reg = MMS_RCX, .reg_bytes = 4,
};
static struct mms_rewritten_site rewritten[8];
static const u8 called_function[8];
static u64 made_shortly;	/* of all seeds */

static void describe(struct mms_rewritten_site *s, unsigned int site)
{
	*s = (struct mms_rewritten_site){
		.kind = load.kind, .length = load.length, .bytes = load.bytes,
		.base = load.base, .index = load.index, .scale = load.scale,
		.reg = load.reg, .reg_bytes = load.reg_bytes,
	};
	/* the addresses of sites and sites' descriptions lie far apart here */
	s->instruction = (int32_t)(ip_of(site) - (u64)&s->instruction);
	if (site % 2) {
		s->kind = MMS_REWRITTEN_CALL_LOAD;
		s->function = (int32_t)((u64)called_function - (u64)&s->function);
	}
}

/* As fault.c does it. */
unsigned int mms_fault_avoided(struct pt_regs *regs, struct mms_rewritten_site *s,
			       bool failed)
{
	unsigned int site = s - rewritten;
	struct mms_cpu cpu;
	u32 value;

	begin(&cpu, site, regs->ax, 4);
	mms_machine_load(&cpu.machine, regs->ax, &value, 4);
	mms_machine_end(&cpu.machine);
	sites[cpus_now()][site].move = load;
	sites[cpus_now()][site].caller_way = MMS_CALLER_NONE;
	mms_rewritten_learn(s, &cpu);
	cpus_interrupts_on();
	regs->cx = value;
	return 1;
}

/* Each CPU has a register of its own: with relaxed order none waits for another. The
 * register's value is the CPU's. */
static void read_register(unsigned int site)
{
	struct pt_regs regs = { .ax = decoy_of(64 * cpus_now()) };
	struct mms_rewritten_site *s = &rewritten[site];
	u64 before = mms_rewritten_made();
	unsigned int answer = 0;

	memset(device + 64 * cpus_now(), 0x10 + cpus_now(), 4);
	if (cpus_random() % 8)
		answer = mms_rewritten_shortly(&regs, s);
	if (answer == 1)
		made_shortly++;
	else
		mms_rewritten_make(&regs, s, answer);
	if (mms_rewritten_made() == before)
		fault("an access without a fault isn't counted");
	if (regs.cx != 0x01010101u * (0x10 + cpus_now()))
		fault("a register has the value %lx", regs.cx);
}

/* ---- The recorder ---- */

static void read_records(void)
{
	unsigned int turns;
	ssize_t bytes;

	do {
		unsigned int most = 1 + cpus_random() % 4;

		bytes = mms_ring_read((void *)&taken[taken_count], most * sizeof(*taken),
				      true);
		if (bytes > 0)
			taken_count += bytes / sizeof(*taken);
		/* with some seeds too slow for the ring */
		for (turns = cpus_random() % (seed & 2 ? 64 : 2); turns; turns--)
			cpus_yield();
	} while (bytes > 0 && taken_count < RECORDS_MAX - 4);
}

/* As control.c does it. */
static void stop_in_time(void)
{
	unsigned int turns = cpus_random() % 400;

	while (turns--)
		cpus_yield();
	mms_ring_stop();
	mms_ring_settle();
}

static void prepare(u64 ring_bytes)
{
	unsigned int n;

	taken_count = 0;
	memset(sites, 0, sizeof(sites));
	for (n = 0; n < ARRAY_SIZE(rewritten); n++)
		describe(&rewritten[n], n);
	mms_ring_free();
	if (mms_ring_allocate(ring_bytes))
		exit(EXIT_FAILURE);
	mms_ring_start();
}

/* ---- whole ---- */

#define READS 60

static unsigned int made;

/* Counts the accesses that are made while it records, to within the last one. */
static void whole_driver(void)
{
	unsigned int n;

	for (n = 0; n < READS; n++) {
		read_register(n % 2);
		made += mms_ring_recording();
	}
}

static void run_whole(u64 ring_bytes)
{
	static void (*const work[])(void) = {
		whole_driver, whole_driver, read_records, stop_in_time,
	};
	unsigned int n, reads = 0;
	u64 told = 0;

	mms_relaxed = seed % 2;
	made = 0;
	prepare(ring_bytes);
	cpus_run(seed, ARRAY_SIZE(work), work);
	for (n = 0; n < taken_count; n++) {
		if (taken[n].sequence != n + 1)
			fault("record %u has number %llu", n + 1,
			      (unsigned long long)taken[n].sequence);
		reads += taken[n].kind == MMS_READ;
		if (taken[n].kind != MMS_LOST)
			continue;
		told += taken[n].value[0];
		if (!taken[n].value[0])
			fault("a loss of nothing is told");
	}
	if (taken_count != mms_ring_written())
		fault("%u of %llu records are read", taken_count,
		      (unsigned long long)mms_ring_written());
	accesses += made;
	losses += told;
	if (told != mms_ring_lost())
		fault("%llu of %llu losses are told", (unsigned long long)told,
		      (unsigned long long)mms_ring_lost());
	if (reads + told < made)
		fault("%u accesses, %u records, %llu losses", made, reads,
		      (unsigned long long)told);
}

static void whole(void)
{
	mms_clean_room = true;
	run_whole(8 * sizeof(struct mms_record));
}

static void shortly(void)
{
	mms_clean_room = false;
	run_whole(8 * sizeof(struct mms_record));
}

/* ---- symbols ---- */

static void symbols_driver(void)
{
	unsigned int n;

	for (n = 0; n < 8; n++)
		read_register(n / 2);
}

static void symbols(void)
{
	static void (*const work[])(void) = { symbols_driver, symbols_driver, symbols_driver };
	u64 named[RECORDS_MAX / 100];
	unsigned int n, names = 0, at, reads = 0;

	mms_clean_room = false;
	mms_relaxed = true;
	prepare(1024 * sizeof(struct mms_record));
	cpus_run(seed, ARRAY_SIZE(work), work);
	mms_ring_stop();
	read_records();
	for (n = 0; n < taken_count; n++) {
		if (taken[n].kind == MMS_SYMBOL)
			named[names++] = taken[n].site;
		if (taken[n].kind != MMS_READ)
			continue;
		reads++;
		for (at = 0; at < names && named[at] != taken[n].site; at++)
			;
		if (at == names)
			fault("access %u stands before its symbol", reads);
	}
	accesses += reads;
	if (reads != 3 * 8)
		fault("%u accesses", reads);
}

/* ---- relaxed ---- */

#define STORES 20
/* The last bytes before a border of 64, and the first behind it. */
#define BORDER 0x400

/* The lowest bit comes and goes; the others are the other CPU's. */
static void relaxed_toggle(void)
{
	while (drivers_running) {
		struct mms_cpu cpu;
		u64 value;

		begin(&cpu, 0, decoy_of(BORDER), 8);
		mms_machine_load(&cpu.machine, decoy_of(BORDER), &value, 8);
		value ^= 1;
		mms_machine_store(&cpu.machine, decoy_of(BORDER), &value, 8);
		end(&cpu);
	}
}

static void relaxed_check(const char *by, u64 stored)
{
	unsigned int n;
	u64 there;

	accesses++;
	/* the other CPU may be about to store what it read before */
	for (n = 0; n < 20; n++)
		cpus_yield();
	memcpy(&there, device + BORDER, sizeof(there));
	if (there >> 1 != stored)
		fault("a store by a %s is undone", by);
}

static void relaxed_vector(void)
{
	struct mms_cpu cpu;
	u64 n;

	for (n = 1; n <= STORES; n++) {
		u64 both[2] = { ~n, n << 1 };

		begin(&cpu, 1, decoy_of(BORDER - 8), 16);
		mms_machine_store(&cpu.machine, decoy_of(BORDER - 8), both, 16);
		end(&cpu);
		relaxed_check("vector", n);
	}
	drivers_running--;
}

static void relaxed_string(void)
{
	struct mms_cpu cpu;
	unsigned int at;
	u64 n;

	for (n = 1; n <= STORES; n++) {
		u64 number = n << 1;

		begin(&cpu, 1, decoy_of(BORDER - 16), 24);
		mms_machine_expect(&cpu.machine, decoy_of(BORDER - 16), true, 8, 8, 3);
		for (at = 0; at < 24; at += 8)
			mms_machine_store(&cpu.machine, decoy_of(BORDER - 16 + at),
					  &number, 8);
		end(&cpu);
		relaxed_check("string", n);
	}
	drivers_running--;
}

static void relaxed_beside(void (*stores)(void))
{
	void (*const work[])(void) = { relaxed_toggle, stores };

	mms_clean_room = true;
	mms_relaxed = true;
	prepare(64 * sizeof(struct mms_record));
	memset(device, 0, sizeof(device));
	drivers_running = 1;
	cpus_run(seed, ARRAY_SIZE(work), work);
	mms_ring_stop();
}

static void vector(void)
{
	relaxed_beside(relaxed_vector);
}

static void string(void)
{
	relaxed_beside(relaxed_string);
}

int main(int count, char **arguments)
{
	static const struct scenario {
		const char *name;
		void (*run)(void);
	} scenarios[] = {
		{ "whole", whole }, { "short", shortly }, { "symbols", symbols },
		{ "vector", vector }, { "string", string },
	};
	u64 seeds = count > 2 ? strtoull(arguments[2], NULL, 0) : 0;
	unsigned int n;

	mapping.decoy = (u64)device ^ MMS_DECOY_BIT;
	for (n = 0; n < ARRAY_SIZE(scenarios); n++) {
		if (count < 2 || strcmp(arguments[1], scenarios[n].name))
			continue;
		for (seed = 1; seed <= seeds; seed++)
			scenarios[n].run();
		if (scenarios[n].run == shortly && made_shortly < accesses / 10)
			fault("only %llu accesses took the short way",
			      (unsigned long long)made_shortly);
		if (!faults)
			printf("ok %llu %llu\n", (unsigned long long)accesses,
			       (unsigned long long)losses);
	}
	if (faults)
		printf("%u faults\n", faults);
	return EXIT_SUCCESS;
}
