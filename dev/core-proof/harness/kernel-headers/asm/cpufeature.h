/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel's question about the CPU, outside the kernel. */
#define X86_FEATURE_AVX512F "avx512f"
#define boot_cpu_has(feature) (__builtin_cpu_supports(feature) != 0)
