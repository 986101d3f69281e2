// SPDX-License-Identifier: GPL-2.0
/*
 * Shared by interrupts.c and dma.c: their probes, from arming to disarming, and the
 * PCI function that an event is about.
 */
#include <linux/pci.h>

#include "core.h"
#include "events.h"

static int events_register(struct kretprobe *probe)
{
	/* a probe that was registered before carries its address */
	probe->kp.addr = NULL;
	probe->kp.flags = 0;
	probe->kp.nmissed = 0;
	probe->nmissed = 0;
	return probe->handler ? register_kretprobe(probe) : register_kprobe(&probe->kp);
}

void mms_events_arm(struct mms_event_probe *probes, unsigned int count)
{
	unsigned int n;

	for (n = 0; n < count; n++) {
		probes[n].missed = 0;
		probes[n].missed_before = 0;
		probes[n].error = events_register(&probes[n].probe);
		probes[n].armed = !probes[n].error;
	}
}

void mms_events_disarm(struct mms_event_probe *probes, unsigned int count)
{
	struct kretprobe *returns[MMS_EVENT_PROBES_MAX];
	struct kprobe *entries[MMS_EVENT_PROBES_MAX];
	unsigned int n, return_count = 0, entry_count = 0;

	for (n = 0; n < count && n < MMS_EVENT_PROBES_MAX; n++) {
		struct kretprobe *probe = &probes[n].probe;

		if (probes[n].armed && probe->handler)
			returns[return_count++] = probe;
		else if (probes[n].armed)
			entries[entry_count++] = &probe->kp;
		probes[n].armed = false;
		probes[n].error = 0;
		probes[n].missed = 0;
	}
	unregister_kretprobes(returns, return_count);
	unregister_kprobes(entries, entry_count);
}

static u64 events_missed(const struct mms_event_probe *probe)
{
	return probe->probe.nmissed + probe->probe.kp.nmissed;
}

void mms_events_start(struct mms_event_probe *probes, unsigned int count)
{
	unsigned int n;

	for (n = 0; n < count; n++)
		probes[n].missed_before = events_missed(&probes[n]);
}

void mms_events_count_missed(struct mms_event_probe *probes, unsigned int count)
{
	unsigned int n;

	for (n = 0; n < count; n++)
		probes[n].missed = events_missed(&probes[n]) - probes[n].missed_before;
}

size_t mms_events_describe(const char *events, struct mms_event_probe *probes,
			   unsigned int count, char *text, size_t size)
{
	size_t length = 0;
	unsigned int n;

	if (mms_ring_recording())
		mms_events_count_missed(probes, count);
	for (n = 0; n < count; n++) {
		int error = probes[n].error;

		if (error == -ENOENT && !probes[n].needed)
			error = 0;
		if (error || probes[n].missed)
			length += scnprintf(text + length, size - length,
					    "unseen %s %s %d %llu\n", events,
					    probes[n].probe.kp.symbol_name, error,
					    probes[n].missed);
	}
	return length;
}

struct pci_dev *mms_events_function(struct device *device)
{
	for (; device; device = device->parent)
		if (dev_is_pci(device))
			return to_pci_dev(device);
	return NULL;
}

void mms_events_put_function(struct mms_record *record, const struct pci_dev *function)
{
	u32 domain = pci_domain_nr(function->bus);

	record->mapping = domain << 16 | (u32)function->bus->number << 8 |
			  function->devfn;
	record->value[1] |= (u64)(domain >> 16) << MMS_EVENT_VALUE_BITS;
}

NOKPROBE_SYMBOL(mms_events_function);
NOKPROBE_SYMBOL(mms_events_put_function);
