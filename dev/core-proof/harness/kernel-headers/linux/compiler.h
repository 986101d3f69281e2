/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel's words that core/kernel/device.c uses, outside the kernel. */
#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)
#undef __always_inline
#define __always_inline inline __attribute__((always_inline))
