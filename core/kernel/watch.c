// SPDX-License-Identifier: GPL-2.0
/*
 * Watches the kernel's functions that map device memory without a decoy: probes
 * at their entry, which have all arguments. unrecorded.c keeps the mappings.
 */
#include <linux/fs.h>
#include <linux/hash.h>
#include <linux/jiffies.h>
#include <linux/kprobes.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/pfn.h>
#include <linux/range.h>
#include <linux/sched.h>

#include "core.h"
#include "unrecorded.h"

#define OUTER_CALLS_BITS 6
#define PHYSICAL_BITS 52

struct watch {
	struct kprobe probe;
	enum mms_way way;
	/* A function that others of its way call stands deeper than they. */
	unsigned int depth;
	void (*see)(const struct watch *watch, const struct pt_regs *regs);
	bool inner;		/* see watch_misses_inner() */
	bool armed;
	int error;		/* the reason why it isn't armed */
};

/*
 * The calls under way whose mapping was seen in an outer function: what that one
 * calls is the same mapping. Tasks may share a place; then a mapping may be
 * counted twice, but none is overlooked.
 */
struct outer_call {
	const struct task_struct *task;
	u64 virtual, physical;
	unsigned int depth;
	unsigned long jiffies;	/* one that failed before has no inner call */
};

static struct outer_call outer_calls[1 << OUTER_CALLS_BITS];

static bool watch_seen_outside(const struct watch *watch, u64 virtual,
			       u64 physical)
{
	struct outer_call *outer =
		&outer_calls[hash_ptr(current, OUTER_CALLS_BITS)];
	bool seen = READ_ONCE(outer->task) == current &&
		    READ_ONCE(outer->virtual) == virtual &&
		    READ_ONCE(outer->physical) == physical &&
		    READ_ONCE(outer->depth) < watch->depth &&
		    time_before(jiffies, READ_ONCE(outer->jiffies) + HZ);

	WRITE_ONCE(outer->task, current);
	WRITE_ONCE(outer->virtual, virtual);
	WRITE_ONCE(outer->physical, physical);
	WRITE_ONCE(outer->depth, watch->depth);
	WRITE_ONCE(outer->jiffies, jiffies);
	return seen;
}

static bool watch_for_user(enum mms_way way)
{
	return way >= MMS_BY_REMAP_PFN_RANGE;
}

struct mapping {
	u64 virtual;
	u64 physical;
	u64 bytes;
	pgprot_t protection;
	void *callback;
};

static void watch_see(const struct watch *watch, const struct pt_regs *regs,
		      struct mapping m)
{
	struct mms_unrecorded call = {
		.first = m.physical,
		.last = m.physical + m.bytes - 1,
		.callback = (u64)m.callback,
		.way = watch->way,
		.pid = current->pid,
	};

	if (!mms_hooks_wanted_beside(m.physical, m.bytes, m.protection) ||
	    watch_seen_outside(watch, m.virtual, m.physical))
		return;
	/* at its entry a function's return address is on top of the stack */
	call.caller = *(const unsigned long *)regs->sp;
#ifdef MMS_HAS_MMAP_ACTION
	/* the kernel's own code calls, for the file's mmap_prepare() */
	if (watch->inner && m.callback)
		call.caller = (u64)m.callback;
#endif
	if (watch_for_user(watch->way))
		call.process = call.pid = current->tgid;
	mms_unrecorded_add(&call);
}

/* ---- The functions, by their arguments ---- */

#define PFN_OF(argument) ((argument) & (BIT_ULL(PHYSICAL_BITS - PAGE_SHIFT) - 1))

static void *watch_mmap_of(const struct vm_area_struct *vma)
{
	const struct file_operations *operations =
		vma->vm_file ? vma->vm_file->f_op : NULL;

	if (!operations)
		return NULL;
#ifdef MMS_HAS_MMAP_PREPARE
	/* "mm: introduce new .mmap_prepare() file callback", 6.16: in its place */
	if (!operations->mmap)
		return operations->mmap_prepare;
#endif
	return operations->mmap;
}

static void *watch_fault_of(const struct vm_area_struct *vma)
{
	return vma->vm_ops ? vma->vm_ops->fault : NULL;
}

static void *watch_huge_fault_of(const struct vm_area_struct *vma)
{
	return vma->vm_ops ? vma->vm_ops->huge_fault : NULL;
}

/* (vma, address, pfn, bytes, protection) */
static void watch_see_remap(const struct watch *watch,
			    const struct pt_regs *regs)
{
	watch_see(watch, regs, (struct mapping){
		.virtual = regs->si,
		.physical = PFN_PHYS(PFN_OF(regs->dx)),
		.bytes = regs->cx,
		.protection = __pgprot(regs->r8),
		.callback = watch_mmap_of((const void *)regs->di),
	});
}

/* (vma, physical, bytes): maps as much as the area has, from its offset on */
static void watch_see_iomap(const struct watch *watch,
			    const struct pt_regs *regs)
{
	const struct vm_area_struct *vma = (const void *)regs->di;

	watch_see(watch, regs, (struct mapping){
		.virtual = vma->vm_start,
		.physical = PFN_PHYS(PHYS_PFN(regs->si) + vma->vm_pgoff),
		.bytes = vma->vm_end - vma->vm_start,
		.protection = vma->vm_page_prot,
		.callback = watch_mmap_of(vma),
	});
}

/* (vma, address, pfn): a pfn_t has flags in its highest bits */
static void watch_see_insert(const struct watch *watch,
			     const struct pt_regs *regs)
{
	const struct vm_area_struct *vma = (const void *)regs->di;

	watch_see(watch, regs, (struct mapping){
		.virtual = regs->si,
		.physical = PFN_PHYS(PFN_OF(regs->dx)),
		.bytes = PAGE_SIZE,
		.protection = vma->vm_page_prot,
		.callback = watch_fault_of(vma),
	});
}

/* (vma, address, pfn, protection) */
static void watch_see_insert_prot(const struct watch *watch,
				  const struct pt_regs *regs)
{
	watch_see(watch, regs, (struct mapping){
		.virtual = regs->si,
		.physical = PFN_PHYS(PFN_OF(regs->dx)),
		.bytes = PAGE_SIZE,
		.protection = __pgprot(regs->cx),
		.callback = watch_fault_of((const void *)regs->di),
	});
}

/* (vmf, pfn, …) */
static void watch_see_huge(const struct watch *watch,
			   const struct pt_regs *regs, u64 bytes)
{
	const struct vm_fault *fault = (const void *)regs->di;

	watch_see(watch, regs, (struct mapping){
		.virtual = fault->address,
		.physical = PFN_PHYS(PFN_OF(regs->si)),
		.bytes = bytes,
		.protection = fault->vma->vm_page_prot,
		.callback = watch_huge_fault_of(fault->vma),
	});
}

static void watch_see_pmd(const struct watch *watch, const struct pt_regs *regs)
{
	watch_see_huge(watch, regs, PMD_SIZE);
}

static void watch_see_pud(const struct watch *watch, const struct pt_regs *regs)
{
	watch_see_huge(watch, regs, PUD_SIZE);
}

/* (pfns, count, protection): vmap_pfn() is about to read the same array */
static void watch_see_vmap(const struct watch *watch,
			   const struct pt_regs *regs)
{
	const unsigned long *pfns = (const void *)regs->di;
	unsigned int count = regs->si, from, to;

	for (from = 0; from < count; from = to) {
		for (to = from + 1; to < count; to++)
			if (pfns[to] != pfns[from] + (to - from))
				break;
		watch_see(watch, regs, (struct mapping){
			.virtual = (u64)&pfns[from],
			.physical = PFN_PHYS(PFN_OF(pfns[from])),
			.bytes = (u64)(to - from) << PAGE_SHIFT,
			.protection = __pgprot(regs->dx),
		});
	}
}

static void watch_see_pages(const struct watch *watch,
			    const struct pt_regs *regs,
			    const struct dev_pagemap *map)
{
	int n;

	/* this type's addresses are made up: no CPU can use them */
	if (map->type == MEMORY_DEVICE_PRIVATE)
		return;
	for (n = 0; n < map->nr_range; n++)
		watch_see(watch, regs, (struct mapping){
			.virtual = (u64)&map->ranges[n],
			.physical = map->ranges[n].start,
			.bytes = range_len(&map->ranges[n]),
			.protection = PAGE_KERNEL,
		});
}

/* (map, node) */
static void watch_see_memremap(const struct watch *watch,
			       const struct pt_regs *regs)
{
	watch_see_pages(watch, regs, (const void *)regs->di);
}

/* (device, map) */
static void watch_see_devm_memremap(const struct watch *watch,
				    const struct pt_regs *regs)
{
	watch_see_pages(watch, regs, (const void *)regs->si);
}

/* (index, physical, protection); no protection clears the entry */
static void watch_see_fixmap(const struct watch *watch,
			     const struct pt_regs *regs)
{
	if (regs->dx & _PAGE_PRESENT)
		watch_see(watch, regs, (struct mapping){
			.virtual = (u32)regs->di,
			.physical = regs->si & PAGE_MASK,
			.bytes = PAGE_SIZE,
			.protection = __pgprot(regs->dx),
		});
}

/* (index, entry) */
static void watch_see_fixmap_entry(const struct watch *watch,
				   const struct pt_regs *regs)
{
	pte_t entry = __pte(regs->si);

	if (pte_present(entry))
		watch_see(watch, regs, (struct mapping){
			.virtual = (u32)regs->di,
			.physical = PFN_PHYS(pte_pfn(entry)),
			.bytes = PAGE_SIZE,
			.protection = __pgprot(regs->si),
		});
}

static int watch_on_call(struct kprobe *probe, struct pt_regs *regs)
{
	const struct watch *watch = container_of(probe, struct watch, probe);

	watch->see(watch, regs);
	return 0;
}

#define WATCH(name, way_, depth_, see_) \
	WATCH_(name, way_, depth_, see_, false)
#define WATCH_INNER(name, way_, depth_, see_) \
	WATCH_(name, way_, depth_, see_, true)
#define WATCH_(name, way_, depth_, see_, inner_) { \
	.probe = { .symbol_name = name, .pre_handler = watch_on_call }, \
	.way = way_, \
	.depth = depth_, \
	.see = see_, \
	.inner = inner_, \
}

/* Not every kernel has them all; a way has at least one if it exists at all. */
static struct watch watches[] = {
	WATCH("vmap_pfn", MMS_BY_VMAP_PFN, 0, watch_see_vmap),
	WATCH("devm_memremap_pages", MMS_BY_MEMREMAP_PAGES, 0,
	      watch_see_devm_memremap),
	WATCH("memremap_pages", MMS_BY_MEMREMAP_PAGES, 1,
	      watch_see_memremap),
	WATCH("native_set_fixmap", MMS_BY_FIXMAP, 0, watch_see_fixmap),
	WATCH("__native_set_fixmap", MMS_BY_FIXMAP, 1,
	      watch_see_fixmap_entry),
	WATCH("vm_iomap_memory", MMS_BY_REMAP_PFN_RANGE, 0, watch_see_iomap),
	WATCH("remap_pfn_range", MMS_BY_REMAP_PFN_RANGE, 1, watch_see_remap),
	WATCH_INNER("remap_pfn_range_track", MMS_BY_REMAP_PFN_RANGE, 2,
		    watch_see_remap),
	WATCH_INNER("remap_pfn_range_notrack", MMS_BY_REMAP_PFN_RANGE, 3,
		    watch_see_remap),
	WATCH("vmf_insert_pfn", MMS_BY_INSERT_PFN, 0, watch_see_insert),
	WATCH("vmf_insert_pfn_prot", MMS_BY_INSERT_PFN, 1,
	      watch_see_insert_prot),
	WATCH("vmf_insert_mixed", MMS_BY_INSERT_MIXED, 0, watch_see_insert),
	WATCH("vmf_insert_mixed_mkwrite", MMS_BY_INSERT_MIXED, 0,
	      watch_see_insert),
	WATCH("vmf_insert_mixed_prot", MMS_BY_INSERT_MIXED, 1,
	      watch_see_insert_prot),
	WATCH("vmf_insert_pfn_pmd", MMS_BY_INSERT_HUGE, 0, watch_see_pmd),
	WATCH("vmf_insert_pfn_pmd_prot", MMS_BY_INSERT_HUGE, 1,
	      watch_see_pmd),
	WATCH("vmf_insert_pfn_pud", MMS_BY_INSERT_HUGE, 0, watch_see_pud),
	WATCH("vmf_insert_pfn_pud_prot", MMS_BY_INSERT_HUGE, 1,
	      watch_see_pud),
};

/* ---- From arming to disarming ---- */

void mms_watch_arm(void)
{
	unsigned int n;

	for (n = 0; n < ARRAY_SIZE(watches); n++) {
		struct watch *watch = &watches[n];

		/* a probe that was registered before carries its address */
		watch->probe.addr = NULL;
		watch->probe.flags = 0;
		watch->probe.nmissed = 0;
		watch->error = register_kprobe(&watch->probe);
		watch->armed = !watch->error;
	}
}

void mms_watch_disarm(void)
{
	struct kprobe *probes[ARRAY_SIZE(watches)];
	unsigned int n, count = 0;

	for (n = 0; n < ARRAY_SIZE(watches); n++) {
		if (watches[n].armed)
			probes[count++] = &watches[n].probe;
		watches[n].armed = false;
		watches[n].error = 0;
	}
	unregister_kprobes(probes, count);
}

/* Kernels differ in the functions that they have for a way. */
static bool watch_has_way(enum mms_way way)
{
	unsigned int n;

	for (n = 0; n < ARRAY_SIZE(watches); n++)
		if (watches[n].way == way && watches[n].armed)
			return true;
	return false;
}

/*
 * "mm: add ability to take further action in vm_area_desc", 6.19: what a file's
 * mmap_prepare() asks for is mapped by the functions inside of remap_pfn_range(),
 * which isn't called then. Without a probe on them such mappings are overlooked.
 */
static bool watch_misses_inner(const struct watch *watch)
{
#ifdef MMS_HAS_MMAP_ACTION
	unsigned int n;

	if (!watch->inner)
		return false;
	for (n = 0; n < ARRAY_SIZE(watches); n++)
		if (watches[n].inner && watches[n].armed)
			return false;
	return true;
#else
	return false;
#endif
}

static size_t watch_describe(const struct watch *watch, char *text, size_t size)
{
	if (!watch->error && !watch->probe.nmissed)
		return 0;
	if (watch->error == -ENOENT && watch_has_way(watch->way) &&
	    !watch_misses_inner(watch))
		return 0;
	return scnprintf(text, size, "unwatched %s %s %d %lu\n",
			 mms_way_names[watch->way], watch->probe.symbol_name,
			 watch->error, watch->probe.nmissed);
}

size_t mms_watch_describe(char *text, size_t size)
{
	size_t length = 0;
	unsigned int n;

	for (n = 0; n < ARRAY_SIZE(watches); n++)
		length += watch_describe(&watches[n], text + length,
					 size - length);
	return length;
}

/* A probe in any of these would be called by a probe. */
NOKPROBE_SYMBOL(watch_for_user);
NOKPROBE_SYMBOL(watch_seen_outside);
NOKPROBE_SYMBOL(watch_see);
NOKPROBE_SYMBOL(watch_mmap_of);
NOKPROBE_SYMBOL(watch_fault_of);
NOKPROBE_SYMBOL(watch_huge_fault_of);
NOKPROBE_SYMBOL(watch_see_remap);
NOKPROBE_SYMBOL(watch_see_iomap);
NOKPROBE_SYMBOL(watch_see_insert);
NOKPROBE_SYMBOL(watch_see_insert_prot);
NOKPROBE_SYMBOL(watch_see_huge);
NOKPROBE_SYMBOL(watch_see_pmd);
NOKPROBE_SYMBOL(watch_see_pud);
NOKPROBE_SYMBOL(watch_see_vmap);
NOKPROBE_SYMBOL(watch_see_pages);
NOKPROBE_SYMBOL(watch_see_memremap);
NOKPROBE_SYMBOL(watch_see_devm_memremap);
NOKPROBE_SYMBOL(watch_see_fixmap);
NOKPROBE_SYMBOL(watch_see_fixmap_entry);
NOKPROBE_SYMBOL(watch_on_call);
