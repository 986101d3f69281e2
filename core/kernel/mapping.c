// SPDX-License-Identifier: GPL-2.0
/*
 * Which decoys there are: a sorted table that a fault, in whatever context,
 * can search without a lock, and a probe change without allocating memory,
 * which it may not do on a PREEMPT_RT kernel.
 *
 * There are two copies. Whoever changes them changes first the one and then
 * the other, and says in `sequence` which of them readers are to use
 * meanwhile; a reader looks again when that has changed under it.
 */
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/string.h>

#include "core.h"
#include "lock.h"

struct table {
	unsigned int count;
	struct mms_mapping *mapping[MMS_MAPPINGS_MAX];	/* by decoy, rising */
};

static struct table tables[2];
static unsigned int sequence;	/* odd: readers use the second copy */

static struct mms_mapping pool[MMS_MAPPINGS_MAX];
/* Those not in use, as a queue: a reader that still has one in its hands when
 * it is removed is long gone when it is used again. */
static struct mms_mapping *spare[MMS_MAPPINGS_MAX];
static unsigned int spare_first, spare_count;

/* For those who change them: no NMI does. */
static struct mms_spinlock table_lock = MMS_SPINLOCK_FREE;
static u32 last_id;
static u32 total;

void mms_mapping_init(void)
{
	for (spare_count = 0; spare_count < MMS_MAPPINGS_MAX; spare_count++)
		spare[spare_count] = &pool[spare_count];
}

static struct mms_mapping *take_spare(void)
{
	struct mms_mapping *m = spare[spare_first];

	if (!spare_count)
		return NULL;
	spare_first = (spare_first + 1) % MMS_MAPPINGS_MAX;
	spare_count--;
	return m;
}

static void give_back(struct mms_mapping *m)
{
	spare[(spare_first + spare_count) % MMS_MAPPINGS_MAX] = m;
	spare_count++;
}

/* The first mapping whose end lies behind the address. */
static unsigned int lower_bound(const struct table *t, u64 decoy)
{
	unsigned int low = 0, high = READ_ONCE(t->count);

	while (low < high) {
		unsigned int middle = (low + high) / 2;
		const struct mms_mapping *m = READ_ONCE(t->mapping[middle]);

		if (m->decoy + m->bytes <= decoy)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void insert(struct table *t, unsigned int at, struct mms_mapping *m)
{
	memmove(t->mapping + at + 1, t->mapping + at,
		(t->count - at) * sizeof(m));
	t->mapping[at] = m;
	smp_store_release(&t->count, t->count + 1);
}

static void delete(struct table *t, unsigned int at)
{
	WRITE_ONCE(t->count, t->count - 1);
	memmove(t->mapping + at, t->mapping + at + 1,
		(t->count - at) * sizeof(t->mapping[0]));
}

/* Sends the readers to the other copy; what was written before is there. */
static void next_copy(void)
{
	smp_wmb();
	WRITE_ONCE(sequence, sequence + 1);
	smp_wmb();
}

static void describe_mapping(struct mms_record *record,
			     const struct mms_mapping *m, enum mms_kind kind)
{
	mms_record_init(record, kind);
	record->address = m->asked_physical;
	record->value[0] = m->asked_bytes;
	record->value[1] = m->decoy + offset_in_page(m->asked_physical);
	record->site = kind == MMS_MAP && !mms_clean_room ? m->caller : 0;
	record->mapping = m->id;
	record->width = m->memory_type;
}

static void record_mapping(const struct mms_mapping *m, enum mms_kind kind)
{
	struct mms_record record;

	if (m->silent)
		return;
	describe_mapping(&record, m, kind);
	mms_ring_put(&record, 1);
}

int mms_mapping_add(u64 decoy, u64 physical, u64 bytes, u64 caller,
		    enum mms_memory_type type, bool silent)
{
	struct mms_mapping *m;
	unsigned long flags;
	unsigned int at;

	if (!silent && !mms_clean_room)
		mms_ring_put_symbol(caller);
	flags = mms_spin_lock_irqsave(&table_lock);
	m = take_spare();
	if (!m) {
		mms_spin_unlock_irqrestore(&table_lock, flags);
		return -ENOSPC;
	}
	*m = (struct mms_mapping){
		.decoy = decoy & PAGE_MASK,
		.bytes = PAGE_ALIGN(offset_in_page(physical) + bytes),
		.physical = physical & PAGE_MASK,
		.memory_type = type,
		.silent = silent,
		.asked_physical = physical,
		.asked_bytes = bytes,
		.caller = caller,
	};
	if (!silent) {
		m->id = ++last_id;
		total += mms_ring_recording();
	}
	/* before anybody can use the decoy */
	record_mapping(m, MMS_MAP);
	at = lower_bound(&tables[0], m->decoy);
	next_copy();
	insert(&tables[0], at, m);
	next_copy();
	insert(&tables[1], at, m);
	mms_spin_unlock_irqrestore(&table_lock, flags);
	__module_get(THIS_MODULE);
	return 0;
}

bool mms_mapping_remove(u64 decoy)
{
	struct table *t = &tables[0];
	struct mms_mapping *m = NULL;
	unsigned long flags;
	unsigned int at;

	flags = mms_spin_lock_irqsave(&table_lock);
	at = lower_bound(t, decoy);
	if (at < t->count && t->mapping[at]->decoy <= decoy) {
		m = t->mapping[at];
		record_mapping(m, MMS_UNMAP);
		next_copy();
		delete(&tables[0], at);
		next_copy();
		delete(&tables[1], at);
		give_back(m);
	}
	mms_spin_unlock_irqrestore(&table_lock, flags);
	if (m)
		module_put(THIS_MODULE);
	return m;
}

const struct mms_mapping *mms_mapping_find(u64 decoy, unsigned int bytes)
{
	const struct mms_mapping *m;
	const struct table *t;
	unsigned int seen, at;

	do {
		seen = READ_ONCE(sequence);
		smp_rmb();
		t = &tables[seen & 1];
		at = lower_bound(t, decoy);
		m = at < READ_ONCE(t->count) ? READ_ONCE(t->mapping[at]) : NULL;
		smp_rmb();
	} while (READ_ONCE(sequence) != seen);
	if (!m || decoy < m->decoy || decoy + bytes > m->decoy + m->bytes)
		return NULL;
	return m;
}

bool mms_mapping_any(void)
{
	return mms_mapping_count() != 0;
}

u32 mms_mapping_count(void)
{
	return READ_ONCE(tables[READ_ONCE(sequence) & 1].count);
}

u32 mms_mapping_total(void)
{
	return READ_ONCE(total);
}

void mms_mapping_start_recording(void (*start)(void))
{
	unsigned long flags;
	unsigned int n;

	/* none of them comes or goes meanwhile */
	flags = mms_spin_lock_irqsave(&table_lock);
	WRITE_ONCE(total, 0);
	for (n = 0; n < tables[0].count; n++) {
		const struct mms_mapping *m = tables[0].mapping[n];
		struct mms_record record;

		if (m->silent)
			continue;
		describe_mapping(&record, m, MMS_MAP);
		mms_ring_put_early(&record);
	}
	/* inside this lock, for an NMI that interrupts a holder of it may wait
	 * for those of accesses */
	mms_access_hold(start);
	mms_spin_unlock_irqrestore(&table_lock, flags);
}

size_t mms_mapping_describe(char *text, size_t size)
{
	size_t length = 0;
	unsigned long flags;
	unsigned int n;

	flags = mms_spin_lock_irqsave(&table_lock);
	for (n = 0; n < tables[0].count; n++) {
		const struct mms_mapping *m = tables[0].mapping[n];

		length += scnprintf(text + length, size - length,
				    "mapping %u 0x%llx-0x%llx 0x%llx\n", m->id,
				    m->asked_physical,
				    m->asked_physical + m->asked_bytes - 1,
				    m->decoy + offset_in_page(m->asked_physical));
	}
	mms_spin_unlock_irqrestore(&table_lock, flags);
	return length;
}
