// SPDX-License-Identifier: GPL-2.0
/*
 * String instructions in every width and direction, alone and repeated, from
 * the device, to it, and within it.
 */
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <asm/irqflags.h>
#include <asm/processor-flags.h>

#include "access-test.h"

#define AREA_BYTES 4096
#define ELEMENTS_MAX 200

enum side { NOT_USED, ORDINARY, DEVICE };

struct registers {
	u64 ax, cx, si, di;
	bool down, carry, zero;
};

struct operation {
	const char *name;
	void (*run)(struct registers *r);
	unsigned int bytes;
	bool repeated, source, target, compares, writes;
};

#define X(name, text, bytes, repeated, source, target, compares, writes) \
static noinline MMS_UNCHECKED_CODE void name##_op(struct registers *r) \
{ \
	register u64 flags asm("r8") = native_save_fl(); \
	register u64 with_direction asm("r9") = \
		r->down ? flags | X86_EFLAGS_DF : flags; \
	asm volatile("pushq %[with_direction]\n\tpopfq\n\t" text \
		     "\n\tsetc %[carry]\n\tsetz %[zero]\n\t" \
		     "pushq %[flags]\n\tpopfq" \
		     : "+a" (r->ax), "+c" (r->cx), "+S" (r->si), "+D" (r->di), \
		       [carry] "=b" (r->carry), [zero] "=d" (r->zero) \
		     : [flags] "r" (flags), \
		       [with_direction] "r" (with_direction) \
		     : "memory", "cc"); \
}
#define WIDTHS(name, op, repeated, source, target, compares, writes) \
	X(name##b, op "b", 1, repeated, source, target, compares, writes) \
	X(name##w, op "w", 2, repeated, source, target, compares, writes) \
	X(name##l, op "l", 4, repeated, source, target, compares, writes) \
	X(name##q, op "q", 8, repeated, source, target, compares, writes)
#define OPERATIONS \
	WIDTHS(movs, "movs", false, true, true, false, true) \
	WIDTHS(stos, "stos", false, false, true, false, true) \
	WIDTHS(lods, "lods", false, true, false, false, false) \
	WIDTHS(scas, "scas", false, false, true, true, false) \
	WIDTHS(cmps, "cmps", false, true, true, true, false) \
	WIDTHS(rep_movs, "rep movs", true, true, true, false, true) \
	WIDTHS(rep_stos, "rep stos", true, false, true, false, true) \
	WIDTHS(rep_lods, "rep lods", true, true, false, false, false) \
	WIDTHS(repe_scas, "repe scas", true, false, true, true, false) \
	WIDTHS(repne_scas, "repne scas", true, false, true, true, false) \
	WIDTHS(repe_cmps, "repe cmps", true, true, true, true, false) \
	WIDTHS(repne_cmps, "repne cmps", true, true, true, true, false)
OPERATIONS
#undef X

#define X(name, text, bytes, repeated, source, target, compares, writes) \
	{ #name, name##_op, bytes, repeated, source, target, compares, writes },
static const struct operation operations[] = { OPERATIONS };
#undef X

/* Two areas of each memory; the device's are adjacent. */
static u8 *ordinary[2], *before[2];

static u8 *device(unsigned int n)
{
	return (u8 __force *)mms_bar + MMS_STRINGS_AT + n * AREA_BYTES;
}

static void fill(void)
{
	unsigned int n, at;

	for (n = 0; n < 2; n++) {
		/* few different values, so that comparisons find both equal and unequal ones */
		for (at = 0; at < AREA_BYTES; at++)
			ordinary[n][at] = mms_random() % 16 ? 0x11 : 0x22;
		memcpy(before[n], ordinary[n], AREA_BYTES);
		memcpy(mms_real(device(n)), ordinary[n], AREA_BYTES);
	}
}

/* Returns element `n`'s place in its area: elements grow from the middle. */
static unsigned int place(const struct operation *op, bool down, unsigned int n)
{
	return AREA_BYTES / 2 + op->bytes * (down ? -(int)n : (int)n);
}

static void expect(const struct operation *op, bool down, unsigned int elements,
		   enum side source, enum side target)
{
	unsigned int n;

	for (n = 0; n < elements; n++) {
		unsigned int at = place(op, down, n);
		/* two sides: ordinary memory is read first, which no tracer sees */
		if (source == DEVICE)
			mms_expect('R', MMS_STRINGS_AT + at, before[0] + at,
				   op->bytes);
		if (target == DEVICE)
			mms_expect(op->writes ? 'W' : 'R',
				   MMS_STRINGS_AT + AREA_BYTES + at,
				   ordinary[1] + at, op->bytes);
	}
}

static void try(const struct operation *op, unsigned int count, bool down,
		enum side source, enum side target)
{
	struct registers r = {
		.ax = mms_random() % 2 ? 0x2222222222222222 : 0x1111111111111111,
		.cx = count, .down = down,
	}, a, b;
	unsigned int middle = AREA_BYTES / 2, elements;
	u64 a_source, b_source, a_target, b_target;

	fill();
	a_source = (u64)ordinary[0] + middle;
	a_target = (u64)ordinary[1] + middle;
	b_source = (u64)(source == DEVICE ? device(0) : before[0]) + middle;
	b_target = (u64)(target == DEVICE ? device(1) : before[1]) + middle;
	a = r;
	a.si = a_source;
	a.di = a_target;
	b = r;
	b.si = b_source;
	b.di = b_target;
	op->run(&a);
	op->run(&b);
	elements = op->repeated ? count - a.cx : 1;
	if (op->source)
		mms_check(a.si - a_source == b.si - b_source,
			  "%s: rsi %llx, is %llx", op->name, a.si - a_source,
			  b.si - b_source);
	if (op->target)
		mms_check(a.di - a_target == b.di - b_target,
			  "%s: rdi %llx, is %llx", op->name, a.di - a_target,
			  b.di - b_target);
	mms_check(a.cx == b.cx && a.ax == b.ax, "%s %u: rcx %llx %llx rax %llx %llx",
		  op->name, count, a.cx, b.cx, a.ax, b.ax);
	mms_check(!op->compares || (a.carry == b.carry && a.zero == b.zero),
		  "%s: flags", op->name);
	mms_check(!memcmp(ordinary[1],
			  target == DEVICE ? mms_real(device(1)) : before[1],
			  AREA_BYTES), "%s: memory differs", op->name);
	expect(op, down, elements, source, target);
}

static void sides(const struct operation *op, unsigned int count, bool down)
{
	if (op->source && op->target) {
		try(op, count, down, DEVICE, ORDINARY);
		try(op, count, down, ORDINARY, DEVICE);
		try(op, count, down, DEVICE, DEVICE);
	} else if (op->source) {
		try(op, count, down, DEVICE, NOT_USED);
	} else {
		try(op, count, down, NOT_USED, DEVICE);
	}
}

void mms_strings(void)
{
	static const unsigned int counts[] = { 0, 1, 2, 63, 64, 65, 128, 129, 200 };
	unsigned int n, c;

	if (!mms_check(mms_bar, "no ivshmem device"))
		return;
	for (n = 0; n < 2; n++) {
		ordinary[n] = kmalloc(AREA_BYTES, GFP_KERNEL);
		before[n] = kmalloc(AREA_BYTES, GFP_KERNEL);
		if (!mms_check(ordinary[n] && before[n], "no memory"))
			goto out;
	}
	for (n = 0; n < ARRAY_SIZE(operations); n++) {
		const struct operation *op = &operations[n];

		if (!op->repeated) {
			sides(op, 0, false);
			sides(op, 0, true);
			continue;
		}
		for (c = 0; c < ARRAY_SIZE(counts); c++) {
			sides(op, counts[c], false);
			sides(op, counts[c], true);
		}
	}
out:
	for (n = 0; n < 2; n++) {
		kfree(ordinary[n]);
		kfree(before[n]);
	}
}
