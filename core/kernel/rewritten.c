// SPDX-License-Identifier: GPL-2.0
/*
 * Accesses by rewritten drivers, which call the core where other drivers fault. A
 * rewritten driver has a check in front of its plain moves: a base register that
 * may hold a decoy leads here. So has a call of ioread32() and the like: there it is an
 * argument's register. Its IN and OUT always lead here. The driver's file describes each of
 * these instructions: rewritten-site.h.
 *
 * A plain move by the driver's own code whose site is known takes a short way, on
 * which it is neither decoded nor emulated in general; so does a call that is like one. All that is rare takes the
 * general way, and teaches the site the short one.
 */
#include <linux/export.h>
#include <linux/kprobes.h>
#include <linux/percpu.h>
#include <asm/processor-flags.h>
#include <asm/text-patching.h>

#include "access.h"
#include "clock.h"
#include "core.h"
#include "device.h"
#include "rewritten.h"
#include "ring.h"
#include "site.h"

static_assert(sizeof(struct mms_rewritten_site) == 40);

#define NOT_MADE MMS_REWRITTEN_NOT_MADE
#define MADE MMS_REWRITTEN_MADE
#define FAILED MMS_REWRITTEN_FAILED
#define RETURNED MMS_REWRITTEN_RETURNED

static DEFINE_PER_CPU(u64, rewritten_made);

/* Counts from 0: for the next recording. */
void mms_rewritten_reset(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		per_cpu(rewritten_made, cpu) = 0;
}

u64 mms_rewritten_made(void)
{
	unsigned int cpu;
	u64 sum = 0;

	for_each_possible_cpu(cpu)
		sum += per_cpu(rewritten_made, cpu);
	return sum;
}

static __always_inline u64 rewritten_ip(const struct mms_rewritten_site *s)
{
	return (u64)&s->instruction + s->instruction;
}

static __always_inline u64 *rewritten_register(struct pt_regs *regs, unsigned int n)
{
	return (void *)regs + mms_pt_regs_at[n];
}

static __always_inline u64 rewritten_address(struct pt_regs *regs,
					     const struct mms_rewritten_site *s)
{
	u64 address = *rewritten_register(regs, s->base) + s->displacement;

	if (s->index != MMS_NO_REGISTER)
		address += *rewritten_register(regs, s->index) * s->scale;
	return address;
}

static __always_inline u64 rewritten_stored(struct pt_regs *regs,
					    const struct mms_rewritten_site *s)
{
	if (s->kind == MMS_MOVE_STORE_IMMEDIATE)
		return s->immediate;
	return *rewritten_register(regs, s->reg) >> s->reg_shift;
}

static u64 rewritten_truncated(u64 value, unsigned int bytes)
{
	return bytes == 8 ? value : value & (BIT_ULL(8 * bytes) - 1);
}

static void rewritten_loaded_part(u64 *r, const struct mms_rewritten_site *s, u64 value)
{
	u64 mask = (s->reg_bytes == 1 ? 0xffull : 0xffffull) << s->reg_shift;

	*r = (*r & ~mask) | (value << s->reg_shift & mask);
}

static __always_inline void rewritten_loaded(struct pt_regs *regs,
					     const struct mms_rewritten_site *s, u64 value)
{
	u64 *r = rewritten_register(regs, s->reg);

	if (unlikely(s->kind == MMS_MOVE_LOAD_SIGNED))
		value = mms_sign_extend(value, s->bytes);
	if (likely(s->reg_bytes == 4))
		*r = (u32)value;
	else if (s->reg_bytes == 8)
		*r = value;
	else
		rewritten_loaded_part(r, s, value);
}

/* One look is enough where softirqs are counted with the others. */
static __always_inline bool rewritten_is_interrupt(void)
{
#ifdef CONFIG_PREEMPT_RT
	return preempt_count() & (NMI_MASK | HARDIRQ_MASK) || softirq_count();
#else
	return preempt_count() & (NMI_MASK | HARDIRQ_MASK | SOFTIRQ_MASK);
#endif
}

/* As access.c makes an access, with all that is seldom left to it. Interrupts are off. */
static __always_inline enum mms_rewritten_answer
rewritten_record(const struct mms_mapping *m, const struct mms_rewritten_site *s,
		 u64 address, enum mms_kind kind, u64 *value, unsigned int bytes)
{
	struct mms_spinlock *lock;
	struct mms_record *r;
	u64 place, read, tsc;
	u32 flags = 0;
	bool done;

	if (unlikely(rewritten_is_interrupt())) {
		flags = mms_record_context();
		if (flags & MMS_F_NMI)
			return NOT_MADE;
	}
	if (unlikely(!mms_access_enter_one(address, bytes, &lock)))
		return NOT_MADE;
	/* `silent` changes while all locks are held: mms_mapping_start_recording() */
	if (unlikely(READ_ONCE(m->silent) || !smp_load_acquire(&mms_ring.recording) ||
		     atomic64_read(&mms_ring.lost_unsaid) ||
		     !mms_ring_try_claim_after(1, &place, &read))) {
		mms_access_leave(lock);
		return NOT_MADE;
	}
	tsc = mms_clock();
	if (kind == MMS_READ)
		done = mms_device_load(mms_access_real(address), value, bytes);
	else
		done = mms_device_store(mms_access_real(address), *value, bytes,
					MMS_STORE_PLAIN);
	barrier();
	this_cpu_write(mms_stage, MMS_STAGE_HOLDING);
	r = mms_ring_slot(place);
	r->flags = flags;
	r->caller = 0;
	r->tsc = tsc;
	r->address = address - m->decoy + m->physical;
	r->value[0] = *value;
	r->value[1] = 0;
	r->site = rewritten_ip(s);
	r->pid = current->pid;
	r->mapping = m->id;
	r->cpu = raw_smp_processor_id();
	r->kind = kind;
	r->width = bytes;
	/* the escape that follows has a record of its own */
	if (unlikely(!done)) {
		r->kind = MMS_ESCAPE;
		r->width = 0;
	}
	smp_store_release(&r->sequence, (u32)(place + 1));
	if (unlikely(place - read >= mms_ring.records_max / 4))
		mms_ring_wake_reader();
	/* as in mms_machine_end() */
	if (kind == MMS_WRITE && unlikely(m->memory_type != MMS_UNCACHED))
		asm volatile("sfence" : : : "memory");
	mms_access_leave(lock);
	return likely(done) ? MADE : FAILED;
}

static __always_inline enum mms_rewritten_answer rewritten_load(const struct mms_mapping *m,
						  struct pt_regs *regs,
						  const struct mms_rewritten_site *s,
						  u64 address)
{
	enum mms_rewritten_answer answer;
	u64 value;

	if (likely(s->bytes == 4))
		answer = rewritten_record(m, s, address, MMS_READ, &value, 4);
	else if (s->bytes == 1)
		answer = rewritten_record(m, s, address, MMS_READ, &value, 1);
	else if (s->bytes == 2)
		answer = rewritten_record(m, s, address, MMS_READ, &value, 2);
	else
		answer = rewritten_record(m, s, address, MMS_READ, &value, 8);
	if (likely(answer == MADE))
		rewritten_loaded(regs, s, value);
	return answer;
}

static __always_inline enum mms_rewritten_answer rewritten_store(const struct mms_mapping *m,
						   struct pt_regs *regs,
						   const struct mms_rewritten_site *s,
						   u64 address)
{
	u64 value = rewritten_stored(regs, s);

	if (likely(s->bytes == 4)) {
		value = (u32)value;
		return rewritten_record(m, s, address, MMS_WRITE, &value, 4);
	}
	if (s->bytes == 1) {
		value = (u8)value;
		return rewritten_record(m, s, address, MMS_WRITE, &value, 1);
	}
	if (s->bytes == 2) {
		value = (u16)value;
		return rewritten_record(m, s, address, MMS_WRITE, &value, 2);
	}
	return rewritten_record(m, s, address, MMS_WRITE, &value, 8);
}

/* A call of ioread32(), iowrite32() or the like. */
static noinline enum mms_rewritten_answer rewritten_call(struct pt_regs *regs,
							 const struct mms_rewritten_site *s)
{
	u64 address = *rewritten_register(regs, s->base);
	enum mms_rewritten_answer answer;
	const struct mms_mapping *m;

	if (unlikely(!mms_mapping_remembered(READ_ONCE(s->call_mapping), &m)) ||
	    unlikely(address < m->decoy || address + s->bytes > m->decoy + m->bytes) ||
	    unlikely(READ_ONCE(s->symbol_epoch) != atomic_read(&mms_ring.symbol_epoch)) ||
	    unlikely(*(const u8 *)rewritten_ip(s) == INT3_INSN_OPCODE) ||
	    unlikely(mms_rewritten_is_watched(s)))
		return NOT_MADE;
	if (s->kind == MMS_REWRITTEN_CALL_STORE)
		answer = rewritten_store(m, regs, s, address);
	else
		answer = rewritten_load(m, regs, s, address);
	if (unlikely(answer != MADE) || likely(!s->jump))
		return answer;
	this_cpu_inc(rewritten_made);
	return RETURNED;
}

static __always_inline enum mms_rewritten_answer rewritten_move(struct pt_regs *regs,
						  const struct mms_rewritten_site *s)
{
	const struct mms_mapping *m;
	u64 address;

	/* ports and calls, among others, never have one */
	if (unlikely(!mms_mapping_remembered(READ_ONCE(s->mapping), &m)))
		return mms_rewritten_is_call(s) ? rewritten_call(regs, s) : NOT_MADE;
	address = rewritten_address(regs, s);
	if (unlikely(address < m->decoy || address + s->bytes > m->decoy + m->bytes))
		return NOT_MADE;
	if (unlikely(READ_ONCE(s->symbol_epoch) != atomic_read(&mms_ring.symbol_epoch)))
		return NOT_MADE;
	/* somebody's probe: it is to be hit */
	if (unlikely(*(const u8 *)rewritten_ip(s) == INT3_INSN_OPCODE))
		return NOT_MADE;
	if (s->kind >= MMS_MOVE_STORE_REGISTER)
		return rewritten_store(m, regs, s, address);
	return rewritten_load(m, regs, s, address);
}

unsigned int mms_rewritten_shortly(struct pt_regs *regs, struct mms_rewritten_site *s)
{
	enum mms_rewritten_answer answer;
	unsigned long flags;

	local_irq_save(flags);
	answer = rewritten_move(regs, s);
	if (likely(answer == MADE))
		this_cpu_inc(rewritten_made);
	local_irq_restore(flags);
	return answer;
}
NOKPROBE_SYMBOL(mms_rewritten_shortly);

/* The file and the core must agree on the instruction: else the short way isn't taken. */
static bool rewritten_is_same(const struct mms_rewritten_site *s, const struct mms_move *p)
{
	return s->kind == p->kind && s->displacement == p->displacement &&
	       s->length == p->length && s->bytes == p->bytes && s->base == p->base &&
	       s->index == p->index &&
	       (s->index == MMS_NO_REGISTER || s->scale == p->scale) &&
	       (p->kind == MMS_MOVE_STORE_IMMEDIATE ?
			rewritten_truncated(s->immediate, s->bytes) ==
				rewritten_truncated(p->immediate, p->bytes) :
			s->reg == p->reg && s->reg_bytes == p->reg_bytes &&
				s->reg_shift == p->reg_shift);
}

void mms_rewritten_learn(struct mms_rewritten_site *s, const struct mms_cpu *cpu)
{
	bool one_value = s->kind == MMS_REWRITTEN_CALL_LOAD ||
			 s->kind == MMS_REWRITTEN_CALL_STORE;
	const struct mms_site *known = cpu->known;
	u64 mapping;

	if (!known || !cpu->mapping || mms_clean_room ||
	    cpu->mapping->memory_type == MMS_PORTS ||
	    known->caller_way != MMS_CALLER_NONE ||
	    !(one_value || rewritten_is_same(s, &known->move)))
		return;
	mapping = mms_mapping_remember(cpu->mapping, cpu->mappings_version);
	if (one_value)
		WRITE_ONCE(s->call_mapping, mapping);
	else
		WRITE_ONCE(s->mapping, mapping);
	WRITE_ONCE(s->symbol_epoch, known->symbol_epoch);
}

/* ---- Ports ---- */

struct port_access {
	u16 port;
	u64 value;	/* read, or to be written */
};

static bool rewritten_make_port(struct mms_record *record, void *data)
{
	struct port_access *a = data;

	if (record->kind == MMS_READ)
		a->value = mms_machine_port_in(NULL, a->port, record->width);
	else
		mms_machine_port_out(NULL, a->port, a->value, record->width);
	record->value[0] = a->value;
	return true;
}

static void rewritten_port(struct pt_regs *regs, const struct mms_rewritten_site *s,
			   enum mms_kind kind, struct port_access *a)
{
	struct mms_record record;

	mms_record_init(&record, kind);
	record.address = MMS_PORT_SPACE + a->port;
	record.width = s->bytes;
	record.site = regs->ip;
	mms_access_by_call(&record, regs, MMS_CALL_PORT, rewritten_make_port, a);
	this_cpu_inc(rewritten_made);
}

static void rewritten_one_port(struct pt_regs *regs, const struct mms_rewritten_site *s,
			       u16 port)
{
	struct port_access a = { .port = port };

	if (s->kind == MMS_REWRITTEN_OUT) {
		a.value = rewritten_truncated(regs->ax, s->bytes);
		rewritten_port(regs, s, MMS_WRITE, &a);
		return;
	}
	rewritten_port(regs, s, MMS_READ, &a);
	if (s->bytes == 4)
		regs->ax = a.value;
	else
		regs->ax = (regs->ax & ~(BIT_ULL(8 * s->bytes) - 1)) | a.value;
}

/* The driver executes the instruction itself, and nobody sees its access to the port. */
static bool rewritten_let_escape(struct pt_regs *regs,
				 const struct mms_rewritten_site *s, u16 port)
{
	struct mms_record record;

	if (!mms_hooks_wanted(port, s->bytes, MMS_PORTS))
		return false;
	mms_record_init(&record, MMS_ESCAPE);
	record.site = mms_clean_room ? 0 : regs->ip;
	record.flags = mms_record_context();
	mms_ring_count_escape();
	mms_ring_put(&record);
	return false;
}

/*
 * Executes a string's elements, each an access of its own. Memory of a user, or of
 * a device, isn't tried from here; nor is memory where an element has just faulted: the
 * driver's own instruction finds the same, with the registers as they are then.
 */
static bool rewritten_port_string(struct pt_regs *regs,
				  const struct mms_rewritten_site *s, u16 port)
{
	s64 stride = regs->flags & X86_EFLAGS_DF ? -(s64)s->bytes : s->bytes;
	bool out = s->kind == MMS_REWRITTEN_OUT_STRING, repeated = s->scale;
	unsigned long *at = out ? &regs->si : &regs->di;
	struct port_access a = { .port = port };

	while (!repeated || regs->cx) {
		void *memory = (void *)*at;

		if ((s64)*at >= 0 || mms_is_decoy(*at) ||
		    !mms_device_load(memory, &a.value, s->bytes))
			return rewritten_let_escape(regs, s, port);
		if (out) {
			rewritten_port(regs, s, MMS_WRITE, &a);
		} else {
			/* before the device gives what it gives but once */
			if (!mms_device_store(memory, a.value, s->bytes, MMS_STORE_PLAIN))
				return rewritten_let_escape(regs, s, port);
			rewritten_port(regs, s, MMS_READ, &a);
			mms_device_store(memory, a.value, s->bytes, MMS_STORE_PLAIN);
		}
		*at += stride;
		if (!repeated)
			break;
		regs->cx--;
	}
	return true;
}

/* ---- The general way ---- */

/* A call with many values is made in parts, between which interrupts come. */
static enum mms_rewritten_answer rewritten_others(struct pt_regs *regs,
						  struct mms_rewritten_site *s, bool failed)
{
	unsigned int made;

	do {
		made = mms_fault_avoided(regs, s, failed);
		if (!made)
			return NOT_MADE;
		this_cpu_add(rewritten_made, made);
	} while (s->kind >= MMS_REWRITTEN_CALL_LOADS && regs->dx);
	return mms_rewritten_is_call(s) && s->jump ? RETURNED : MADE;
}

/*
 * Executes the instruction. Not made: it can't, or there is nothing to record, or only a
 * part could be made, which the registers tell. The driver executes the instruction
 * itself, which faults where it must.
 */
unsigned int mms_rewritten_make(struct pt_regs *regs, struct mms_rewritten_site *s,
				unsigned int answer)
{
	u16 port = s->base == MMS_NO_REGISTER ? s->immediate : regs->dx;

	regs->ip = rewritten_ip(s);
	switch (s->kind) {
	case MMS_REWRITTEN_IN:
	case MMS_REWRITTEN_OUT:
		rewritten_one_port(regs, s, port);
		return MADE;
	case MMS_REWRITTEN_IN_STRING:
	case MMS_REWRITTEN_OUT_STRING:
		return rewritten_port_string(regs, s, port) ? MADE : NOT_MADE;
	default:
		return rewritten_others(regs, s, answer == FAILED);
	}
}
NOKPROBE_SYMBOL(mms_rewritten_make);

EXPORT_SYMBOL(mms_rewritten_access_2);
