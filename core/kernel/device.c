// SPDX-License-Identifier: GPL-2.0
/* The less usual operations on the device's own address: see device.h. */
#include <linux/types.h>
#include <asm/cpufeature.h>

#include "device.h"
#include "vector.h"

/* MOVDIRI of rax or eax to [rdx]. */
#define DEVICE_STORE_DIRECT(bytes, type) \
	asm volatile("1: .byte " bytes "\n" \
		     "   xorl %0, %0\n" \
		     "2:\n" \
		     _ASM_EXTABLE(1b, 2b) \
		     : "+&r" (failed), "=m" (*(volatile type *)real) \
		     : "a" ((type)value), "d" (real) : "memory", "cc")

bool mms_device_store_unusual(void *real, u64 value, unsigned int bytes,
				 enum mms_store_kind kind)
{
	unsigned int failed = 1;

	if (kind == MMS_STORE_DIRECT && bytes == 4)
		DEVICE_STORE_DIRECT("0x0f, 0x38, 0xf9, 0x02", u32);
	else if (kind == MMS_STORE_DIRECT)
		DEVICE_STORE_DIRECT("0x48, 0x0f, 0x38, 0xf9, 0x02", u64);
	else if (bytes == 4)
		DEVICE_STORE("movnti", "r", u32);
	else
		DEVICE_STORE("movnti", "r", u64);
	return !failed;
}

/*
 * Wide accesses go through a vector register, which is restored afterwards:
 * the interrupted code may be using it. Interrupts are off. `keep` saves all
 * bytes that `load` changes: with a VEX prefix, the whole register.
 */
#define THROUGH_VECTOR(keep, whole, kept, load, store, vector, type) do { \
	kept saved; \
	asm volatile(keep " %%" whole ", %1\n" \
		     "1: " load " %3, %%" vector "\n" \
		     "2: " store " %%" vector ", %2\n" \
		     "   xorl %0, %0\n" \
		     "3: " keep " %1, %%" whole "\n" \
		     _ASM_EXTABLE(1b, 3b) \
		     _ASM_EXTABLE(2b, 3b) \
		     : "+&r" (failed), "=m" (saved), "=m" (*(type *)to) \
		     : "m" (*(const volatile type *)from) : "cc"); \
} while (0)

/* MOVDIR64B from [rdx] to [rax]. */
static bool device_move_64_bytes(void *to, const void *from)
{
	unsigned int failed = 1;

	asm volatile("1: .byte 0x66, 0x0f, 0x38, 0xf8, 0x02\n"
		     "   xorl %0, %0\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : "+&r" (failed), "=m" (*(struct bytes64 *)to)
		     : "m" (*(const struct bytes64 *)from), "a" (to), "d" (from)
		     : "cc");
	return !failed;
}

bool mms_device_copy_wide(void *to, const void *from, unsigned int bytes,
			     enum mms_store_kind kind)
{
	bool lasting = kind == MMS_STORE_NON_TEMPORAL;
	bool avx512 = boot_cpu_has(X86_FEATURE_AVX512F);
	unsigned int failed = 1;

	if (bytes == 64 && (kind == MMS_STORE_DIRECT || !avx512))
		return device_move_64_bytes(to, from);
	if (bytes == 16 && lasting)
		THROUGH_VECTOR("movdqu", "xmm0", struct bytes16,
			       "movdqu", "movntdq", "xmm0", struct bytes16);
	else if (bytes == 16)
		THROUGH_VECTOR("movdqu", "xmm0", struct bytes16,
			       "movdqu", "movdqu", "xmm0", struct bytes16);
	else if (bytes == 32 && lasting && avx512)
		THROUGH_VECTOR("vmovdqu64", "zmm0", struct bytes64,
			       "vmovdqu", "vmovntdq", "ymm0", struct bytes32);
	else if (bytes == 32 && lasting)
		THROUGH_VECTOR("vmovdqu", "ymm0", struct bytes32,
			       "vmovdqu", "vmovntdq", "ymm0", struct bytes32);
	else if (bytes == 32 && avx512)
		THROUGH_VECTOR("vmovdqu64", "zmm0", struct bytes64,
			       "vmovdqu", "vmovdqu", "ymm0", struct bytes32);
	else if (bytes == 32)
		THROUGH_VECTOR("vmovdqu", "ymm0", struct bytes32,
			       "vmovdqu", "vmovdqu", "ymm0", struct bytes32);
	else if (lasting)
		THROUGH_VECTOR("vmovdqu64", "zmm0", struct bytes64,
			       "vmovdqu64", "vmovntdq", "zmm0", struct bytes64);
	else
		THROUGH_VECTOR("vmovdqu64", "zmm0", struct bytes64,
			       "vmovdqu64", "vmovdqu64", "zmm0", struct bytes64);
	return !failed;
}

/* ENQCMDS from [rdx] to [rax]. */
bool mms_device_enqueue(void *real, const void *command, bool *again)
{
	unsigned int failed = 1;
	u8 zero_flag = 0;

	asm volatile("1: .byte 0xf3, 0x0f, 0x38, 0xf8, 0x02\n"
		     "   setz %1\n"
		     "   xorl %0, %0\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : "+&r" (failed), "+&q" (zero_flag),
		       "=m" (*(struct bytes64 *)real)
		     : "m" (*(const struct bytes64 *)command), "a" (real),
		       "d" (command) : "cc");
	*again = zero_flag;
	return !failed;
}

/* Explicit LOCK prefixes: the kernel's own macros may have theirs patched out. */
#define ATOMIC(instruction, constraint, type) \
	asm volatile("1: " instruction "\n" \
		     "   xorl %0, %0\n" \
		     "2:\n" \
		     _ASM_EXTABLE(1b, 2b) \
		     : "+&r" (failed), constraint (*(type *)old), \
		       "+m" (*(volatile type *)real) \
		     : "1" (*(const type *)start), "r" (*(const type *)operand) \
		     : "cc")
#define ATOMIC_WIDTHS(instruction, constraint) \
	switch (bytes) { \
	case 1: ATOMIC(instruction, constraint, u8); break; \
	case 2: ATOMIC(instruction, constraint, u16); break; \
	case 4: ATOMIC(instruction, constraint, u32); break; \
	default: ATOMIC(instruction, constraint, u64); break; \
	}

static bool device_compare_exchange_16(void *real, const u64 *operand,
				       const u64 *expected, u64 *old)
{
	unsigned int failed = 1;

	asm volatile("1: lock cmpxchg16b %3\n"
		     "   movl $0, %0\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : "+&r" (failed), "=a" (old[0]), "=d" (old[1]),
		       "+m" (*(volatile struct bytes16 *)real)
		     : "b" (operand[0]), "c" (operand[1]),
		       "1" (expected[0]), "2" (expected[1]) : "cc");
	return !failed;
}

bool mms_device_atomic(void *real, enum mms_atomic operation, const void *operand,
		       const void *expected, void *old, unsigned int bytes)
{
	unsigned int failed = 1;
	const void *start = operand;

	switch (operation) {
	case MMS_ATOMIC_EXCHANGE:
		ATOMIC_WIDTHS("xchg %1, %2", "=r");
		break;
	case MMS_ATOMIC_ADD:
		ATOMIC_WIDTHS("lock xadd %1, %2", "=r");
		break;
	case MMS_ATOMIC_COMPARE_EXCHANGE:
		if (bytes == 16)
			return device_compare_exchange_16(real, operand, expected,
							  old);
		start = expected;
		ATOMIC_WIDTHS("lock cmpxchg %4, %2", "=a");
		break;
	}
	return !failed;
}

#define FLUSH(instruction) \
	asm volatile("1: " instruction " %1\n" \
		     "   xorl %0, %0\n" \
		     "2:\n" \
		     _ASM_EXTABLE(1b, 2b) \
		     : "+&r" (failed), "+m" (*(volatile u8 *)real) : : "cc")

bool mms_device_flush(void *real, enum mms_mnemonic mnemonic)
{
	unsigned int failed = 1;

	switch (mnemonic) {
	case MMS_MN_CLWB:
		FLUSH("clwb");
		break;
	case MMS_MN_CLFLUSHOPT:
		FLUSH("clflushopt");
		break;
	default:
		FLUSH("clflush");
		break;
	}
	return !failed;
}
