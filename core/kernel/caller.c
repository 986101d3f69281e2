// SPDX-License-Identifier: GPL-2.0
/*
 * The place in the driver from which a site was called that lies outside of it:
 * in an accessor such as ioread32(), or in a library. The kernel's own unwinder
 * finds it. It is the nearest return address in the driver: a function that has
 * ended with a jump to the next one is not on the stack any more.
 *
 * Unwinding costs more than all the rest of an access. Where a site's return
 * address lies at a fixed distance from its stack pointer, that is learned, and
 * the address there is taken if it is the driver's.
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

/* The owners of text. A site's caller is the first return address of the highest
 * rank above the site's own. */
enum rank {
	RANK_OTHER,	/* the kernel's, or that of a module with no part in this */
	RANK_LIBRARY,	/* of a module that the driver's module uses */
	RANK_DRIVER,
	RANK_SOFTIRQ,	/* the kernel's function that runs softirqs */
};

#define MODULES_MAX 64

struct known_module {
	char name[MODULE_NAME_LEN];
	enum rank rank;
};

/* Constant while recording. None: any module is a driver. */
static struct known_module modules[MODULES_MAX];
static unsigned int modules_count;
static bool callers_off;	/* the driver is in no module: nothing tells it */

void mms_caller_reset(void)
{
	modules_count = 0;
	callers_off = false;
}

void mms_caller_off(void)
{
	callers_off = true;
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
	atomic_inc(&mms_ring.text_epoch);
	return 0;
}

/* From now on the site's accesses don't ask. */
static void caller_never(struct mms_cpu *cpu)
{
	cpu->caller_sought = true;
	if (cpu->known && cpu->learns)
		WRITE_ONCE(cpu->known->caller_way, MMS_CALLER_NONE);
}

#ifndef CONFIG_UNWINDER_ORC

/* By frame pointers the caller of a function without a frame is skipped, and
 * accessors have none; by guessing, addresses of former calls are found. */
void mms_caller_find(struct mms_cpu *cpu)
{
	caller_never(cpu);
}

u32 mms_caller_of(struct pt_regs *regs, u32 record_flags)
{
	return 0;
}

#else

/* ---- Whose text an address is ---- */

#define RANKS_MAX 2048	/* addresses remembered: a power of two */
#define RANKS_SEARCHED 4	/* places for an address */

/* An address's low half, the texts' epoch, and the rank: one word each, so that
 * no lock is needed. */
static u64 ranks[RANKS_MAX];
#define RANK_BITS 2
#define RANK_MASK GENMASK_ULL(RANK_BITS - 1, 0)
#define RANK_EPOCH_MASK GENMASK_ULL(31, RANK_BITS)

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
		return str_has_prefix(text, "handle_softirqs+") ||
		       str_has_prefix(text, "__do_softirq+") ? RANK_SOFTIRQ :
							       RANK_OTHER;
	name++;
	strreplace(name, ']', '\0');
	if (caller_is_made_up(name))
		return RANK_OTHER;
	if (!modules_count)
		return RANK_DRIVER;
	for (n = 0; n < modules_count; n++)
		if (!strcmp(modules[n].name, name))
			return modules[n].rank;
	return RANK_OTHER;
}

static bool caller_is_module_text(u64 address)
{
	return address >= MODULES_VADDR && address < MODULES_END;
}

static enum rank caller_rank(u64 address)
{
	u64 key = address << 32 |
		  ((u64)atomic_read(&mms_ring.text_epoch) << RANK_BITS &
		   RANK_EPOCH_MASK);
	u64 hash = address ^ address >> 11, known;
	unsigned int n;

	for (n = 0; n < RANKS_SEARCHED; n++) {
		known = READ_ONCE(ranks[(hash + n) % RANKS_MAX]);
		if (likely((known & ~RANK_MASK) == key))
			return known & RANK_MASK;
		/* free, or from before the last change of texts */
		if (!known || (known ^ key) & RANK_EPOCH_MASK)
			break;
	}
	known = key | caller_ask_rank(address);
	WRITE_ONCE(ranks[(hash + n % RANKS_SEARCHED) % RANKS_MAX], known);
	return known & RANK_MASK;
}

/* ---- The way up the stack ---- */

#define FRAMES_MAX 48
#define LIBRARY_FRAMES_MAX 8	/* a library's own site tells nearly as much */

struct walk {
	u64 caller;		/* 0: none of a higher rank */
	enum rank rank;
	u64 first;		/* the site's own return address, or 0 */
	u64 first_at;		/* its place on the stack */
};

/* False behind the first frame of the context: what lies above is the code that
 * it has interrupted, which has called nothing. */
static bool caller_is_in_context(struct unwind_state *state)
{
	return !unwind_done(state) && !unwind_error(state) &&
	       !unwind_get_entry_regs(state, NULL);
}

/* `softirq`: one may have been run on top of code that hasn't called it. */
static void caller_walk(struct walk *walk, struct pt_regs *regs,
			enum rank above, unsigned int frames_max, bool softirq)
{
	struct unwind_state state;
	unsigned int frame;

	*walk = (struct walk){ .rank = above };
	/* begins with the caller of the code at regs->ip */
	unwind_start(&state, current, regs, NULL);
	for (frame = 0; frame < frames_max && caller_is_in_context(&state);
	     frame++, unwind_next_frame(&state)) {
		u64 address = unwind_get_return_address(&state);
		enum rank rank = RANK_OTHER;

		if (!address)
			return;
		if (!frame) {
			walk->first = address;
			walk->first_at = state.sp - sizeof(u64);
		}
		if (softirq || caller_is_module_text(address))
			rank = caller_rank(address);
		if (rank == RANK_SOFTIRQ)
			return;
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
 * Learns the return address's distance from the stack pointer, if it depends on the
 * site alone: with other registers the unwinder finds it at the same place. Where
 * a tracer has put its own address there, nothing is learned.
 */
static void caller_learn(struct mms_cpu *cpu, const struct walk *walk)
{
	struct mms_site *site = cpu->known;
	struct pt_regs other = *cpu->regs;
	u64 distance = walk->first_at - other.sp;
	struct walk again;

	if (walk->caller != walk->first || distance > U16_MAX ||
	    caller_stack_word(walk->first_at) != walk->first)
		return;
	other.bp = other.r10 = other.r13 = other.di = other.dx = 0;
	caller_walk(&again, &other, RANK_DRIVER, 1, false);
	if (again.first_at != walk->first_at)
		return;
	site->caller_distance = distance;
	site->caller_epoch = atomic_read(&mms_ring.text_epoch);
	site->caller = walk->caller;
	barrier();
	WRITE_ONCE(site->caller_way, MMS_CALLER_AT_DISTANCE);
}

/* The fast way. False: unwind. */
static bool caller_take_known(struct mms_cpu *cpu)
{
	const struct mms_site *site = cpu->known;
	u64 address;

	if (!site || site->caller_way != MMS_CALLER_AT_DISTANCE ||
	    site->caller_epoch != atomic_read(&mms_ring.text_epoch))
		return false;
	address = caller_stack_word(cpu->regs->sp + site->caller_distance);
	if (unlikely(address != site->caller) &&
	    !(caller_is_module_text(address) &&
	      caller_rank(address) == RANK_DRIVER && mms_ring_put_symbol(address)))
		return false;
	cpu->caller = address;
	return true;
}

static bool caller_is_softirq(u32 record_flags)
{
	return (record_flags & (MMS_F_SOFTIRQ | MMS_F_HARDIRQ | MMS_F_NMI)) ==
	       MMS_F_SOFTIRQ;
}

u32 mms_caller_of(struct pt_regs *regs, u32 record_flags)
{
	enum rank rank = RANK_OTHER;
	struct walk walk;

	if (caller_is_module_text(regs->ip))
		rank = caller_rank(regs->ip);
	if (callers_off || rank == RANK_DRIVER)
		return 0;
	caller_walk(&walk, regs, rank,
		    rank == RANK_LIBRARY ? LIBRARY_FRAMES_MAX : FRAMES_MAX,
		    caller_is_softirq(record_flags));
	if (upper_32_bits(walk.caller) != U32_MAX)
		return 0;
	mms_ring_put_symbol(walk.caller);
	return walk.caller;
}

void mms_caller_find(struct mms_cpu *cpu)
{
	struct mms_site *site = cpu->known;
	enum rank rank = RANK_OTHER;
	struct walk walk;

	if (cpu->caller_sought)
		return;
	cpu->caller_sought = true;
	if (likely(caller_take_known(cpu)))
		return;
	if (caller_is_module_text(cpu->site))
		rank = caller_rank(cpu->site);
	if (callers_off || rank == RANK_DRIVER) {
		caller_never(cpu);
		return;
	}
	caller_walk(&walk, cpu->regs, rank,
		    rank == RANK_LIBRARY ? LIBRARY_FRAMES_MAX : FRAMES_MAX,
		    caller_is_softirq(cpu->record_flags));
	if (upper_32_bits(walk.caller) != U32_MAX)
		return;
	cpu->caller = walk.caller;
	if (mms_ring_put_symbol(walk.caller) && walk.rank == RANK_DRIVER && site &&
	    cpu->learns)
		caller_learn(cpu, &walk);
}

/* A probe in any of these would be called by a probe. */
NOKPROBE_SYMBOL(caller_is_made_up);
NOKPROBE_SYMBOL(caller_ask_rank);
NOKPROBE_SYMBOL(caller_is_module_text);
NOKPROBE_SYMBOL(caller_rank);
NOKPROBE_SYMBOL(caller_is_in_context);
NOKPROBE_SYMBOL(caller_walk);
NOKPROBE_SYMBOL(caller_stack_word);
NOKPROBE_SYMBOL(caller_learn);
NOKPROBE_SYMBOL(caller_take_known);
NOKPROBE_SYMBOL(caller_never);
NOKPROBE_SYMBOL(caller_is_softirq);
NOKPROBE_SYMBOL(mms_caller_of);
NOKPROBE_SYMBOL(mms_caller_find);

#endif
