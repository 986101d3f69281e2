// SPDX-License-Identifier: GPL-2.0
/*
 * The drivers' ways to device memory: the accessors and copies of io.h, the
 * string functions, and direct dereferences.
 */
#include <linux/io.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "access-test.h"

static struct mms_window w;

#define ACCESSOR(read, write, type) do { \
	type value = (type)mms_random(), seen; \
	unsigned int offset = 64 + sizeof(type); \
	seen = read(bar + offset); \
	mms_check(seen == *(type *)(w.before + offset), #read ": 0x%llx", \
		  (u64)seen); \
	mms_expect('R', w.at + offset, w.before + offset, sizeof(type)); \
	write(value, bar + offset); \
	mms_check(*(type *)mms_real(bar + offset) == value, #write); \
	mms_expect('W', w.at + offset, &value, sizeof(type)); \
	memcpy(w.before + offset, &value, sizeof(type)); \
} while (0)

static void single(void __iomem *bar)
{
	ACCESSOR(readb, writeb, u8);
	ACCESSOR(readw, writew, u16);
	ACCESSOR(readl, writel, u32);
	ACCESSOR(readq, writeq, u64);
	ACCESSOR(readb_relaxed, writeb_relaxed, u8);
	ACCESSOR(readw_relaxed, writew_relaxed, u16);
	ACCESSOR(readl_relaxed, writel_relaxed, u32);
	ACCESSOR(readq_relaxed, writeq_relaxed, u64);
	ACCESSOR(__raw_readb, __raw_writeb, u8);
	ACCESSOR(__raw_readw, __raw_writew, u16);
	ACCESSOR(__raw_readl, __raw_writel, u32);
	ACCESSOR(__raw_readq, __raw_writeq, u64);
	ACCESSOR(ioread8, iowrite8, u8);
	ACCESSOR(ioread16, iowrite16, u16);
	ACCESSOR(ioread32, iowrite32, u32);
}

/* Big-endian: the device gets the bytes in reverse order. */
static void big_endian(void __iomem *bar)
{
	u16 half = ioread16be(bar + 96);
	u32 word = ioread32be(bar + 100);
	__be32 swapped;

	mms_check(half == be16_to_cpup((__be16 *)(w.before + 96)), "ioread16be");
	mms_expect('R', w.at + 96, w.before + 96, 2);
	mms_check(word == be32_to_cpup((__be32 *)(w.before + 100)), "ioread32be");
	mms_expect('R', w.at + 100, w.before + 100, 4);
	iowrite32be(0x12345678, bar + 104);
	swapped = cpu_to_be32(0x12345678);
	mms_expect('W', w.at + 104, &swapped, 4);
	mms_check(*(__be32 *)mms_real(bar + 104) == swapped, "iowrite32be");
}

#define REPEATED(read, write, type) do { \
	type buffer[COUNT]; \
	unsigned int n; \
	read(bar + 128, buffer, COUNT); \
	for (n = 0; n < COUNT; n++) { \
		mms_check(buffer[n] == *(type *)(w.before + 128), #read); \
		mms_expect('R', w.at + 128, w.before + 128, sizeof(type)); \
		buffer[n] = (type)mms_random(); \
	} \
	write(bar + 128, buffer, COUNT); \
	for (n = 0; n < COUNT; n++) \
		mms_expect('W', w.at + 128, &buffer[n], sizeof(type)); \
	mms_check(*(type *)mms_real(bar + 128) == buffer[COUNT - 1], #write); \
	memcpy(w.before + 128, &buffer[COUNT - 1], sizeof(type)); \
} while (0)

static void repeated(void __iomem *bar)
{
	enum { COUNT = 70 };

	REPEATED(ioread8_rep, iowrite8_rep, u8);
	REPEATED(ioread16_rep, iowrite16_rep, u16);
	REPEATED(ioread32_rep, iowrite32_rep, u32);
	REPEATED(readsl, writesl, u32);
}

/* Copies more than the 64 elements that the emulator does at a time, with odd ends. */
static void copies(void __iomem *bar)
{
	enum { BYTES = 1531 };
	u8 *buffer = kmalloc(BYTES, GFP_KERNEL);
	unsigned int n;

	if (!mms_check(buffer, "no memory"))
		return;
	for (n = 0; n < BYTES; n++)
		buffer[n] = mms_random();
	memcpy_toio(bar + 1025, buffer, BYTES);
	mms_check(!memcmp(mms_real(bar + 1025), buffer, BYTES), "memcpy_toio");
	mms_expect_cover('W', MMS_ACCESSORS_AT + 1025, buffer, BYTES);
	memset(buffer, 0, BYTES);
	memcpy_fromio(buffer, bar + 1025, BYTES);
	mms_check(!memcmp(mms_real(bar + 1025), buffer, BYTES), "memcpy_fromio");
	mms_expect_cover('R', MMS_ACCESSORS_AT + 1025, buffer, BYTES);
	memset_io(bar + 1027, 0x5a, BYTES - 4);
	memset(buffer, 0x5a, BYTES);
	mms_check(!memcmp(mms_real(bar + 1027), buffer, BYTES - 4), "memset_io");
	mms_expect_cover('W', MMS_ACCESSORS_AT + 1027, buffer, BYTES - 4);
	kfree(buffer);
}

static void word_copies(void __iomem *bar)
{
	enum { WORDS = 80 };
	u32 words[WORDS], back[WORDS];
	unsigned int n;

	for (n = 0; n < WORDS; n++)
		words[n] = mms_random();
	__iowrite32_copy(bar + 3072, words, WORDS);
	for (n = 0; n < WORDS; n++)
		mms_expect('W', MMS_ACCESSORS_AT + 3072 + 4 * n, &words[n], 4);
	mms_check(!memcmp(mms_real(bar + 3072), words, sizeof(words)),
		  "__iowrite32_copy");
	__ioread32_copy(back, bar + 3072, WORDS);
	for (n = 0; n < WORDS; n++)
		mms_expect('R', MMS_ACCESSORS_AT + 3072 + 4 * n, &words[n], 4);
	mms_check(!memcmp(back, words, sizeof(words)), "__ioread32_copy");
	for (n = 0; n < WORDS; n++)
		words[n] = mms_random();
	__iowrite64_copy(bar + 3072, words, WORDS / 2);
	for (n = 0; n < WORDS; n += 2)
		mms_expect('W', MMS_ACCESSORS_AT + 3072 + 4 * n, &words[n], 8);
	mms_check(!memcmp(mms_real(bar + 3072), words, sizeof(words)),
		  "__iowrite64_copy");
}

/* The compiler must not recognise these functions. */
static char *(*volatile strcpy_)(char *, const char *) = strcpy;
static size_t (*volatile strlen_)(const char *) = strlen;
static int (*volatile strcmp_)(const char *, const char *) = strcmp;
static int (*volatile memcmp_)(const void *, const void *, size_t) = memcmp;
static void *(*volatile memcpy_)(void *, const void *, size_t) = memcpy;
static void *(*volatile memmove_)(void *, const void *, size_t) = memmove;
static void *(*volatile memset_)(void *, int, size_t) = memset;
static void *(*volatile memchr_)(const void *, int, size_t) = memchr;

static void string_functions(void __iomem *bar)
{
	static const char text[] = "an engine of a hundred and eighty-one horses";
	char *device = (void __force *)bar + MMS_UNCHECKED;
	char back[64];

	strcpy_(device, text);
	mms_check(!strcmp(mms_real(device), text), "strcpy to the device");
	mms_check(strlen_(device) == sizeof(text) - 1, "strlen");
	mms_check(!strcmp_(device, text), "strcmp");
	mms_check(!memcmp_(device, text, sizeof(text)), "memcmp");
	mms_check(memcmp_(text, device + 1, sizeof(text)) != 0, "memcmp, unequal");
	strcpy_(back, device);
	mms_check(!strcmp(back, text), "strcpy from the device");
	mms_check(memchr_(device, 'h', sizeof(text)) ==
			  device + ((char *)memchr(text, 'h', sizeof(text)) - text),
		  "memchr");
	memcpy_(device + 100, device, sizeof(text));
	mms_check(!strcmp(mms_real(device + 100), text), "memcpy within");
	memmove_(device + 3, device, sizeof(text));
	mms_check(!strcmp(mms_real(device + 3), text), "memmove up");
	memmove_(device, device + 3, sizeof(text));
	mms_check(!strcmp(mms_real(device), text), "memmove down");
	memset_(device, 'x', sizeof(text));
	mms_check(!strncmp(mms_real(device), "xxxxxxx", 7), "memset");
}

struct registers {
	u32 control;
	u32 status : 8, mode : 8, count : 16;
	u64 address;
};

/* No accessor: the compiler chooses the instructions. */
static void direct(void __iomem *bar)
{
	volatile struct registers *r = (void __force *)bar + MMS_UNCHECKED + 4096;
	struct registers *real = mms_real(r);

	*real = (struct registers){ .control = 5, .mode = 7, .address = 9 };
	r->control |= 0x100;
	r->count = 0x1234;
	r->address += r->control;
	mms_check(real->control == 0x105 && real->count == 0x1234 &&
			  real->mode == 7 && real->address == 9 + 0x105,
		  "a structure of registers");
	mms_check(r->mode == 7, "a bit field");
}

static void edu(void)
{
	u32 id;

	if (!mms_edu)
		return;
	id = readl(mms_edu + MMS_EDU_IDENTIFICATION);
	mms_check((id & 0xffff) == 0xed, "edu's identification: 0x%x", id);
	writel(0x12345678, mms_edu + MMS_EDU_LIVENESS);
	id = readl(mms_edu + MMS_EDU_LIVENESS);
	mms_check(id == ~0x12345678u, "edu's liveness: 0x%x", id);
}

void mms_accessors(void)
{
	edu();
	if (!mms_check(mms_bar, "no ivshmem device"))
		return;
	mms_window_fill(&w, MMS_ACCESSORS_AT);
	single(mms_bar + MMS_ACCESSORS_AT);
	big_endian(mms_bar + MMS_ACCESSORS_AT);
	repeated(mms_bar + MMS_ACCESSORS_AT);
	copies(mms_bar + MMS_ACCESSORS_AT);
	word_copies(mms_bar + MMS_ACCESSORS_AT);
	string_functions(mms_bar);
	direct(mms_bar);
}
