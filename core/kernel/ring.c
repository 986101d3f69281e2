// SPDX-License-Identifier: GPL-2.0
/*
 * The ring: carries records from any context of any CPU to the recorder.
 *
 * Writers claim places by compare-and-exchange on `written`, so that an NMI
 * which interrupts a writer can write a record, too. A record is complete when
 * its sequence number is there. When the ring is full, records are dropped and
 * counted; a LOST record with their number precedes the next one that fits.
 */
#include <linux/irq_work.h>
#include <linux/kallsyms.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/timex.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <linux/wait.h>

#include "clock.h"
#include "core.h"
#include "ring.h"

/* A reader's sleep before it looks for itself. Writers wake it only when the ring
 * is a quarter full, because they may hold any lock. */
#define POLL_MS 10
#define SYMBOLS_MAX 8192	/* sites remembered as having their symbol */

static_assert(sizeof(struct mms_record) == 64);
static_assert(sizeof(struct mms_ring_head) == 48);

struct mms_ring mms_ring;
static u64 symbols[SYMBOLS_MAX];
static DECLARE_WAIT_QUEUE_HEAD(readers);

bool mms_clean_room;

static void ring_wake_readers(struct irq_work *work)
{
	wake_up_interruptible(&readers);
}
static DEFINE_IRQ_WORK(wake_work, ring_wake_readers);

int mms_ring_allocate(u64 bytes)
{
	u64 count = roundup_pow_of_two(DIV_ROUND_UP(bytes, sizeof(struct mms_record)));

	mms_ring.head = vmalloc_user(PAGE_SIZE + count * sizeof(struct mms_record));
	if (!mms_ring.head)
		return -ENOMEM;
	mms_ring.records = (void *)mms_ring.head + PAGE_SIZE;
	mms_ring.records_max = count;
	atomic64_set(&mms_ring.written, 0);
	atomic64_set(&mms_ring.lost, 0);
	atomic64_set(&mms_ring.lost_unsaid, 0);
	atomic64_set(&mms_ring.escaped, 0);
	*mms_ring.head = (struct mms_ring_head){
		.magic = MMS_RING_MAGIC,
		.abi_version = MMS_ABI_VERSION,
		.record_bytes = sizeof(struct mms_record),
		.records_max = count,
	};
	mms_ring_forget_symbols(0, U64_MAX);
	return 0;
}

/* Waits for the writers that were busy when recording ended. */
void mms_ring_free(void)
{
	if (!mms_ring.head)
		return;
	synchronize_rcu();
	irq_work_sync(&wake_work);
	vfree(mms_ring.head);
	mms_ring.head = NULL;
}

bool mms_ring_recording(void)
{
	return READ_ONCE(mms_ring.recording);
}

void mms_ring_start(void)
{
	/* the early records come first */
	smp_store_release(&mms_ring.recording, true);
}

void mms_ring_stop(void)
{
	WRITE_ONCE(mms_ring.recording, false);
}

void mms_ring_settle(void)
{
	synchronize_rcu();
	wake_up_interruptible(&readers);
}

u64 mms_ring_written(void)
{
	return atomic64_read(&mms_ring.written);
}

u64 mms_ring_lost(void)
{
	return atomic64_read(&mms_ring.lost);
}

u64 mms_ring_escaped(void)
{
	return atomic64_read(&mms_ring.escaped);
}

/* ---- Writing ---- */

void mms_ring_publish(u64 at, const struct mms_record *record)
{
	struct mms_record *slot = mms_ring_slot(at);

	memcpy((u8 *)slot + sizeof(slot->sequence),
	       (const u8 *)record + sizeof(record->sequence),
	       sizeof(*record) - sizeof(record->sequence));
	mms_ring_complete(at);
}

void mms_ring_count_lost(unsigned int count)
{
	atomic64_add(count, &mms_ring.lost_unsaid);
	mms_ring_raise(&mms_ring.head->lost, atomic64_add_return(count, &mms_ring.lost));
}

void mms_record_init(struct mms_record *record, enum mms_kind kind)
{
	*record = (struct mms_record){
		.tsc = mms_clock(),
		.kind = kind,
		.pid = current->pid,
		.cpu = raw_smp_processor_id(),
	};
}

/* Claims places where there is room. A LOST record that is due goes in first. */
static bool ring_claim_if_room(unsigned int count, u64 *at)
{
	u64 due = 0;

	/* the one writer that takes the number says it */
	if (atomic64_read(&mms_ring.lost_unsaid))
		due = atomic64_xchg(&mms_ring.lost_unsaid, 0);
	if (!mms_ring_try_claim(count + (due ? 1 : 0), at)) {
		atomic64_add(due, &mms_ring.lost_unsaid);
		return false;
	}
	if (due) {
		struct mms_record lost;

		mms_record_init(&lost, MMS_LOST);
		lost.value[0] = due;
		mms_ring_publish((*at)++, &lost);
	}
	return true;
}

bool mms_ring_claim_slowly(unsigned int count, u64 *at)
{
	if (ring_claim_if_room(count, at))
		return true;
	mms_ring_count_lost(count);
	return false;
}


void mms_ring_wake_reader(void)
{
	irq_work_queue(&wake_work);
}

void mms_ring_put(const struct mms_record *record)
{
	unsigned long flags;
	u64 at;

	local_irq_save(flags);
	if (mms_ring_claim(1, &at)) {
		mms_ring_publish(at, record);
		mms_ring_wake(at + 1);
	}
	local_irq_restore(flags);
}

void mms_ring_put_early(const struct mms_record *record)
{
	u64 at;

	if (mms_ring_claim_slowly(1, &at))
		mms_ring_publish(at, record);
}

static void ring_publish_text(u64 at, struct mms_record *record, u32 flags,
			      const char *text, size_t length)
{
	size_t from = 0;

	do {
		record->width = min_t(size_t, length - from, MMS_TEXT_BYTES);
		record->flags = flags;
		if (from + record->width < length)
			record->flags |= MMS_F_MORE;
		record->address = record->value[0] = record->value[1] = 0;
		memcpy((u8 *)record + MMS_TEXT_OFFSET, text + from, record->width);
		mms_ring_publish(at++, record);
		from += MMS_TEXT_BYTES;
	} while (from < length);
	mms_ring_wake(at);
}

bool mms_ring_put_text(enum mms_kind kind, u64 site, u32 mapping, u32 flags,
		       const char *text, size_t length)
{
	unsigned int count = max_t(size_t, 1, DIV_ROUND_UP(length, MMS_TEXT_BYTES));
	struct mms_record record;
	unsigned long irq_flags;
	bool claimed;
	u64 at;

	local_irq_save(irq_flags);
	claimed = mms_ring_claim(count, &at);
	if (claimed) {
		mms_record_init(&record, kind);
		record.site = site;
		record.mapping = mapping;
		ring_publish_text(at, &record, flags, text, length);
	}
	local_irq_restore(irq_flags);
	return claimed;
}

void mms_ring_count_escape(void)
{
	unsigned long flags;

	local_irq_save(flags);
	if (READ_ONCE(mms_ring.recording))
		mms_ring_raise(&mms_ring.head->escaped,
			       atomic64_inc_return(&mms_ring.escaped));
	local_irq_restore(flags);
}

/* ---- Symbols: each site's name, once, just before its first access ---- */

/* An exception that counts as an NMI, or a real one, may come while a symbol is
 * being looked up: each depth has its own buffer. */
#define SYMBOL_DEPTHS 4
static DEFINE_PER_CPU(char[SYMBOL_DEPTHS][KSYM_SYMBOL_LEN], symbol_text);

char *mms_ring_symbol_text(void)
{
	unsigned int depth = (preempt_count() & NMI_MASK) >> NMI_SHIFT;

	return (*this_cpu_ptr(&symbol_text))[min(depth, SYMBOL_DEPTHS - 1u)];
}

/*
 * While the symbol of a site is on its way into the ring, the site is remembered
 * without this bit: another CPU that comes upon it writes the symbol, too, and
 * no access stands before its symbol.
 */
#define SITE_WRITTEN BIT_ULL(62)

/* Remembers the site. Returns its place if its symbol is to be written, else
 * NULL. */
static u64 *ring_remember_site(u64 site)
{
	unsigned int slot = (site * 0x9e3779b97f4a7c15ull) >> 51;
	u64 unwritten = site & ~SITE_WRITTEN;
	unsigned int probe;

	BUILD_BUG_ON(SYMBOLS_MAX != 1 << 13);
	for (probe = 0; probe < 16; probe++) {
		u64 *known = &symbols[(slot + probe) % SYMBOLS_MAX];
		u64 there = READ_ONCE(*known);

		if (!there)
			there = cmpxchg64(known, 0, unwritten);
		if (!there || there == unwritten)
			return known;
		if (there == site)
			return NULL;
	}
	/* crowded: take another site's place; its symbol is written again */
	WRITE_ONCE(symbols[slot], unwritten);
	return &symbols[slot];
}

/* The caller has interrupts off. Returns true if the trace has it now. */
static bool ring_write_symbol(u64 site)
{
	char *text = mms_ring_symbol_text();
	u64 *place = ring_remember_site(site);
	struct mms_record record;
	unsigned int length;
	bool room;
	u64 at;

	if (!place)
		return true;
	length = sprint_symbol(text, site);
	/* one that doesn't fit isn't lost: the site's next access tries again */
	room = ring_claim_if_room(DIV_ROUND_UP(length, MMS_TEXT_BYTES), &at);
	if (room) {
		mms_record_init(&record, MMS_SYMBOL);
		record.site = site;
		ring_publish_text(at, &record, 0, text, length);
	}
	cmpxchg64(place, site & ~SITE_WRITTEN, room ? site : 0);
	if (!room)
		atomic_inc(&mms_ring.symbol_epoch);
	return room;
}

bool mms_ring_put_symbol(u64 site)
{
	unsigned long flags;
	bool put;

	if (mms_clean_room)
		return false;
	local_irq_save(flags);
	put = mms_ring_recording() && ring_write_symbol(site);
	local_irq_restore(flags);
	return put;
}

/* The caller has interrupts off. */
void mms_ring_put_symbol_early(u64 site)
{
	ring_write_symbol(site);
}

void mms_ring_forget_symbols(u64 first, u64 bytes)
{
	unsigned int n;

	for (n = 0; n < SYMBOLS_MAX; n++)
		if ((READ_ONCE(symbols[n]) | SITE_WRITTEN) - first < bytes)
			WRITE_ONCE(symbols[n], 0);
	atomic_inc(&mms_ring.symbol_epoch);
	atomic_inc(&mms_ring.text_epoch);
}

/* ---- Reading ---- */

bool mms_ring_has_records(void)
{
	u64 at = READ_ONCE(mms_ring.head->read);

	return smp_load_acquire(&mms_ring.records[at & (mms_ring.records_max - 1)]
					 .sequence) == (u32)(at + 1);
}

struct wait_queue_head *mms_ring_wait_queue(void)
{
	return &readers;
}

/* Returns the number of complete records in a row in memory from `at` on. */
static u64 ring_complete_run(u64 at, u64 most)
{
	u64 slot = at & (mms_ring.records_max - 1), n;

	most = min(most, mms_ring.records_max - slot);
	for (n = 0; n < most; n++) {
		if (smp_load_acquire(&mms_ring.records[slot + n].sequence) !=
		    (u32)(at + n + 1))
			break;
	}
	return n;
}

/* Writes the LOST record for losses at the very end, which no later record
 * announces. */
static void ring_put_last_loss(void)
{
	struct mms_record lost;
	u64 at;

	if (!atomic64_read(&mms_ring.lost_unsaid) || !mms_ring_try_claim(1, &at))
		return;
	mms_record_init(&lost, MMS_LOST);
	lost.value[0] = atomic64_xchg(&mms_ring.lost_unsaid, 0);
	mms_ring_publish(at, &lost);
}

static int ring_wait_for_records(bool wait)
{
	while (!mms_ring_has_records()) {
		if (!mms_ring_recording()) {
			/* a writer that has claimed a place may not have filled
			 * it yet */
			synchronize_rcu();
			ring_put_last_loss();
			return mms_ring_has_records() ? 1 : 0;
		}
		if (!wait)
			return -EAGAIN;
		wait_event_interruptible_timeout(readers,
						 mms_ring_has_records() ||
						 !mms_ring_recording(),
						 msecs_to_jiffies(POLL_MS));
		if (signal_pending(current))
			return -ERESTARTSYS;
	}
	return 1;
}

/* Reads complete records. The control device lets one reader in at a time. */
ssize_t mms_ring_read(char __user *buffer, size_t size, bool wait)
{
	u64 most = size / sizeof(struct mms_record), copied = 0;
	int ready;

	if (!most)
		return -EINVAL;
	ready = ring_wait_for_records(wait);
	if (ready <= 0)
		return ready;
	while (copied < most) {
		u64 at = READ_ONCE(mms_ring.head->read);
		u64 run = ring_complete_run(at, most - copied);

		if (!run)
			break;
		if (copy_to_user(buffer + copied * sizeof(struct mms_record),
				 &mms_ring.records[at & (mms_ring.records_max - 1)],
				 run * sizeof(struct mms_record)))
			return copied ? copied * sizeof(struct mms_record) :
					-EFAULT;
		smp_store_release(&mms_ring.head->read, at + run);
		copied += run;
	}
	return copied * sizeof(struct mms_record);
}

int mms_ring_map(struct vm_area_struct *vma)
{
	return remap_vmalloc_range(vma, mms_ring.head, vma->vm_pgoff);
}
