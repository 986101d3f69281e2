// SPDX-License-Identifier: GPL-2.0
/*
 * Which decoys there are: a sorted array that is replaced as a whole, so that
 * a fault, in whatever context, can search it without a lock.
 */
#include <linux/bsearch.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "core.h"

struct table {
	struct rcu_head rcu;
	unsigned int count;
	struct mms_mapping *mapping[];	/* by decoy, rising, not overlapping */
};

static struct table __rcu *table;
static DEFINE_RAW_SPINLOCK(table_lock);	/* for those who replace it */
static u32 last_id;
static u32 total;

/* The first mapping whose end lies behind the address. */
static unsigned int lower_bound(const struct table *t, u64 decoy)
{
	unsigned int low = 0, high = t ? t->count : 0;

	while (low < high) {
		unsigned int middle = (low + high) / 2;
		const struct mms_mapping *m = t->mapping[middle];

		if (m->decoy + m->bytes <= decoy)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct table *copy_with_room(const struct table *old, int more)
{
	unsigned int count = (old ? old->count : 0) + more;
	struct table *t = kmalloc(struct_size(t, mapping, count), GFP_ATOMIC);

	if (t)
		t->count = count;
	return t;
}

static void replace(struct table *old, struct table *new)
{
	rcu_assign_pointer(table, new);
	if (old)
		kfree_rcu(old, rcu);
}

static void record_mapping(const struct mms_mapping *m, enum mms_kind kind)
{
	struct mms_record record;

	if (m->silent)
		return;
	mms_record_init(&record, kind);
	record.address = m->asked_physical;
	record.value[0] = m->asked_bytes;
	record.value[1] = m->decoy + offset_in_page(m->asked_physical);
	record.site = kind == MMS_MAP && !mms_clean_room ? m->caller : 0;
	record.mapping = m->id;
	record.width = m->memory_type;
	if (record.site)
		mms_ring_put_symbol(record.site);
	mms_ring_put(&record, 1);
}

int mms_mapping_add(u64 decoy, u64 physical, u64 bytes, u64 caller,
		    enum mms_memory_type type, bool silent)
{
	struct mms_mapping *m = kmalloc(sizeof(*m), GFP_ATOMIC);
	struct table *old, *new;
	unsigned long flags;
	unsigned int at;

	if (!m)
		return -ENOMEM;
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
	raw_spin_lock_irqsave(&table_lock, flags);
	old = rcu_dereference_protected(table, lockdep_is_held(&table_lock));
	new = copy_with_room(old, 1);
	if (!new) {
		raw_spin_unlock_irqrestore(&table_lock, flags);
		kfree(m);
		return -ENOMEM;
	}
	if (!silent) {
		m->id = ++last_id;
		total++;
	}
	at = lower_bound(old, m->decoy);
	if (old) {
		memcpy(new->mapping, old->mapping, at * sizeof(m));
		memcpy(new->mapping + at + 1, old->mapping + at,
		       (old->count - at) * sizeof(m));
	}
	new->mapping[at] = m;
	/* before anybody can use the decoy */
	record_mapping(m, MMS_MAP);
	replace(old, new);
	raw_spin_unlock_irqrestore(&table_lock, flags);
	__module_get(THIS_MODULE);
	return 0;
}

bool mms_mapping_remove(u64 decoy)
{
	struct mms_mapping *m = NULL;
	struct table *old, *new;
	unsigned long flags;
	unsigned int at;

	raw_spin_lock_irqsave(&table_lock, flags);
	old = rcu_dereference_protected(table, lockdep_is_held(&table_lock));
	at = lower_bound(old, decoy);
	if (!old || at == old->count || old->mapping[at]->decoy > decoy)
		goto out;
	new = copy_with_room(old, -1);
	if (!new) {
		/* leave the entry in: a stale decoy does no harm, for nobody
		 * has its address any more; only unloading is refused */
		goto out;
	}
	m = old->mapping[at];
	memcpy(new->mapping, old->mapping, at * sizeof(m));
	memcpy(new->mapping + at, old->mapping + at + 1,
	       (old->count - at - 1) * sizeof(m));
	record_mapping(m, MMS_UNMAP);
	replace(old, new);
out:
	raw_spin_unlock_irqrestore(&table_lock, flags);
	if (!m)
		return false;
	kfree_rcu(m, rcu);
	module_put(THIS_MODULE);
	return true;
}

const struct mms_mapping *mms_mapping_find(u64 decoy, unsigned int bytes)
{
	const struct table *t = rcu_dereference_check(table, 1);
	unsigned int at = lower_bound(t, decoy);
	const struct mms_mapping *m;

	if (!t || at == t->count)
		return NULL;
	m = t->mapping[at];
	if (decoy < m->decoy || decoy + bytes > m->decoy + m->bytes)
		return NULL;
	return m;
}

bool mms_mapping_any(void)
{
	return mms_mapping_count() != 0;
}

u32 mms_mapping_count(void)
{
	const struct table *t;
	u32 count;

	rcu_read_lock();
	t = rcu_dereference(table);
	count = t ? t->count : 0;
	rcu_read_unlock();
	return count;
}

u32 mms_mapping_total(void)
{
	return READ_ONCE(total);
}

void mms_mapping_reset_total(void)
{
	WRITE_ONCE(total, 0);
}

void mms_mapping_record_all(void)
{
	const struct table *t;
	unsigned int n;

	rcu_read_lock();
	t = rcu_dereference(table);
	for (n = 0; t && n < t->count; n++)
		record_mapping(t->mapping[n], MMS_MAP);
	rcu_read_unlock();
}

size_t mms_mapping_describe(char *text, size_t size)
{
	const struct table *t;
	size_t length = 0;
	unsigned int n;

	rcu_read_lock();
	t = rcu_dereference(table);
	for (n = 0; t && n < t->count; n++) {
		const struct mms_mapping *m = t->mapping[n];

		length += scnprintf(text + length, size - length,
				    "mapping %u 0x%llx-0x%llx 0x%llx\n", m->id,
				    m->asked_physical,
				    m->asked_physical + m->asked_bytes - 1,
				    m->decoy + offset_in_page(m->asked_physical));
	}
	rcu_read_unlock();
	return length;
}
