// SPDX-License-Identifier: GPL-2.0
/*
 * Accesses to the configuration space of the recorded PCI functions. The kernel makes
 * them by the operations of the function's bus; while a recording is armed, those
 * operations' functions are ours, which call the former ones. Buses share their
 * operations, and a new bus takes over its parent's: so ours stand in the operations
 * themselves, not in the buses.
 *
 * The machine's own operations are short. They are made in the order of all accesses,
 * with the lock held. They wait for the kernel's lock of the configuration ports,
 * whose holder may be interrupted by an NMI that waits for ours: that wait has an end
 * (access.c). A host bridge's driver may have operations that access memory that
 * has a decoy; they are made without the lock, and their records say that their
 * place is uncertain.
 */
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/pci.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/uaccess.h>
#include <asm/pgtable.h>
#include <asm/segment.h>

#include "core.h"

/* Operations whose functions are ours. */
struct taken {
	struct pci_ops *operations;
	int (*read)(struct pci_bus *bus, unsigned int devfn, int where, int bytes,
		    u32 *value);
	int (*write)(struct pci_bus *bus, unsigned int devfn, int where, int bytes,
		     u32 value);
	bool machines;		/* the machine's own */
};

#define TAKEN_MAX 16

/* Changes only while no operations are ours. */
static struct taken taken[TAKEN_MAX];
static unsigned int taken_count;
static bool wanted;

/* This CPU is in an access of ours, by the machine's own operations. */
static DEFINE_PER_CPU(bool, accessing);
static atomic64_t past;		/* accesses that went past the buses' operations */

void mms_configuration_want(void)
{
	wanted = true;
}

void mms_configuration_forget(void)
{
	wanted = false;
	atomic64_set(&past, 0);
}

u64 mms_configuration_past(void)
{
	return atomic64_read(&past);
}

static const struct taken *configuration_find(const struct pci_ops *operations)
{
	unsigned int n;

	for (n = 0; n < taken_count; n++)
		if (taken[n].operations == operations)
			return &taken[n];
	return NULL;
}

/* A bus may have operations of its own with our functions, copied from its parent's. */
static const struct taken *configuration_of(const struct pci_bus *bus)
{
	const struct taken *found = NULL;

	for (; bus && !found; bus = bus->parent)
		found = configuration_find(READ_ONCE(bus->ops));
	return found;
}

/* ---- An access ---- */

struct access {
	const struct taken *former;
	struct pci_bus *bus;
	unsigned int devfn;
	int where;
	int bytes;
	u32 *value;
	int error;
};

static bool configuration_make(struct mms_record *record, void *data)
{
	struct access *a = data;

	/* else interrupts may be on */
	if (a->former->machines)
		this_cpu_write(accessing, true);
	barrier();
	if (record->kind == MMS_WRITE)
		a->error = a->former->write(a->bus, a->devfn, a->where, a->bytes,
					    *a->value);
	else
		a->error = a->former->read(a->bus, a->devfn, a->where, a->bytes,
					   a->value);
	barrier();
	if (a->former->machines)
		this_cpu_write(accessing, false);
	if (a->error)
		return false;
	record->value[0] = *a->value & GENMASK_ULL(8 * a->bytes - 1, 0);
	return true;
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
			 ((u64)pci_domain_nr(a->bus) << 28) +
			 ((u64)a->bus->number << 20) + (a->devfn << 12) + a->where;
	record.width = a->bytes;
	record.site = caller->ip;
	mms_access_by_call(&record, caller,
			   a->former->machines ? MMS_CALL_ORDERED : MMS_CALL_UNORDERED,
			   configuration_make, a);
	return a->error;
}

static int configuration_read(struct pci_bus *bus, unsigned int devfn, int where,
			      int bytes, u32 *value)
{
	struct pt_regs caller = configuration_registers();
	struct access a = {
		configuration_of(bus), bus, devfn, where, bytes, value,
	};

	if (WARN_ON_ONCE(!a.former))
		return PCIBIOS_DEVICE_NOT_FOUND;
	if (!mms_functions_has(bus, devfn))
		return a.former->read(bus, devfn, where, bytes, value);
	return configuration_access(&a, MMS_READ, &caller);
}

static int configuration_write(struct pci_bus *bus, unsigned int devfn, int where,
			       int bytes, u32 value)
{
	struct pt_regs caller = configuration_registers();
	struct access a = {
		configuration_of(bus), bus, devfn, where, bytes, &value,
	};

	if (WARN_ON_ONCE(!a.former))
		return PCIBIOS_DEVICE_NOT_FOUND;
	if (!mms_functions_has(bus, devfn))
		return a.former->write(bus, devfn, where, bytes, value);
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

static void configuration_unwatch_raw(void)
{
	unsigned int n;

	for (n = 0; n < ARRAY_SIZE(raw_probes); n++) {
		if (raw_probed[n])
			unregister_kprobe(&raw_probes[n]);
		raw_probed[n] = false;
	}
}

static int configuration_watch_raw(void)
{
	unsigned int n;
	int error;

	for (n = 0; n < ARRAY_SIZE(raw_probes); n++) {
		/* a probe that was registered before carries its address */
		raw_probes[n].addr = NULL;
		raw_probes[n].flags = 0;
		error = register_kprobe(&raw_probes[n]);
		if (error) {
			configuration_unwatch_raw();
			return error;
		}
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

static bool configuration_is_writable(const struct pci_ops *operations)
{
	unsigned int level;
	pte_t *entry = lookup_address((u64)operations, &level);

	return entry && pte_write(*entry);
}

/* Remembers the operations. Those that can't be changed, or that are too many, are an
 * error only if a recorded function that is there needs them. */
static int configuration_note(struct pci_ops *operations)
{
	if (configuration_find(operations))
		return 0;
	if (!configuration_is_writable(operations))
		return -EROFS;
	if (taken_count == TAKEN_MAX)
		return -ENOSPC;
	taken[taken_count++] = (struct taken){
		.operations = operations,
		.read = operations->read,
		.write = operations->write,
		.machines = configuration_is_machines(operations),
	};
	return 0;
}

/* All that there are: a function that isn't there yet will have one of them. */
static int configuration_note_all(void)
{
	struct pci_dev *device = NULL;
	int error;

	for_each_pci_dev(device) {
		error = configuration_note(device->bus->ops);
		if (error && mms_functions_has(device->bus, device->devfn)) {
			pci_dev_put(device);
			return error;
		}
		if (device->subordinate)
			configuration_note(device->subordinate->ops);
	}
	return 0;
}

/* The module that these operations are in may have gone. */
static void configuration_restore(const struct taken *former)
{
	struct pci_ops *operations = former->operations;
	struct pci_ops now;

	if (copy_from_kernel_nofault(&now, operations, sizeof(now)))
		return;
	if (now.read == configuration_read)
		WRITE_ONCE(operations->read, former->read);
	if (now.write == configuration_write)
		WRITE_ONCE(operations->write, former->write);
}

/* A kernel's quirk may have copied our functions into operations of its own. */
static void configuration_give_back(struct pci_bus *bus)
{
	const struct taken *former = bus ? configuration_of(bus->parent) : NULL;

	if (!former)
		return;
	if (bus->ops->read == configuration_read)
		WRITE_ONCE(bus->ops->read, former->read);
	if (bus->ops->write == configuration_write)
		WRITE_ONCE(bus->ops->write, former->write);
}

int mms_configuration_arm(void)
{
	unsigned int n;
	int error;

	if (!wanted)
		return 0;
	pci_lock_rescan_remove();
	error = configuration_note_all();
	pci_unlock_rescan_remove();
	if (!error)
		error = configuration_watch_raw();
	if (error) {
		taken_count = 0;
		return error;
	}
	for (n = 0; n < taken_count; n++) {
		WRITE_ONCE(taken[n].operations->read, configuration_read);
		WRITE_ONCE(taken[n].operations->write, configuration_write);
	}
	return 0;
}

void mms_configuration_disarm(void)
{
	struct pci_dev *device = NULL;
	unsigned int n;

	configuration_unwatch_raw();
	if (!taken_count)
		return;
	for (n = 0; n < taken_count; n++)
		configuration_restore(&taken[n]);
	pci_lock_rescan_remove();
	for_each_pci_dev(device) {
		configuration_give_back(device->bus);
		configuration_give_back(device->subordinate);
	}
	pci_unlock_rescan_remove();
	/* those that are on their way through ours, in interrupts and in tasks */
	synchronize_rcu();
	synchronize_rcu_tasks();
	taken_count = 0;
}
