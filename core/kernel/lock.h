/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The core's spinlocks. Kernels built to find locking mistakes don't watch
 * them: they are also taken in exceptions that count as NMIs (a probe's
 * breakpoint, the debug exception at the end of a step, an NMI proper), where
 * a lock that is used elsewhere, too, is taken for a mistake. Here it is none.
 * The exceptions that an instruction itself makes don't interrupt a holder,
 * none of whose instructions makes one; and what an NMI does with a lock that
 * the CPU it interrupted holds or waits for is said at each.
 *
 * Interrupts are off while one is held.
 */
#ifndef MMIOSTRIDER_LOCK_H
#define MMIOSTRIDER_LOCK_H

#include <linux/irqflags.h>
#include <linux/spinlock.h>

struct mms_spinlock {
	arch_spinlock_t raw;
};

#define MMS_SPINLOCK_FREE { .raw = __ARCH_SPIN_LOCK_UNLOCKED }

/* The caller has interrupts off. */
static inline void mms_spin_lock(struct mms_spinlock *lock)
{
	arch_spin_lock(&lock->raw);
}

static inline void mms_spin_unlock(struct mms_spinlock *lock)
{
	arch_spin_unlock(&lock->raw);
}

static inline unsigned long mms_spin_lock_irqsave(struct mms_spinlock *lock)
{
	unsigned long flags;

	local_irq_save(flags);
	mms_spin_lock(lock);
	return flags;
}

static inline void mms_spin_unlock_irqrestore(struct mms_spinlock *lock,
					      unsigned long flags)
{
	mms_spin_unlock(lock);
	local_irq_restore(flags);
}

#endif
