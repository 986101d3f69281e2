// SPDX-License-Identifier: GPL-2.0
/*
 * The accesses of the kernel's own test module for mmiotrace, whose numbers are
 * known beforehand: 5,120 writes, 5,121 reads, 11 mappings made and unmade.
 */
#include <linux/io.h>

#include "access-test.h"

#define BYTES 0x4000
#define FAR 0x400100
#define QUICK 10

static u32 value8(unsigned int i) { return (u8)i; }
static u32 value16(unsigned int i) { return (u16)(i * 12 + 7); }
static u32 value32(unsigned int i) { return i * 212371 + 13; }

/* The offsets of the three kinds of access follow one another. */
static const struct part {
	unsigned int first, end, bytes;
	u32 (*value)(unsigned int offset);
} parts[] = {
	{ 0, 256, 1, value8 },
	{ 1024, 5 * 1024, 2, value16 },
	{ 5 * 1024, BYTES, 4, value32 },
};

static void write_all(void __iomem *p)
{
	const struct part *part;
	unsigned int at;

	for (part = parts; part < parts + ARRAY_SIZE(parts); part++)
		for (at = part->first; at < part->end; at += part->bytes) {
			u32 value = part->value(at);

			if (part->bytes == 1)
				iowrite8(value, p + at);
			else if (part->bytes == 2)
				iowrite16(value, p + at);
			else
				iowrite32(value, p + at);
			mms_expect('W', at, &value, part->bytes);
		}
}

static void read_all(void __iomem *p)
{
	const struct part *part;
	unsigned int at;

	for (part = parts; part < parts + ARRAY_SIZE(parts); part++)
		for (at = part->first; at < part->end; at += part->bytes) {
			u32 value = part->value(at), seen;

			seen = part->bytes == 1 ? ioread8(p + at) :
			       part->bytes == 2 ? ioread16(p + at) :
						  ioread32(p + at);
			mms_check(seen == value, "0x%x at 0x%x", seen, at);
			mms_expect('R', at, &value, part->bytes);
		}
}

void mms_oracle(void)
{
	void __iomem *p;
	unsigned int n;
	u32 far = 0x5eed;

	if (!mms_check(mms_bar, "no ivshmem device"))
		return;
	p = ioremap(mms_bar_physical, MMS_BAR_BYTES);
	if (!mms_check(p, "no mapping"))
		return;
	*(u32 *)mms_real(p + FAR) = far;
	write_all(p);
	read_all(p);
	mms_check(ioread32(p + FAR) == far, "the far read");
	mms_expect('R', FAR, &far, 4);
	iounmap(p);
	for (n = 0; n < QUICK; n++) {
		p = ioremap(mms_bar_physical, PAGE_SIZE);
		if (mms_check(p, "no quick mapping"))
			iounmap(p);
	}
}
