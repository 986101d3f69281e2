/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The way from a rewritten driver's code into the core: rewritten.c.
 */
#include <linux/linkage.h>
#include <asm/asm.h>
#include <asm/processor-flags.h>
#include <asm/segment.h>
#if __has_include(<linux/cfi_types.h>)
#include <linux/cfi_types.h>
#endif

/* See user-entry.S: an exported function's address may be taken. */
#ifndef SYM_TYPED_FUNC_START
#define SYM_TYPED_FUNC_START SYM_FUNC_START
#endif

	.text

/*
 * A rewritten driver calls this with all its registers in use, in place of an
 * instruction. Makes a struct pt_regs of them, as an exception at the instruction
 * would, and returns with the carry set if the instruction was executed; the other
 * flags are lost.
 *
 *	rsp + 0x10	the driver's stack, as at the instruction
 *	rsp + 0x08	the instruction's address
 *	rsp + 0x00	return address
 */
SYM_TYPED_FUNC_START(mms_rewritten_access)
	pushq	$__KERNEL_DS		/* ss */
	pushq	%rax			/* sp: filled in below */
	pushfq
	pushq	$__KERNEL_CS
	pushq	0x28(%rsp)		/* ip */
	pushq	$-1			/* orig_ax */
	pushq	%rdi
	pushq	%rsi
	pushq	%rdx
	pushq	%rcx
	pushq	%rax
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	leaq	0xb8(%rsp), %rax
	movq	%rax, 0x98(%rsp)	/* sp */
	/* a STAC or a STD may precede the instruction */
	pushq	0x90(%rsp)
	andl	$~(X86_EFLAGS_AC | X86_EFLAGS_DF), (%rsp)
	popfq
	movq	%rsp, %rdi
	call	mms_rewritten_make
	/* orig_ax: the only place that nobody reads */
	movb	%al, 0x78(%rsp)
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rax
	popq	%rcx
	popq	%rdx
	popq	%rsi
	popq	%rdi
	/* left: orig_ax, ip, cs, flags, sp, ss. IF, AC and DF become what they were */
	andl	$~X86_EFLAGS_CF, 0x18(%rsp)
	testb	$1, (%rsp)
	jz	1f
	orl	$X86_EFLAGS_CF, 0x18(%rsp)
1:	leaq	0x18(%rsp), %rsp
	popfq
	leaq	0x10(%rsp), %rsp
	RET
SYM_FUNC_END(mms_rewritten_access)
