// SPDX-License-Identifier: GPL-2.0
/*
 * Mappings of the device by other ways than ioremap(): in the kernel, and for
 * the process that runs this. Nothing is accessed through the kernel's; the
 * process's pages are read, so that they are mapped.
 */
#include <linux/anon_inodes.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/kprobes.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <asm/fixmap.h>

#include "access-test.h"
#include "compat.h"

/* Places in the BAR. */
#define VMAP_AT 0x10000
#define FIXMAP_AT 0x30000
#define REMAP_AT 0x40000
#define IOMAP_AT 0x50000
#define PREPARE_AT 0x54000
#define INSERT_AT 0x60000
#define MIXED_AT 0x80000
#define PROTECTED_AT 0x90000
#define PAGES_AT 0x400000
#define PAGES_BYTES (2u << 20)

#define INSERTED_PAGES 16

static unsigned long mapped_pfn(unsigned int at)
{
	return (mms_bar_physical + at) >> PAGE_SHIFT;
}

/* ---- For the process ---- */

static void mapped_set_flags(struct vm_area_struct *vma, unsigned long flags)
{
#ifdef MMS_HAS_VM_FLAGS_SET
	vm_flags_set(vma, flags);
#else
	vma->vm_flags |= flags;
#endif
}

static vm_fault_t mapped_insert(struct vm_fault *fault)
{
	return vmf_insert_pfn(fault->vma, fault->address,
			      mapped_pfn(INSERT_AT) + fault->pgoff);
}

static vm_fault_t mapped_insert_protected(struct vm_fault *fault)
{
	return vmf_insert_pfn_prot(fault->vma, fault->address,
				   mapped_pfn(PROTECTED_AT) + fault->pgoff,
				   fault->vma->vm_page_prot);
}

static vm_fault_t mapped_insert_mixed(struct vm_fault *fault)
{
	unsigned long pfn = mapped_pfn(MIXED_AT) + fault->pgoff;

	return vmf_insert_mixed(fault->vma, fault->address,
				mms_device_pfn(pfn));
}

static const struct vm_operations_struct insert = { .fault = mapped_insert };
static const struct vm_operations_struct insert_protected = {
	.fault = mapped_insert_protected,
};
static const struct vm_operations_struct insert_mixed = {
	.fault = mapped_insert_mixed,
};

static int mapped_by_insert(struct file *file, struct vm_area_struct *vma)
{
	mapped_set_flags(vma, VM_PFNMAP | VM_IO);
	vma->vm_ops = &insert;
	return 0;
}

static int mapped_by_insert_protected(struct file *file,
				      struct vm_area_struct *vma)
{
	mapped_set_flags(vma, VM_PFNMAP | VM_IO);
	vma->vm_ops = &insert_protected;
	return 0;
}

static int mapped_by_insert_mixed(struct file *file, struct vm_area_struct *vma)
{
	mapped_set_flags(vma, VM_MIXEDMAP | VM_IO);
	vma->vm_ops = &insert_mixed;
	return 0;
}

static int mapped_by_remap(struct file *file, struct vm_area_struct *vma)
{
	return remap_pfn_range(vma, vma->vm_start, mapped_pfn(REMAP_AT),
			       vma->vm_end - vma->vm_start, vma->vm_page_prot);
}

static int mapped_by_iomap(struct file *file, struct vm_area_struct *vma)
{
	return vm_iomap_memory(vma, mms_bar_physical + IOMAP_AT,
			       vma->vm_end - vma->vm_start);
}

#ifdef MMS_HAS_MMAP_ACTION
/* The kernel maps it afterwards, not by remap_pfn_range(). */
static int mapped_by_prepare(struct vm_area_desc *area)
{
	mmap_action_remap_full(area, mapped_pfn(PREPARE_AT));
	return 0;
}
#endif

static struct page *ordinary;

static int mapped_ordinary(struct file *file, struct vm_area_struct *vma)
{
	return remap_pfn_range(vma, vma->vm_start, page_to_pfn(ordinary),
			       vma->vm_end - vma->vm_start, vma->vm_page_prot);
}

static const struct file_operations ways[] = {
	{ .owner = THIS_MODULE, .mmap = mapped_by_remap },
	{ .owner = THIS_MODULE, .mmap = mapped_by_remap },
	{ .owner = THIS_MODULE, .mmap = mapped_by_iomap },
	{ .owner = THIS_MODULE, .mmap = mapped_by_insert },
	{ .owner = THIS_MODULE, .mmap = mapped_by_insert_protected },
	{ .owner = THIS_MODULE, .mmap = mapped_by_insert_mixed },
	{ .owner = THIS_MODULE, .mmap = mapped_ordinary },
#ifdef MMS_HAS_MMAP_ACTION
	{ .owner = THIS_MODULE, .mmap_prepare = mapped_by_prepare },
#endif
};
static const unsigned int way_pages[] = { 4, 4, 2, INSERTED_PAGES, 2, 4, 1, 2 };

/* Reads each page once, in an order in which neighbours don't follow each other. */
static bool mapped_touch(unsigned long at, unsigned int pages)
{
	unsigned int n;
	u32 value;

	for (n = 0; n < pages; n++) {
		unsigned int page = pages == INSERTED_PAGES ? n * 5 % pages : n;

		if (get_user(value, (u32 __user *)(at + page * PAGE_SIZE)))
			return false;
	}
	return true;
}

static void mapped_for_process(const struct file_operations *way,
			       unsigned int pages)
{
	struct file *file = anon_inode_getfile("mms_mapped", way, NULL, O_RDWR);
	unsigned long at;

	if (!mms_check(!IS_ERR(file), "no file: %ld", PTR_ERR(file)))
		return;
	at = vm_mmap(file, 0, pages * PAGE_SIZE, PROT_READ | PROT_WRITE,
		     MAP_SHARED, 0);
	if (mms_check(!IS_ERR_VALUE(at), "no mapping: %ld", (long)at)) {
		mms_check(mapped_touch(at, pages), "the mapping has no pages");
		vm_munmap(at, pages * PAGE_SIZE);
	}
	fput(file);
}

/* ---- In the kernel ---- */

static noinline void mapped_by_vmap(void)
{
#ifdef CONFIG_VMAP_PFN
	unsigned long pfns[] = {
		mapped_pfn(VMAP_AT), mapped_pfn(VMAP_AT) + 1,
		mapped_pfn(VMAP_AT) + 16,
	};
	void *at = vmap_pfn(pfns, ARRAY_SIZE(pfns), PAGE_KERNEL);

	if (mms_check(at, "vmap_pfn() failed"))
		vunmap(at);
#endif
}

static noinline void mapped_as_pages(void)
{
#ifdef CONFIG_ZONE_DEVICE
	struct dev_pagemap map = {
		.type = MEMORY_DEVICE_GENERIC,
		.nr_range = 1,
		.range = {
			.start = mms_bar_physical + PAGES_AT,
			.end = mms_bar_physical + PAGES_AT + PAGES_BYTES - 1,
		},
	};
	void *at = memremap_pages(&map, NUMA_NO_NODE);

	if (mms_check(!IS_ERR(at), "memremap_pages(): %ld", PTR_ERR(at)))
		memunmap_pages(&map);
#endif
}

/* The kernel doesn't export it; a probe knows its address. */
static noinline void mapped_in_fixmap(void)
{
	struct kprobe probe = { .symbol_name = "native_set_fixmap" };
	void (*set)(unsigned int index, phys_addr_t physical, pgprot_t flags);

	if (!mms_check(!register_kprobe(&probe), "no native_set_fixmap()"))
		return;
	set = (void *)probe.addr;
	unregister_kprobe(&probe);
	/* early_ioremap()'s: nobody uses it any more */
	set(FIX_BTMAP_BEGIN, mms_bar_physical + FIXMAP_AT, PAGE_KERNEL_IO);
	set(FIX_BTMAP_BEGIN, 0, __pgprot(0));
}

void mms_mapped(void)
{
	unsigned int n;

	mapped_by_vmap();
	mapped_as_pages();
	mapped_in_fixmap();
	ordinary = alloc_page(GFP_KERNEL);
	if (!mms_check(ordinary, "no memory"))
		return;
	for (n = 0; n < ARRAY_SIZE(ways); n++)
		mapped_for_process(&ways[n], way_pages[n]);
	__free_page(ordinary);
}
