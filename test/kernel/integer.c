// SPDX-License-Identifier: GPL-2.0
/*
 * Integer instructions with a memory operand. Each is executed on ordinary
 * memory and on the device with the same registers and flags, and must give the
 * same results.
 */
#include <linux/kernel.h>
#include <linux/linkage.h>
#include <linux/objtool.h>
#include <linux/preempt.h>
#include <linux/string.h>
#include <asm/cpufeature.h>
#include <asm/irqflags.h>
#include <asm/msr.h>
#include <asm/nospec-branch.h>

#include "access-test.h"
#include "compat.h"

#define ARITHMETIC_FLAGS 0x8d5ul	/* OF SF ZF AF PF CF */
#define ROUNDS 8

struct registers {
	u64 ax, cx, dx, bx, di, si, flags;
};

/* Special needs of an instruction's operand, registers or accesses. */
enum kind {
	PLAIN,
	BIT,		/* dx is a bit's number, beyond the operand */
	COMPARE,	/* ax (and dx) equal the operand every other time */
	DIVIDE,		/* the quotient must fit */
	TABLE,		/* bx + al */
	THROUGH_GS,	/* di counts from the GS base */
	WRITE_READ,	/* a write, then a read of the same place */
	NO_FLAGS,	/* QEMU 7.2 leaves wrong flags */
};

enum access { R = 1, W = 2, RW = 3 };

struct operation {
	const char *name;
	void (*run)(struct registers *r);
	unsigned int bytes;
	int offset;
	enum access access;
	enum kind kind;
	int feature;		/* X86_FEATURE_*, or -1 */
};

/* ---- The instructions: name, text, bytes, offset, access, kind, feature ---- */

#define P(name, text, bytes, access) X(name, text, bytes, 0, access, PLAIN, -1)
#define L(name, text, bytes) X(lock_##name, "lock " text, bytes, 0, RW, PLAIN, -1)

/* op register, memory in the four widths */
#define TO_MEMORY(op, access) \
	P(op##_mr8, #op "b %%dl, (%%rdi)", 1, access) \
	P(op##_mh8, #op "b %%ch, (%%rdi)", 1, access) \
	P(op##_mr16, #op "w %%dx, (%%rdi)", 2, access) \
	P(op##_mr32, #op "l %%edx, (%%rdi)", 4, access) \
	P(op##_mr64, #op "q %%rdx, (%%rdi)", 8, access)
#define FROM_MEMORY(op) \
	P(op##_rm8, #op "b (%%rdi), %%dl", 1, R) \
	P(op##_hm8, #op "b (%%rdi), %%bh", 1, R) \
	P(op##_rm16, #op "w (%%rdi), %%dx", 2, R) \
	P(op##_rm32, #op "l (%%rdi), %%edx", 4, R) \
	P(op##_rm64, #op "q (%%rdi), %%rdx", 8, R)
#define IMMEDIATE(op, access) \
	P(op##_mi8, #op "b $0x93, (%%rdi)", 1, access) \
	P(op##_mi16, #op "w $0x9351, (%%rdi)", 2, access) \
	P(op##_mi32, #op "l $0x93517624, (%%rdi)", 4, access) \
	P(op##_mi64, #op "q $-0x13517624, (%%rdi)", 8, access) \
	P(op##_ms16, #op "w $-5, (%%rdi)", 2, access) \
	P(op##_ms32, #op "l $-5, (%%rdi)", 4, access) \
	P(op##_ms64, #op "q $-5, (%%rdi)", 8, access)
#define LOCKED(op) \
	L(op##_mr8, #op "b %%dl, (%%rdi)", 1) \
	L(op##_mr16, #op "w %%dx, (%%rdi)", 2) \
	L(op##_mr32, #op "l %%edx, (%%rdi)", 4) \
	L(op##_mr64, #op "q %%rdx, (%%rdi)", 8) \
	L(op##_mi8, #op "b $0x93, (%%rdi)", 1) \
	L(op##_mi64, #op "q $-0x13517624, (%%rdi)", 8) \
	L(op##_ms32, #op "l $-5, (%%rdi)", 4)
#define ALU(op) TO_MEMORY(op, RW) FROM_MEMORY(op) IMMEDIATE(op, RW) LOCKED(op)
#define UNARY(op) \
	P(op##_8, #op "b (%%rdi)", 1, RW) P(op##_16, #op "w (%%rdi)", 2, RW) \
	P(op##_32, #op "l (%%rdi)", 4, RW) P(op##_64, #op "q (%%rdi)", 8, RW) \
	L(op##_8, #op "b (%%rdi)", 1) L(op##_16, #op "w (%%rdi)", 2) \
	L(op##_32, #op "l (%%rdi)", 4) L(op##_64, #op "q (%%rdi)", 8)
#define SHIFT_BY(op, suffix, by) \
	P(op##_8_##suffix, #op "b " by "(%%rdi)", 1, RW) \
	P(op##_16_##suffix, #op "w " by "(%%rdi)", 2, RW) \
	P(op##_32_##suffix, #op "l " by "(%%rdi)", 4, RW) \
	P(op##_64_##suffix, #op "q " by "(%%rdi)", 8, RW)
#define SHIFT(op) \
	SHIFT_BY(op, 1, "") SHIFT_BY(op, i, "$3, ") SHIFT_BY(op, big, "$29, ") \
	SHIFT_BY(op, cl, "%%cl, ")
#define DOUBLE_SHIFT(op) \
	P(op##_16_i, #op "w $5, %%dx, (%%rdi)", 2, RW) \
	P(op##_32_i, #op "l $21, %%edx, (%%rdi)", 4, RW) \
	P(op##_64_i, #op "q $45, %%rdx, (%%rdi)", 8, RW) \
	P(op##_32_cl, #op "l %%cl, %%edx, (%%rdi)", 4, RW) \
	P(op##_64_cl, #op "q %%cl, %%rdx, (%%rdi)", 8, RW)
#define B(name, text, bytes, access) X(name, text, bytes, 0, access, BIT, -1)
#define BITS(op, access) \
	B(op##_r16, #op "w %%dx, (%%rdi)", 2, access) \
	B(op##_r32, #op "l %%edx, (%%rdi)", 4, access) \
	B(op##_r64, #op "q %%rdx, (%%rdi)", 8, access) \
	P(op##_i16, #op "w $13, (%%rdi)", 2, access) \
	P(op##_i32, #op "l $29, (%%rdi)", 4, access) \
	P(op##_i64, #op "q $53, (%%rdi)", 8, access)
#define LOCKED_BITS(op) \
	B(lock_##op##_r16, "lock " #op "w %%dx, (%%rdi)", 2, RW) \
	B(lock_##op##_r32, "lock " #op "l %%edx, (%%rdi)", 4, RW) \
	B(lock_##op##_r64, "lock " #op "q %%rdx, (%%rdi)", 8, RW) \
	L(op##_i32, #op "l $29, (%%rdi)", 4)
#define C(name, text, bytes) X(name, text, bytes, 0, RW, COMPARE, -1)
#define WIDEN(op, suffix, bytes) \
	P(op##suffix##w, #op #suffix "w (%%rdi), %%dx", bytes, R) \
	P(op##suffix##l, #op #suffix "l (%%rdi), %%edx", bytes, R) \
	P(op##suffix##q, #op #suffix "q (%%rdi), %%rdx", bytes, R)
#define CONDITION(cc) \
	P(set##cc, "set" #cc " (%%rdi)", 1, W) \
	P(cmov##cc##16, "cmov" #cc "w (%%rdi), %%dx", 2, R) \
	P(cmov##cc##32, "cmov" #cc "l (%%rdi), %%edx", 4, R) \
	P(cmov##cc##64, "cmov" #cc "q (%%rdi), %%rdx", 8, R)
#define CONDITIONS \
	CONDITION(o) CONDITION(no) CONDITION(b) CONDITION(ae) CONDITION(e) \
	CONDITION(ne) CONDITION(be) CONDITION(a) CONDITION(s) CONDITION(ns) \
	CONDITION(p) CONDITION(np) CONDITION(l) CONDITION(ge) CONDITION(le) \
	CONDITION(g)
#define MULTIPLY(op) \
	P(op##_8, #op "b (%%rdi)", 1, R) P(op##_16, #op "w (%%rdi)", 2, R) \
	P(op##_32, #op "l (%%rdi)", 4, R) P(op##_64, #op "q (%%rdi)", 8, R)
#define D(name, text, bytes) X(name, text, bytes, 0, R, DIVIDE, -1)
#define DIVISION(op) \
	D(op##_8, #op "b (%%rdi)", 1) D(op##_16, #op "w (%%rdi)", 2) \
	D(op##_32, #op "l (%%rdi)", 4) D(op##_64, #op "q (%%rdi)", 8)
#define F(name, text, bytes, access, feature) \
	X(name, text, bytes, 0, access, PLAIN, X86_FEATURE_##feature)
#define SCAN(op, feature) \
	F(op##_16, #op "w (%%rdi), %%dx", 2, R, feature) \
	F(op##_32, #op "l (%%rdi), %%edx", 4, R, feature) \
	F(op##_64, #op "q (%%rdi), %%rdx", 8, R, feature)
#define VEX3(op, feature) \
	F(op##_32, #op "l (%%rdi), %%ecx, %%edx", 4, R, feature) \
	F(op##_64, #op "q (%%rdi), %%rcx, %%rdx", 8, R, feature)
/* the operand in the middle */
#define VEX3_MIDDLE(op, feature) \
	F(op##_32, #op "l %%ecx, (%%rdi), %%edx", 4, R, feature) \
	F(op##_64, #op "q %%rcx, (%%rdi), %%rdx", 8, R, feature)
#define VEX2(op, feature) \
	F(op##_32, #op "l (%%rdi), %%edx", 4, R, feature) \
	F(op##_64, #op "q (%%rdi), %%rdx", 8, R, feature)

#define OPERATIONS \
	ALU(add) ALU(or) ALU(adc) ALU(sbb) ALU(and) ALU(sub) ALU(xor) \
	TO_MEMORY(cmp, R) FROM_MEMORY(cmp) IMMEDIATE(cmp, R) \
	TO_MEMORY(mov, W) FROM_MEMORY(mov) \
	P(mov_i8, "movb $0x93, (%%rdi)", 1, W) \
	P(mov_i16, "movw $0x9351, (%%rdi)", 2, W) \
	P(mov_i32, "movl $0x93517624, (%%rdi)", 4, W) \
	P(mov_i64, "movq $-0x13517624, (%%rdi)", 8, W) \
	TO_MEMORY(test, R) P(test_i8, "testb $0x93, (%%rdi)", 1, R) \
	P(test_i32, "testl $0x93517624, (%%rdi)", 4, R) \
	P(test_i64, "testq $-0x13517624, (%%rdi)", 8, R) \
	UNARY(inc) UNARY(dec) UNARY(not) UNARY(neg) \
	SHIFT(rol) SHIFT(ror) SHIFT(rcl) SHIFT(rcr) SHIFT(shl) SHIFT(shr) \
	SHIFT(sar) DOUBLE_SHIFT(shld) DOUBLE_SHIFT(shrd) \
	BITS(bt, R) BITS(bts, RW) BITS(btr, RW) BITS(btc, RW) \
	LOCKED_BITS(bts) LOCKED_BITS(btr) LOCKED_BITS(btc) \
	TO_MEMORY(xchg, RW) TO_MEMORY(xadd, RW) \
	L(xchg_64, "xchgq %%rdx, (%%rdi)", 8) L(xadd_8, "xaddb %%dl, (%%rdi)", 1) \
	L(xadd_16, "xaddw %%dx, (%%rdi)", 2) \
	L(xadd_32, "xaddl %%edx, (%%rdi)", 4) \
	L(xadd_64, "xaddq %%rdx, (%%rdi)", 8) \
	C(cmpxchg_8, "cmpxchgb %%bl, (%%rdi)", 1) \
	C(cmpxchg_16, "cmpxchgw %%bx, (%%rdi)", 2) \
	C(cmpxchg_32, "cmpxchgl %%ebx, (%%rdi)", 4) \
	C(cmpxchg_64, "cmpxchgq %%rbx, (%%rdi)", 8) \
	C(cmpxchg8b, "cmpxchg8b (%%rdi)", 8) \
	C(cmpxchg16b, "cmpxchg16b (%%rdi)", 16) \
	C(lock_cmpxchg_8, "lock cmpxchgb %%bl, (%%rdi)", 1) \
	C(lock_cmpxchg_16, "lock cmpxchgw %%bx, (%%rdi)", 2) \
	C(lock_cmpxchg_32, "lock cmpxchgl %%ebx, (%%rdi)", 4) \
	C(lock_cmpxchg_64, "lock cmpxchgq %%rbx, (%%rdi)", 8) \
	C(lock_cmpxchg8b, "lock cmpxchg8b (%%rdi)", 8) \
	C(lock_cmpxchg16b, "lock cmpxchg16b (%%rdi)", 16) \
	WIDEN(movz, b, 1) WIDEN(movs, b, 1) \
	P(movzwl, "movzwl (%%rdi), %%edx", 2, R) \
	P(movzwq, "movzwq (%%rdi), %%rdx", 2, R) \
	P(movswl, "movswl (%%rdi), %%edx", 2, R) \
	P(movswq, "movswq (%%rdi), %%rdx", 2, R) \
	P(movslq, "movslq (%%rdi), %%rdx", 4, R) \
	CONDITIONS \
	MULTIPLY(mul) MULTIPLY(imul) DIVISION(div) DIVISION(idiv) \
	P(imul2_16, "imulw (%%rdi), %%dx", 2, R) \
	P(imul2_64, "imulq (%%rdi), %%rdx", 8, R) \
	P(imul3_32, "imull $-37, (%%rdi), %%edx", 4, R) \
	P(imul3_64, "imulq $0x12345678, (%%rdi), %%rdx", 8, R) \
	F(movbe_r16, "movbew (%%rdi), %%dx", 2, R, MOVBE) \
	F(movbe_r32, "movbel (%%rdi), %%edx", 4, R, MOVBE) \
	F(movbe_r64, "movbeq (%%rdi), %%rdx", 8, R, MOVBE) \
	F(movbe_m16, "movbew %%dx, (%%rdi)", 2, W, MOVBE) \
	F(movbe_m32, "movbel %%edx, (%%rdi)", 4, W, MOVBE) \
	F(movbe_m64, "movbeq %%rdx, (%%rdi)", 8, W, MOVBE) \
	P(movnti_32, "movntil %%edx, (%%rdi)", 4, W) \
	P(movnti_64, "movntiq %%rdx, (%%rdi)", 8, W) \
	SCAN(popcnt, POPCNT) SCAN(tzcnt, BMI1) SCAN(lzcnt, ABM) \
	SCAN(bsf, CMOV) SCAN(bsr, CMOV) \
	VEX3(andn, BMI1) VEX3_MIDDLE(bextr, BMI1) VEX2(blsi, BMI1) \
	VEX2(blsmsk, BMI1) VEX2(blsr, BMI1) VEX3_MIDDLE(bzhi, BMI2) \
	VEX3(pdep, BMI2) VEX3(pext, BMI2) VEX3(mulx, BMI2) \
	VEX3_MIDDLE(sarx, BMI2) VEX3_MIDDLE(shlx, BMI2) VEX3_MIDDLE(shrx, BMI2) \
	F(rorx_32, "rorxl $7, (%%rdi), %%edx", 4, R, BMI2) \
	F(rorx_64, "rorxq $39, (%%rdi), %%rdx", 8, R, BMI2) \
	X(adcx_32, "adcxl (%%rdi), %%edx", 4, 0, R, NO_FLAGS, X86_FEATURE_ADX) \
	X(adox_64, "adoxq (%%rdi), %%rdx", 8, 0, R, NO_FLAGS, X86_FEATURE_ADX) \
	F(crc32_8, "crc32b (%%rdi), %%edx", 1, R, XMM4_2) \
	F(crc32_16, "crc32w (%%rdi), %%edx", 2, R, XMM4_2) \
	F(crc32_32, "crc32l (%%rdi), %%edx", 4, R, XMM4_2) \
	F(crc32_64, "crc32q (%%rdi), %%rdx", 8, R, XMM4_2) \
	X(xlat, "andl $0x7f, %%eax; movq %%rdi, %%rbx; xlatb; xorl %%ebx, %%ebx", \
	  1, 0, R, TABLE, -1) \
	STACK ADDRESSING

/* Executed by the CPU itself, on a copy of the operand: core/kernel/step.c */
#define STACK \
	P(push_64, "pushq (%%rdi); popq %%rdx", 8, R) \
	P(push_16, "pushw (%%rdi); popw %%dx", 2, R) \
	P(pop_64, "pushq %%rdx; popq (%%rdi)", 8, W) \
	P(pop_16, "pushw %%dx; popw (%%rdi)", 2, W) \
	X(jump, "leaq 7f(%%rip), %%rax; movq %%rax, (%%rdi)\n" \
	  ANNOTATE_RETPOLINE_SAFE "\njmp *(%%rdi)\n" \
	  "incq %%rcx; 7: endbr64", 8, 0, RW, WRITE_READ, -1) \
	X(call, "leaq mms_called(%%rip), %%rax; movq %%rax, (%%rdi)\n" \
	  ANNOTATE_RETPOLINE_SAFE "\ncall *(%%rdi)\n", 8, 0, RW, WRITE_READ, -1)

void mms_called(void);
asm(".pushsection .text\n"
    ".type mms_called, @function\n"
    "mms_called: endbr64\n"
    "	addq $3, %rcx\n"
    ASM_RET
    ".size mms_called, . - mms_called\n"
    ".popsection\n");

#define OFFSET(name, text, bytes, offset, access) \
	X(name, text, bytes, offset, access, PLAIN, -1)
/* Every form of address. */
#define ADDRESSING \
	OFFSET(disp8, "addl %%edx, -100(%%rdi)", 4, -100, RW) \
	OFFSET(disp32, "leaq -0x12345(%%rdi), %%r10; movl 0x12385(%%r10), %%eax", \
	       4, 64, R) \
	OFFSET(scaled, "movl $3, %%ecx; movw %%dx, 4(%%rdi, %%rcx, 8)", 2, 28, W) \
	OFFSET(scaled_back, "movq $-7, %%rcx; movb (%%rdi, %%rcx, 4), %%al", 1, \
	       -28, R) \
	P(index, "leaq (,%%rdi), %%r10; xorl %%r11d, %%r11d; " \
	  "movl (%%r11, %%r10), %%eax; xorl %%r10d, %%r10d", 4, R) \
	P(index_only, "movl 0(,%%rdi,1), %%eax", 4, R) \
	P(base_r8, "movq %%r8, %%r10; movq %%rdi, %%r8; movq %%rdx, (%%r8); " \
	  "movq %%r10, %%r8", 8, W) \
	P(base_r12, "movq %%rdi, %%r12; addl %%edx, (%%r12)", 4, RW) \
	P(base_r13, "movq %%rdi, %%r13; subl %%edx, (%%r13)", 4, RW) \
	OFFSET(base_r15, "movq %%rdi, %%r15; movzbl 9(%%r15), %%eax", 1, 9, R) \
	P(base_rsi, "movq %%rdi, %%rsi; movl %%edx, (%%rsi)", 4, W) \
	P(base_rbx, "movq %%rdi, %%rbx; movl (%%rbx), %%eax; movl %%eax, %%ebx", \
	  4, R) \
	P(base_rbp, "pushq %%rbp; movq %%rdi, %%rbp; xorl %%edx, (%%rbp); " \
	  "popq %%rbp", 4, RW) \
	P(push_rbp, "pushq %%rbp; movq %%rdi, %%rbp; pushq (%%rbp); " \
	  "popq %%rdx; popq %%rbp", 8, R) \
	P(itself, "movq %%rdi, %%rax; movl (%%rax), %%eax", 4, R) \
	P(itself_64, "movq %%rdi, %%rdx; movq (%%rdx), %%rdx", 8, R) \
	OFFSET(unaligned_16, "movw %%dx, 63(%%rdi)", 2, 63, W) \
	OFFSET(unaligned_64, "movq 61(%%rdi), %%rdx", 8, 61, R) \
	X(through_gs, "movl %%gs:(%%rdi), %%eax; addl %%edx, %%gs:(%%rdi)", 4, 0, \
	  R, THROUGH_GS, -1)

#define X(name, text, bytes, offset, access, kind, feature) \
static noinline MMS_UNCHECKED_CODE void name##_op(struct registers *r) \
{ \
	register u64 flags asm("r8") = r->flags; \
	asm volatile("pushq %[f]\n\tpopfq\n\t" text "\n\tpushfq\n\tpopq %[f]" \
		     : "+a" (r->ax), "+c" (r->cx), "+d" (r->dx), \
		       "+b" (r->bx), "+D" (r->di), "+S" (r->si), \
		       [f] "+r" (flags) \
		     : : "r9", "r10", "r11", "r12", "r13", "r14", "r15", \
			 "memory", "cc"); \
	r->flags = flags; \
}
OPERATIONS
#undef X
STACK_FRAME_NON_STANDARD(jump_op);

#define X(name, text, bytes, offset, access, kind, feature) \
	{ #name, name##_op, bytes, offset, access, kind, feature },
static const struct operation operations[] = { OPERATIONS };
#undef X

/* ---- Running them ---- */

static struct mms_window w;

static u64 mask_of(unsigned int bytes)
{
	return bytes >= 8 ? ~0ull : (1ull << (8 * bytes)) - 1;
}

/* Sets up the registers for one round; returns the operand's offset in the window. */
static unsigned int set_up(const struct operation *op, unsigned int round,
			   struct registers *r)
{
	unsigned int at = MMS_WINDOW_MIDDLE + op->offset;
	u64 mask = mask_of(op->bytes), content;
	s64 bit;

	*r = (struct registers){
		.ax = mms_random(), .cx = mms_random(), .dx = mms_random(),
		.bx = mms_random(), .si = mms_random(),
		.flags = (native_save_fl() & ~ARITHMETIC_FLAGS) |
			 (mms_random() & ARITHMETIC_FLAGS),
	};
	memcpy(&content, w.ordinary + at, 8);
	switch (op->kind) {
	case BIT:
		bit = (s64)(mms_random() % 1800) - 900;
		r->dx = (r->dx & ~mask) | (bit & mask);
		return at + (bit >> (3 + ilog2(op->bytes))) * op->bytes;
	case COMPARE:
		if (!(round & 1))
			break;
		if (!strstr(op->name, "8b") && !strstr(op->name, "16b")) {
			r->ax = (r->ax & ~mask) | (content & mask);
		} else if (op->bytes == 8) {
			r->ax = (u32)content | (r->ax & ~0xffffffffull);
			r->dx = content >> 32;
		} else {
			r->ax = content;
			memcpy(&r->dx, w.ordinary + at + 8, 8);
		}
		break;
	case DIVIDE:
		r->ax &= mask >> 1;
		r->dx &= ~mask;
		w.ordinary[at] |= 1;
		mms_window_spread(&w);
		break;
	case TABLE:
		return at + (r->ax & 0x7f);
	default:
		break;
	}
	return at;
}

static struct registers execute(const struct operation *op, struct registers r,
				void *memory)
{
	u64 base = 0;

	/* the GS base is the CPU's */
	preempt_disable();
	if (op->kind == THROUGH_GS)
		rdmsrq(MSR_GS_BASE, base);
	r.di = (u64)memory - base;
	op->run(&r);
	preempt_enable();
	/* the registers with the operand's address must differ */
	if (r.si == (u64)memory)
		r.si = 0;
	r.di += base - (u64)memory;
	if (op->kind == WRITE_READ)
		r.ax = 0;	/* an address of the code */
	return r;
}

static void expect(const struct operation *op, unsigned int at)
{
	if (op->kind == THROUGH_GS) {
		mms_window_expect(&w, 'R', at, op->bytes);
		mms_window_expect(&w, 'R', at, op->bytes);
		mms_window_expect(&w, 'W', at, op->bytes);
		return;
	}
	if (op->kind == WRITE_READ) {
		mms_window_expect(&w, 'W', at, op->bytes);
		memcpy(w.before, w.ordinary, sizeof(w.before));
		mms_window_expect(&w, 'R', at, op->bytes);
		return;
	}
	if (op->access & R)
		mms_window_expect(&w, 'R', at, op->bytes);
	if (op->access & W)
		mms_window_expect(&w, 'W', at, op->bytes);
}

static void try(const struct operation *op, unsigned int round)
{
	/* a division leaves undefined flags */
	u64 flags_mask = op->kind == DIVIDE ? ~ARITHMETIC_FLAGS :
			 op->kind == NO_FLAGS ? 0 : ~0ull;
	struct registers r, ordinary, device;
	unsigned int at;

	mms_window_fill(&w, MMS_INTEGER_AT);
	at = set_up(op, round, &r);
	ordinary = execute(op, r, w.ordinary + MMS_WINDOW_MIDDLE);
	device = execute(op, r, w.device + MMS_WINDOW_MIDDLE);
	mms_check(mms_window_equal(&w), "%s: memory differs", op->name);
	mms_check(ordinary.ax == device.ax && ordinary.cx == device.cx &&
			  ordinary.dx == device.dx && ordinary.bx == device.bx &&
			  ordinary.si == device.si && ordinary.di == device.di,
		  "%s: ax %llx %llx cx %llx %llx dx %llx %llx bx %llx %llx si %llx %llx di %llx %llx",
		  op->name, ordinary.ax, device.ax, ordinary.cx, device.cx,
		  ordinary.dx, device.dx, ordinary.bx, device.bx, ordinary.si,
		  device.si, ordinary.di, device.di);
	mms_check(!((ordinary.flags ^ device.flags) & flags_mask),
		  "%s: flags %llx, are %llx", op->name, ordinary.flags,
		  device.flags);
	expect(op, at);
}

void mms_integer(void)
{
	unsigned int n, round;

	if (!mms_check(mms_bar, "no ivshmem device"))
		return;
	for (n = 0; n < ARRAY_SIZE(operations); n++) {
		if (operations[n].feature >= 0 &&
		    !boot_cpu_has(operations[n].feature))
			continue;
		for (round = 0; round < ROUNDS; round++)
			try(&operations[n], round);
	}
}
