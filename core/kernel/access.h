/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The order of accesses, as those see it who make one: access.c, and rewritten.c for
 * accesses that take the shortest way.
 */
#ifndef MMIOSTRIDER_KERNEL_ACCESS_H
#define MMIOSTRIDER_KERNEL_ACCESS_H

#include <linux/percpu.h>

#include "core.h"
#include "lock.h"

/*
 * Strict: one lock for all. Relaxed: one of many for each 64 bytes, so that only
 * accesses to the same 64 bytes wait for each other, and a read-modify-write
 * is still alone on its bytes. What covers several takes all their locks.
 */
#define MMS_LOCKS_MAX 64
#define MMS_LOCK_COVERS_BYTES 64

struct mms_access_lock {
	struct mms_spinlock spinlock;
} ____cacheline_aligned_in_smp;

extern struct mms_access_lock mms_access_locks[MMS_LOCKS_MAX];

/*
 * This CPU's stage in an access. An NMI that interrupts it must not wait for
 * the lock, and needn't: while this CPU holds the lock, no other CPU makes an
 * access. The place of the NMI's records is uncertain only while this CPU waits
 * for the lock, and between the claim of a place in the ring and the access.
 */
enum mms_stage {
	MMS_STAGE_FREE,
	MMS_STAGE_WAITING,
	MMS_STAGE_HOLDING,
	MMS_STAGE_ACCESSING,
};
DECLARE_PER_CPU(enum mms_stage, mms_stage);

static __always_inline void *mms_access_real(u64 address)
{
	return (void *)(address ^ MMS_DECOY_BIT);
}

/* Waits for a lock that another CPU holds. False: in vain. */
bool mms_access_wait(struct mms_spinlock *lock);

/*
 * Takes the lock of these bytes, if they have but one and this CPU is in no access. Else
 * returns false: the general way knows what to do. Not for NMIs.
 */
static __always_inline bool mms_access_enter_one(u64 address, unsigned int bytes,
						 struct mms_spinlock **lock)
{
	bool relaxed = READ_ONCE(mms_relaxed);
	u64 unit = relaxed ? address / MMS_LOCK_COVERS_BYTES : 0;

	*lock = &mms_access_locks[unit % MMS_LOCKS_MAX].spinlock;
	if (unlikely(relaxed && (address + bytes - 1) / MMS_LOCK_COVERS_BYTES != unit))
		return false;
	if (unlikely(this_cpu_read(mms_stage) != MMS_STAGE_FREE))
		return false;
	this_cpu_write(mms_stage, MMS_STAGE_WAITING);
	barrier();
	if (likely(mms_spin_trylock(*lock)) || mms_access_wait(*lock)) {
		/* a recording that orders otherwise may have begun meanwhile */
		if (likely(relaxed == READ_ONCE(mms_relaxed))) {
			this_cpu_write(mms_stage, MMS_STAGE_ACCESSING);
			barrier();
			return true;
		}
		mms_spin_unlock(*lock);
	}
	barrier();
	this_cpu_write(mms_stage, MMS_STAGE_FREE);
	return false;
}

static __always_inline void mms_access_leave(struct mms_spinlock *lock)
{
	/* from here on another CPU may hold the lock */
	this_cpu_write(mms_stage, MMS_STAGE_WAITING);
	mms_spin_unlock(lock);
	barrier();
	this_cpu_write(mms_stage, MMS_STAGE_FREE);
}

#endif
