// SPDX-License-Identifier: GPL-2.0
/*
 * What the emulator asks of the kernel: device accesses with their records,
 * the registers of the interrupted context, ordinary memory.
 */
#include <linux/cpu.h>
#include <linux/io.h>
#include <linux/log2.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include <asm/asm.h>
#include <asm/cpufeature.h>
#include <asm/msr.h>
#include <asm/processor-flags.h>
#include <asm/special_insns.h>
#include <asm/tsc.h>

#include "core.h"

/*
 * Strict: one lock for all. Relaxed: one of many, by address, so that only
 * accesses to the same 64 bytes wait for each other, and a read-modify-write
 * is still alone on its bytes.
 */
#define LOCKS_MAX 64

struct mms_lock {
	raw_spinlock_t spinlock;
} ____cacheline_aligned_in_smp;

static struct mms_lock locks[LOCKS_MAX];
/* This CPU holds a lock, or is about to: what interrupts it must not wait. */
static DEFINE_PER_CPU(bool, in_lock);

bool mms_relaxed;

const uint16_t mms_pt_regs_at[MMS_REGISTER_COUNT] = {
	offsetof(struct pt_regs, ax), offsetof(struct pt_regs, cx),
	offsetof(struct pt_regs, dx), offsetof(struct pt_regs, bx),
	offsetof(struct pt_regs, sp), offsetof(struct pt_regs, bp),
	offsetof(struct pt_regs, si), offsetof(struct pt_regs, di),
	offsetof(struct pt_regs, r8), offsetof(struct pt_regs, r9),
	offsetof(struct pt_regs, r10), offsetof(struct pt_regs, r11),
	offsetof(struct pt_regs, r12), offsetof(struct pt_regs, r13),
	offsetof(struct pt_regs, r14), offsetof(struct pt_regs, r15),
};

void mms_machine_init(void)
{
	unsigned int n;

	for (n = 0; n < LOCKS_MAX; n++)
		raw_spin_lock_init(&locks[n].spinlock);
}

void mms_cpu_enter(struct mms_cpu *cpu, struct pt_regs *regs,
		   unsigned int nmis_of_ours)
{
	unsigned int nmis = (nmi_count() >> NMI_SHIFT) - nmis_of_ours;
	u32 flags = 0;

	/* an NMI counts as a hard interrupt, too, in the kernel's counter */
	if (nmis)
		flags |= MMS_F_NMI;
	if (hardirq_count() >> HARDIRQ_SHIFT > nmi_count() >> NMI_SHIFT)
		flags |= MMS_F_HARDIRQ;
	if (in_serving_softirq())
		flags |= MMS_F_SOFTIRQ;
	*cpu = (struct mms_cpu){
		.machine = {
			.registers = regs,
			.register_at = mms_pt_regs_at,
			.ip = regs->ip,
			.flags = regs->flags,
		},
		.regs = regs,
		.in_nmi = nmis,
		.site = mms_clean_room ? 0 : regs->ip,
		.record_flags = flags,
	};
}

void mms_cpu_leave(struct mms_cpu *cpu)
{
	/* a fault sets RF, which every instruction that is completed clears */
	if (cpu->regs->ip != cpu->machine.ip)
		cpu->machine.flags &= ~(u64)X86_EFLAGS_RF;
	cpu->regs->ip = cpu->machine.ip;
	cpu->regs->flags = cpu->machine.flags;
}

static struct mms_cpu *cpu_of(struct mms_machine *machine)
{
	return container_of(machine, struct mms_cpu, machine);
}

static const struct mms_mapping *mapping_of(struct mms_cpu *cpu, u64 address,
					    unsigned int bytes)
{
	const struct mms_mapping *m = cpu->mapping;

	if (!m || address < m->decoy || address + bytes > m->decoy + m->bytes)
		m = cpu->mapping = mms_mapping_find(address, bytes);
	return m;
}

bool mms_machine_is_device(struct mms_machine *machine, uint64_t address,
			   unsigned int bytes)
{
	return mms_is_decoy(address) &&
	       mapping_of(cpu_of(machine), address, bytes);
}

void mms_machine_begin(struct mms_machine *machine, uint64_t address)
{
	struct mms_cpu *cpu = cpu_of(machine);
	struct mms_lock *lock;

	if (cpu->site && !mapping_of(cpu, address, 1)->silent)
		mms_ring_put_symbol(cpu->site);
	if (this_cpu_read(in_lock)) {
		/* we interrupt somebody between his access and his record */
		cpu->instruction_flags |= MMS_F_UNORDERED;
		cpu->lock = NULL;
		return;
	}
	this_cpu_write(in_lock, true);
	barrier();
	lock = &locks[mms_relaxed ? (address >> 6) % LOCKS_MAX : 0];
	raw_spin_lock(&lock->spinlock);
	cpu->lock = lock;
}

void mms_machine_end(struct mms_machine *machine)
{
	struct mms_cpu *cpu = cpu_of(machine);

	if (!cpu->lock)
		return;
	raw_spin_unlock(&cpu->lock->spinlock);
	cpu->lock = NULL;
	barrier();
	this_cpu_write(in_lock, false);
}

/* ---- Records ---- */

static void init_access(struct mms_record *record, const struct mms_cpu *cpu,
			const struct mms_mapping *m, u64 address,
			enum mms_kind kind, u64 tsc)
{
	*record = (struct mms_record){
		.tsc = tsc,
		.address = address - m->decoy + m->physical,
		.site = cpu->site,
		.pid = current->pid,
		.mapping = m->id,
		.cpu = raw_smp_processor_id(),
		.kind = kind,
		.flags = cpu->record_flags | cpu->instruction_flags,
	};
}

/* One access: a record, or several where the value is too wide for one. */
static void put_access(struct mms_cpu *cpu, u64 address, enum mms_kind kind,
		       u64 tsc, const void *value, unsigned int bytes)
{
	const struct mms_mapping *m = mapping_of(cpu, address, bytes);
	struct mms_record record[MMS_VECTOR_BYTES_MAX / MMS_VALUE_BYTES];
	unsigned int at, n = 0;

	if (m->silent || !mms_ring_recording())
		return;
	for (at = 0; at < bytes; at += MMS_VALUE_BYTES, n++) {
		unsigned int part = min(bytes - at, (unsigned int)MMS_VALUE_BYTES);

		init_access(&record[n], cpu, m, address + at, kind, tsc);
		record[n].width = part;
		memcpy(record[n].value, value + at, part);
		if (at + part < bytes)
			record[n].flags |= MMS_F_MORE;
	}
	mms_ring_put(record, n);
}

/* ---- Accesses ---- */

static void *real_of(u64 address)
{
	return (void *)(address ^ MMS_DECOY_BIT);
}

/*
 * Wide accesses go through a vector register, which is put back: the
 * interrupted code may be using it. Interrupts are off.
 */
#define THROUGH_VECTOR(move, vector, type) do { \
	type saved; \
	asm volatile(move " %%" vector ", %0\n\t" \
		     move " %2, %%" vector "\n\t" \
		     move " %%" vector ", %1\n\t" \
		     move " %0, %%" vector \
		     : "=m" (saved), "=m" (*(type *)to) \
		     : "m" (*(const volatile type *)from)); \
} while (0)

struct bytes16 { u8 byte[16]; };
struct bytes32 { u8 byte[32]; };
struct bytes64 { u8 byte[64]; };

/* From `from` to `to` with one load and one store of that width. */
static void copy(void *to, const void *from, unsigned int bytes)
{
	switch (bytes) {
	case 1:
		*(volatile u8 *)to = *(const volatile u8 *)from;
		break;
	case 2:
		*(volatile u16 *)to = *(const volatile u16 *)from;
		break;
	case 4:
		*(volatile u32 *)to = *(const volatile u32 *)from;
		break;
	case 8:
		*(volatile u64 *)to = *(const volatile u64 *)from;
		break;
	case 16:
		THROUGH_VECTOR("movdqu", "xmm0", struct bytes16);
		break;
	case 32:
		THROUGH_VECTOR("vmovdqu", "ymm0", struct bytes32);
		break;
	case 64:
		/* a client CPU has the one without the other */
		if (boot_cpu_has(X86_FEATURE_AVX512F))
			THROUGH_VECTOR("vmovdqu64", "zmm0", struct bytes64);
		else
			movdir64b(to, from);
		break;
	}
}

/*
 * How wide the next access is of what an instruction does to `left` bytes:
 * FXSAVE, far pointers and the like make several. Vector widths are only made
 * by instructions that have them.
 */
static unsigned int access_bytes(unsigned int left)
{
	if (left <= MMS_VECTOR_BYTES_MAX && is_power_of_2(left))
		return left;
	return left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
}

void mms_machine_load(struct mms_machine *machine, uint64_t address,
		      void *value, unsigned int bytes)
{
	unsigned int at, part = access_bytes(bytes);

	for (at = 0; at < bytes; at += part) {
		u64 tsc = rdtsc();

		part = min(part, access_bytes(bytes - at));
		copy(value + at, real_of(address + at), part);
		put_access(cpu_of(machine), address + at, MMS_READ, tsc,
			   value + at, part);
	}
}

void mms_machine_store(struct mms_machine *machine, uint64_t address,
		       const void *value, unsigned int bytes)
{
	unsigned int at, part = access_bytes(bytes);

	for (at = 0; at < bytes; at += part) {
		u64 tsc = rdtsc();

		part = min(part, access_bytes(bytes - at));
		copy(real_of(address + at), value + at, part);
		put_access(cpu_of(machine), address + at, MMS_WRITE, tsc,
			   value + at, part);
	}
}

/* Explicit LOCK prefixes: the kernel's own macros may have theirs patched out. */
#define EXCHANGE(type) \
	asm volatile("xchg %0, %1" \
		     : "=r" (*(type *)old), "+m" (*(volatile type *)real) \
		     : "0" (*(const type *)operand))
#define EXCHANGE_ADD(type) \
	asm volatile("lock xadd %0, %1" \
		     : "=r" (*(type *)old), "+m" (*(volatile type *)real) \
		     : "0" (*(const type *)operand) : "cc")
#define COMPARE_EXCHANGE(type) \
	asm volatile("lock cmpxchg %2, %1" \
		     : "=a" (*(type *)old), "+m" (*(volatile type *)real) \
		     : "r" (*(const type *)operand), \
		       "0" (*(const type *)expected) : "cc")

static void compare_exchange_16(void *real, const u64 *operand,
				const u64 *expected, u64 *old)
{
	asm volatile("lock cmpxchg16b %2"
		     : "=a" (old[0]), "=d" (old[1]),
		       "+m" (*(volatile struct bytes16 *)real)
		     : "b" (operand[0]), "c" (operand[1]),
		       "0" (expected[0]), "1" (expected[1]) : "cc");
}

bool mms_machine_atomic(struct mms_machine *machine, uint64_t address,
			enum mms_atomic operation, const void *operand,
			const void *expected, void *old, unsigned int bytes)
{
	struct mms_cpu *cpu = cpu_of(machine);
	void *real = real_of(address);
	u64 tsc = rdtsc(), sum;
	const void *stored = operand;
	bool equal = true;

	switch (operation << 8 | bytes) {
	case MMS_ATOMIC_EXCHANGE << 8 | 1: EXCHANGE(u8); break;
	case MMS_ATOMIC_EXCHANGE << 8 | 2: EXCHANGE(u16); break;
	case MMS_ATOMIC_EXCHANGE << 8 | 4: EXCHANGE(u32); break;
	case MMS_ATOMIC_EXCHANGE << 8 | 8: EXCHANGE(u64); break;
	case MMS_ATOMIC_ADD << 8 | 1: EXCHANGE_ADD(u8); break;
	case MMS_ATOMIC_ADD << 8 | 2: EXCHANGE_ADD(u16); break;
	case MMS_ATOMIC_ADD << 8 | 4: EXCHANGE_ADD(u32); break;
	case MMS_ATOMIC_ADD << 8 | 8: EXCHANGE_ADD(u64); break;
	case MMS_ATOMIC_COMPARE_EXCHANGE << 8 | 1: COMPARE_EXCHANGE(u8); break;
	case MMS_ATOMIC_COMPARE_EXCHANGE << 8 | 2: COMPARE_EXCHANGE(u16); break;
	case MMS_ATOMIC_COMPARE_EXCHANGE << 8 | 4: COMPARE_EXCHANGE(u32); break;
	case MMS_ATOMIC_COMPARE_EXCHANGE << 8 | 8: COMPARE_EXCHANGE(u64); break;
	default: compare_exchange_16(real, operand, expected, old); break;
	}
	if (operation == MMS_ATOMIC_ADD) {
		sum = *(u64 *)old + *(const u64 *)operand;
		stored = &sum;
	} else if (operation == MMS_ATOMIC_COMPARE_EXCHANGE) {
		equal = !memcmp(old, expected, bytes);
		if (!equal)
			stored = old;	/* the bus sees a write all the same */
	}
	cpu->instruction_flags |= MMS_F_LOCKED;
	put_access(cpu, address, MMS_READ, tsc, old, bytes);
	put_access(cpu, address, MMS_WRITE, tsc, stored, bytes);
	return equal;
}

void mms_machine_flush(struct mms_machine *machine, uint64_t address,
		       enum mms_mnemonic mnemonic)
{
	volatile u8 *line = real_of(address);

	switch (mnemonic) {
	case MMS_MN_CLWB:
		asm volatile("clwb %0" : "+m" (*line));
		break;
	case MMS_MN_CLFLUSHOPT:
		asm volatile("clflushopt %0" : "+m" (*line));
		break;
	default:
		asm volatile("clflush %0" : "+m" (*line));
		break;
	}
}

/* ---- Everything that isn't the device ---- */

static bool is_user(u64 address, unsigned int bytes)
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
static int kernel_load(void *value, u64 address, unsigned int bytes)
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

static int kernel_store(u64 address, const void *value, unsigned int bytes)
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

	if (is_user(address, bytes)) {
		cpu_of(machine)->instruction_flags |= MMS_F_USER;
		pagefault_disable();
		failed = __copy_from_user_inatomic(value,
						   (const void __user *)address,
						   bytes);
		pagefault_enable();
	} else {
		failed = kernel_load(value, address, bytes);
	}
	return failed ? memory_fault(machine, address, false) : 0;
}

int mms_machine_memory_store(struct mms_machine *machine, uint64_t address,
			     const void *value, unsigned int bytes)
{
	bool failed;

	if (is_user(address, bytes)) {
		cpu_of(machine)->instruction_flags |= MMS_F_USER;
		pagefault_disable();
		failed = __copy_to_user_inatomic((void __user *)address, value,
						 bytes);
		pagefault_enable();
	} else {
		failed = kernel_store(address, value, bytes);
	}
	return failed ? memory_fault(machine, address, true) : 0;
}

static int user_writable(u64 address)
{
	unsigned long failed = 1;

	if (!user_access_begin((void __user *)address, 1))
		return -1;
	/* writes, so that a page is asked for that may be written, but nothing */
	asm volatile("1: lock orb $0, %1\n"
		     "   xorl %k0, %k0\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : "+r" (failed), "+m" (*(u8 __user *)address) : : "cc");
	user_access_end();
	return failed ? -1 : 0;
}

/* A bad kernel address is a bug of the driver's, whatever the device says. */
int mms_machine_memory_writable(struct mms_machine *machine, uint64_t address,
				unsigned int bytes)
{
	u64 last = address + bytes - 1;
	bool failed;

	if (!is_user(address, bytes))
		return 0;
	pagefault_disable();
	failed = user_writable(address);
	if (!failed && (address ^ last) & PAGE_MASK) {
		address = last;
		failed = user_writable(address);
	}
	pagefault_enable();
	return failed ? memory_fault(machine, address, true) : 0;
}

/* The exception's frame lies right below the interrupted stack pointer. */
bool mms_machine_stack_is_free(struct mms_machine *machine)
{
	return false;
}

uint64_t mms_machine_segment_base(struct mms_machine *machine,
				  enum mms_segment segment)
{
	u64 base;

	rdmsrl(segment == MMS_SEGMENT_FS ? MSR_FS_BASE : MSR_GS_BASE, base);
	return base;
}

uint32_t mms_machine_port_in(struct mms_machine *machine, uint16_t port,
			     unsigned int bytes)
{
	return bytes == 1 ? inb(port) : bytes == 2 ? inw(port) : inl(port);
}

void mms_machine_port_out(struct mms_machine *machine, uint16_t port,
			  uint32_t value, unsigned int bytes)
{
	if (bytes == 1)
		outb(value, port);
	else if (bytes == 2)
		outw(value, port);
	else
		outl(value, port);
}

/* ---- Vector registers: live, for nothing here uses them ---- */

#define VECTOR_CASE(n, op) case n: op(n); break;
#define VECTOR_CASES_8(op) \
	VECTOR_CASE(0, op) VECTOR_CASE(1, op) VECTOR_CASE(2, op) \
	VECTOR_CASE(3, op) VECTOR_CASE(4, op) VECTOR_CASE(5, op) \
	VECTOR_CASE(6, op) VECTOR_CASE(7, op)
#define VECTOR_CASES_16(op) VECTOR_CASES_8(op) \
	VECTOR_CASE(8, op) VECTOR_CASE(9, op) VECTOR_CASE(10, op) \
	VECTOR_CASE(11, op) VECTOR_CASE(12, op) VECTOR_CASE(13, op) \
	VECTOR_CASE(14, op) VECTOR_CASE(15, op)
#define VECTOR_CASES_32(op) VECTOR_CASES_16(op) \
	VECTOR_CASE(16, op) VECTOR_CASE(17, op) VECTOR_CASE(18, op) \
	VECTOR_CASE(19, op) VECTOR_CASE(20, op) VECTOR_CASE(21, op) \
	VECTOR_CASE(22, op) VECTOR_CASE(23, op) VECTOR_CASE(24, op) \
	VECTOR_CASE(25, op) VECTOR_CASE(26, op) VECTOR_CASE(27, op) \
	VECTOR_CASE(28, op) VECTOR_CASE(29, op) VECTOR_CASE(30, op) \
	VECTOR_CASE(31, op)

#define GET_XMM(n) asm volatile("movdqu %%xmm" #n ", %0" : "=m" (*(struct bytes16 *)value))
#define GET_YMM(n) asm volatile("vmovdqu %%ymm" #n ", %0" : "=m" (*(struct bytes32 *)value))
#define GET_ZMM(n) asm volatile("vmovdqu64 %%zmm" #n ", %0" : "=m" (*(struct bytes64 *)value))
#define SET_XMM(n) asm volatile("movdqu %0, %%xmm" #n : : "m" (*(const struct bytes16 *)value))
#define SET_XMM_CLEAR(n) asm volatile("vmovdqu %0, %%xmm" #n : : "m" (*(const struct bytes16 *)value))
#define SET_YMM(n) asm volatile("vmovdqu %0, %%ymm" #n : : "m" (*(const struct bytes32 *)value))
#define SET_ZMM(n) asm volatile("vmovdqu64 %0, %%zmm" #n : : "m" (*(const struct bytes64 *)value))

/* Registers 16 to 31 exist with AVX-512 only, in EVEX instructions: all 64
 * bytes are read, the rest is the caller's to ignore. */
static void get_high(unsigned int number, void *value)
{
	switch (number) {
	VECTOR_CASES_32(GET_ZMM)
	}
}

static void set_high(unsigned int number, const void *value)
{
	switch (number) {
	VECTOR_CASES_32(SET_ZMM)
	}
}

void mms_machine_vector_load(struct mms_machine *machine, unsigned int number,
			     void *value, unsigned int bytes)
{
	if (number >= 16 || bytes == 64) {
		u8 whole[64];

		get_high(number, whole);
		memcpy(value, whole, bytes);
	} else if (bytes == 32) {
		switch (number) {
		VECTOR_CASES_16(GET_YMM)
		}
	} else {
		switch (number) {
		VECTOR_CASES_16(GET_XMM)
		}
	}
}

void mms_machine_vector_store(struct mms_machine *machine, unsigned int number,
			      const void *value, unsigned int bytes,
			      bool clear_upper)
{
	if (number >= 16 || bytes == 64) {
		u8 whole[64] = { 0 };

		memcpy(whole, value, bytes);
		set_high(number, whole);
	} else if (bytes == 32) {
		switch (number) {
		VECTOR_CASES_16(SET_YMM)
		}
	} else if (clear_upper) {
		switch (number) {
		VECTOR_CASES_16(SET_XMM_CLEAR)
		}
	} else {
		switch (number) {
		VECTOR_CASES_16(SET_XMM)
		}
	}
}
