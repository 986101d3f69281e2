// SPDX-License-Identifier: GPL-2.0
/* CPUs that take turns: see kernel-words.h. */
#include <stdio.h>
#include <ucontext.h>

#include "core.h"
#include "cpus.h"

#define STACK_BYTES (256u << 10)
#define TURNS_MAX 10000000
/* Another CPU takes its turn at one of so many points. */
#define POINTS_A_TURN 4

struct cpu {
	ucontext_t context;
	void (*function)(void);
	unsigned int interrupts_off;	/* depth */
	bool done;
	char stack[STACK_BYTES] __aligned(64);
};

static struct cpu cpus[CPUS_MAX];
static ucontext_t outside;
static unsigned int count, now;
static u64 random_state, turns, time_passed;

static struct task_struct task = { .pid = 1 };
struct task_struct *current = &task;
struct notifier_head panic_notifier_list;
int oops_in_progress;
u64 mms_clock_offset;

/* xorshift64* */
u64 cpus_random(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * 0x2545f4914f6cdd1dull;
}

unsigned int cpus_now(void)
{
	return now;
}

static void cpus_enter(void)
{
	cpus[now].function();
	cpus[now].done = true;
}

/* Lets one of the CPUs go on that aren't done. */
static void cpus_next(ucontext_t *from)
{
	if (++turns > TURNS_MAX) {
		printf("a CPU waits for ever\n");
		exit(EXIT_FAILURE);
	}
	do
		now = cpus_random() % count;
	while (cpus[now].done);
	if (from != &cpus[now].context)
		swapcontext(from, &cpus[now].context);
}

void cpus_yield(void)
{
	if (count)
		cpus_next(&cpus[now].context);
}

void cpus_point(void)
{
	if (count && cpus_random() % POINTS_A_TURN == 0)
		cpus_yield();
}

void cpus_run(u64 seed, unsigned int number, void (*const functions[])(void))
{
	unsigned int left, n;

	random_state = seed * 0x9e3779b97f4a7c15ull | 1;
	turns = 0;
	for (n = 0; n < number; n++) {
		struct cpu *cpu = &cpus[n];

		cpu->function = functions[n];
		cpu->done = false;
		cpu->interrupts_off = 0;
		getcontext(&cpu->context);
		cpu->context.uc_stack.ss_sp = cpu->stack;
		cpu->context.uc_stack.ss_size = sizeof(cpu->stack);
		cpu->context.uc_link = &outside;
		makecontext(&cpu->context, cpus_enter, 0);
	}
	count = number;
	/* comes back whenever one is done */
	for (left = number; left; left--)
		cpus_next(&outside);
	count = now = 0;
}

void cpus_interrupts_off(void)
{
	cpus[now].interrupts_off++;
}

void cpus_interrupts_on(void)
{
	cpus[now].interrupts_off--;
	cpus_point();
}

void synchronize_rcu(void)
{
	unsigned int n;

	for (n = 0; n < count; n++)
		while (n != now && !cpus[n].done && cpus[n].interrupts_off)
			cpus_yield();
}

int sprint_symbol(char *text, unsigned long address)
{
	cpus_point();
	return sprintf(text, "function_with_a_long_name_%lx+0x0/0x1", address);
}

unsigned long copy_to_user(void *to, const void *from, unsigned long bytes)
{
	memcpy(to, from, bytes);
	cpus_point();
	return 0;
}

void *vmalloc_user(unsigned long bytes)
{
	return calloc(1, bytes);
}

void vfree(void *memory)
{
	free(memory);
}

int remap_vmalloc_range(struct vm_area_struct *vma, void *memory, unsigned long page)
{
	(void)vma;
	(void)memory;
	(void)page;
	return -EINVAL;
}

u64 rdtsc(void)
{
	return ++time_passed;
}

/* ---- The rest of the core, as access.c needs it ---- */

void mms_caller_find(struct mms_cpu *cpu)
{
	cpu->caller_sought = true;
}

u32 mms_caller_of(struct pt_regs *regs, u32 record_flags)
{
	(void)regs;
	(void)record_flags;
	return 0;
}

bool mms_hooks_wanted(u64 physical, u64 bytes, enum mms_memory_type type)
{
	return true;
}

u32 mms_record_context(void)
{
	return 0;
}

uint32_t mms_machine_port_in(struct mms_machine *machine, uint16_t port,
			     unsigned int bytes)
{
	(void)machine;
	(void)port;
	(void)bytes;
	abort();
}

void mms_machine_port_out(struct mms_machine *machine, uint16_t port,
			  uint32_t value, unsigned int bytes)
{
	(void)machine;
	(void)port;
	(void)value;
	(void)bytes;
	abort();
}
