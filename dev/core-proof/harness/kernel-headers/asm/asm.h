/* SPDX-License-Identifier: GPL-2.0 */
/* Outside the kernel there is no table: an access that faults ends the process. */
#define _ASM_EXTABLE(from, to)
