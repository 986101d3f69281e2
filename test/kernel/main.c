// SPDX-License-Identifier: GPL-2.0
/*
 * The devices and the files in /sys/kernel/debug/mms_access_test:
 *
 *	run       a group's name, or "all"; the write fails with EIO if a case
 *		  fails
 *	results   a line a group: "ok NAME CASES" or "failed NAME FAILURES of
 *		  CASES", after the texts of its failures
 *	expected  the accesses that a tracer must have seen since the module was
 *		  loaded
 */
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "access-test.h"
#include "main.h"

#define RESULTS_BYTES_MAX (64u << 10)
#define EXPECTED_BYTES_MAX (16u << 20)
#define NAME_BYTES_MAX 32

void __iomem *mms_bar;
resource_size_t mms_bar_physical;
void __iomem *mms_edu;

/* ---- The texts ---- */

struct text {
	char *start;
	size_t length, size;
};

static struct text results = { .size = RESULTS_BYTES_MAX };
static struct text expected = { .size = EXPECTED_BYTES_MAX };

static void append(struct text *text, const char *format, va_list arguments)
{
	text->length += vscnprintf(text->start + text->length,
				   text->size - text->length, format, arguments);
}

void mms_say(const char *format, ...)
{
	size_t from = results.length;
	va_list arguments;

	va_start(arguments, format);
	append(&results, format, arguments);
	va_end(arguments);
	pr_info("%s", results.start + from);
}

void mms_say_expected(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	append(&expected, format, arguments);
	va_end(arguments);
}

/* ---- Running ---- */

static const struct group {
	const char *name;
	void (*run)(void);
	bool by_name_only;	/* not in "all" */
} groups[] = {
	{ "accessors", mms_accessors },
	{ "integer", mms_integer },
	{ "strings", mms_strings },
	{ "vectors", mms_vectors },
	{ "compared", mms_compared },
	{ "oracle", mms_oracle },
	{ "user", mms_user },
	{ "patching", mms_patching },
	{ "mapped", mms_mapped },
	{ "trapped", mms_trapped },
	{ "contexts", mms_contexts },
	{ "interrupted", mms_interrupted },
	{ "nmi", mms_nmi },
	{ "beside", mms_beside },
	{ "going-down", mms_going_down, true },
	{ "asleep", mms_asleep, true },
	{ "asleep-unmap", mms_asleep_unmap, true },
	{ "asleep-over", mms_asleep_over, true },
	{ "ignored-bit", mms_ignored_bit, true },
	{ "ignored-bit-over", mms_ignored_bit_over, true },
	{ "bug-wild", mms_bug_wild, true },
	{ "bug-null", mms_bug_null, true },
	{ "bug-beside", mms_bug_beside, true },
	{ "bug-jump", mms_bug_jump, true },
	{ "bug-copy", mms_bug_copy, true },
	{ "bug-thread", mms_bug_thread, true },
	{ "bug-aligned", mms_bug_aligned, true },
	{ "bug-smap", mms_bug_smap, true },
	{ "bug-unmapped", mms_bug_unmapped, true },
};

static DEFINE_MUTEX(running);

static int run_group(const struct group *group)
{
	mms_cases = mms_failures = 0;
	mms_random_restart();
	group->run();
	if (mms_failures) {
		mms_say("failed %s %u of %u\n", group->name, mms_failures,
			mms_cases);
		return -EIO;
	}
	mms_say("ok %s %u\n", group->name, mms_cases);
	return 0;
}

static int run(const char *name)
{
	bool all = !strcmp(name, "all");
	int error = all ? 0 : -EINVAL;
	unsigned int n;

	for (n = 0; n < ARRAY_SIZE(groups); n++) {
		int result;

		if (all ? groups[n].by_name_only : strcmp(name, groups[n].name))
			continue;
		/* the task will die and not unlock it */
		if (groups[n].by_name_only)
			mutex_unlock(&running);
		result = run_group(&groups[n]);
		if (groups[n].by_name_only)
			mutex_lock(&running);
		error = all ? error ?: result : result;
	}
	return error;
}

static ssize_t run_write(struct file *file, const char __user *buffer,
			 size_t size, loff_t *offset)
{
	char name[NAME_BYTES_MAX] = { 0 };
	int error;

	if (size >= sizeof(name))
		return -EINVAL;
	if (copy_from_user(name, buffer, size))
		return -EFAULT;
	mutex_lock(&running);
	error = run(strim(name));
	mutex_unlock(&running);
	return error ?: size;
}

static const struct file_operations run_operations = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = run_write,
};

static ssize_t text_read(struct file *file, char __user *buffer, size_t size,
			 loff_t *offset)
{
	const struct text *text = file->private_data;

	return simple_read_from_buffer(buffer, size, offset, text->start,
				       text->length);
}

static const struct file_operations text_operations = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.read = text_read,
};

/* ---- The devices ---- */

enum { EDU, IVSHMEM };

static const struct pci_device_id devices[] = {
	{ PCI_DEVICE(0x1234, 0x11e8), .driver_data = EDU },
	{ PCI_DEVICE(0x1af4, 0x1110), .driver_data = IVSHMEM },
	{ }
};
MODULE_DEVICE_TABLE(pci, devices);

static int probe(struct pci_dev *device, const struct pci_device_id *id)
{
	int error = pcim_enable_device(device);

	if (error)
		return error;
	if (id->driver_data == EDU) {
		mms_edu = pcim_iomap(device, 0, 0);
		return mms_edu ? 0 : -ENOMEM;
	}
	mms_bar_physical = pci_resource_start(device, 2);
	if (pci_resource_len(device, 2) < MMS_BAR_BYTES)
		return -ENODEV;
	mms_bar = pcim_iomap(device, 2, 0);
	return mms_bar ? 0 : -ENOMEM;
}

static struct pci_driver driver = {
	.name = "mms_access_test",
	.id_table = devices,
	.probe = probe,
};

static struct dentry *directory;

static int __init start(void)
{
	int error;

	results.start = vzalloc(results.size);
	expected.start = vzalloc(expected.size);
	error = results.start && expected.start ?
			pci_register_driver(&driver) : -ENOMEM;
	if (error) {
		vfree(results.start);
		vfree(expected.start);
		return error;
	}
	directory = debugfs_create_dir("mms_access_test", NULL);
	debugfs_create_file("run", 0200, directory, NULL, &run_operations);
	debugfs_create_file("results", 0400, directory, &results,
			    &text_operations);
	debugfs_create_file("expected", 0400, directory, &expected,
			    &text_operations);
	return 0;
}

static void __exit stop(void)
{
	debugfs_remove(directory);
	pci_unregister_driver(&driver);
	vfree(results.start);
	vfree(expected.start);
}

module_init(start);
module_exit(stop);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Accesses device memory in every way");
MODULE_AUTHOR("mmiostrider");
