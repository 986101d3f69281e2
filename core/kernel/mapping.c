// SPDX-License-Identifier: GPL-2.0
/*
 * The table of decoys, sorted. A fault in any context can search it without a
 * lock. A probe can change it without allocating memory, which a PREEMPT_RT
 * kernel forbids in a probe.
 *
 * There are two copies. A writer changes first the one, then the other;
 * `mms_mappings_version` tells the readers which of them to use meanwhile. A reader
 * searches again if it changed during its search.
 */
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/module.h>

#include "core.h"
#include "lock.h"

struct table {
	unsigned int count;
	struct mms_mapping *mapping[MMS_MAPPINGS_MAX];	/* by decoy, rising */
};

static struct table tables[2];
unsigned int mms_mappings_version;	/* odd: readers use the second copy */

#define POOL_MAX (MMS_MAPPINGS_MAX + MMS_MAPPINGS_RESTING)

struct mms_mapping mms_mapping_pool[POOL_MAX];
/* The unused entries of the pool, as a queue. A reader may still be using an
 * entry when it is removed; long before it is used again, that reader is done. */
static struct mms_mapping *spare[POOL_MAX];
static unsigned int spare_first, spare_count;

/* For writers only. An NMI never writes. */
static struct mms_spinlock table_lock = MMS_SPINLOCK_FREE;
static u32 last_id;
static u32 total;

void mms_mapping_init(void)
{
	for (spare_count = 0; spare_count < POOL_MAX; spare_count++)
		spare[spare_count] = &mms_mapping_pool[spare_count];
}

static struct mms_mapping *mapping_take_spare(void)
{
	struct mms_mapping *m = spare[spare_first];

	if (spare_count <= MMS_MAPPINGS_RESTING)
		return NULL;
	spare_first = (spare_first + 1) % POOL_MAX;
	spare_count--;
	return m;
}

static void mapping_give_back(struct mms_mapping *m)
{
	spare[(spare_first + spare_count) % POOL_MAX] = m;
	spare_count++;
}

/* Returns the index of the first mapping that ends after the address. */
static unsigned int mapping_lower_bound(const struct table *t, u64 decoy)
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

/*
 * A reader that was sent to the other copy may still be searching this one: it
 * finds whole pointers at each moment, which memmove() doesn't promise.
 */
static void mapping_insert(struct table *t, unsigned int at, struct mms_mapping *m)
{
	unsigned int n;

	for (n = t->count; n > at; n--)
		WRITE_ONCE(t->mapping[n], t->mapping[n - 1]);
	WRITE_ONCE(t->mapping[at], m);
	smp_store_release(&t->count, t->count + 1);
}

static void mapping_delete(struct table *t, unsigned int at)
{
	unsigned int n;

	WRITE_ONCE(t->count, t->count - 1);
	for (n = at; n < t->count; n++)
		WRITE_ONCE(t->mapping[n], t->mapping[n + 1]);
}

/* Sends the readers to the other copy. They see all that was written before. */
static void mapping_next_copy(void)
{
	smp_wmb();
	WRITE_ONCE(mms_mappings_version, mms_mappings_version + 1);
	smp_wmb();
}

static void mapping_fill_record(struct mms_record *record,
				const struct mms_mapping *m, enum mms_kind kind)
{
	mms_record_init(record, kind);
	record->address = m->asked_physical + m->space;
	record->value[0] = m->asked_bytes;
	record->value[1] = m->decoy + m->asked_physical - m->physical;
	record->site = kind == MMS_MAP && !mms_clean_room ? m->caller : 0;
	record->mapping = m->id;
	record->width = m->memory_type;
}

static void mapping_record(const struct mms_mapping *m, enum mms_kind kind)
{
	struct mms_record record;

	if (m->self_test || m->silent)
		return;
	mapping_fill_record(&record, m, kind);
	mms_ring_put(&record);
}

int mms_mapping_add(u64 decoy, u64 physical, u64 bytes, u64 caller,
		    enum mms_memory_type type, bool self_test)
{
	/* a driver may use ports beside those that it has mapped: all have decoys */
	u64 unit = type == MMS_PORTS ? MMS_PORT_AREA_BYTES : PAGE_SIZE;
	struct mms_mapping *m;
	unsigned long flags;
	unsigned int at;

	if (!self_test && !mms_clean_room)
		mms_ring_put_symbol(caller);
	flags = mms_spin_lock_irqsave(&table_lock);
	m = mapping_take_spare();
	if (!m) {
		mms_spin_unlock_irqrestore(&table_lock, flags);
		return -ENOSPC;
	}
	*m = (struct mms_mapping){
		.decoy = decoy - physical % unit,
		.bytes = ALIGN(physical % unit + bytes, unit),
		.physical = physical - physical % unit,
		.memory_type = type,
		.self_test = self_test,
		.silent = self_test,
		.asked_physical = physical,
		.asked_bytes = bytes,
		.caller = caller,
		.space = type == MMS_PORTS ? MMS_PORT_SPACE : 0,
	};
	if (!self_test) {
		m->id = ++last_id;
		total += mms_ring_recording();
	}
	/* before anybody can use the decoy */
	mapping_record(m, MMS_MAP);
	at = mapping_lower_bound(&tables[0], m->decoy);
	mapping_next_copy();
	mapping_insert(&tables[0], at, m);
	mapping_next_copy();
	mapping_insert(&tables[1], at, m);
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
	at = mapping_lower_bound(t, decoy);
	if (at < t->count && t->mapping[at]->decoy <= decoy) {
		m = t->mapping[at];
		mapping_record(m, MMS_UNMAP);
		mapping_next_copy();
		mapping_delete(&tables[0], at);
		mapping_next_copy();
		mapping_delete(&tables[1], at);
		mapping_give_back(m);
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
		seen = READ_ONCE(mms_mappings_version);
		smp_rmb();
		t = &tables[seen & 1];
		at = mapping_lower_bound(t, decoy);
		m = at < READ_ONCE(t->count) ? READ_ONCE(t->mapping[at]) : NULL;
		smp_rmb();
	} while (READ_ONCE(mms_mappings_version) != seen);
	if (!m || decoy < m->decoy || decoy + bytes > m->decoy + m->bytes)
		return NULL;
	return m;
}

u64 mms_mapping_remember(const struct mms_mapping *m, unsigned int version)
{
	return (u64)version << 32 | (u64)(m - mms_mapping_pool + 1);
}

void mms_mapping_forget_callers(u64 first, u64 bytes)
{
	unsigned long flags = mms_spin_lock_irqsave(&table_lock);
	unsigned int n;

	for (n = 0; n < tables[0].count; n++)
		if (tables[0].mapping[n]->caller - first < bytes)
			tables[0].mapping[n]->caller = 0;
	mms_spin_unlock_irqrestore(&table_lock, flags);
}

bool mms_mapping_any(void)
{
	return mms_mapping_count() != 0;
}

u32 mms_mapping_count(void)
{
	return READ_ONCE(tables[READ_ONCE(mms_mappings_version) & 1].count);
}

u32 mms_mapping_total(void)
{
	return READ_ONCE(total);
}

/* A decoy that is left of an earlier recording. This one may select others. */
static void mapping_begin(struct mms_mapping *m)
{
	struct mms_record record;
	bool wanted = !m->self_test &&
		      mms_hooks_wanted(m->asked_physical, m->asked_bytes,
				       m->memory_type);

	WRITE_ONCE(m->silent, !wanted);
	if (!wanted)
		return;
	total++;
	if (m->caller && !mms_clean_room)
		mms_ring_put_symbol_early(m->caller);
	mapping_fill_record(&record, m, MMS_MAP);
	mms_ring_put_early(&record);
}

void mms_mapping_start_recording(void (*start)(void))
{
	unsigned long flags;
	unsigned int n;

	/* no mapping comes or goes meanwhile */
	flags = mms_spin_lock_irqsave(&table_lock);
	WRITE_ONCE(total, 0);
	for (n = 0; n < tables[0].count; n++)
		mapping_begin(tables[0].mapping[n]);
	/* take the access locks inside this one: an NMI that interrupts a holder
	 * of this lock may wait for them */
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
				    "mapping %u 0x%llx-0x%llx 0x%llx%s\n", m->id,
				    m->asked_physical + m->space,
				    m->asked_physical + m->space +
					    m->asked_bytes - 1,
				    m->decoy + m->asked_physical - m->physical,
				    m->silent ? " silent" : "");
	}
	mms_spin_unlock_irqrestore(&table_lock, flags);
	return length;
}
