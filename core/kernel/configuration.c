// SPDX-License-Identifier: GPL-2.0
/*
 * Accesses to the configuration space of the recorded PCI functions. The kernel makes
 * them by the operations of the function's bus; while a recording is armed, those
 * are ours, which call the bus's own.
 *
 * The machine's own operations are short and wait for nobody who may wait for us:
 * they are made in the order of all accesses. A host bridge's driver may have
 * operations of its own, which access memory that has a decoy; their records
 * say that their place is uncertain.
 */
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <asm/segment.h>

#include "clock.h"
#include "core.h"

struct bus {
	struct list_head list;
	struct pci_dev *device;	/* keeps the bus */
	struct pci_bus *bus;
	struct pci_ops *original;
	struct pci_ops operations;
	bool machines;		/* the original ones are */
	bool stays;		/* for good: see configuration_leave() */
};

/* Changes only while no bus has our operations. */
static LIST_HEAD(buses);
static bool wanted;

/* This CPU is in an access of ours. */
static DEFINE_PER_CPU(bool, accessing);
static atomic64_t past;		/* accesses that went past a bus's operations */

void mms_configuration_want(void)
{
	wanted = true;
}

void mms_configuration_forget(void)
{
	wanted = false;
}

u64 mms_configuration_past(void)
{
	return atomic64_read(&past);
}

static struct bus *configuration_find(const struct pci_bus *bus)
{
	struct bus *found;

	list_for_each_entry(found, &buses, list)
		if (found->bus == bus)
			return found;
	return NULL;
}

/* ---- An access ---- */

struct access {
	const struct bus *bus;
	unsigned int devfn;
	int where;
	int bytes;
	u32 *value;
	int error;
};

static bool configuration_make(struct mms_record *record, void *data)
{
	struct access *a = data;
	const struct pci_ops *operations = a->bus->original;

	/* else interrupts may be on */
	if (a->bus->machines)
		this_cpu_write(accessing, true);
	barrier();
	if (record->kind == MMS_WRITE)
		a->error = operations->write(a->bus->bus, a->devfn, a->where,
					     a->bytes, *a->value);
	else
		a->error = operations->read(a->bus->bus, a->devfn, a->where,
					    a->bytes, a->value);
	barrier();
	if (a->bus->machines)
		this_cpu_write(accessing, false);
	record->value[0] = *a->value;
	return !a->error;
}

/* The registers of the function that has called ours, as after its call. */
static __always_inline struct pt_regs configuration_registers(void)
{
	const u64 *frame = __builtin_frame_address(0);

	return (struct pt_regs){
		.bp = frame[0],
		.ip = frame[1],
		.sp = (u64)(frame + 2),
		.flags = X86_EFLAGS_FIXED,
		.cs = __KERNEL_CS,
		.ss = __KERNEL_DS,
	};
}

static int configuration_access(struct access *a, enum mms_kind kind,
				struct pt_regs *caller)
{
	struct mms_record record;

	mms_record_init(&record, kind);
	record.address = MMS_CONFIGURATION_SPACE +
			 ((u64)pci_domain_nr(a->bus->bus) << 28) +
			 ((u64)a->bus->bus->number << 20) + (a->devfn << 12) +
			 a->where;
	record.width = a->bytes;
	record.site = caller->ip;
	mms_access_by_call(&record, caller, a->bus->machines, configuration_make, a);
	return a->error;
}

static int configuration_read(struct pci_bus *bus, unsigned int devfn, int where,
			      int bytes, u32 *value)
{
	struct pt_regs caller = configuration_registers();
	struct access a = {
		configuration_find(bus), devfn, where, bytes, value,
	};

	if (!mms_functions_has(bus, devfn))
		return a.bus->original->read(bus, devfn, where, bytes, value);
	return configuration_access(&a, MMS_READ, &caller);
}

static int configuration_write(struct pci_bus *bus, unsigned int devfn, int where,
			       int bytes, u32 value)
{
	struct pt_regs caller = configuration_registers();
	struct access a = {
		configuration_find(bus), devfn, where, bytes, &value,
	};

	if (!mms_functions_has(bus, devfn))
		return a.bus->original->write(bus, devfn, where, bytes, value);
	return configuration_access(&a, MMS_WRITE, &caller);
}

/* ---- Accesses by the kernel that use no bus's operations, as ACPI's do ---- */

/* (domain, bus number, devfn, …) */
static int configuration_on_raw(struct kprobe *probe, struct pt_regs *regs)
{
	if (!this_cpu_read(accessing) && mms_ring_recording() &&
	    mms_functions_has_number(regs->di, regs->si, regs->dx))
		atomic64_inc(&past);
	return 0;
}
NOKPROBE_SYMBOL(configuration_on_raw);

static struct kprobe raw_probes[] = {
	{ .symbol_name = "raw_pci_read", .pre_handler = configuration_on_raw },
	{ .symbol_name = "raw_pci_write", .pre_handler = configuration_on_raw },
};

static bool raw_probed[ARRAY_SIZE(raw_probes)];

static int configuration_watch_raw(void)
{
	unsigned int n;
	int error;

	atomic64_set(&past, 0);
	for (n = 0; n < ARRAY_SIZE(raw_probes); n++) {
		/* a probe that was registered before carries its address */
		raw_probes[n].addr = NULL;
		raw_probes[n].flags = 0;
		error = register_kprobe(&raw_probes[n]);
		if (error)
			return error;
		raw_probed[n] = true;
	}
	return 0;
}

/* ---- From arming to disarming ---- */

static bool configuration_is_machines(const struct pci_ops *operations)
{
	char name[KSYM_SYMBOL_LEN];

	sprint_symbol(name, (u64)operations->read);
	return str_has_prefix(name, "pci_read+") && !strchr(name, '[');
}

static int configuration_take(struct pci_dev *device)
{
	struct pci_bus *bus = device->bus;
	struct bus *taken;

	if (configuration_find(bus))
		return 0;
	taken = kzalloc(sizeof(*taken), GFP_KERNEL);
	if (!taken)
		return -ENOMEM;
	taken->device = pci_dev_get(device);
	taken->bus = bus;
	taken->original = bus->ops;
	taken->operations = *bus->ops;
	taken->operations.read = configuration_read;
	taken->operations.write = configuration_write;
	taken->machines = configuration_is_machines(bus->ops);
	list_add(&taken->list, &buses);
	return 0;
}

static void configuration_free(void)
{
	struct bus *taken, *next;

	list_for_each_entry_safe(taken, next, &buses, list) {
		if (taken->stays)
			continue;
		list_del(&taken->list);
		pci_dev_put(taken->device);
		kfree(taken);
	}
}

static int configuration_take_all(void)
{
	struct pci_dev *device = NULL;
	int error;

	for_each_pci_dev(device) {
		if (!mms_functions_has(device->bus, device->devfn))
			continue;
		error = configuration_take(device);
		if (error) {
			pci_dev_put(device);
			return error;
		}
	}
	return 0;
}

int mms_configuration_arm(void)
{
	struct bus *taken;
	int error;

	if (!wanted)
		return 0;
	error = configuration_take_all();
	if (!error)
		error = configuration_watch_raw();
	if (error) {
		configuration_free();
		return error;
	}
	list_for_each_entry(taken, &buses, list)
		if (!taken->stays)
			pci_bus_set_ops(taken->bus, &taken->operations);
	return 0;
}

/* Somebody has put other operations on top of ours, and calls them still. */
static void configuration_leave(struct bus *taken, struct pci_ops *others)
{
	pci_bus_set_ops(taken->bus, others);
	taken->stays = true;
	__module_get(THIS_MODULE);
	pr_warn("%s: another module uses the bus's operations: this one stays loaded\n",
		pci_name(taken->device));
}

void mms_configuration_disarm(void)
{
	struct bus *taken;
	unsigned int n;

	for (n = 0; n < ARRAY_SIZE(raw_probes); n++) {
		if (raw_probed[n])
			unregister_kprobe(&raw_probes[n]);
		raw_probed[n] = false;
	}
	if (list_empty(&buses))
		return;
	list_for_each_entry(taken, &buses, list) {
		struct pci_ops *theirs;

		if (taken->stays)
			continue;
		theirs = pci_bus_set_ops(taken->bus, taken->original);
		if (theirs != &taken->operations)
			configuration_leave(taken, theirs);
	}
	/* those that are on their way through ours, in interrupts and in tasks */
	synchronize_rcu();
	synchronize_rcu_tasks();
	configuration_free();
}
