// SPDX-License-Identifier: GPL-2.0
/*
 * Mappings of wanted device memory that get no decoy: those for user space, and
 * those in the kernel beside the ioremap family. Accesses through them can't be
 * recorded. Here they become records and lines of the status; watch.c sees them.
 */
#include <linux/hash.h>
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/string.h>

#include "core.h"
#include "lock.h"
#include "unrecorded.h"

#define GROUPS_MAX 256
#define GROUPS_SEARCHED_MAX 16	/* of them, from the caller's own place on */
#define GROUPS_PER_CALLER_MAX 8	/* more are joined across gaps */
#define SYMBOL_BYTES_MAX 96
#define LOCK_TRIES_MAX 16384

/* Mappings by one caller in one way for one process, without a gap, as long as
 * the caller hasn't too many. */
struct group {
	struct mms_unrecorded all;	/* from the first address to the last */
	u64 site;		/* caller or callback, whichever tells more */
	u64 calls;
	u64 told;		/* calls that records stand for */
	char symbol[SYMBOL_BYTES_MAX];
};

/*
 * Guards the groups. An NMI that sets a fixmap entry may have interrupted a holder:
 * it gives up after a while.
 */
static struct mms_spinlock groups_lock = MMS_SPINLOCK_FREE;
static struct group groups[GROUPS_MAX];
static bool groups_open;
static atomic64_t calls_beyond;	/* for which there was no group */
static char symbol_text[KSYM_SYMBOL_LEN];

const char *const mms_way_names[] = {
	[MMS_BY_SEVERAL] = "several",
	[MMS_BY_VMAP_PFN] = "vmap_pfn",
	[MMS_BY_MEMREMAP_PAGES] = "memremap_pages",
	[MMS_BY_FIXMAP] = "fixmap",
	[MMS_BY_REMAP_PFN_RANGE] = "remap_pfn_range",
	[MMS_BY_INSERT_PFN] = "vmf_insert_pfn",
	[MMS_BY_INSERT_MIXED] = "vmf_insert_mixed",
	[MMS_BY_INSERT_HUGE] = "vmf_insert_pfn_pmd",
};

static bool unrecorded_lock(void)
{
	unsigned int tries;

	for (tries = 0; tries < LOCK_TRIES_MAX; tries++) {
		if (mms_spin_trylock(&groups_lock))
			return true;
		cpu_relax();
	}
	return false;
}

static void unrecorded_tell(const struct group *group, u64 calls)
{
	struct mms_record record;

	mms_record_init(&record, MMS_UNRECORDED);
	record.address = group->all.first;
	record.value[0] = group->all.last - group->all.first + 1;
	record.value[1] = calls;
	record.site = mms_clean_room ? 0 : group->site;
	record.pid = group->all.pid;
	record.width = group->all.way;
	mms_ring_put(&record);
}

static u64 unrecorded_gap(const struct group *group, u64 first, u64 last)
{
	if (first > group->all.last)
		return first - group->all.last - 1;
	return last < group->all.first ? group->all.first - last - 1 : 0;
}

static bool unrecorded_same_caller(const struct mms_unrecorded *one,
				   const struct mms_unrecorded *other)
{
	return one->caller == other->caller && one->callback == other->callback &&
	       one->way == other->way && one->process == other->process;
}

/* Returns the group that takes the call, or a free place for a new one, or NULL. */
static struct group *unrecorded_find(const struct mms_unrecorded *call)
{
	unsigned int start = hash_64(call->caller + call->process, 32);
	struct group *nearest = NULL;
	unsigned int n, own = 0;
	u64 nearest_gap = 0;

	for (n = 0; n < GROUPS_SEARCHED_MAX; n++) {
		struct group *group = &groups[(start + n) % GROUPS_MAX];
		u64 gap;

		if (!group->calls)
			return own < GROUPS_PER_CALLER_MAX ? group : nearest;
		if (!unrecorded_same_caller(&group->all, call))
			continue;
		gap = unrecorded_gap(group, call->first, call->last);
		if (!gap)
			return group;
		if (!nearest || gap < nearest_gap) {
			nearest = group;
			nearest_gap = gap;
		}
		own++;
	}
	return nearest;
}

/*
 * A callback that ends with the call jumps there: the return address is then that
 * of the kernel's call of the callback, an indirect one. Returns true if so.
 */
static bool unrecorded_called_indirectly(u64 caller)
{
	const u8 *end = (const u8 *)caller;
	s32 distance;

	if (end[-2] == 0xff && (end[-1] & 0xf8) == 0xd0)
		return true;		/* call *%register */
	if (end[-5] != 0xe8)
		return true;		/* not a direct call */
	memcpy(&distance, end - sizeof(distance), sizeof(distance));
	sprint_symbol(symbol_text, caller + distance);
	/* the same function has names with a prefix, too, in newer kernels */
	return strstr(symbol_text, "__x86_indirect_thunk");
}

static void unrecorded_begin_group(struct group *group, const struct mms_unrecorded *call)
{
	group->all = *call;
	group->calls = 1;
	group->site = call->caller;
	if (call->callback && unrecorded_called_indirectly(call->caller))
		group->site = call->callback;
	/* before the start there are no records: see mms_unrecorded_stop() */
	group->told = mms_ring_recording();
	if (!mms_clean_room) {
		mms_ring_put_symbol(group->site);
		sprint_symbol(symbol_text, group->site);
		strscpy(group->symbol, symbol_text, sizeof(group->symbol));
	}
	if (group->told)
		unrecorded_tell(group, 1);
}

static void unrecorded_count(const struct mms_unrecorded *call)
{
	struct group *group = unrecorded_find(call);

	if (!group) {
		atomic64_inc(&calls_beyond);
	} else if (!group->calls) {
		unrecorded_begin_group(group, call);
	} else {
		group->all.first = min(group->all.first, call->first);
		group->all.last = max(group->all.last, call->last);
		group->calls++;
	}
}

void mms_unrecorded_add(const struct mms_unrecorded *mapping)
{
	unsigned long flags;

	local_irq_save(flags);
	if (unrecorded_lock()) {
		if (groups_open)
			unrecorded_count(mapping);
		mms_spin_unlock(&groups_lock);
	} else {
		atomic64_inc(&calls_beyond);
	}
	local_irq_restore(flags);
}

/* A probe in any of these would be called by a probe. */
NOKPROBE_SYMBOL(unrecorded_lock);
NOKPROBE_SYMBOL(unrecorded_tell);
NOKPROBE_SYMBOL(unrecorded_gap);
NOKPROBE_SYMBOL(unrecorded_same_caller);
NOKPROBE_SYMBOL(unrecorded_find);
NOKPROBE_SYMBOL(unrecorded_called_indirectly);
NOKPROBE_SYMBOL(unrecorded_begin_group);
NOKPROBE_SYMBOL(unrecorded_count);
NOKPROBE_SYMBOL(mms_unrecorded_add);

/* ---- From the arming of the probes to the end of the recording ---- */

void mms_unrecorded_open(void)
{
	unsigned long flags = mms_spin_lock_irqsave(&groups_lock);

	memset(groups, 0, sizeof(groups));
	atomic64_set(&calls_beyond, 0);
	groups_open = true;
	mms_spin_unlock_irqrestore(&groups_lock, flags);
}

/* The rest of the calls; all of them, and the caller's name as it was, if the group has
 * begun before the start. */
static void unrecorded_tell_rest(const struct group *group)
{
	if (!group->told && group->symbol[0])
		mms_ring_put_text(MMS_SYMBOL, group->site, 0, 0, group->symbol,
				  strlen(group->symbol));
	unrecorded_tell(group, group->calls - group->told);
}

void mms_unrecorded_stop(void (*stop)(void))
{
	unsigned long flags = mms_spin_lock_irqsave(&groups_lock);
	u64 beyond = atomic64_read(&calls_beyond);
	unsigned int n;

	for (n = 0; n < GROUPS_MAX; n++)
		if (groups[n].calls > groups[n].told)
			unrecorded_tell_rest(&groups[n]);
	if (beyond)
		unrecorded_tell(&(struct group){ .all = { .first = 1 } }, beyond);
	/* take the access locks inside this one: an NMI that interrupts a holder
	 * of this lock may wait for them */
	mms_access_hold(stop);
	groups_open = false;
	mms_spin_unlock_irqrestore(&groups_lock, flags);
}

/* ---- The status ---- */

u64 mms_unrecorded_calls(void)
{
	unsigned long flags = mms_spin_lock_irqsave(&groups_lock);
	u64 calls = atomic64_read(&calls_beyond);
	unsigned int n;

	for (n = 0; n < GROUPS_MAX; n++)
		calls += groups[n].calls;
	mms_spin_unlock_irqrestore(&groups_lock, flags);
	return calls;
}

size_t mms_unrecorded_describe(char *text, size_t size)
{
	size_t length = mms_watch_describe(text, size);
	unsigned long flags;
	unsigned int n;

	flags = mms_spin_lock_irqsave(&groups_lock);
	for (n = 0; n < GROUPS_MAX; n++) {
		const struct group *group = &groups[n];

		if (group->calls)
			length += scnprintf(text + length, size - length,
					    "way %s 0x%llx-0x%llx %llu %u %s\n",
					    mms_way_names[group->all.way],
					    group->all.first, group->all.last,
					    group->calls, group->all.process,
					    group->symbol[0] ? group->symbol : "-");
	}
	mms_spin_unlock_irqrestore(&groups_lock, flags);
	return length;
}
