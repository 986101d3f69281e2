// SPDX-License-Identifier: GPL-2.0
/*
 * Accesses to devices and their records: the order of the accesses, the one
 * operation of the right width that makes each, and its place in the ring.
 */
#include <linux/io.h>
#include <linux/log2.h>
#include <linux/sched.h>
#include <asm/cpufeature.h>
#include <asm/msr.h>
#include <asm/special_insns.h>

#include "core.h"
#include "lock.h"
#include "vector.h"

/*
 * Strict: one lock for all. Relaxed: one of many, by address, so that only
 * accesses to the same 64 bytes wait for each other, and a read-modify-write
 * is still alone on its bytes.
 */
#define LOCKS_MAX 64

struct mms_lock {
	struct mms_spinlock spinlock;
} ____cacheline_aligned_in_smp;

static struct mms_lock locks[LOCKS_MAX] = {
	[0 ... LOCKS_MAX - 1] = { .spinlock = MMS_SPINLOCK_FREE },
};

/*
 * This CPU's stage in an access. An NMI that interrupts it must not wait for
 * the lock, and needn't: while this CPU holds the lock, no other CPU makes an
 * access. The place of the NMI's records is uncertain only while this CPU waits
 * for the lock, and between the claim of a place in the ring and the access.
 */
enum stage { FREE, WAITING, HOLDING, ACCESSING };
static DEFINE_PER_CPU(enum stage, stage);

bool mms_relaxed;

static const struct mms_mapping *access_mapping_of(struct mms_cpu *cpu, u64 address,
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
	       access_mapping_of(mms_cpu_of(machine), address, bytes);
}

void mms_machine_begin(struct mms_machine *machine, uint64_t address)
{
	struct mms_cpu *cpu = mms_cpu_of(machine);
	const struct mms_mapping *m = access_mapping_of(cpu, address, 1);
	struct mms_lock *lock;

	/* no mapping: another CPU has just unmapped it */
	if (cpu->site && m && !m->silent)
		mms_ring_put_symbol(cpu->site);
	if (this_cpu_read(stage) != FREE) {
		if (mms_relaxed || this_cpu_read(stage) != HOLDING)
			cpu->instruction_flags |= MMS_F_UNORDERED;
		cpu->lock = NULL;
		return;
	}
	this_cpu_write(stage, WAITING);
	barrier();
	lock = &locks[mms_relaxed ? (address >> 6) % LOCKS_MAX : 0];
	mms_spin_lock(&lock->spinlock);
	this_cpu_write(stage, HOLDING);
	cpu->lock = lock;
}

void mms_machine_end(struct mms_machine *machine)
{
	struct mms_cpu *cpu = mms_cpu_of(machine);

	if (!cpu->lock)
		return;
	/* from here on another CPU may hold the lock */
	this_cpu_write(stage, WAITING);
	mms_spin_unlock(&cpu->lock->spinlock);
	cpu->lock = NULL;
	barrier();
	this_cpu_write(stage, FREE);
}

void mms_access_hold(void (*work)(void))
{
	unsigned long flags;
	unsigned int n;

	local_irq_save(flags);
	this_cpu_write(stage, WAITING);
	barrier();
	for (n = 0; n < LOCKS_MAX; n++)
		mms_spin_lock(&locks[n].spinlock);
	work();
	while (n-- > 0)
		mms_spin_unlock(&locks[n].spinlock);
	barrier();
	this_cpu_write(stage, FREE);
	local_irq_restore(flags);
}

/* ---- Records ---- */

static void access_init_record(struct mms_record *record, const struct mms_cpu *cpu,
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

/* An access in progress. Its places in the ring are claimed before it is made,
 * so that an interruption right after it is recorded after it. */
struct access {
	const struct mms_mapping *mapping;
	u64 address;
	u64 tsc;
	unsigned int bytes;
	bool recorded;
	u64 place;	/* of the next record */
};

/* `times`: the number of accesses that one operation makes to these bytes. */
static void access_begin(struct access *a, struct mms_cpu *cpu, u64 address,
			 unsigned int bytes, unsigned int times)
{
	unsigned int records = DIV_ROUND_UP(bytes, MMS_VALUE_BYTES) * times;

	if (cpu->lock)
		this_cpu_write(stage, ACCESSING);
	barrier();
	a->mapping = access_mapping_of(cpu, address, bytes);
	a->address = address;
	a->bytes = bytes;
	/* no mapping: another CPU has just unmapped it */
	a->recorded = a->mapping && !a->mapping->silent &&
		      mms_ring_begin(records, &a->place);
	a->tsc = rdtsc();
}

static void access_made(struct mms_cpu *cpu)
{
	barrier();
	if (cpu->lock)
		this_cpu_write(stage, HOLDING);
}

/* One record, or several where the value is too wide for one. */
static void access_put(struct access *a, struct mms_cpu *cpu,
		       enum mms_kind kind, const void *value)
{
	struct mms_record record;
	unsigned int at;

	if (!a->recorded)
		return;
	for (at = 0; at < a->bytes; at += MMS_VALUE_BYTES) {
		unsigned int part = min(a->bytes - at,
					(unsigned int)MMS_VALUE_BYTES);

		access_init_record(&record, cpu, a->mapping, a->address + at, kind,
				   a->tsc);
		record.width = part;
		memcpy(record.value, value + at, part);
		if (at + part < a->bytes)
			record.flags |= MMS_F_MORE;
		mms_ring_publish(a->place++, &record);
	}
}

static void access_end(struct access *a)
{
	if (a->recorded)
		mms_ring_end(a->place);
}

/* ---- Accesses ---- */

static void *access_real(u64 address)
{
	return (void *)(address ^ MMS_DECOY_BIT);
}

/*
 * Accesses are in assembly, as readl() is. A sanitizer checks the compiler's
 * own accesses and would report those beyond the range that the driver asked to
 * map; drivers make such accesses.
 */
#define THROUGH_REGISTER(move, constraint, type) do { \
	type value; \
	asm volatile(move " %1, %0" : constraint (value) \
		     : "m" (*(const volatile type *)from) : "memory"); \
	asm volatile(move " %1, %0" : "=m" (*(volatile type *)to) \
		     : "r" (value) : "memory"); \
} while (0)

/*
 * Wide accesses go through a vector register, which is restored afterwards:
 * the interrupted code may be using it. Interrupts are off. `keep` saves all
 * bytes that `move` changes: with a VEX prefix, the whole register.
 */
#define THROUGH_VECTOR(keep, whole, kept, move, vector, type) do { \
	kept saved; \
	asm volatile(keep " %%" whole ", %0\n\t" \
		     move " %2, %%" vector "\n\t" \
		     move " %%" vector ", %1\n\t" \
		     keep " %0, %%" whole \
		     : "=m" (saved), "=m" (*(type *)to) \
		     : "m" (*(const volatile type *)from)); \
} while (0)

/* Copies `from` to `to` with one load and one store of that width. */
static void access_copy(void *to, const void *from, unsigned int bytes)
{
	switch (bytes) {
	case 1:
		THROUGH_REGISTER("movb", "=q", u8);
		break;
	case 2:
		THROUGH_REGISTER("movw", "=r", u16);
		break;
	case 4:
		THROUGH_REGISTER("movl", "=r", u32);
		break;
	case 8:
		THROUGH_REGISTER("movq", "=r", u64);
		break;
	case 16:
		THROUGH_VECTOR("movdqu", "xmm0", struct bytes16,
			       "movdqu", "xmm0", struct bytes16);
		break;
	case 32:
		if (boot_cpu_has(X86_FEATURE_AVX512F))
			THROUGH_VECTOR("vmovdqu64", "zmm0", struct bytes64,
				       "vmovdqu", "ymm0", struct bytes32);
		else
			THROUGH_VECTOR("vmovdqu", "ymm0", struct bytes32,
				       "vmovdqu", "ymm0", struct bytes32);
		break;
	case 64:
		/* client CPUs have MOVDIR64B without AVX-512 */
		if (boot_cpu_has(X86_FEATURE_AVX512F))
			THROUGH_VECTOR("vmovdqu64", "zmm0", struct bytes64,
				       "vmovdqu64", "zmm0", struct bytes64);
		else
			movdir64b(to, from);
		break;
	}
}

/*
 * Returns the width of the next access of an instruction with `left` bytes to
 * go: FXSAVE, far pointers and the like make several accesses. Only instructions
 * of a vector width make accesses of that width.
 */
static unsigned int access_bytes(unsigned int left)
{
	if (left <= MMS_VECTOR_BYTES_MAX && is_power_of_2(left))
		return left;
	return left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
}

/* One access, with the operand's value at `value` loaded or stored. */
static void access_make(struct mms_cpu *cpu, u64 address, enum mms_kind kind,
			void *value, unsigned int bytes)
{
	struct access a;

	access_begin(&a, cpu, address, bytes, 1);
	if (kind == MMS_READ)
		access_copy(value, access_real(address), bytes);
	else
		access_copy(access_real(address), value, bytes);
	access_made(cpu);
	access_put(&a, cpu, kind, value);
	access_end(&a);
}

static void access_in_parts(struct mms_machine *machine, u64 address,
			    enum mms_kind kind, void *value, unsigned int bytes)
{
	unsigned int at, part = access_bytes(bytes);

	for (at = 0; at < bytes; at += part) {
		part = min(part, access_bytes(bytes - at));
		access_make(mms_cpu_of(machine), address + at, kind, value + at, part);
	}
}

void mms_machine_load(struct mms_machine *machine, uint64_t address,
		      void *value, unsigned int bytes)
{
	access_in_parts(machine, address, MMS_READ, value, bytes);
}

void mms_machine_store(struct mms_machine *machine, uint64_t address,
		       const void *value, unsigned int bytes)
{
	access_in_parts(machine, address, MMS_WRITE, (void *)value, bytes);
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

static void access_compare_exchange_16(void *real, const u64 *operand,
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
	struct mms_cpu *cpu = mms_cpu_of(machine);
	void *real = access_real(address);
	const void *stored = operand;
	struct access a;
	bool equal = true;
	u64 sum;

	access_begin(&a, cpu, address, bytes, 2);
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
	default: access_compare_exchange_16(real, operand, expected, old); break;
	}
	access_made(cpu);
	if (operation == MMS_ATOMIC_ADD) {
		sum = *(u64 *)old + *(const u64 *)operand;
		stored = &sum;
	} else if (operation == MMS_ATOMIC_COMPARE_EXCHANGE) {
		equal = !memcmp(old, expected, bytes);
		if (!equal)
			stored = old;	/* the bus sees a write all the same */
	}
	cpu->instruction_flags |= MMS_F_LOCKED;
	access_put(&a, cpu, MMS_READ, old);
	access_put(&a, cpu, MMS_WRITE, stored);
	access_end(&a);
	return equal;
}

void mms_machine_flush(struct mms_machine *machine, uint64_t address,
		       enum mms_mnemonic mnemonic)
{
	volatile u8 *line = access_real(address);

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
