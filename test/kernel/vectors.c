// SPDX-License-Identifier: GPL-2.0
/*
 * SSE, AVX, MMX and x87 instructions with a memory operand, where the kernel
 * may use them.
 */
#include <linux/kernel.h>
#include <linux/string.h>
#include <asm/cpufeature.h>
#include <asm/fpu/api.h>

#include "access-test.h"

#define ROUNDS 4

struct state {
	u8 vector[3][32];
	u64 ax, mmx, flags;
};

enum access { R = 1, W = 2, ESCAPE = 4 };

struct operation {
	const char *name;
	void (*run)(struct state *state, void *memory);
	unsigned int bytes;
	int offset;
	enum access access;
};

#define P(name, text, bytes, access) X(name, text, bytes, 0, access)
#define MOVE(op) \
	P(op##_load, #op " (%%rdi), %%xmm0", 16, R) \
	P(op##_store, #op " %%xmm0, (%%rdi)", 16, W)
#define MOVE_VEX(op) \
	P(op##_load, #op " (%%rdi), %%xmm0", 16, R) \
	P(op##_store, #op " %%xmm0, (%%rdi)", 16, W) \
	P(op##_load_32, #op " (%%rdi), %%ymm0", 32, R) \
	P(op##_store_32, #op " %%ymm0, (%%rdi)", 32, W)
#define PART(op, bytes) \
	P(op##_load, #op " (%%rdi), %%xmm0", bytes, R) \
	P(op##_store, #op " %%xmm0, (%%rdi)", bytes, W)
#define HALF_VEX(op) \
	P(op##_load, #op " (%%rdi), %%xmm1, %%xmm0", 8, R) \
	P(op##_store, #op " %%xmm0, (%%rdi)", 8, W)
/* arithmetic: the CPU executes it on a copy of the operand */
#define A(name, text, bytes) P(name, text, bytes, R)

#define OPERATIONS \
	MOVE(movdqu) MOVE(movdqa) MOVE(movups) MOVE(movaps) MOVE(movupd) \
	MOVE(movapd) P(lddqu, "lddqu (%%rdi), %%xmm0", 16, R) \
	P(movntdqa, "movntdqa (%%rdi), %%xmm0", 16, R) \
	P(movntdq, "movntdq %%xmm0, (%%rdi)", 16, W) \
	P(movntps, "movntps %%xmm0, (%%rdi)", 16, W) \
	P(movntpd, "movntpd %%xmm0, (%%rdi)", 16, W) \
	X(movdqu_unaligned, "movdqu 5(%%rdi), %%xmm0", 16, 5, R) \
	P(movdqu_15, "movdqa %%xmm0, %%xmm15; movdqu (%%rdi), %%xmm15; " \
	  "movdqa %%xmm15, %%xmm1", 16, R) \
	PART(movd, 4) PART(movq, 8) PART(movss, 4) PART(movsd, 8) \
	PART(movlps, 8) PART(movhps, 8) PART(movlpd, 8) PART(movhpd, 8) \
	MOVE_VEX(vmovdqu) MOVE_VEX(vmovdqa) MOVE_VEX(vmovups) MOVE_VEX(vmovaps) \
	P(vmovntdq_32, "vmovntdq %%ymm0, (%%rdi)", 32, W) \
	P(vmovntdqa_32, "vmovntdqa (%%rdi), %%ymm0", 32, R) \
	P(vlddqu_32, "vlddqu (%%rdi), %%ymm0", 32, R) \
	PART(vmovd, 4) PART(vmovq, 8) PART(vmovss, 4) PART(vmovsd, 8) \
	HALF_VEX(vmovlps) HALF_VEX(vmovhps) HALF_VEX(vmovlpd) HALF_VEX(vmovhpd) \
	P(vbroadcastss, "vbroadcastss (%%rdi), %%ymm0", 4, R) \
	P(vbroadcastsd, "vbroadcastsd (%%rdi), %%ymm0", 8, R) \
	P(vbroadcastf128, "vbroadcastf128 (%%rdi), %%ymm0", 16, R) \
	P(vpbroadcastb, "vpbroadcastb (%%rdi), %%ymm0", 1, R) \
	P(vpbroadcastw, "vpbroadcastw (%%rdi), %%xmm0", 2, R) \
	P(vpbroadcastd, "vpbroadcastd (%%rdi), %%ymm0", 4, R) \
	P(vpbroadcastq, "vpbroadcastq (%%rdi), %%xmm0", 8, R) \
	A(paddd, "paddd (%%rdi), %%xmm0", 16) A(pxor, "pxor (%%rdi), %%xmm0", 16) \
	A(pshufb, "pshufb (%%rdi), %%xmm0", 16) \
	A(pshufd, "pshufd $0x1b, (%%rdi), %%xmm0", 16) \
	A(addps, "addps (%%rdi), %%xmm0", 16) A(mulsd, "mulsd (%%rdi), %%xmm0", 8) \
	A(addss, "addss (%%rdi), %%xmm0", 4) \
	A(pcmpeqb, "pcmpeqb (%%rdi), %%xmm0", 16) \
	A(punpcklbw, "punpcklbw (%%rdi), %%xmm0", 16) \
	A(pmovzxbw, "pmovzxbw (%%rdi), %%xmm0", 8) \
	A(pmovsxbq, "pmovsxbq (%%rdi), %%xmm0", 2) \
	A(pinsrb, "pinsrb $3, (%%rdi), %%xmm0", 1) \
	A(pinsrw, "pinsrw $5, (%%rdi), %%xmm0", 2) \
	A(pinsrd, "pinsrd $2, (%%rdi), %%xmm0", 4) \
	A(pinsrq, "pinsrq $1, (%%rdi), %%xmm0", 8) \
	P(pextrb, "pextrb $3, %%xmm0, (%%rdi)", 1, W) \
	P(pextrw, "pextrw $3, %%xmm0, (%%rdi)", 2, W) \
	P(pextrd, "pextrd $2, %%xmm0, (%%rdi)", 4, W) \
	P(pextrq, "pextrq $1, %%xmm0, (%%rdi)", 8, W) \
	P(extractps, "extractps $2, %%xmm0, (%%rdi)", 4, W) \
	A(insertps, "insertps $0x10, (%%rdi), %%xmm0", 4) \
	A(cvtdq2pd, "cvtdq2pd (%%rdi), %%xmm0", 8) \
	A(cvtsi2sdl, "cvtsi2sdl (%%rdi), %%xmm0", 4) \
	A(cvtsi2sdq, "cvtsi2sdq (%%rdi), %%xmm0", 8) \
	A(cvttss2si, "cvttss2si (%%rdi), %%eax", 4) \
	A(ucomisd, "ucomisd (%%rdi), %%xmm0", 8) \
	A(ptest, "ptest (%%rdi), %%xmm0", 16) \
	A(pcmpistri, "movq %%rcx, %%r10; pcmpistri $0, (%%rdi), %%xmm0; " \
	  "movl %%ecx, %%eax; movq %%r10, %%rcx", 16) \
	A(pclmulqdq, "pclmulqdq $0x10, (%%rdi), %%xmm0", 16) \
	A(aesenc, "aesenc (%%rdi), %%xmm0", 16) \
	A(vpaddd_32, "vpaddd (%%rdi), %%ymm1, %%ymm0", 32) \
	A(vpxor, "vpxor (%%rdi), %%xmm1, %%xmm0", 16) \
	A(vpermd, "vpermd (%%rdi), %%ymm1, %%ymm0", 32) \
	A(vinserti128, "vinserti128 $1, (%%rdi), %%ymm1, %%ymm0", 16) \
	P(vextracti128, "vextracti128 $1, %%ymm0, (%%rdi)", 16, W) \
	A(vpshufb_itself, "movq %%rdi, %%rax; vpshufb (%%rax), %%xmm1, %%xmm0; " \
	  "subq %%rdi, %%rax", 16) \
	A(ldmxcsr, "movl $0x1f80, (%%rdi); ldmxcsr (%%rdi)", 4) \
	P(stmxcsr, "stmxcsr (%%rdi)", 4, W) \
	P(movq_mmx_load, "movq (%%rdi), %%mm0", 8, R) \
	P(movq_mmx_store, "movq %%mm0, (%%rdi)", 8, W) \
	A(paddd_mmx, "paddd (%%rdi), %%mm0", 8) \
	P(x87_64, "fldl (%%rdi); fstp %%st(0); emms", 8, R) \
	P(x87_store_64, "fld1; fstpl (%%rdi); emms", 8, W) \
	P(x87_store_80, "fldpi; fstpt (%%rdi); emms", 10, W) \
	P(x87_store_integer, "fldpi; fistpll (%%rdi); emms", 8, W) \
	P(vpgatherdd, "vpgatherdd %%ymm2, (%%rdi, %%ymm1, 4), %%ymm0", 0, ESCAPE) \
	P(vpgatherqq, "vpgatherqq %%ymm2, (%%rdi, %%ymm1, 1), %%ymm0", 0, ESCAPE) \
	P(vpmaskmovd_load, "vpmaskmovd (%%rdi), %%ymm2, %%ymm0", 0, ESCAPE) \
	P(vpmaskmovd_store, "vpmaskmovd %%ymm0, %%ymm2, (%%rdi)", 0, ESCAPE) \
	P(maskmovdqu, "maskmovdqu %%xmm2, %%xmm0", 0, ESCAPE) \
	X(fxsave, "fxsave -256(%%rdi)", 0, -256, ESCAPE)

/* xmm0 to xmm2, mm0 and the flags are inputs and outputs. */
#define X(name, text, bytes, offset, access) \
static noinline MMS_UNCHECKED_CODE void name##_op(struct state *state, void *memory) \
{ \
	register u64 flags asm("r8") = state->flags; \
	register u64 ax asm("rax") = state->ax; \
	asm volatile("vmovdqu (%%rsi), %%ymm0\n\t" \
		     "vmovdqu 32(%%rsi), %%ymm1\n\t" \
		     "vmovdqu 64(%%rsi), %%ymm2\n\t" \
		     "movq %c[mmx](%%rsi), %%mm0\n\t" \
		     "emms\n\tpushq %[f]\n\tpopfq\n\t" \
		     text \
		     "\n\tpushfq\n\tpopq %[f]\n\t" \
		     "movq %%mm0, %c[mmx](%%rsi)\n\temms\n\t" \
		     "vmovdqu %%ymm0, (%%rsi)\n\t" \
		     "vmovdqu %%ymm1, 32(%%rsi)\n\t" \
		     "vmovdqu %%ymm2, 64(%%rsi)" \
		     : [f] "+r" (flags), "+r" (ax) \
		     : "D" (memory), "S" (state), \
		       [mmx] "i" (offsetof(struct state, mmx)) \
		     : "rcx", "rdx", "r10", "memory", "cc"); \
	state->flags = flags; \
	state->ax = ax; \
}
OPERATIONS
#undef X

#define X(name, text, bytes, offset, access) \
	{ #name, name##_op, bytes, offset, access },
static const struct operation operations[] = { OPERATIONS };
#undef X

static struct mms_window w;

static void fill(struct state *state)
{
	unsigned int n;

	for (n = 0; n < sizeof(*state); n += 8)
		*(u64 *)((u8 *)state + n) = mms_random();
	/* indices that stay in the window; a mask for every other eight bytes */
	for (n = 0; n < 32; n++)
		if (n % 8)
			state->vector[1][n] = 0;
		else
			state->vector[1][n] &= 0x3f;
	for (n = 0; n < 32; n++)
		state->vector[2][n] = n % 16 < 8 ? 0xff : 0;
	state->flags = native_save_fl() & ~0x8d5ul;
}

static void execute(const struct operation *op, struct state *state,
		    void *memory)
{
	kernel_fpu_begin_mask(KFPU_387 | KFPU_MXCSR);
	op->run(state, memory);
	kernel_fpu_end();
}

static void expect(const struct operation *op)
{
	unsigned int at = MMS_WINDOW_MIDDLE + op->offset, n;

	if (op->access & ESCAPE) {
		mms_expect_escape();
		return;
	}
	if (!strcmp(op->name, "ldmxcsr")) {
		mms_window_expect(&w, 'W', at, 4);
		memcpy(w.before, w.ordinary, sizeof(w.before));
	}
	/* no access has 10 bytes */
	for (n = 0; n < op->bytes; n += op->bytes == 10 ? 8 : op->bytes)
		mms_window_expect(&w, op->access & R ? 'R' : 'W', at + n,
				  op->bytes == 10 ? n ? 2 : 8 : op->bytes);
}

static void try(const struct operation *op)
{
	struct state state, ordinary, device;

	mms_window_fill(&w, MMS_VECTORS_AT);
	fill(&state);
	ordinary = device = state;
	execute(op, &ordinary, w.ordinary + MMS_WINDOW_MIDDLE);
	execute(op, &device, w.device + MMS_WINDOW_MIDDLE);
	mms_check(mms_window_equal(&w), "%s: memory differs", op->name);
	mms_check(!memcmp(ordinary.vector, device.vector,
			  sizeof(state.vector)), "%s: vectors differ: %*phN %*phN",
		  op->name, 32, ordinary.vector[0], 32, device.vector[0]);
	mms_check(ordinary.mmx == device.mmx, "%s: mm0 differs", op->name);
	mms_check(ordinary.ax == device.ax, "%s: rax %llx, is %llx", op->name,
		  ordinary.ax, device.ax);
	mms_check(ordinary.flags == device.flags, "%s: flags %llx, are %llx",
		  op->name, ordinary.flags, device.flags);
	expect(op);
}

void mms_vectors(void)
{
	unsigned int n, round;

	if (!mms_check(mms_bar, "no ivshmem device") ||
	    !mms_check(boot_cpu_has(X86_FEATURE_AVX2), "no AVX2 here"))
		return;
	for (n = 0; n < ARRAY_SIZE(operations); n++)
		for (round = 0; round < ROUNDS; round++)
			try(&operations[n]);
}
