/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Two pieces of code that an interrupted context is sent to.
 */
#include <linux/linkage.h>
#include <asm/asm.h>
#include <asm/processor-flags.h>
#ifdef CONFIG_X86_KERNEL_IBT
#if __has_include(<linux/annotate.h>)
#include <linux/annotate.h>
#else
#include <linux/objtool.h>
#endif
#endif
#if __has_include(<linux/cfi_types.h>)
#include <linux/cfi_types.h>
#endif

/* A function whose address is taken begins with an ENDBR where the kernel checks
 * that: "cfi: Add type helper macros", 6.1. SYM_FUNC_START did that before. */
#ifndef SYM_TYPED_FUNC_START
#define SYM_TYPED_FUNC_START SYM_FUNC_START
#endif

	.text

/*
 * A probe goes here instead of to the probed function: returns to the
 * function's caller, with the probe's rax.
 */
SYM_TYPED_FUNC_START(mms_return)
	nop
/* Only a return address: the unwinder looks in front of it. */
SYM_INNER_LABEL(mms_return_behind, SYM_L_GLOBAL)
#ifdef CONFIG_X86_KERNEL_IBT
	ANNOTATE_NOENDBR
#endif
	RET
SYM_FUNC_END(mms_return)

/*
 * A context comes here, as if it had called us, with all its registers, after
 * its instruction found a page of user memory missing. It faults in the page, if
 * it may, and returns to the instruction.
 *
 *	rsp + 0x80	return address, filled in by mms_user_resume()
 *	rsp + 0x78	rbp, with a frame for kernels that unwind stacks by them
 *	rsp + 0x70	flags
 *	rsp + 0x00	the other general registers
 */
SYM_TYPED_FUNC_START(mms_user_entry)
	pushq	%rbp
	movq	%rsp, %rbp
	pushfq
	/* a STAC or a STD may precede the instruction */
	pushfq
	andl	$~(X86_EFLAGS_AC | X86_EFLAGS_DF), (%rsp)
	popfq
	pushq	%rax
	pushq	%rcx
	pushq	%rdx
	pushq	%rbx
	pushq	%rsi
	pushq	%rdi
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	leaq	0x80(%rsp), %rdi
	call	mms_user_resume
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rdi
	popq	%rsi
	popq	%rbx
	popq	%rdx
	popq	%rcx
	popq	%rax
	popfq
	popq	%rbp
	RET
SYM_FUNC_END(mms_user_entry)
