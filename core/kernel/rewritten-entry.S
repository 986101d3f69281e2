/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The way from a rewritten driver's code into the core: rewritten.c.
 */
#include <linux/linkage.h>
#include <asm/asm.h>
#include <asm/processor-flags.h>
#include <asm/segment.h>
#include <asm/unwind_hints.h>
#if __has_include(<linux/cfi_types.h>)
#include <linux/cfi_types.h>
#endif

/* See user-entry.S: an exported function's address may be taken. */
#ifndef SYM_TYPED_FUNC_START
#define SYM_TYPED_FUNC_START SYM_FUNC_START
#endif

/* The driver's jump behind the call, where the instruction was not executed. */
#define NOT_MADE_BYTES 5

/* enum mms_rewritten_answer */
#define MADE 1
#define RETURNED 3

	.text

/*
 * A rewritten driver calls this with all its registers and flags in use, in place of an
 * instruction. Makes a struct pt_regs of them, as an exception at the instruction
 * would. Returns NOT_MADE_BYTES further if the instruction was executed, and to the
 * driver's caller if it was a jump to a function that returns there; takes the site from the
 * stack in any case.
 *
 * The number is that of struct mms_rewritten_site's form: a module that was rewritten
 * for another one doesn't load.
 *
 *	rsp + 0x10	the driver's stack, as at the instruction
 *	rsp + 0x08	the site: struct mms_rewritten_site
 *	rsp + 0x00	return address
 */
SYM_TYPED_FUNC_START(mms_rewritten_access_2)
	leaq	-0x10(%rsp), %rsp	/* sp, ss: filled in on the general way */
	pushfq
	leaq	-0x18(%rsp), %rsp	/* orig_ax, ip, cs: the same */
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
	movq	0xb0(%rsp), %rsi
	movq	%rsp, %rdi
	/* a STAC or a STD may precede the instruction */
	testl	$(X86_EFLAGS_AC | X86_EFLAGS_DF), 0x90(%rsp)
	jnz	4f
	call	mms_rewritten_shortly
	cmpl	$MADE, %eax
	jne	3f
	/* the unwinder still finds the call's address at its place */
1:	movq	0xa8(%rsp), %rax
	addq	$NOT_MADE_BYTES, %rax
2:	movq	%rax, 0xb0(%rsp)
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
	leaq	0x18(%rsp), %rsp
	popfq
	leaq	0x18(%rsp), %rsp
	/* objtool compares with the entry: the site is gone from the stack */
	UNWIND_HINT_FUNC
	RET

3:	cmpl	$RETURNED, %eax
	jne	5f
	/* one more return: the driver's caller is next on the stack */
6:	leaq	mms_return_behind(%rip), %rax
	jmp	2b

4:	xorl	%eax, %eax
5:	movl	%eax, %edx
	movq	0xb0(%rsp), %rsi
	movq	%rsp, %rdi
	movq	$-1, 0x78(%rsp)
	movq	$__KERNEL_CS, 0x88(%rsp)
	leaq	0xb8(%rsp), %rax
	movq	%rax, 0x98(%rsp)
	movq	$__KERNEL_DS, 0xa0(%rsp)
	pushq	0x90(%rsp)
	andl	$~(X86_EFLAGS_AC | X86_EFLAGS_DF), (%rsp)
	popfq
	call	mms_rewritten_make
	cmpl	$MADE, %eax
	je	1b
	cmpl	$RETURNED, %eax
	je	6b
	movq	0xa8(%rsp), %rax
	jmp	2b
SYM_FUNC_END(mms_rewritten_access_2)
/* a return probe would take the place of the return address */
_ASM_NOKPROBE(mms_rewritten_access_2)
