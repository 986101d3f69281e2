/* SPDX-License-Identifier: GPL-2.0 */
/* Shared by interrupts.c and dma.c: events.c. */
#ifndef MMIOSTRIDER_EVENTS_H
#define MMIOSTRIDER_EVENTS_H

#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/kprobes.h>

#include "compat.h"
#include "../record.h"

struct device;
struct pci_dev;

/* A probe on a function of the kernel: with `probe.handler` also at its return. */
struct mms_event_probe {
	struct kretprobe probe;
	bool needed;		/* there is none only in kernels that we don't know */
	bool armed;
	int error;		/* the reason why it isn't armed */
	u64 missed;		/* calls that went past it, of any device, */
	u64 missed_before;	/* and those before recording started */
};

#define MMS_EVENT_PROBES_MAX 32	/* in one table */

void mms_events_arm(struct mms_event_probe *probes, unsigned int count);
void mms_events_disarm(struct mms_event_probe *probes, unsigned int count);
/* Recording starts: calls that went past the probes until now don't count. */
void mms_events_start(struct mms_event_probe *probes, unsigned int count);
/* Counts the calls that went past the probes until now. */
void mms_events_count_missed(struct mms_event_probe *probes, unsigned int count);
/* Writes the status lines of functions that can't be seen; returns their length. */
size_t mms_events_describe(const char *events, struct mms_event_probe *probes,
			   unsigned int count, char *text, size_t size);

/*
 * Around the work of a probe's handler. The kernel calls no probe while another one is
 * busy on the same CPU: an interrupt that comes in between makes calls that no probe
 * sees. So interrupts stay off, and come when the probed function goes on: the way
 * back there restores its flags. Lockdep doesn't see that, and is told.
 */
static __always_inline unsigned long mms_events_enter(void)
{
	unsigned long flags;

	local_irq_save(flags);
	return flags;
}

static __always_inline void mms_events_leave(unsigned long flags)
{
	if (raw_irqs_disabled_flags(flags))
		return;
	mms_lockdep_hardirqs_on_prepare(_THIS_IP_);
	lockdep_hardirqs_on(_THIS_IP_);
}

/* Returns the PCI function that a device is, or is a part of; or NULL. */
struct pci_dev *mms_events_function(struct device *device);
/* Says in the record which function it is about. */
void mms_events_put_function(struct mms_record *record, const struct pci_dev *function);

#endif
