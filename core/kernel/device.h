/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One operation on the device's own address, of exactly the kind and width that
 * is asked for. No order and no records: access.c has those.
 */
#ifndef MMIOSTRIDER_DEVICE_H
#define MMIOSTRIDER_DEVICE_H

#include <linux/compiler.h>
#include <linux/types.h>
#include <asm/asm.h>

#include "../emulate.h"

/*
 * Accesses are in assembly, as readl() is. A sanitizer checks the compiler's
 * own accesses and would report those beyond the range that the driver asked to
 * map; drivers make such accesses. Each has an exception-table entry: a fault
 * here is the driver's, and must not end in here, with the lock held.
 */
#define DEVICE_LOAD(move, constraint, type) do { \
	type number = 0; \
	asm volatile("1: " move " %2, %1\n" \
		     "   xorl %0, %0\n" \
		     "2:\n" \
		     _ASM_EXTABLE(1b, 2b) \
		     : "+&r" (failed), constraint (number) \
		     : "m" (*(const volatile type *)real) : "memory", "cc"); \
	*value = number; \
} while (0)

#define DEVICE_STORE(move, constraint, type) \
	asm volatile("1: " move " %2, %1\n" \
		     "   xorl %0, %0\n" \
		     "2:\n" \
		     _ASM_EXTABLE(1b, 2b) \
		     : "+&r" (failed), "=m" (*(volatile type *)real) \
		     : constraint ((type)value) : "memory", "cc")

/* Up to eight bytes. Returns false if the access faults. */
static __always_inline bool mms_device_load(const void *real, u64 *value,
					      unsigned int bytes)
{
	unsigned int failed = 1;

	*value = 0;
	switch (bytes) {
	case 1: DEVICE_LOAD("movb", "+&q", u8); break;
	case 2: DEVICE_LOAD("movw", "+&r", u16); break;
	case 4: DEVICE_LOAD("movl", "+&r", u32); break;
	default: DEVICE_LOAD("movq", "+&r", u64); break;
	}
	return !failed;
}

/* Of four or eight bytes, and not plain. */
bool mms_device_store_unusual(void *real, u64 value, unsigned int bytes,
			      enum mms_store_kind kind);

static __always_inline bool mms_device_store(void *real, u64 value,
					       unsigned int bytes,
					       enum mms_store_kind kind)
{
	unsigned int failed = 1;

	if (unlikely(kind != MMS_STORE_PLAIN && bytes >= 4))
		return mms_device_store_unusual(real, value, bytes, kind);
	switch (bytes) {
	case 1: DEVICE_STORE("movb", "q", u8); break;
	case 2: DEVICE_STORE("movw", "r", u16); break;
	case 4: DEVICE_STORE("movl", "r", u32); break;
	default: DEVICE_STORE("movq", "r", u64); break;
	}
	return !failed;
}

/* 16, 32 or 64 bytes from `from` to `to`, with one load and one store. */
bool mms_device_copy_wide(void *to, const void *from, unsigned int bytes,
			  enum mms_store_kind kind);

/* ENQCMDS; `again`: the device wants the command once more. */
bool mms_device_enqueue(void *real, const void *command, bool *again);

/* A locked operation; `old` is what was there. */
bool mms_device_atomic(void *real, enum mms_atomic operation, const void *operand,
		       const void *expected, void *old, unsigned int bytes);

/* CLFLUSH and its kin. */
bool mms_device_flush(void *real, enum mms_mnemonic mnemonic);

#endif
