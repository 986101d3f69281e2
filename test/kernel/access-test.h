/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A module that accesses device memory in every way that drivers do, and some
 * that they don't. Each case is done on ordinary memory, too, and must give
 * the same results; and it says which accesses a tracer must have seen.
 *
 *	main.c       devices, debugfs, the list of groups
 *	window.c     results, expectations, the two memories that are compared
 *	accessors.c  readl() and its kin, the copies of io.h, the string functions
 *	integer.c    integer instructions with a memory operand
 *	strings.c    MOVS STOS LODS CMPS SCAS
 *	vectors.c    SSE, AVX, x87, MMX
 *	compared.c   instructions of which other tracers say something else
 *	oracle.c     the pattern of the kernel's own testmmiotrace
 *	user.c       copies straight between device and user memory
 *	contexts.c   interrupts, timers, NMIs, all CPUs at once
 *	interrupted.c  what interrupts find meanwhile
 *	patching.c   code that changes while it accesses the device
 *	bugs.c       what must oops as if nobody traced it
 */
#ifndef MMS_ACCESS_TEST_H
#define MMS_ACCESS_TEST_H

#include <linux/io.h>
#include <linux/types.h>

#undef pr_fmt
#define pr_fmt(fmt) "mms_access_test: " fmt

/* The ivshmem device's memory: BAR 2, mapped; NULL without the device. */
extern void __iomem *mms_bar;
extern resource_size_t mms_bar_physical;
#define MMS_BAR_BYTES (8u << 20)

/* The edu device's registers: BAR 0. */
extern void __iomem *mms_edu;
#define MMS_EDU_IDENTIFICATION 0x00
#define MMS_EDU_LIVENESS 0x04	/* reads as the inverse of what was written */

/*
 * Where in BAR 2 each group works. The trace of what lies below MMS_UNCHECKED
 * is compared with the expectations; above it accesses are made whose number
 * depends on time, or on how the kernel's functions are written.
 */
#define MMS_ACCESSORS_AT 0x001000
#define MMS_INTEGER_AT 0x002000
#define MMS_STRINGS_AT 0x004000
#define MMS_VECTORS_AT 0x008000
#define MMS_USER_AT 0x010000
#define MMS_COMPARED_AT 0x020000
#define MMS_UNCHECKED 0x600000

/*
 * The same memory by its real address: to prepare it and look at it unseen.
 * The core's decoys differ from the real address in bit 62.
 */
static inline void *mms_real(const volatile void *address)
{
	return (void *)((u64)address | 1ull << 62);
}

/*
 * For functions that keep something in a register by name: a sanitizer's calls
 * between there and the instruction wouldn't.
 */
#define MMS_UNCHECKED_CODE __no_sanitize_address

/* ---- window.c ---- */

/* A case's result; `what` is only for failures. Returns `good`. */
__printf(2, 3) bool mms_check(bool good, const char *what, ...);
/* What a tracer must have seen, in order: 'R' or 'W', at an offset in BAR 2. */
void mms_expect(char direction, unsigned int offset, const void *value,
		unsigned int bytes);
/* The same in accesses of any widths, rising and without gaps. */
void mms_expect_cover(char direction, unsigned int offset, const void *value,
		      unsigned int bytes);
/* An instruction that is executed without emulation. */
void mms_expect_escape(void);

#define MMS_WINDOW_BYTES 512
#define MMS_WINDOW_MIDDLE 256

/* Two memories with the same content: ordinary, and the device's. */
struct mms_window {
	unsigned int at;		/* in BAR 2 */
	void *device;			/* as the driver sees it */
	u8 before[MMS_WINDOW_BYTES];
	u8 ordinary[MMS_WINDOW_BYTES] __aligned(64);
};

/* Fills both with the same made-up bytes. */
void mms_window_fill(struct mms_window *window, unsigned int at);
/* Copies what was changed in `ordinary` by hand to the others. */
void mms_window_spread(struct mms_window *window);
bool mms_window_equal(const struct mms_window *window);
void mms_window_expect(const struct mms_window *window, char direction,
		       unsigned int offset, unsigned int bytes);

u64 mms_random(void);	/* the same sequence in every run */
void mms_random_restart(void);

extern unsigned int mms_cases, mms_failures;

/* ---- Groups ---- */

void mms_accessors(void);
void mms_integer(void);
void mms_strings(void);
void mms_vectors(void);
void mms_compared(void);
void mms_oracle(void);
void mms_user(void);
void mms_contexts(void);
void mms_nmi(void);
void mms_interrupted(void);
void mms_patching(void);
void mms_bug_wild(void);
void mms_bug_null(void);
void mms_bug_beside(void);
void mms_bug_jump(void);
void mms_bug_copy(void);
void mms_bug_thread(void);
void mms_bug_aligned(void);

#endif
