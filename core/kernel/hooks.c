// SPDX-License-Identifier: GPL-2.0
/*
 * The hooks that hand out decoys and take them back: return probes on the
 * ioremap family replace the result by the decoy, probes on iounmap and
 * memunmap replace the decoy in the argument by the real address.
 *
 * ioport_map() returns a number that ioread8() and the like take for a port's. With
 * a decoy in its place they make a memory access, which access.c turns into one
 * to the port.
 */
#include <linux/io.h>
#include <linux/kprobes.h>
#include <linux/sched.h>

#include "compat.h"
#include "core.h"

#define CALLS_AT_ONCE_MAX 256

struct mms_filter mms_filter;

/* The arguments of a call of the ioremap family. */
struct call {
	u64 physical;
	u64 bytes;
};

struct hook {
	struct kretprobe probe;
	enum mms_memory_type type;
	bool armed;
};

static atomic64_t failures;	/* mappings that got no decoy for want of memory */
static struct task_struct *checker;	/* runs mms_hooks_check() */
static atomic_t check_hits;
static unsigned long write_combining;	/* as a page's protection has it */

static bool hooks_touches(const struct mms_range *range, unsigned int count,
			  u64 physical, u64 bytes)
{
	u64 last = physical + bytes - 1;
	unsigned int n;

	for (n = 0; n < count; n++)
		if (physical <= range[n].last && last >= range[n].first)
			return true;
	return false;
}

bool mms_hooks_wanted(u64 physical, u64 bytes, enum mms_memory_type type)
{
	const struct mms_filter *f = &mms_filter;

	if (type == MMS_PORTS)
		return bytes && (f->all || hooks_touches(f->ports, f->port_ranges,
							 physical, bytes));
	if (!bytes || hooks_touches(f->exclude, f->excludes, physical, bytes))
		return false;
	if (f->exclude_write_combining && type == MMS_WRITE_COMBINING)
		return false;
	return f->all || hooks_touches(f->range, f->ranges, physical, bytes);
}

bool mms_hooks_wanted_beside(u64 physical, u64 bytes, pgprot_t protection)
{
	bool combining = (pgprot_val(protection) & _PAGE_CACHE_MASK) ==
			 write_combining;

	if (mms_filter.all &&
	    hooks_touches(mms_filter.ram, mms_filter.rams, physical, bytes))
		return false;
	return mms_hooks_wanted(physical, bytes,
				combining ? MMS_WRITE_COMBINING : MMS_OTHER_TYPE);
}
NOKPROBE_SYMBOL(mms_hooks_wanted);
NOKPROBE_SYMBOL(mms_hooks_wanted_beside);

static int hooks_on_call(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	struct call *call = (struct call *)instance->data;
	struct kretprobe *probe = get_kretprobe(instance);

	call->physical = regs->di;
	call->bytes = regs->si;
	if (probe && container_of(probe, struct hook, probe)->type == MMS_PORTS)
		call->bytes = min_t(u64, (u32)regs->si,
				    MMS_PORT_AREA_BYTES - (u16)regs->di);
	return 0;
}
NOKPROBE_SYMBOL(hooks_on_call);

/* Added by ioport_map() to a port's number. */
static u64 port_cookie_offset;

static u64 hooks_decoy_of(const struct hook *hook, const struct call *call, u64 real)
{
	static atomic_t areas;

	if (hook->type != MMS_PORTS)
		return real ^ MMS_DECOY_BIT;
	WRITE_ONCE(port_cookie_offset, real - call->physical);
	return MMS_PORT_DECOYS + call->physical +
	       (u32)atomic_inc_return(&areas) % MMS_PORT_AREAS * MMS_PORT_AREA_BYTES;
}
NOKPROBE_SYMBOL(hooks_decoy_of);

static int hooks_on_return(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	struct kretprobe *probe = get_kretprobe(instance);
	const struct call *call = (const struct call *)instance->data;
	u64 real = regs->ax, decoy;
	struct hook *hook;

	if (!probe || !real || mms_is_decoy(real))
		return 0;
	if (READ_ONCE(checker) == current) {
		atomic_inc(&check_hits);
		return 0;
	}
	hook = container_of(probe, struct hook, probe);
	if (!mms_ring_recording() ||
	    !mms_hooks_wanted(call->physical, call->bytes, hook->type))
		return 0;
	decoy = hooks_decoy_of(hook, call, real);
	if (mms_mapping_add(decoy, call->physical, call->bytes,
			    get_kretprobe_retaddr(instance), hook->type, false)) {
		atomic64_inc(&failures);
		return 0;
	}
	regs->ax = decoy;
	return 0;
}
NOKPROBE_SYMBOL(hooks_on_return);

#define HOOK(name, memory_type) { \
	.probe = { \
		.kp.symbol_name = name, \
		.entry_handler = hooks_on_call, \
		.handler = hooks_on_return, \
		.data_size = sizeof(struct call), \
		.maxactive = CALLS_AT_ONCE_MAX, \
	}, \
	.type = memory_type, \
}

/* The functions that io.h declares for x86; not every kernel has them all. */
static struct hook hooks[] = {
	HOOK("ioremap", MMS_UNCACHED),
	HOOK("ioremap_uc", MMS_UNCACHED),
	HOOK("ioremap_wc", MMS_WRITE_COMBINING),
	HOOK("ioremap_wt", MMS_WRITE_THROUGH),
	HOOK("ioremap_cache", MMS_WRITE_BACK),
	HOOK("ioremap_encrypted", MMS_ENCRYPTED),
	HOOK("ioremap_prot", MMS_OTHER_TYPE),
	HOOK("ioport_map", MMS_PORTS),
};

static int hooks_on_unmap(struct kprobe *probe, struct pt_regs *regs)
{
	if (READ_ONCE(checker) == current)
		atomic_inc(&check_hits);
	if (!mms_is_decoy(regs->di))
		return 0;
	mms_mapping_remove(regs->di);
	regs->di ^= MMS_DECOY_BIT;
	return 0;
}
NOKPROBE_SYMBOL(hooks_on_unmap);

static struct kprobe unmap_probe = {
	.symbol_name = "iounmap",
	.pre_handler = hooks_on_unmap,
};

/* memremap() of device memory calls ioremap_cache(), and memunmap() undoes it. */
static struct kprobe memunmap_probe = {
	.symbol_name = "memunmap",
	.pre_handler = hooks_on_unmap,
};

static void hooks_take_port_back(unsigned long *argument)
{
	u64 decoy = *argument;

	if (READ_ONCE(checker) == current)
		atomic_inc(&check_hits);
	if (!mms_is_port_decoy(decoy))
		return;
	mms_mapping_remove(decoy);
	*argument = decoy % MMS_PORT_AREA_BYTES + READ_ONCE(port_cookie_offset);
}
NOKPROBE_SYMBOL(hooks_take_port_back);

static int hooks_on_port_unmap(struct kprobe *probe, struct pt_regs *regs)
{
	hooks_take_port_back(&regs->di);
	return 0;
}
NOKPROBE_SYMBOL(hooks_on_port_unmap);

/* (device, address): takes both kinds, and leaves those of memory to iounmap() */
static int hooks_on_pci_unmap(struct kprobe *probe, struct pt_regs *regs)
{
	hooks_take_port_back(&regs->si);
	return 0;
}
NOKPROBE_SYMBOL(hooks_on_pci_unmap);

static struct kprobe port_unmap_probe = {
	.symbol_name = "ioport_unmap",
	.pre_handler = hooks_on_port_unmap,
};

static struct kprobe pci_unmap_probe = {
	.symbol_name = "pci_iounmap",
	.pre_handler = hooks_on_pci_unmap,
};

/* The first two are in every kernel. Without PCI the last one isn't. */
static struct kprobe *const unmap_probes[] = {
	&unmap_probe, &memunmap_probe, &port_unmap_probe, &pci_unmap_probe,
};

static bool unmap_probed[ARRAY_SIZE(unmap_probes)];

int mms_hooks_init(void)
{
	unsigned int n;
	int error;

	for (n = 0; n < ARRAY_SIZE(unmap_probes); n++) {
		error = register_kprobe(unmap_probes[n]);
		if (error && (error != -ENOENT || n < 2)) {
			mms_hooks_exit();
			return error;
		}
		unmap_probed[n] = !error;
	}
	return 0;
}

void mms_hooks_exit(void)
{
	unsigned int n;

	for (n = 0; n < ARRAY_SIZE(unmap_probes); n++) {
		if (unmap_probed[n])
			unregister_kprobe(unmap_probes[n]);
		unmap_probed[n] = false;
	}
}

void mms_hooks_disarm(void)
{
	unsigned int n;

	for (n = 0; n < ARRAY_SIZE(hooks); n++) {
		if (hooks[n].armed)
			unregister_kretprobe(&hooks[n].probe);
		hooks[n].armed = false;
	}
}

int mms_hooks_arm(void)
{
	unsigned int n;

	atomic64_set(&failures, 0);
	write_combining = pgprot_val(pgprot_writecombine(__pgprot(0)));
	for (n = 0; n < ARRAY_SIZE(hooks); n++) {
		struct kretprobe *probe = &hooks[n].probe;
		int error;

		/* a probe that was registered before carries its address */
		probe->kp.addr = NULL;
		probe->kp.flags = 0;
		probe->nmissed = 0;
		probe->kp.nmissed = 0;
		error = register_kretprobe(probe);
		if (error == -ENOENT && n > 0)
			continue;
		if (error) {
			pr_err("no probe on %s: error %d\n",
			       probe->kp.symbol_name, error);
			mms_hooks_disarm();
			return error;
		}
		hooks[n].armed = true;
	}
	return 0;
}

u64 mms_hooks_missed(void)
{
	u64 missed = atomic64_read(&failures);
	unsigned int n;

	for (n = 0; n < ARRAY_SIZE(hooks); n++)
		missed += hooks[n].probe.nmissed + hooks[n].probe.kp.nmissed;
	return missed;
}

/* The I/O APIC of x86: device memory in every machine; and a port at which nothing
 * listens. Both are mapped only. */
#define CHECK_PHYSICAL 0xfec00000
#define CHECK_PORT 0x80

int mms_hooks_check(void)
{
	void __iomem *page, *port;

	atomic_set(&check_hits, 0);
	WRITE_ONCE(checker, current);
	page = ioremap(CHECK_PHYSICAL, PAGE_SIZE);
	if (page)
		iounmap(page);
	port = ioport_map(CHECK_PORT, 1);
	if (port)
		ioport_unmap(port);
	WRITE_ONCE(checker, NULL);
	if (!page || !port)
		return -ENOMEM;
	return atomic_read(&check_hits) == 4 ? 0 : -EIO;
}
