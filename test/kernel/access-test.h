/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A module that accesses device memory in every way that drivers do, and some
 * that they don't. Each case is done on ordinary memory, too, and must give
 * the same results; and it lists the accesses that a tracer must have seen.
 *
 *	main.c       devices, debugfs, the list of groups
 *	window.c     results, expectations, the two memories that are compared
 *	accessors.c  readl() and the like, the copies of io.h, the string functions
 *	integer.c    integer instructions with a memory operand
 *	strings.c    MOVS STOS LODS CMPS SCAS
 *	vectors.c    SSE, AVX, x87, MMX
 *	compared.c   instructions that other tracers report wrongly
 *	oracle.c     the pattern of the kernel's own testmmiotrace
 *	user.c       copies straight between device and user memory
 *	contexts.c   interrupts, timers, NMIs, all CPUs at once
 *	locking.c    CPUs that wait for each other
 *	interrupted.c  the code that interrupts find meanwhile
 *	patching.c   code that changes while it accesses the device
 *	mapped.c     mappings by other ways than ioremap()
 *	trapped.c    instructions that a debugger steps
 *	asleep.c     a copy to user memory that sleeps, while its mapping goes
 *	ignored-bit.c  a CPU on which no decoy faults
 *	bugs.c       bugs that must oops as without a tracer
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
 * Each group's place in BAR 2. The accesses below MMS_UNCHECKED are compared
 * with the expectations; above it the number of accesses depends on time, or on
 * the implementation of the kernel's functions.
 */
#define MMS_ACCESSORS_AT 0x001000
#define MMS_INTEGER_AT 0x002000
#define MMS_STRINGS_AT 0x004000
#define MMS_VECTORS_AT 0x008000
#define MMS_USER_AT 0x010000
#define MMS_COMPARED_AT 0x020000
#define MMS_UNCHECKED 0x600000
#define MMS_LOCKING_AT 0x700000

/*
 * Returns the same memory's real address: to prepare it and read it unseen.
 * The core's decoys differ from the real address in bit 62.
 */
static inline void *mms_real(const volatile void *address)
{
	return (void *)((u64)address | 1ull << 62);
}

/*
 * For functions that keep something in a named register: a sanitizer's calls
 * before the instruction would destroy it.
 */
#define MMS_UNCHECKED_CODE __no_sanitize_address

/* ---- window.c ---- */

/* Counts a case's result; `what` is only for failures. Returns `good`. */
__printf(2, 3) bool mms_check(bool good, const char *what, ...);
/* Adds an access that a tracer must have seen: 'R' or 'W', at an offset in BAR 2. */
void mms_expect(char direction, unsigned int offset, const void *value,
		unsigned int bytes);
/* The same, as accesses of any widths, rising and without gaps. */
void mms_expect_cover(char direction, unsigned int offset, const void *value,
		      unsigned int bytes);
/* Adds an instruction that is executed without emulation. */
void mms_expect_escape(void);

#define MMS_WINDOW_BYTES 512
#define MMS_WINDOW_MIDDLE 256

/* Two memories with the same content: ordinary, and the device's. */
struct mms_window {
	unsigned int at;		/* in BAR 2 */
	void *device;			/* the driver's pointer to it */
	u8 before[MMS_WINDOW_BYTES];
	u8 ordinary[MMS_WINDOW_BYTES] __aligned(64);
};

/* Fills both with the same made-up bytes. */
void mms_window_fill(struct mms_window *window, unsigned int at);
/* Copies changes made in `ordinary` to the others. */
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
void mms_going_down(void);
void mms_beside(void);
void mms_patching(void);
void mms_mapped(void);
void mms_trapped(void);
void mms_asleep(void);
void mms_asleep_unmap(void);
void mms_asleep_over(void);
void mms_ignored_bit(void);
void mms_ignored_bit_over(void);
void mms_bug_wild(void);
void mms_bug_null(void);
void mms_bug_beside(void);
void mms_bug_jump(void);
void mms_bug_copy(void);
void mms_bug_thread(void);
void mms_bug_aligned(void);
void mms_bug_smap(void);
void mms_bug_unmapped(void);

#endif
