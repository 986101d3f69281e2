/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of the kernel module share.
 *
 *	hooks.c    ioremap and iounmap: hands out decoys
 *	mapping.c  which decoys there are
 *	fault.c    a fault on a decoy: decode, emulate
 *	machine.c  what the emulator asks of the kernel: registers, ports
 *	access.c   accesses, their order and their records
 *	memory.c   the ordinary memory on an instruction's other side
 *	vector.c   vector registers
 *	step.c     what isn't emulated: one native step
 *	kasan.c    kernels whose compiler checks each access
 *	user.c     user memory on an instruction's other side
 *	ring.c     records on their way to the recorder
 *	control.c  /dev/mmiostrider
 */
#ifndef MMIOSTRIDER_CORE_H
#define MMIOSTRIDER_CORE_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/percpu.h>
#include <linux/ptrace.h>
#include <linux/types.h>

#include "../emulate.h"
#include "../record.h"

#undef pr_fmt
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

/* A decoy is the real address with this bit flipped: not canonical. */
#define MMS_DECOY_BIT BIT_ULL(62)

static inline bool mms_is_decoy(u64 address)
{
	return (address >> 62) == 2;	/* bit 63 set, bit 62 clear */
}

/* ---- mapping.c ---- */

struct mms_mapping {
	u64 decoy;		/* of the mapping's first page */
	u64 bytes;		/* whole pages */
	u64 physical;		/* of the first page */
	u32 id;
	u8 memory_type;		/* enum mms_memory_type */
	bool silent;		/* the self-test's: no records */
	u64 asked_physical;	/* as the driver asked for it */
	u64 asked_bytes;
	u64 caller;
};

#define MMS_MAPPINGS_MAX 4096

void mms_mapping_init(void);
/* Adds a mapping and a reference to the module. 0, or -ENOSPC when there are
 * MMS_MAPPINGS_MAX already. From any context but an NMI. */
int mms_mapping_add(u64 decoy, u64 physical, u64 bytes, u64 caller,
		    enum mms_memory_type type, bool silent);
/* Removes the mapping that holds the decoy; false when there is none. */
bool mms_mapping_remove(u64 decoy);
/* The mapping that holds these bytes. The caller has interrupts off, and
 * doesn't keep it when it turns them on. */
const struct mms_mapping *mms_mapping_find(u64 decoy, unsigned int bytes);
bool mms_mapping_any(void);
/* Puts a MAP record in for every living mapping and has `start` start recording,
 * while none comes or goes and no access is made. */
void mms_mapping_start_recording(void (*start)(void));
u32 mms_mapping_count(void);
u32 mms_mapping_total(void);
/* Writes the status lines of the living mappings; returns their length. */
size_t mms_mapping_describe(char *text, size_t size);

/* ---- hooks.c ---- */

#define MMS_RANGES_MAX 64

struct mms_range {
	u64 first, last;
};

struct mms_filter {
	bool all;
	bool exclude_write_combining;
	unsigned int ranges, excludes;
	struct mms_range range[MMS_RANGES_MAX];
	struct mms_range exclude[MMS_RANGES_MAX];
};

extern struct mms_filter mms_filter;	/* constant while recording */

int mms_hooks_init(void);		/* iounmap: as long as we are loaded */
void mms_hooks_exit(void);
int mms_hooks_arm(void);		/* the ioremap family: for a recorder */
void mms_hooks_disarm(void);
u64 mms_hooks_missed(void);
int mms_hooks_check(void);		/* 0 or -EIO */

/* ---- fault.c ---- */

int mms_fault_init(void);
void mms_fault_exit(void);
int mms_fault_check(void);		/* 0 or -EIO */

/* ---- kasan.c ---- */

#ifdef CONFIG_KASAN
int mms_kasan_init(void);
void mms_kasan_exit(void);
#else
static inline int mms_kasan_init(void)
{
	return 0;
}

static inline void mms_kasan_exit(void)
{
}
#endif

/* ---- machine.c ---- */

/* The interrupted CPU, as the emulator's machine. */
struct mms_cpu {
	struct mms_machine machine;	/* first: the two are cast */
	struct pt_regs *regs;
	bool in_nmi;
	const struct mms_mapping *mapping;	/* the last one found */
	struct mms_lock *lock;		/* held, or NULL */
	u64 site;
	u32 record_flags;		/* enum mms_flags for every record */
	u32 instruction_flags;		/* those that this instruction adds */
};

static inline struct mms_cpu *mms_cpu_of(struct mms_machine *machine)
{
	return container_of(machine, struct mms_cpu, machine);
}

extern const uint16_t mms_pt_regs_at[MMS_REGISTER_COUNT];

/* Fills `cpu` from `regs`; the caller has interrupts off. `nmis_of_ours` of
 * those that preempt_count() shows are exceptions on the way to us. */
void mms_cpu_enter(struct mms_cpu *cpu, struct pt_regs *regs,
		   unsigned int nmis_of_ours);
/* Puts what the emulator changed back into the registers. */
void mms_cpu_leave(struct mms_cpu *cpu);

/* ---- access.c ---- */

extern bool mms_relaxed;
/* Does `work` while no CPU is amid an access: every other one is made, and
 * recorded or not, before it or after it. But for an NMI's, on this CPU. */
void mms_access_hold(void (*work)(void));

/* ---- step.c ---- */

/*
 * Lets the CPU execute the instruction: on a copy of its operand where its
 * extent is known, else on the real mapping (an escape). False when that
 * can't be done either.
 */
bool mms_step(struct mms_cpu *cpu, const struct mms_instruction *instruction);
/* A debug exception: true when it was only the end of a step of ours. */
bool mms_step_end(struct pt_regs *regs, unsigned long *dr6);
/* Lets the instruction run on the real mapping, and what follows it, too, as
 * far as it uses the same register: an escape. False like mms_step()'s. */
bool mms_step_not(struct mms_cpu *cpu, const struct mms_instruction *instruction);
/* A fault: if it is of the instruction being stepped, the step is taken back.
 * True when it ran on a copy: then it is for mms_step_not(). */
bool mms_step_abort(struct pt_regs *regs);

/* ---- user.c ---- */

/*
 * Sends the interrupted context to fault a page of user memory in and come
 * back to its instruction. False: that has failed, or can't be tried, and the
 * fault is the instruction's. `first`: the first of those who are asked about
 * this fault (fault.c).
 */
bool mms_user_touch(struct mms_cpu *cpu, bool first);
/* The instruction was executed: a page that couldn't be had isn't needed. */
void mms_user_done(struct mms_cpu *cpu);
extern char mms_user_entry[];
extern char mms_return[];	/* a lone RET */

/* ---- ring.c ---- */

int mms_ring_allocate(u64 bytes);
void mms_ring_free(void);		/* after a grace period */
bool mms_ring_recording(void);
void mms_ring_start(void);
void mms_ring_stop(void);
/* After the stop: returns when nobody puts a record in any more. */
void mms_ring_settle(void);
ssize_t mms_ring_read(char __user *buffer, size_t size, bool wait);
bool mms_ring_has_records(void);
struct wait_queue_head *mms_ring_wait_queue(void);
int mms_ring_map(struct vm_area_struct *vma);
u64 mms_ring_written(void);
u64 mms_ring_lost(void);
u64 mms_ring_escaped(void);

/*
 * Claims places for `count` records that belong together. True: publish them
 * at `*at` and behind, then call mms_ring_end() with the place after the last.
 * False: nobody records, or there was no room, and they were counted as lost.
 * In between, the ring can't be freed, and records that interrupt us come later.
 */
bool mms_ring_begin(unsigned int count, u64 *at);
void mms_ring_publish(u64 at, const struct mms_record *record);
void mms_ring_end(u64 at);
/* Puts `count` records in that belong together; fills in their sequence. */
void mms_ring_put(const struct mms_record *records, unsigned int count);
/* Before recording starts, when nobody else puts records in. */
void mms_ring_put_early(const struct mms_record *record);
/* A record of this kind with time, CPU and process filled in. */
void mms_record_init(struct mms_record *record, enum mms_kind kind);
/* Puts text in: as many records as it takes. */
void mms_ring_put_text(enum mms_kind kind, u64 site, u32 mapping, u32 flags,
		       const char *text, size_t length);
void mms_ring_count_escape(void);
/* Sees to it that the ring says what the kernel calls this address. */
void mms_ring_put_symbol(u64 site);
void mms_ring_forget_symbols(void);
extern bool mms_clean_room;

/* ---- control.c ---- */

int mms_control_init(void);
void mms_control_exit(void);

#endif
