// SPDX-License-Identifier: GPL-2.0
/*
 * Accesses to devices and their records: the order of the accesses, the one
 * operation of the right width that makes each, and its place in the ring.
 */
#include <linux/io.h>
#include <linux/log2.h>
#include <linux/notifier.h>
#include <linux/sched.h>
#include <asm/msr.h>
#if __has_include(<linux/panic_notifier.h>) /* else kernel.h has it */
#include <linux/panic_notifier.h>
#endif

#include "access.h"
#include "clock.h"
#include "core.h"
#include "device.h"
#include "lock.h"
#include "ring.h"
#include "site.h"

struct mms_access_lock mms_access_locks[MMS_LOCKS_MAX] = {
	[0 ... MMS_LOCKS_MAX - 1] = { .spinlock = MMS_SPINLOCK_FREE },
};
DEFINE_PER_CPU(enum mms_stage, mms_stage);
bool mms_relaxed;

/* The site's next access finds the same again, as long as no mapping comes or
 * goes. An NMI may use the result, but doesn't change it. */
static const struct mms_mapping *access_search(struct mms_cpu *cpu, u64 address,
					       unsigned int bytes)
{
	unsigned int version = READ_ONCE(mms_mappings_version);

	cpu->mapping = mms_mapping_find(address, bytes);
	cpu->mappings_version = version;
	if (cpu->mapping && cpu->known && cpu->learns) {
		WRITE_ONCE(cpu->known->mapping, cpu->mapping);
		barrier();
		WRITE_ONCE(cpu->known->mappings_version, version);
	}
	return cpu->mapping;
}

static __always_inline const struct mms_mapping *
access_mapping_of(struct mms_cpu *cpu, u64 address, unsigned int bytes)
{
	const struct mms_mapping *m = cpu->mapping;

	if (likely(m && cpu->mappings_version == READ_ONCE(mms_mappings_version) &&
		   address >= m->decoy && address + bytes <= m->decoy + m->bytes))
		return m;
	return access_search(cpu, address, bytes);
}

bool mms_machine_is_device(struct mms_machine *machine, uint64_t address,
			   unsigned int bytes)
{
	return mms_is_decoy(address) &&
	       access_mapping_of(mms_cpu_of(machine), address, bytes);
}

/* ---- The order ---- */

/* The locks of these bytes, a bit each. */
static __always_inline u64 access_locks_of(bool relaxed, u64 address,
					   unsigned int bytes)
{
	u64 first = address / MMS_LOCK_COVERS_BYTES;
	u64 count = (address + max(bytes, 1u) - 1) / MMS_LOCK_COVERS_BYTES - first + 1;

	if (!relaxed)
		return 1;
	if (count >= MMS_LOCKS_MAX)
		return U64_MAX;
	return rol64(BIT_ULL(count) - 1, first % MMS_LOCKS_MAX);
}

/* A machine that is going down may have stopped the CPU that holds a lock. It
 * may also live on, after an oops that took long to print. */
#define WAIT_TRIES 1000000
#define SHORT_WAIT_TRIES 300

static bool access_panicked;

static int access_on_panic(struct notifier_block *block, unsigned long event,
			   void *data)
{
	WRITE_ONCE(access_panicked, true);
	return NOTIFY_DONE;
}

static struct notifier_block panic_block = { .notifier_call = access_on_panic };

void mms_access_init(void)
{
	atomic_notifier_chain_register(&panic_notifier_list, &panic_block);
}

void mms_access_exit(void)
{
	atomic_notifier_chain_unregister(&panic_notifier_list, &panic_block);
}

static bool access_try_lock(struct mms_spinlock *lock, const bool *given_up)
{
	unsigned int tries;

	for (tries = 0; tries < WAIT_TRIES && !READ_ONCE(*given_up); tries++) {
		if (mms_spin_trylock(lock))
			return true;
		cpu_relax();
	}
	return false;
}

/* `nmi`: the holder may wait for a lock of the kernel's that the interrupted code has. */
static bool access_lock(struct mms_spinlock *lock, bool nmi)
{
	static bool holder_lost;	/* waited for in vain: once is enough */
	static const bool never;

	if (likely(mms_spin_trylock(lock)))
		return true;
	if (likely(!oops_in_progress && !READ_ONCE(access_panicked))) {
		WRITE_ONCE(holder_lost, false);
		if (unlikely(nmi))
			return access_try_lock(lock, &never);
		mms_spin_lock(lock);
		return true;
	}
	if (access_try_lock(lock, &holder_lost))
		return true;
	WRITE_ONCE(holder_lost, true);
	return false;
}

/*
 * A holder mostly needs less than a microsecond: for so long without a PAUSE, where a
 * virtual machine may leave its CPU.
 */
noinline bool mms_access_wait(struct mms_spinlock *lock)
{
	unsigned int tries;

	for (tries = 0; tries < SHORT_WAIT_TRIES; tries++)
		if (mms_spin_trylock(lock))
			return true;
	return access_lock(lock, false);
}

static void access_unlock_all(u64 held)
{
	for (; held; held &= held - 1)
		mms_spin_unlock(&mms_access_locks[__ffs64(held)].spinlock);
}

/* Takes the locks, from the lowest to the highest. False: none, see above. */
static __always_inline bool access_lock_all(u64 wanted, bool nmi)
{
	u64 rest;

	for (rest = wanted; rest; rest &= rest - 1) {
		if (likely(access_lock(&mms_access_locks[__ffs64(rest)].spinlock, nmi)))
			continue;
		access_unlock_all(wanted & ~rest);
		return false;
	}
	return true;
}

static __always_inline bool access_is_named(const struct mms_cpu *cpu)
{
	return !cpu->site || (cpu->known && cpu->known->symbol_epoch ==
					    atomic_read(&mms_ring.symbol_epoch));
}

/* The trace has the site's symbol before its first access. Text may have come or
 * gone since the site was last named: its caller isn't known any more. */
static void access_name_site(struct mms_cpu *cpu)
{
	u32 epoch = atomic_read(&mms_ring.symbol_epoch);

	if (cpu->known && cpu->learns)
		WRITE_ONCE(cpu->known->caller_way, MMS_CALLER_UNKNOWN);
	if (mms_ring_put_symbol(cpu->site) && cpu->known && cpu->learns)
		WRITE_ONCE(cpu->known->symbol_epoch, epoch);
}

static __always_inline bool access_has_names(const struct mms_cpu *cpu)
{
	return access_is_named(cpu) &&
	       (cpu->caller_sought ||
		(cpu->known && cpu->known->caller_way == MMS_CALLER_NONE));
}

static noinline void access_give_names(struct mms_cpu *cpu)
{
	if (!mms_ring_recording())
		return;
	if (!access_is_named(cpu))
		access_name_site(cpu);
	mms_caller_find(cpu);
}

static __always_inline void access_name(struct mms_cpu *cpu)
{
	if (unlikely(!access_has_names(cpu)))
		access_give_names(cpu);
}

/* Returns the locks that are held now, a bit each. 0: none, see above, or this CPU
 * is in an access already; `flags` says if the order is uncertain then. */
static __always_inline u64 access_enter(u64 address, unsigned int bytes, bool nmi,
					u32 *flags)
{
	bool relaxed;
	u64 wanted;

	if (unlikely(this_cpu_read(mms_stage) != MMS_STAGE_FREE)) {
		if (mms_relaxed || this_cpu_read(mms_stage) != MMS_STAGE_HOLDING)
			*flags |= MMS_F_UNORDERED;
		return 0;
	}
	this_cpu_write(mms_stage, MMS_STAGE_WAITING);
	barrier();
	for (;;) {
		relaxed = READ_ONCE(mms_relaxed);
		wanted = access_locks_of(relaxed, address, bytes);
		if (unlikely(!access_lock_all(wanted, nmi))) {
			*flags |= MMS_F_UNORDERED;
			this_cpu_write(mms_stage, MMS_STAGE_FREE);
			return 0;
		}
		/* a recording that orders otherwise may have begun meanwhile */
		if (likely(relaxed == READ_ONCE(mms_relaxed)))
			break;
		access_unlock_all(wanted);
	}
	this_cpu_write(mms_stage, MMS_STAGE_HOLDING);
	return wanted;
}

static __always_inline void access_leave(u64 locks)
{
	/* from here on another CPU may hold the lock */
	this_cpu_write(mms_stage, MMS_STAGE_WAITING);
	access_unlock_all(locks);
	barrier();
	this_cpu_write(mms_stage, MMS_STAGE_FREE);
}

void mms_machine_begin(struct mms_machine *machine, uint64_t address,
		       unsigned int bytes)
{
	struct mms_cpu *cpu = mms_cpu_of(machine);
	const struct mms_mapping *m;

	/* takes time, and others would wait for it */
	if (unlikely(!access_has_names(cpu))) {
		m = access_mapping_of(cpu, address, max(bytes, 1u));
		if (m && !m->silent)
			access_give_names(cpu);
	}
	cpu->locks = access_enter(address, bytes, cpu->in_nmi,
				  &cpu->instruction_flags);
}

static void access_end_run(struct mms_cpu *cpu);

void mms_machine_end(struct mms_machine *machine)
{
	struct mms_cpu *cpu = mms_cpu_of(machine);

	if (unlikely(cpu->run.parts))
		access_end_run(cpu);
	/* stores that linger would reach the device behind those of the next
	 * holder of the lock */
	if (cpu->drain) {
		asm volatile("sfence" : : : "memory");
		cpu->drain = false;
	}
	if (!cpu->locks)
		return;
	access_leave(cpu->locks);
	cpu->locks = 0;
}

void mms_access_hold(void (*work)(void))
{
	unsigned long flags;
	unsigned int n;

	local_irq_save(flags);
	this_cpu_write(mms_stage, MMS_STAGE_WAITING);
	barrier();
	for (n = 0; n < MMS_LOCKS_MAX; n++)
		mms_spin_lock(&mms_access_locks[n].spinlock);
	work();
	while (n-- > 0)
		mms_spin_unlock(&mms_access_locks[n].spinlock);
	barrier();
	this_cpu_write(mms_stage, MMS_STAGE_FREE);
	local_irq_restore(flags);
}

/* ---- Records ---- */

/* An access in progress. Its places in the ring are claimed before it is made,
 * so that an interruption right after it is recorded after it. */
struct access {
	const struct mms_mapping *mapping;
	u64 address;
	u64 tsc;
	u64 place;	/* of the next record */
	bool recorded;
};

static __always_inline unsigned int access_records_of(unsigned int bytes)
{
	return bytes <= MMS_VALUE_BYTES ? 1 : DIV_ROUND_UP(bytes, MMS_VALUE_BYTES);
}

/* False: another CPU has just unmapped it. The access isn't to be made. */
static __always_inline bool access_begin(struct access *a, struct mms_cpu *cpu,
					 u64 address, unsigned int bytes,
					 unsigned int records)
{
	a->address = address;
	a->recorded = false;
	/* one of the instruction's accesses has failed: it makes no more */
	if (unlikely(cpu->machine.access_failed))
		return false;
	a->mapping = access_mapping_of(cpu, address, bytes);
	if (unlikely(!a->mapping)) {
		cpu->machine.access_failed = true;
		return false;
	}
	if (likely(!a->mapping->silent))
		access_name(cpu);
	if (cpu->locks)
		this_cpu_write(mms_stage, MMS_STAGE_ACCESSING);
	barrier();
	a->recorded = !a->mapping->silent && mms_ring_claim(records, &a->place);
	a->tsc = mms_clock();
	return true;
}

static __always_inline void access_made(struct mms_cpu *cpu)
{
	barrier();
	if (cpu->locks)
		this_cpu_write(mms_stage, MMS_STAGE_HOLDING);
}

/* All but value, flags and sequence. */
static __always_inline void access_fill_head(struct mms_record *r,
					     const struct mms_cpu *cpu,
					     const struct mms_mapping *m,
					     enum mms_kind kind, u64 tsc,
					     u64 address, unsigned int bytes)
{
	r->caller = cpu->caller;
	r->tsc = tsc;
	r->address = address - m->decoy + m->physical + m->space;
	r->site = cpu->site;
	r->pid = current->pid;
	r->mapping = m->id;
	r->cpu = raw_smp_processor_id();
	r->kind = kind;
	r->width = bytes;
}

/* Turns the next claimed place into the record of up to 16 bytes. */
static __always_inline void access_fill(struct access *a, const struct mms_cpu *cpu,
					enum mms_kind kind, unsigned int at,
					u64 low, u64 high, unsigned int bytes,
					u32 more_flags)
{
	struct mms_record *r = mms_ring_slot(a->place);

	access_fill_head(r, cpu, a->mapping, kind, a->tsc, a->address + at, bytes);
	r->value[0] = low;
	r->value[1] = high;
	r->flags = cpu->record_flags | cpu->instruction_flags | more_flags;
	mms_ring_complete(a->place++);
}

/* One record, or several where the value is too wide for one. */
static void access_put(struct access *a, struct mms_cpu *cpu,
		       enum mms_kind kind, const void *value, unsigned int bytes)
{
	unsigned int at;

	if (!a->recorded)
		return;
	for (at = 0; at < bytes; at += MMS_VALUE_BYTES) {
		unsigned int part = min(bytes - at, (unsigned int)MMS_VALUE_BYTES);
		u64 number[2] = { 0 };

		memcpy(number, value + at, part);
		access_fill(a, cpu, kind, at, number[0], number[1], part,
			    at + part < bytes ? MMS_F_MORE : 0);
	}
	mms_ring_wake(a->place);
}

/* The device, or what takes its place, didn't answer: the access that was
 * announced is an instruction that escapes (fault.c lets it run by itself). */
static void access_put_failed(struct access *a, struct mms_cpu *cpu,
			      unsigned int records)
{
	cpu->machine.access_failed = true;
	if (!a->recorded)
		return;
	/* not counted: the escape itself has a record of its own */
	for (; records; records--)
		access_fill(a, cpu, MMS_ESCAPE, 0, 0, 0, 0, 0);
	mms_ring_wake(a->place);
}

/* ---- Accesses ---- */

static void access_note_store(struct mms_cpu *cpu, const struct mms_mapping *m)
{
	if (cpu->machine.store_kind != MMS_STORE_PLAIN ||
	    m->memory_type != MMS_UNCACHED)
		cpu->drain = true;
}

/* Two halves where no port is so wide: as pio_read64_lo_hi() and its like do. */
static noinline bool access_port(const struct access *a, enum mms_kind kind,
				 u64 *value, unsigned int bytes)
{
	u16 port = a->address - a->mapping->decoy + a->mapping->physical;

	if (kind == MMS_READ) {
		*value = mms_machine_port_in(NULL, port, min(bytes, 4u));
		if (bytes == 8)
			*value |= (u64)mms_machine_port_in(NULL, port + 4, 4) << 32;
	} else {
		mms_machine_port_out(NULL, port, *value, min(bytes, 4u));
		if (bytes == 8)
			mms_machine_port_out(NULL, port + 4, *value >> 32, 4);
	}
	return true;
}

static __always_inline void access_small(struct mms_cpu *cpu, u64 address,
					 enum mms_kind kind, u64 *value,
					 unsigned int bytes)
{
	struct access a;
	bool done;

	if (unlikely(!access_begin(&a, cpu, address, bytes, 1)))
		return;
	if (unlikely(a.mapping->memory_type == MMS_PORTS)) {
		done = access_port(&a, kind, value, bytes);
	} else if (kind == MMS_READ) {
		done = mms_device_load(mms_access_real(address), value, bytes);
	} else {
		done = mms_device_store(mms_access_real(address), *value, bytes,
					  cpu->machine.store_kind);
		access_note_store(cpu, a.mapping);
	}
	access_made(cpu);
	if (unlikely(!done)) {
		access_put_failed(&a, cpu, 1);
		return;
	}
	if (!a.recorded)
		return;
	access_fill(&a, cpu, kind, 0, *value, 0, bytes, 0);
	mms_ring_wake(a.place);
}

static void access_wide(struct mms_cpu *cpu, u64 address, enum mms_kind kind,
			void *value, unsigned int bytes)
{
	unsigned int records = access_records_of(bytes);
	struct access a;
	bool done;

	if (!access_begin(&a, cpu, address, bytes, records))
		return;
	if (unlikely(a.mapping->memory_type == MMS_PORTS)) {
		done = false;
	} else if (kind == MMS_READ) {
		done = mms_device_copy_wide(value, mms_access_real(address), bytes,
					MMS_STORE_PLAIN);
	} else {
		done = mms_device_copy_wide(mms_access_real(address), value, bytes,
					cpu->machine.store_kind);
		access_note_store(cpu, a.mapping);
	}
	access_made(cpu);
	if (!done)
		access_put_failed(&a, cpu, records);
	else
		access_put(&a, cpu, kind, value, bytes);
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

static void access_in_parts(struct mms_cpu *cpu, u64 address,
			    enum mms_kind kind, void *value, unsigned int bytes)
{
	unsigned int at, part = access_bytes(bytes);

	for (at = 0; at < bytes; at += part) {
		u64 number = 0;

		part = min(part, access_bytes(bytes - at));
		if (part > sizeof(number)) {
			access_wide(cpu, address + at, kind, value + at, part);
			continue;
		}
		memcpy(&number, value + at, part);
		access_small(cpu, address + at, kind, &number, part);
		if (kind == MMS_READ)
			memcpy(value + at, &number, part);
	}
}

/* ---- Runs: a string's accesses, recorded together ---- */

#define RUN_MIN 3	/* accesses: fewer take no more places as records */

static_assert(sizeof(struct mms_run_part) == sizeof(struct mms_record));
static_assert(sizeof_field(struct mms_run_part, value) == MMS_RUN_PART_BYTES);

static __always_inline u8 *access_run_value(const struct mms_run *run,
					    unsigned int at)
{
	struct mms_run_part *part = (struct mms_run_part *)
		mms_ring_slot(run->place + 1 + at / MMS_RUN_PART_BYTES);

	return part->value + at % MMS_RUN_PART_BYTES;
}

/*
 * Opens a run, if the accesses lie in one mapping and the ring has room for
 * them. Otherwise each gets a record of its own, and is counted by itself if
 * that is lost.
 */
void mms_machine_expect(struct mms_machine *machine, uint64_t address,
			bool store, unsigned int bytes, int stride,
			unsigned int count)
{
	struct mms_cpu *cpu = mms_cpu_of(machine);
	struct mms_run *run = &cpu->run;
	const struct mms_mapping *m;
	struct mms_record *r;
	unsigned int parts;
	u64 fit = count;

	m = access_mapping_of(cpu, address, bytes);
	if (!m || m->silent || m->memory_type == MMS_PORTS ||
	    !smp_load_acquire(&mms_ring.recording))
		return;
	if (stride)
		fit = stride > 0 ? (m->decoy + m->bytes - address) / bytes :
				   (address - m->decoy) / bytes + 1;
	count = min_t(u64, count, fit);
	parts = DIV_ROUND_UP(count * bytes, MMS_RUN_PART_BYTES);
	if (count < RUN_MIN)
		return;
	access_name(cpu);
	/* until the run's end an NMI's records come behind all of it */
	if (cpu->locks)
		this_cpu_write(mms_stage, MMS_STAGE_ACCESSING);
	barrier();
	if (atomic64_read(&mms_ring.lost_unsaid) ||
	    !mms_ring_try_claim(1 + parts, &run->place)) {
		access_made(cpu);
		return;
	}
	r = mms_ring_slot(run->place);
	access_fill_head(r, cpu, m, store ? MMS_WRITE : MMS_READ, mms_clock(),
			 address, bytes);
	r->value[1] = parts | (u64)(u32)stride << 32;
	run->left = count;
	run->done = 0;
	run->parts = parts;
}

static void access_end_run(struct mms_cpu *cpu)
{
	struct mms_run *run = &cpu->run;
	struct mms_record *r = mms_ring_slot(run->place);
	u64 behind = run->place + 1 + run->parts, at;

	access_made(cpu);
	r->value[0] = run->done;
	r->flags = cpu->record_flags | cpu->instruction_flags | MMS_F_RUN;
	for (at = run->place; at < behind; at++)
		mms_ring_complete(at);
	run->parts = 0;
	mms_ring_wake(behind);
}

/* False: it doesn't belong to a run, and is still to be made. */
static bool access_in_run(struct mms_cpu *cpu, u64 address, enum mms_kind kind,
			  void *value, unsigned int bytes)
{
	struct mms_run *run = &cpu->run;
	u64 number = 0;
	bool done;

	if (!run->left) {
		access_end_run(cpu);
		return false;
	}
	if (unlikely(cpu->machine.access_failed ||
		     !access_mapping_of(cpu, address, bytes))) {
		cpu->machine.access_failed = true;
		return true;
	}
	if (kind == MMS_READ) {
		done = mms_device_load(mms_access_real(address), &number, bytes);
		memcpy(value, &number, bytes);
	} else {
		memcpy(&number, value, bytes);
		done = mms_device_store(mms_access_real(address), number, bytes,
					cpu->machine.store_kind);
		access_note_store(cpu, cpu->mapping);
	}
	if (unlikely(!done)) {
		cpu->machine.access_failed = true;
		return true;
	}
	memcpy(access_run_value(run, run->done * bytes), value, bytes);
	run->done++;
	run->left--;
	return true;
}

/* ---- What the emulator asks for ---- */

void mms_machine_load(struct mms_machine *machine, uint64_t address,
		      void *value, unsigned int bytes)
{
	struct mms_cpu *cpu = mms_cpu_of(machine);
	u64 number = 0;

	if (unlikely(cpu->run.parts) &&
	    access_in_run(cpu, address, MMS_READ, value, bytes))
		return;
	switch (bytes) {
	case 1:
		access_small(cpu, address, MMS_READ, &number, 1);
		*(u8 *)value = number;
		break;
	case 2:
		access_small(cpu, address, MMS_READ, &number, 2);
		*(u16 *)value = number;
		break;
	case 4:
		access_small(cpu, address, MMS_READ, &number, 4);
		*(u32 *)value = number;
		break;
	case 8:
		access_small(cpu, address, MMS_READ, &number, 8);
		*(u64 *)value = number;
		break;
	default:
		access_in_parts(cpu, address, MMS_READ, value, bytes);
	}
}

void mms_machine_store(struct mms_machine *machine, uint64_t address,
		       const void *value, unsigned int bytes)
{
	struct mms_cpu *cpu = mms_cpu_of(machine);
	u64 number;

	if (unlikely(cpu->run.parts) &&
	    access_in_run(cpu, address, MMS_WRITE, (void *)value, bytes))
		return;
	switch (bytes) {
	case 1:
		number = *(const u8 *)value;
		access_small(cpu, address, MMS_WRITE, &number, 1);
		break;
	case 2:
		number = *(const u16 *)value;
		access_small(cpu, address, MMS_WRITE, &number, 2);
		break;
	case 4:
		number = *(const u32 *)value;
		access_small(cpu, address, MMS_WRITE, &number, 4);
		break;
	case 8:
		number = *(const u64 *)value;
		access_small(cpu, address, MMS_WRITE, &number, 8);
		break;
	default:
		access_in_parts(cpu, address, MMS_WRITE, (void *)value, bytes);
	}
}

bool mms_machine_enqueue(struct mms_machine *machine, uint64_t address,
			 const void *command)
{
	struct mms_cpu *cpu = mms_cpu_of(machine);
	unsigned int records = access_records_of(64);
	struct access a;
	bool again = false, done;

	if (!access_begin(&a, cpu, address, 64, records))
		return false;
	done = a.mapping->memory_type != MMS_PORTS &&
	       mms_device_enqueue(mms_access_real(address), command, &again);
	access_made(cpu);
	if (done)
		access_put(&a, cpu, MMS_WRITE, command, 64);
	else
		access_put_failed(&a, cpu, records);
	return again;
}

/* The value that a locked operation has stored. */
static const void *access_stored(enum mms_atomic operation, const void *operand,
				 const void *old, bool equal, u64 *sum)
{
	switch (operation) {
	case MMS_ATOMIC_ADD:
		*sum = *(const u64 *)old + *(const u64 *)operand;
		return sum;
	case MMS_ATOMIC_COMPARE_EXCHANGE:
		/* the bus sees a write all the same */
		return equal ? operand : old;
	default:
		return operand;
	}
}

bool mms_machine_atomic(struct mms_machine *machine, uint64_t address,
			enum mms_atomic operation, const void *operand,
			const void *expected, void *old, unsigned int bytes)
{
	struct mms_cpu *cpu = mms_cpu_of(machine);
	struct access a;
	bool equal = true, done;
	u64 sum;

	if (!access_begin(&a, cpu, address, bytes, 2))
		return false;
	done = a.mapping->memory_type != MMS_PORTS &&
	       mms_device_atomic(mms_access_real(address), operation, operand,
				 expected, old, bytes);
	access_made(cpu);
	if (!done) {
		access_put_failed(&a, cpu, 2);
		return false;
	}
	if (operation == MMS_ATOMIC_COMPARE_EXCHANGE)
		equal = !memcmp(old, expected, bytes);
	cpu->instruction_flags |= MMS_F_LOCKED;
	access_put(&a, cpu, MMS_READ, old, bytes);
	access_put(&a, cpu, MMS_WRITE,
		   access_stored(operation, operand, old, equal, &sum), bytes);
	return equal;
}

void mms_machine_flush(struct mms_machine *machine, uint64_t address,
		       enum mms_mnemonic mnemonic)
{
	if (mms_is_port_decoy(address) ||
	    !mms_device_flush(mms_access_real(address), mnemonic))
		machine->access_failed = true;
}

/* ---- Accesses by the kernel's own functions, not by an instruction on a decoy ---- */

/* Returns true if nothing more is to be named, whatever begins now. */
static bool access_name_call(struct mms_record *record, struct pt_regs *caller)
{
	if (mms_clean_room) {
		record->site = 0;
		return true;
	}
	if (!mms_ring_recording())
		return false;
	mms_ring_put_symbol(record->site);
	record->caller = mms_caller_of(caller, record->flags);
	return true;
}

/* Nobody changes the recording's choice while we hold a lock. */
static bool access_call_is_wanted(const struct mms_record *record, enum mms_call_way way)
{
	return way != MMS_CALL_PORT ||
	       mms_hooks_wanted(record->address - MMS_PORT_SPACE, record->width,
				MMS_PORTS);
}

static void access_make_ordered(struct mms_record *record, struct pt_regs *caller,
				enum mms_call_way way,
				bool (*make)(struct mms_record *, void *), void *data)
{
	bool named = access_name_call(record, caller);
	u64 locks = access_enter(record->address, record->width,
				 record->flags & MMS_F_NMI, &record->flags);
	bool recorded, made;
	u64 place;

	/* a recording that began while this CPU waited wants the names, too */
	if (!named)
		access_name_call(record, caller);
	if (locks)
		this_cpu_write(mms_stage, MMS_STAGE_ACCESSING);
	barrier();
	recorded = access_call_is_wanted(record, way) && mms_ring_claim(1, &place);
	record->tsc = mms_clock();
	record->cpu = raw_smp_processor_id();
	made = make(record, data);
	barrier();
	if (locks)
		this_cpu_write(mms_stage, MMS_STAGE_HOLDING);
	/* the place is taken: an access that was announced, and not made */
	if (!made) {
		record->kind = MMS_ESCAPE;
		record->width = 0;
	}
	if (recorded) {
		mms_ring_publish(place, record);
		mms_ring_wake(place + 1);
	}
	if (locks)
		access_leave(locks);
}

static void access_make_unordered(struct mms_record *record, struct pt_regs *caller,
				  bool (*make)(struct mms_record *, void *), void *data)
{
	unsigned long flags;
	bool wanted;

	local_irq_save(flags);
	wanted = mms_ring_recording();
	access_name_call(record, caller);
	local_irq_restore(flags);
	record->flags |= MMS_F_UNORDERED;
	record->tsc = mms_clock();
	record->cpu = raw_smp_processor_id();
	if (make(record, data) && wanted)
		mms_ring_put(record);
}

void mms_access_by_call(struct mms_record *record, struct pt_regs *caller,
			enum mms_call_way way,
			bool (*make)(struct mms_record *, void *), void *data)
{
	unsigned long flags;

	record->flags = mms_record_context();
	if (way == MMS_CALL_UNORDERED) {
		access_make_unordered(record, caller, make, data);
		return;
	}
	local_irq_save(flags);
	access_make_ordered(record, caller, way, make, data);
	local_irq_restore(flags);
}
