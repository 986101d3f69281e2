/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The ring as its writers see it: the short way from a claimed place to a
 * complete record. ring.c has everything else.
 *
 *	mms_ring_claim()	places in a row, or nothing: nobody records, or
 *				there is no room, and the loss is counted
 *	mms_ring_slot()		the place's record, to be filled in by the
 *				writer: all fields but `sequence`
 *	mms_ring_complete()	the record is the reader's from here on
 *	mms_ring_wake()		after the last of them
 *
 * Interrupts are off from the claim to the end: the ring can't be freed then.
 * An NMI in between claims places of its own, behind ours.
 */
#ifndef MMIOSTRIDER_RING_H
#define MMIOSTRIDER_RING_H

#include <linux/atomic.h>
#include <linux/irq_work.h>

#include "../record.h"

struct mms_ring {
	struct mms_ring_head *head;	/* shared with the recorder */
	struct mms_record *records;
	u64 records_max;		/* a power of two */
	bool recording;
	atomic_t symbol_epoch;		/* rises when symbols are to be written again */
	atomic_t text_epoch;		/* rises when text may have come or gone */
	atomic64_t written;
	atomic64_t lost;		/* since the start */
	atomic64_t lost_unsaid;		/* not yet in a LOST record */
	atomic64_t escaped;
};

extern struct mms_ring mms_ring;

/* The way of a claim that has a loss to tell, or no room. */
bool mms_ring_claim_slowly(unsigned int count, u64 *at);
void mms_ring_wake_reader(void);
/* This CPU's buffer of KSYM_SYMBOL_LEN bytes, another one in each NMI. The caller
 * has interrupts off, and writes no symbol until it has done with the text. */
char *mms_ring_symbol_text(void);

static inline struct mms_record *mms_ring_slot(u64 at)
{
	return &mms_ring.records[at & (mms_ring.records_max - 1)];
}

/*
 * The old sequence number of the slot can't be mistaken for the new one, which is
 * higher by the ring's size; so the other fields may have been overwritten in
 * any order.
 */
static inline void mms_ring_complete(u64 at)
{
	smp_store_release(&mms_ring_slot(at)->sequence, (u32)(at + 1));
}

/*
 * Raises a number shown to the recorder. Another writer may have shown a
 * higher one: it never goes down. The recorder may write here too, hence the
 * limit on the tries.
 */
static inline void mms_ring_raise(u64 *shown, u64 value)
{
	u64 old = READ_ONCE(*shown);
	unsigned int tries;

	for (tries = 0; old < value && tries < 64; tries++)
		if (try_cmpxchg(shown, &old, value))
			return;
}

/* Claims `count` places in a row. Returns false if there is no room. `already_read`
 * gets the number of records that the recorder has read. */
static inline bool mms_ring_try_claim_after(unsigned int count, u64 *at, u64 *already_read)
{
	u64 written = atomic64_read(&mms_ring.written), read;
	struct mms_ring_head *head = mms_ring.head;

	do {
		read = READ_ONCE(head->read);

		/* if the recorder has scribbled on `read`, the ring is full */
		if (written + count - read > mms_ring.records_max)
			return false;
	} while (!atomic64_try_cmpxchg(&mms_ring.written, (s64 *)&written,
				       written + count));
	mms_ring_raise(&head->written, written + count);
	*at = written;
	*already_read = read;
	return true;
}

static inline bool mms_ring_try_claim(unsigned int count, u64 *at)
{
	u64 read;

	return mms_ring_try_claim_after(count, at, &read);
}

static inline bool mms_ring_claim(unsigned int count, u64 *at)
{
	if (!smp_load_acquire(&mms_ring.recording))
		return false;
	if (likely(!atomic64_read(&mms_ring.lost_unsaid) &&
		   mms_ring_try_claim(count, at)))
		return true;
	return mms_ring_claim_slowly(count, at);
}

/* `at`: behind the last place of the claim. */
static inline void mms_ring_wake(u64 at)
{
	if (unlikely(at - READ_ONCE(mms_ring.head->read) >
		     mms_ring.records_max / 4))
		mms_ring_wake_reader();
}

#endif
