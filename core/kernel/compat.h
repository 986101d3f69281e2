/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Functions and types that the kernels from 5.10 on have in different forms: a
 * kernel without the newest form gets it here. Kbuild looks for them in the
 * kernel's headers and defines MMS_HAS_…; nothing asks for a version.
 */
#ifndef MMIOSTRIDER_COMPAT_H
#define MMIOSTRIDER_COMPAT_H

#include <linux/ftrace.h>
#include <linux/irqflags.h>
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched.h>
#include <asm/msr.h>

/* "x86/msr: Rename 'rdmsrl()' to 'rdmsrq()'", 6.16; 7.3 has the new name only. */
#ifndef rdmsrq
#define rdmsrq(msr, value) rdmsrl(msr, value)
#endif

/* A variable that the compiler doesn't clear, whatever CONFIG_INIT_STACK_ALL says:
 * the attribute came with gcc 12, and so did the need. */
#if __has_attribute(uninitialized)
#define mms_uninitialized __attribute__((uninitialized))
#else
#define mms_uninitialized
#endif

/* "ftrace: Have the callbacks receive a struct ftrace_regs instead of pt_regs",
 * 5.11. */
#ifndef MMS_HAS_FTRACE_REGS
#define ftrace_regs pt_regs
#define ftrace_get_regs(regs) (regs)
#endif

/* "ftrace: Reverse what the RECURSION flag means in the ftrace_ops", 5.11: before,
 * ftrace ended a recursion without being asked to. */
#ifndef MMS_HAS_FTRACE_RECURSION
#define FTRACE_OPS_FL_RECURSION 0
#endif

/* Its argument went between 5.10 and 6.1. */
#ifdef MMS_HAS_LOCKDEP_PREPARE_VOID
#define mms_lockdep_hardirqs_on_prepare(ip) lockdep_hardirqs_on_prepare()
#else
#define mms_lockdep_hardirqs_on_prepare(ip) lockdep_hardirqs_on_prepare(ip)
#endif

/* "kprobes: Remove kretprobe hash", 5.11: before, an instance points to its probe. */
#ifndef MMS_HAS_GET_KRETPROBE
#define get_kretprobe(instance) ((instance)->rp)
#endif

/* "kprobes: Use rethook for kretprobe if possible", 5.18. */
#ifndef MMS_HAS_GET_KRETPROBE_RETADDR
#define get_kretprobe_retaddr(instance) ((unsigned long)(instance)->ret_addr)
#endif

/*
 * "gup: Turn fault_in_pages_{readable,writeable} into fault_in_{readable,writeable}"
 * and "iov_iter: Introduce fault_in_iov_iter_writeable", 5.16. The older function
 * for pages that are to be written writes to them.
 *
 * Returns true if the page of the current process is present now. May sleep.
 */
static inline bool mms_fault_in_page(u64 address, bool write)
{
#ifdef MMS_HAS_FAULT_IN_SAFE_WRITEABLE
	char __user *byte = (char __user *)address;

	return !(write ? fault_in_safe_writeable(byte, 1) :
			 fault_in_readable(byte, 1));
#else
	struct mm_struct *mm = current->mm;
	int error;

	mmap_read_lock(mm);
	error = fixup_user_fault(mm, address, write ? FAULT_FLAG_WRITE : 0, NULL);
	mmap_read_unlock(mm);
	return !error;
#endif
}

#endif
