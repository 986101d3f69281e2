// SPDX-License-Identifier: GPL-2.0
/*
 * A process that sleeps in the tracer's text: its copy from the device has met a page of
 * user memory that isn't there, and whose owner takes his time. Meanwhile the device's
 * mapping goes, and with it the last decoy.
 */
#include <linux/anon_inodes.h>
#include <linux/completion.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/uaccess.h>
#include <asm/asm.h>
#include <asm/smap.h>

#include "access-test.h"

#define ASLEEP_AT 0x100000
#define WAIT_JIFFIES (60 * HZ)

static DECLARE_COMPLETION(asleep_reached);
static DECLARE_COMPLETION(asleep_over);
static void __iomem *asleep_device;
static struct page *asleep_page;

static vm_fault_t asleep_fault(struct vm_fault *fault)
{
	complete_all(&asleep_reached);
	if (!wait_for_completion_timeout(&asleep_over, WAIT_JIFFIES))
		return VM_FAULT_SIGBUS;
	get_page(asleep_page);
	fault->page = asleep_page;
	return 0;
}

static const struct vm_operations_struct asleep_operations = {
	.fault = asleep_fault,
};

static int asleep_mmap(struct file *file, struct vm_area_struct *vma)
{
	vma->vm_ops = &asleep_operations;
	return 0;
}

static const struct file_operations asleep_file = {
	.owner = THIS_MODULE,
	.mmap = asleep_mmap,
};

/* Returns false if the copy faults for good. Not the kernel's own copy: that warns of an
 * address as the decoy's, once nobody knows it any more. */
static MMS_UNCHECKED_CODE bool copy_byte(unsigned long user)
{
	const void *from = (void __force *)asleep_device;
	unsigned int failed = 1;

	stac();
	asm volatile("1: movsb\n"
		     "   xorl %0, %0\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : "+r" (failed), "+S" (from), "+D" (user) : : "memory", "cc");
	clac();
	return !failed;
}

/* Ends when somebody else runs asleep-over. */
void mms_asleep(void)
{
	struct file *file = anon_inode_getfile("mms_asleep", &asleep_file, NULL,
					       O_RDWR);
	unsigned long at;

	if (!mms_check(!IS_ERR(file), "no file: %ld", PTR_ERR(file)))
		return;
	reinit_completion(&asleep_reached);
	reinit_completion(&asleep_over);
	asleep_page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	asleep_device = ioremap(mms_bar_physical + ASLEEP_AT, PAGE_SIZE);
	at = vm_mmap(file, 0, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	if (mms_check(asleep_page && asleep_device && !IS_ERR_VALUE(at), "no memory")) {
		mms_check(!copy_byte(at), "the copy was made, though the mapping is gone");
		mms_check(completion_done(&asleep_over), "the page's owner waits in vain");
		vm_munmap(at, PAGE_SIZE);
	}
	fput(file);
	__free_page(asleep_page);
}

/* The last mapping goes while the other one sleeps. */
void mms_asleep_unmap(void)
{
	if (mms_check(wait_for_completion_timeout(&asleep_reached, WAIT_JIFFIES),
		      "nobody sleeps"))
		iounmap(asleep_device);
}

void mms_asleep_over(void)
{
	complete_all(&asleep_over);
}
