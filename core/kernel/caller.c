// SPDX-License-Identifier: GPL-2.0
/*
 * The place in the driver from which a site was called that lies outside of it:
 * in an accessor such as ioread32(), or in a library. The kernel's own unwinder
 * finds it.
 *
 * Unwinding costs more than all the rest of an access. Where a site's return
 * address lies at a fixed distance from its stack pointer, and is the driver's,
 * it is done once for each pair of site and caller: site.h has the pair.
 */
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <asm/pgtable.h>
#include <asm/unwind.h>

#include "core.h"
#include "ring.h"
#include "site.h"

/* The nearer to the driver, the higher. A site's caller is the first return
 * address of the highest rank above the site's own. */
enum rank {
	RANK_KERNEL,	/* not in a module */
	RANK_MODULE,
	RANK_LIBRARY,	/* in a module that the driver's module uses */
	RANK_DRIVER,
};

#define MODULES_MAX 64

struct known_module {
	char name[MODULE_NAME_LEN];
	enum rank rank;
};

/* Constant while recording. None: the driver is any module. */
static struct known_module modules[MODULES_MAX];
static unsigned int modules_count;

void mms_caller_forget_modules(void)
{
	modules_count = 0;
}

int mms_caller_add_module(const char *name, bool is_driver)
{
	struct known_module *module = &modules[modules_count];

	if (modules_count == MODULES_MAX)
		return -ENOSPC;
	if (strscpy(module->name, name, sizeof(module->name)) <= 0)
		return -EINVAL;
	module->rank = is_driver ? RANK_DRIVER : RANK_LIBRARY;
	modules_count++;
	return 0;
}

#ifdef CONFIG_UNWINDER_GUESS

/* This unwinder also finds addresses that are left from calls long ago. */
void mms_caller_find(struct mms_cpu *cpu)
{
}

#else

/* ---- Whose text an address is ---- */

#define RANKS_MAX 2048	/* addresses remembered: a power of two */

/* An address's low half, the symbols' epoch, and the rank: one word each, so that
 * no lock is needed. */
static u64 ranks[RANKS_MAX];
#define RANK_BITS 2
#define RANK_EPOCH_MASK GENMASK(31, RANK_BITS)

/* Not of a module: BPF programs and the trampolines of ftrace and kprobes. */
static bool caller_is_made_up(const char *name)
{
	return !strcmp(name, "bpf") || str_has_prefix(name, "__builtin_");
}

/* The symbol is `function+0x12/0x34 [module]`: kallsyms knows whose an address is,
 * without a list of modules, which the kernel doesn't give to modules. */
static enum rank caller_ask_rank(u64 address)
{
	char *text = mms_ring_symbol_text();
	unsigned int n;
	char *name;

	sprint_symbol(text, address);
	name = strrchr(text, '[');
	if (!name)
		return RANK_KERNEL;
	name++;
	strreplace(name, ']', '\0');
	if (caller_is_made_up(name))
		return RANK_KERNEL;
	if (!modules_count)
		return RANK_DRIVER;
	for (n = 0; n < modules_count; n++)
		if (!strcmp(modules[n].name, name))
			return modules[n].rank;
	return RANK_MODULE;
}

static enum rank caller_rank(u64 address)
{
	u64 key = address << 32 |
		  ((u64)atomic_read(&mms_ring.symbol_epoch) << RANK_BITS &
		   RANK_EPOCH_MASK);
	u64 *place, known;

	if (address < MODULES_VADDR || address >= MODULES_END)
		return RANK_KERNEL;
	place = &ranks[(address ^ address >> 11) % RANKS_MAX];
	known = READ_ONCE(*place);
	if (likely((known & ~GENMASK_ULL(RANK_BITS - 1, 0)) == key))
		return known & GENMASK(RANK_BITS - 1, 0);
	known = key | caller_ask_rank(address);
	WRITE_ONCE(*place, known);
	return known & GENMASK(RANK_BITS - 1, 0);
}

/* ---- The way up the stack ---- */

#define FRAMES_MAX 48

struct walk {
	u64 caller;		/* 0: none of a higher rank */
	enum rank rank;
	u64 first;		/* the site's own return address, or 0 */
	u64 first_at;		/* its place on the stack; 0: not known */
};

static u64 caller_return_place(const struct unwind_state *state)
{
#ifdef CONFIG_UNWINDER_ORC
	return state->sp - sizeof(u64);
#else
	return 0;
#endif
}

/* False behind the first frame of the context: what lies above is the code that
 * it has interrupted, which has called nothing. */
static bool caller_is_in_context(struct unwind_state *state)
{
	return !unwind_done(state) && !unwind_error(state) &&
	       !unwind_get_entry_regs(state, NULL);
}

static void caller_walk(struct walk *walk, struct pt_regs *regs,
			enum rank above, unsigned int frames_max)
{
	struct unwind_state state;
	unsigned int frame;

	*walk = (struct walk){ .rank = above };
	/* begins with the caller of the code at regs->ip */
	unwind_start(&state, current, regs, NULL);
	for (frame = 0; frame < frames_max && caller_is_in_context(&state);
	     frame++, unwind_next_frame(&state)) {
		u64 address = unwind_get_return_address(&state);
		enum rank rank;

		if (!address)
			return;
		if (!frame) {
			walk->first = address;
			walk->first_at = caller_return_place(&state);
		}
		rank = caller_rank(address);
		if (rank <= walk->rank)
			continue;
		walk->caller = address;
		walk->rank = rank;
		if (rank == RANK_DRIVER)
			return;
	}
}

/* Stack memory of a context that we have interrupted; a checker of the kernel
 * may hold it for a variable's forbidden surroundings. */
static u64 caller_stack_word(u64 at)
{
	return READ_ONCE_NOCHECK(*(const u64 *)at);
}

/*
 * Returns true if the return address's distance from the stack pointer depends on
 * the site alone: with other registers the unwinder finds it at the same place.
 */
static bool caller_is_at_fixed_place(const struct pt_regs *regs, u64 first_at)
{
	struct pt_regs other = *regs;
	struct walk walk;

	other.bp = other.r10 = other.r13 = other.di = other.dx = 0;
	caller_walk(&walk, &other, RANK_DRIVER, 1);
	return walk.first_at == first_at;
}

static void caller_learn(struct mms_cpu *cpu, const struct walk *walk)
{
	struct mms_site *site = cpu->known;
	u64 sp = cpu->regs->sp;

	if (walk->caller != walk->first || walk->rank != RANK_DRIVER ||
	    walk->first_at < sp || walk->first_at - sp > U16_MAX ||
	    caller_stack_word(walk->first_at) != walk->first)
		return;
	if (site->caller_way != MMS_CALLER_AT_DISTANCE) {
		if (!caller_is_at_fixed_place(cpu->regs, walk->first_at))
			return;
		site->caller_distance = walk->first_at - sp;
	}
	site->caller = walk->caller;
	barrier();
	WRITE_ONCE(site->caller_way, MMS_CALLER_AT_DISTANCE);
}

void mms_caller_find(struct mms_cpu *cpu)
{
	struct mms_site *site = cpu->known;
	enum rank rank;
	struct walk walk;

	if (cpu->caller_sought || !cpu->site)
		return;
	cpu->caller_sought = true;
	if (likely(site && site->caller_way == MMS_CALLER_AT_DISTANCE &&
		   caller_stack_word(cpu->regs->sp + site->caller_distance) ==
			   site->caller)) {
		cpu->caller = site->caller;
		return;
	}
	rank = caller_rank(cpu->site);
	if (rank == RANK_DRIVER) {
		if (site && cpu->learns)
			WRITE_ONCE(site->caller_way, MMS_CALLER_NONE);
		return;
	}
	caller_walk(&walk, cpu->regs, rank, FRAMES_MAX);
	if (upper_32_bits(walk.caller) != U32_MAX)
		return;
	cpu->caller = walk.caller;
	if (mms_ring_put_symbol(walk.caller) && site && cpu->learns)
		caller_learn(cpu, &walk);
}
NOKPROBE_SYMBOL(mms_caller_find);

#endif
