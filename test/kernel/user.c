// SPDX-License-Identifier: GPL-2.0
/*
 * Copies straight between device and user memory whose pages are present, not
 * present yet, read-only, or missing for good.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "access-test.h"
#include "compat.h"

#define BYTES (4 * PAGE_SIZE)
#define ODD 13	/* so that nothing is aligned */

static u8 *buffer, *other;

static void *device(void)
{
	return (void __force *)mms_bar + MMS_UNCHECKED + 0x10000;
}

static unsigned long map(struct file *file, unsigned long protection,
			 unsigned long flags)
{
	unsigned long at = vm_mmap(file, 0, BYTES, protection, flags, 0);

	mms_check(!IS_ERR_VALUE(at), "vm_mmap: error %ld", (long)at);
	return at;
}

static void fill(void)
{
	unsigned int n;

	for (n = 0; n < BYTES; n++)
		buffer[n] = mms_random();
	memcpy(mms_real(device()), buffer, BYTES);
}

/* Copies to `user` from the device and from ordinary memory: both must leave the
 * same number of bytes. */
static void out(const char *what, unsigned long user, unsigned long left)
{
	unsigned long n = BYTES - 2 * ODD, uncopied;

	fill();
	uncopied = copy_to_user((void __user *)(user + ODD), device() + ODD, n);
	mms_check(uncopied == left, "%s: %lu of %lu not copied out, expected %lu",
		  what, uncopied, n, left);
	if (left)
		return;
	uncopied = copy_from_user(other, (void __user *)(user + ODD), n);
	mms_check(!uncopied && !memcmp(other, buffer + ODD, n),
		  "%s: what came out differs", what);
}

static void in(const char *what, unsigned long user, const u8 *content,
	       unsigned long left)
{
	unsigned long n = BYTES - 2 * ODD, uncopied;

	fill();
	uncopied = raw_copy_from_user(device() + ODD,
				      (void __user *)(user + ODD), n);
	mms_check(uncopied == left, "%s: %lu of %lu not copied in, expected %lu",
		  what, uncopied, n, left);
	mms_check(!memcmp(mms_real(device() + ODD), content + ODD, n - left),
		  "%s: what came in differs", what);
}

static void anonymous(void)
{
	unsigned long user = map(NULL, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS), left;
	u8 byte;

	if (IS_ERR_VALUE(user))
		return;
	out("pages not there", user, 0);
	out("pages there", user, 0);
	memset(other, 0, BYTES);
	mms_check(!copy_from_user(other, (void __user *)user, BYTES), "user memory");
	in("pages there", user, other, 0);
	vm_munmap(user, BYTES);

	user = map(NULL, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
	memset(other, 0, BYTES);
	in("pages not there", user, other, 0);
	/* the page is the zero page now: present, but not writable */
	get_user(byte, (u8 __user *)user + PAGE_SIZE);
	out("pages shared until written", user, 0);
	/* a hole */
	vm_munmap(user + 2 * PAGE_SIZE, PAGE_SIZE);
	left = BYTES - 2 * ODD - (2 * PAGE_SIZE - ODD);
	out("a hole", user, left);
	mms_check(!copy_from_user(other, (void __user *)user, 2 * PAGE_SIZE),
		  "user memory before a hole");
	in("a hole", user, other, left);
	vm_munmap(user, BYTES);
	out("nothing there", user, BYTES - 2 * ODD);
	in("nothing there", user, other, BYTES - 2 * ODD);
	/* once more: the first failure must leave no state */
	out("nothing there", user, BYTES - 2 * ODD);
}

static void read_only(void)
{
	unsigned long user = map(NULL, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS);

	if (IS_ERR_VALUE(user))
		return;
	out("read-only, not there", user, BYTES - 2 * ODD);
	memset(other, 0, BYTES);
	in("read-only", user, other, 0);
	out("read-only, there", user, BYTES - 2 * ODD);
	vm_munmap(user, BYTES);
}

/* Pages that have content, but aren't in the page tables. */
static void file_backed(void)
{
	struct file *file = shmem_file_setup("mms_access_test", BYTES,
					     MMS_NO_SHMEM_FLAGS);
	unsigned long user;
	loff_t at = 0;
	unsigned int n;
	u8 *content;

	if (!mms_check(!IS_ERR(file), "shmem_file_setup"))
		return;
	content = kmalloc(BYTES, GFP_KERNEL);
	if (!mms_check(content, "no memory"))
		goto no_content;
	for (n = 0; n < BYTES; n++)
		content[n] = 1 + mms_random() % 255;
	mms_check(kernel_write(file, content, BYTES, &at) == BYTES,
		  "kernel_write");
	user = map(file, PROT_READ | PROT_WRITE, MAP_SHARED);
	if (!IS_ERR_VALUE(user)) {
		in("a file's pages", user, content, 0);
		mms_check(!copy_from_user(other, (void __user *)user, BYTES) &&
				  !memcmp(other, content, BYTES),
			  "a copy from a file's pages changed them");
		out("a file's pages", user, 0);
		vm_munmap(user, BYTES);
	}
	kfree(content);
no_content:
	fput(file);
}

/* An atomic context must not wait for a page. */
static void atomic(void)
{
	unsigned long user = map(NULL, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS), left;

	if (IS_ERR_VALUE(user))
		return;
	fill();
	pagefault_disable();
	left = __copy_to_user_inatomic((void __user *)user, device(), 64);
	pagefault_enable();
	mms_check(left == 64, "page faults disabled: %lu of 64 left", left);
#ifdef CONFIG_PREEMPT_COUNT
	/* without it, nobody can tell that a fault may not wait */
	preempt_disable();
	left = __copy_to_user_inatomic((void __user *)user, device(), 64);
	preempt_enable();
	mms_check(left == 64, "preemption disabled: %lu of 64 left", left);
#endif
	left = copy_to_user((void __user *)user, device(), 64);
	mms_check(!left, "page faults enabled again: %lu of 64 left", left);
	pagefault_disable();
	left = __copy_to_user_inatomic((void __user *)user, device(), 64);
	pagefault_enable();
	mms_check(!left, "page faults disabled, page there: %lu left", left);
	vm_munmap(user, BYTES);
}

/* put_user() and get_user() of a register, as ioctls do. */
static void single(void)
{
	unsigned long user = map(NULL, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS);
	volatile u64 *at = device();
	u64 value = 0;

	if (IS_ERR_VALUE(user))
		return;
	fill();
	mms_check(!put_user(*at, (u64 __user *)user), "put_user");
	mms_check(!get_user(value, (u64 __user *)user) && value == *at,
		  "get_user");
	mms_check(copy_to_user((void __user *)0x10, device(), 8) == 8,
		  "a copy to nearly NULL");
	vm_munmap(user, BYTES);
}

void mms_user(void)
{
	if (!mms_check(mms_bar, "no ivshmem device"))
		return;
	buffer = kmalloc(BYTES, GFP_KERNEL);
	other = kmalloc(BYTES, GFP_KERNEL);
	if (mms_check(buffer && other, "no memory")) {
		anonymous();
		read_only();
		file_backed();
		atomic();
		single();
	}
	kfree(buffer);
	kfree(other);
}
