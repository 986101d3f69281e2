// SPDX-License-Identifier: GPL-2.0
/*
 * The PCI functions that a recording is about, by their addresses: a device that
 * is unplugged and comes back is still meant.
 */
#include <linux/kprobes.h>
#include <linux/pci.h>

#include "core.h"

struct function {
	unsigned int domain;
	u8 bus;
	u8 devfn;
};

/* Constant while recording. */
static struct function functions[MMS_FUNCTIONS_MAX];
static unsigned int functions_count;

void mms_functions_clear(void)
{
	functions_count = 0;
}

int mms_functions_add(const char *address)
{
	unsigned int domain, bus, device, function;
	char rest;

	if (sscanf(address, "%x:%x:%x.%x%c", &domain, &bus, &device, &function,
		   &rest) != 4 ||
	    bus > 0xff || device > 0x1f || function > 7)
		return -EINVAL;
	if (functions_count == MMS_FUNCTIONS_MAX)
		return -ENOSPC;
	functions[functions_count++] = (struct function){
		domain, bus, PCI_DEVFN(device, function),
	};
	return 0;
}

bool mms_functions_has_number(unsigned int domain, unsigned int bus,
			      unsigned int devfn)
{
	unsigned int n;

	if (mms_filter.all)
		return true;
	for (n = 0; n < functions_count; n++)
		if (functions[n].devfn == devfn && functions[n].bus == bus &&
		    functions[n].domain == domain)
			return true;
	return false;
}

bool mms_functions_has(struct pci_bus *bus, unsigned int devfn)
{
	return mms_functions_has_number(pci_domain_nr(bus), bus->number, devfn);
}

/* A probe in any of these would be called by a probe. */
NOKPROBE_SYMBOL(mms_functions_has_number);
NOKPROBE_SYMBOL(mms_functions_has);
