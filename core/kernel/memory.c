// SPDX-License-Identifier: GPL-2.0
/*
 * The ordinary memory on an instruction's other side: kernel memory, whether
 * the pointer is good or bad, and user memory that is present.
 */
#include <linux/uaccess.h>
#include <asm/asm.h>

#include "core.h"

static bool memory_is_user(u64 address, unsigned int bytes)
{
	return address + bytes <= TASK_SIZE_MAX;
}

#define TRY_MOVE(mov, to, from) \
	asm volatile("1: " mov "\n" \
		     "   xorl %k0, %k0\n" \
		     "2:\n" \
		     _ASM_EXTABLE(1b, 2b) \
		     : "+&r" (failed), to : from : "memory", "cc")

/* The driver's own pointers, good or bad. */
static int memory_load_kernel(void *value, u64 address, unsigned int bytes)
{
	unsigned long failed = 1;

	switch (bytes) {
	case 1: TRY_MOVE("movb %2, %b1", "=&q" (*(u8 *)value), "m" (*(u8 *)address)); break;
	case 2: TRY_MOVE("movw %2, %w1", "=&r" (*(u16 *)value), "m" (*(u16 *)address)); break;
	case 4: TRY_MOVE("movl %2, %k1", "=&r" (*(u32 *)value), "m" (*(u32 *)address)); break;
	case 8: TRY_MOVE("movq %2, %1", "=&r" (*(u64 *)value), "m" (*(u64 *)address)); break;
	default:
		failed = copy_from_kernel_nofault(value, (const void *)address,
						  bytes);
	}
	return failed ? -1 : 0;
}

static int memory_store_kernel(u64 address, const void *value, unsigned int bytes)
{
	unsigned long failed = 1;

	switch (bytes) {
	case 1: TRY_MOVE("movb %b2, %1", "=m" (*(u8 *)address), "q" (*(const u8 *)value)); break;
	case 2: TRY_MOVE("movw %w2, %1", "=m" (*(u16 *)address), "r" (*(const u16 *)value)); break;
	case 4: TRY_MOVE("movl %k2, %1", "=m" (*(u32 *)address), "r" (*(const u32 *)value)); break;
	case 8: TRY_MOVE("movq %2, %1", "=m" (*(u64 *)address), "r" (*(const u64 *)value)); break;
	default: break;	/* no string element is wider */
	}
	return failed ? -1 : 0;
}

static int memory_fault(struct mms_machine *machine, u64 address, bool write)
{
	machine->fault_address = address;
	machine->fault_write = write;
	return -1;
}

int mms_machine_memory_load(struct mms_machine *machine, uint64_t address,
			    void *value, unsigned int bytes)
{
	bool failed;

	if (memory_is_user(address, bytes)) {
		if (!mms_user_allowed(mms_cpu_of(machine)))
			return memory_fault(machine, address, false);
		mms_cpu_of(machine)->instruction_flags |= MMS_F_USER;
		pagefault_disable();
		failed = __copy_from_user_inatomic(value,
						   (const void __user *)address,
						   bytes);
		pagefault_enable();
	} else {
		failed = memory_load_kernel(value, address, bytes);
	}
	return failed ? memory_fault(machine, address, false) : 0;
}

int mms_machine_memory_store(struct mms_machine *machine, uint64_t address,
			     const void *value, unsigned int bytes)
{
	bool failed;

	if (memory_is_user(address, bytes)) {
		if (!mms_user_allowed(mms_cpu_of(machine)))
			return memory_fault(machine, address, true);
		mms_cpu_of(machine)->instruction_flags |= MMS_F_USER;
		pagefault_disable();
		failed = __copy_to_user_inatomic((void __user *)address, value,
						 bytes);
		pagefault_enable();
	} else {
		failed = memory_store_kernel(address, value, bytes);
	}
	return failed ? memory_fault(machine, address, true) : 0;
}

static int memory_user_writable(u64 address)
{
	unsigned long failed = 1;

	if (!user_access_begin((void __user *)address, 1))
		return -1;
	/* a write that changes nothing: it needs a writable page */
	asm volatile("1: lock orb $0, %1\n"
		     "   xorl %k0, %k0\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : "+r" (failed), "+m" (*(u8 __user *)address) : : "cc");
	user_access_end();
	return failed ? -1 : 0;
}

/* A bad kernel address is a bug in the driver, whatever value the device gives. */
int mms_machine_memory_writable(struct mms_machine *machine, uint64_t address,
				unsigned int bytes)
{
	u64 last = address + bytes - 1;
	bool failed;

	if (!memory_is_user(address, bytes))
		return 0;
	if (!mms_user_allowed(mms_cpu_of(machine)))
		return memory_fault(machine, address, true);
	pagefault_disable();
	failed = memory_user_writable(address);
	if (!failed && (address ^ last) & PAGE_MASK) {
		address = last;
		failed = memory_user_writable(address);
	}
	pagefault_enable();
	return failed ? memory_fault(machine, address, true) : 0;
}
