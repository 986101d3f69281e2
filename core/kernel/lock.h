/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The core's spinlocks. Kernels built to find locking mistakes don't check
 * them. The reason: they are also taken in exceptions that count as NMIs (a
 * probe's breakpoint, the debug exception at the end of a step, a real NMI), and
 * such a kernel reports every lock that is used both there and elsewhere. Here
 * that is no mistake. An instruction's own exception can't interrupt a holder of
 * a lock, because no instruction of a holder raises one: except where the holder is in
 * the kernel's functions for configuration space, which may have probes; access.c
 * knows by its stage. A real NMI can: a comment at each lock says what the NMI then does.
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

static inline bool mms_spin_trylock(struct mms_spinlock *lock)
{
	return arch_spin_trylock(&lock->raw);
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
