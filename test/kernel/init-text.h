/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A module that reads the device from text which is freed once the module is initialised.
 * The next module's may get the same addresses. INIT_TEXT_MODULE: the function's name.
 */
#include <linux/init.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/pci.h>

#define INIT_TEXT_AT 0x200000

static __always_inline int init_text_read(void)
{
	struct pci_dev *device = pci_get_device(0x1af4, 0x1110, NULL);
	void __iomem *at;

	if (!device)
		return -ENODEV;
	at = ioremap(pci_resource_start(device, 2) + INIT_TEXT_AT, PAGE_SIZE);
	pci_dev_put(device);
	if (!at)
		return -ENOMEM;
	asm volatile(".rept 64\n"
		     "	movl (%0), %%ecx\n"
		     ".endr"
		     : : "a" (at) : "ecx", "memory");
	iounmap(at);
	return 0;
}

#define INIT_TEXT_MODULE(name) \
static int __init name(void) \
{ \
	return init_text_read(); \
} \
static void __exit name##_no_more(void) \
{ \
} \
module_init(name); \
module_exit(name##_no_more); \
MODULE_LICENSE("GPL"); \
MODULE_DESCRIPTION("Reads device memory from text that is freed"); \
MODULE_AUTHOR("mmiostrider")
