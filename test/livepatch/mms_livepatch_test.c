// SPDX-License-Identifier: GPL-2.0
/*
 * A live patch of the driver e1000: code in this module reads the registers of
 * its PHY, with one access more, which identifies it. sysfs switches the patch on
 * and off. It replaces the function that makes the accesses, because its caller,
 * which takes the driver's lock, is inlined in the same file, out of reach for a
 * patch.
 */
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/livepatch.h>
#include <linux/module.h>

#define STATUS 0x08
#define MDIC 0x20
#define MDIC_REGISTER_SHIFT 16
#define MDIC_PHY_1 (1u << 21)
#define MDIC_OP_READ (2u << 26)
#define MDIC_READY (1u << 28)
#define MDIC_ERROR (1u << 30)

/* struct e1000_hw has the registers' address at its start. The caller holds the driver's lock. */
static int read_phy_patched(void __iomem **hw, u32 number, u16 *value)
{
	void __iomem *registers = *hw;
	unsigned int tries;
	u32 mdic = 0;

	readl(registers + STATUS);
	writel(number << MDIC_REGISTER_SHIFT | MDIC_PHY_1 | MDIC_OP_READ,
	       registers + MDIC);
	for (tries = 0; tries < 64 && !(mdic & MDIC_READY); tries++) {
		udelay(50);
		mdic = readl(registers + MDIC);
	}
	if (!(mdic & MDIC_READY) || mdic & MDIC_ERROR)
		return -EIO;
	*value = mdic;
	return 0;
}

static struct klp_func functions[] = {
	{ .old_name = "e1000_read_phy_reg_ex", .new_func = read_phy_patched },
	{ }
};

static struct klp_object objects[] = {
	{ .name = "e1000", .funcs = functions },
	{ }
};

static struct klp_patch patch = { .mod = THIS_MODULE, .objs = objects };

static int __init start(void)
{
	return klp_enable_patch(&patch);
}

static void __exit stop(void)
{
}

module_init(start);
module_exit(stop);
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
MODULE_DESCRIPTION("Patches e1000 while it is recorded");
MODULE_AUTHOR("mmiostrider");
