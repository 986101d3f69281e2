// SPDX-License-Identifier: GPL-2.0
/*
 * A list of instructions, each once and at its own place, so that another
 * tracer's report of each can be compared with its true accesses. The places and
 * their instructions are among the results: "instruction OFFSET TEXT".
 */
#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <asm/fpu/api.h>

#include "access-test.h"
#include "main.h"

#define SLOT_BYTES 64

/* The place's content before the instruction. */
static const u8 before[SLOT_BYTES] __aligned(64) = {
	0xf1, 0xe2, 0xd3, 0xc4, 0xb5, 0xa6, 0x97, 0x88,
	0x79, 0x6a, 0x5b, 0x4c, 0x3d, 0x2e, 0x1f, 0x10,
};

static u8 ordinary[SLOT_BYTES] __aligned(64);

/* The instruction; the bytes that it reads and writes. */
#define INSTRUCTIONS \
	X(load8, "movb (%%rdi), %%dl", 1, 0) \
	X(load32, "movl (%%rdi), %%edx", 4, 0) \
	X(load64, "movq (%%rdi), %%rdx", 8, 0) \
	X(store16, "movw %%dx, (%%rdi)", 0, 2) \
	X(store32, "movl %%edx, (%%rdi)", 0, 4) \
	X(store64, "movq %%rdx, (%%rdi)", 0, 8) \
	X(immediate8, "movb $0x93, (%%rdi)", 0, 1) \
	X(immediate32, "movl $0x93517624, (%%rdi)", 0, 4) \
	X(immediate32_sib, "movl $0x93517624, (%%rdi,%%rcx,4)", 0, 4) \
	X(immediate8_sib, "movb $0x93, (%%rdi,%%rcx,4)", 0, 1) \
	X(immediate64, "movq $0x13517624, (%%rdi)", 0, 8) \
	X(zero8, "movzbl (%%rdi), %%edx", 1, 0) \
	X(sign8, "movsbl (%%rdi), %%edx", 1, 0) \
	X(sign16, "movswl (%%rdi), %%edx", 2, 0) \
	X(sign32, "movslq (%%rdi), %%rdx", 4, 0) \
	X(compare, "cmpl %%edx, (%%rdi)", 4, 0) \
	X(test, "testl %%edx, (%%rdi)", 4, 0) \
	X(or, "orl %%edx, (%%rdi)", 4, 4) \
	X(add, "addl $5, (%%rdi)", 4, 4) \
	X(increment, "incw (%%rdi)", 2, 2) \
	X(exchange, "xchgl %%edx, (%%rdi)", 4, 4) \
	X(exchange_add, "lock xaddl %%edx, (%%rdi)", 4, 4) \
	X(bit_set, "btsl $3, (%%rdi)", 4, 4) \
	X(store_around_caches, "movntil %%edx, (%%rdi)", 0, 4) \
	X(swap_bytes, "movbel (%%rdi), %%edx", 4, 0) \
	X(load_string, "movq %%rdi, %%rsi; lodsl", 4, 0) \
	X(store_string, "stosl", 0, 4) \
	X(scan_string, "scasb", 1, 0) \
	X(load128, "movups (%%rdi), %%xmm0", 16, 0) \
	X(store128, "movups %%xmm1, (%%rdi)", 0, 16) \
	X(add128, "paddd (%%rdi), %%xmm0", 16, 0)

#define X(name, text, read, written) \
static void run_##name(void *at) \
{ \
	unsigned long di = (unsigned long)at, dx = 0x1122334455667788, \
		      ax = 0xaabbccdd, cx = 0, si = 0; \
	\
	asm volatile(text : "+D" (di), "+d" (dx), "+a" (ax), "+c" (cx), \
		     "+S" (si) : : "memory", "cc"); \
}
INSTRUCTIONS
#undef X

static const struct instruction {
	const char *text;
	void (*run)(void *at);
	unsigned int read_bytes, written_bytes;
} instructions[] = {
#define X(name, text, read, written) { text, run_##name, read, written },
	INSTRUCTIONS
#undef X
};

/* Our recorder doesn't see this; mmiotrace sees two stores of eight bytes. */
static void prepare(void *device)
{
	volatile u64 *real = mms_real(device);

	real[0] = ((const u64 *)before)[0];
	real[1] = ((const u64 *)before)[1];
}

static void run_one(const struct instruction *i, void *at)
{
	unsigned long flags;

	kernel_fpu_begin();
	local_irq_save(flags);
	asm volatile("movdqu %0, %%xmm1" : : "m" (before));
	i->run(at);
	local_irq_restore(flags);
	kernel_fpu_end();
}

void mms_compared(void)
{
	unsigned int n;

	for (n = 0; n < ARRAY_SIZE(instructions); n++)
		prepare((void __force *)mms_bar + MMS_COMPARED_AT + n * SLOT_BYTES);
	for (n = 0; n < ARRAY_SIZE(instructions); n++) {
		const struct instruction *i = &instructions[n];
		unsigned int at = MMS_COMPARED_AT + n * SLOT_BYTES;
		void *device = (void __force *)mms_bar + at;

		/* ordinary memory shows its true effect */
		memcpy(ordinary, before, SLOT_BYTES);
		run_one(i, ordinary);
		if (i->read_bytes)
			mms_expect('R', at, before, i->read_bytes);
		if (i->written_bytes)
			mms_expect('W', at, ordinary, i->written_bytes);
		mms_say("instruction 0x%x %s\n", at, i->text);
		run_one(i, device);
		mms_check(true, "%s", i->text);
	}
}
