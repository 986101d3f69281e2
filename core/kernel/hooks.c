// SPDX-License-Identifier: GPL-2.0
/*
 * The hooks that hand out decoys and take them back: return probes on the
 * ioremap family replace the result by the decoy, probes on iounmap and
 * memunmap replace the decoy in the argument by the real address.
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

	call->physical = regs->di;
	call->bytes = regs->si;
	return 0;
}
NOKPROBE_SYMBOL(hooks_on_call);

static int hooks_on_return(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	struct kretprobe *probe = get_kretprobe(instance);
	const struct call *call = (const struct call *)instance->data;
	u64 real = regs->ax;
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
	if (mms_mapping_add(real ^ MMS_DECOY_BIT, call->physical, call->bytes,
			    get_kretprobe_retaddr(instance), hook->type, false)) {
		atomic64_inc(&failures);
		return 0;
	}
	regs->ax = real ^ MMS_DECOY_BIT;
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

int mms_hooks_init(void)
{
	int error = register_kprobe(&unmap_probe);

	if (error)
		return error;
	error = register_kprobe(&memunmap_probe);
	if (error)
		unregister_kprobe(&unmap_probe);
	return error;
}

void mms_hooks_exit(void)
{
	unregister_kprobe(&memunmap_probe);
	unregister_kprobe(&unmap_probe);
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

/* The I/O APIC of x86: device memory in every machine. It is mapped only. */
#define CHECK_PHYSICAL 0xfec00000

int mms_hooks_check(void)
{
	void __iomem *page;

	atomic_set(&check_hits, 0);
	WRITE_ONCE(checker, current);
	page = ioremap(CHECK_PHYSICAL, PAGE_SIZE);
	if (page)
		iounmap(page);
	WRITE_ONCE(checker, NULL);
	if (!page)
		return -ENOMEM;
	return atomic_read(&check_hits) == 2 ? 0 : -EIO;
}
