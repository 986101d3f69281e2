/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Declarations shared by the parts of the kernel module.
 *
 *	functions.c the PCI functions that a recording is about
 *	configuration.c accesses to the functions' configuration space
 *	hooks.c    ioremap, ioport_map and their counterparts: hands out decoys
 *	watch.c    mappings that get no decoy; unrecorded.c their records
 *	interrupts.c dma.c  what else happens between driver and device; events.c
 *	calls.c    probed functions that call each other
 *	mapping.c  the table of decoys
 *	fault.c    a fault on a decoy: decode, emulate
 *	machine.c  the emulator's view of the kernel: registers, ports
 *	access.c   accesses, their order and their records
 *	memory.c   the ordinary memory on an instruction's other side
 *	vector.c   vector registers
 *	step.c     instructions that aren't emulated: one native step
 *	device.c   the operation on the device's own address
 *	site.c     instructions that are decoded once
 *	caller.c   the place in the driver that called a site outside of it
 *	nofault.c  readers that expect faults
 *	kasan.c    kernels whose compiler checks each access
 *	user.c     user memory on an instruction's other side
 *	rewritten.c called.c  drivers that call the core where others fault
 *	ring.c     records waiting for the recorder
 *	clock.c    the records' time, across suspends
 *	control.c  /dev/mmiostrider
 */
#ifndef MMIOSTRIDER_CORE_H
#define MMIOSTRIDER_CORE_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/percpu.h>
#include <linux/ptrace.h>
#include <linux/types.h>
#include <asm/pgtable_types.h>

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

/*
 * Ports have no address. Their decoys lie where no mapping's can: with bit 62 flipped,
 * nothing is ever mapped there (the hole that x86-64 keeps for hypervisors). Each
 * mapping has an area of its own, of all ports.
 */
#define MMS_PORT_DECOYS 0xbfff800000000000ull
#define MMS_PORT_AREA_BYTES 0x10000ull
#define MMS_PORT_AREAS 0x100000ull

static inline bool mms_is_port_decoy(u64 address)
{
	return address - MMS_PORT_DECOYS < MMS_PORT_AREAS * MMS_PORT_AREA_BYTES;
}

/* ---- mapping.c ---- */

struct mms_mapping {
	u64 decoy;		/* of the mapping's first page */
	u64 bytes;		/* whole pages; of ports, all */
	u64 physical;		/* of the first page; of ports, 0 */
	u32 id;
	u8 memory_type;		/* enum mms_memory_type */
	bool self_test;		/* never recorded; its emulations are counted */
	bool silent;		/* not selected by this recording: no records */
	u64 asked_physical;	/* as the driver asked for it */
	u64 asked_bytes;
	u64 caller;
	u64 space;		/* added to addresses in records: MMS_PORT_SPACE */
};

#define MMS_MAPPINGS_MAX 4096
/* Entries beside them: as many others are removed before one is used again. */
#define MMS_MAPPINGS_RESTING 64

void mms_mapping_init(void);
/* Adds a mapping and a reference to the module. Returns 0, or -ENOSPC when
 * there are MMS_MAPPINGS_MAX already. Not for NMI context. */
int mms_mapping_add(u64 decoy, u64 physical, u64 bytes, u64 caller,
		    enum mms_memory_type type, bool self_test);
/* Removes the mapping that holds the decoy. Returns false if there is none. */
bool mms_mapping_remove(u64 decoy);
/* Returns the mapping that holds these bytes. The caller has interrupts off,
 * and must not use the result after it has turned them on. */
const struct mms_mapping *mms_mapping_find(u64 decoy, unsigned int bytes);
/* Changes with each mapping that comes or goes: while it is the same, what was
 * found is still so. */
extern unsigned int mms_mappings_version;
/* A mapping and the version in which it was found, in one word that is never 0. */
u64 mms_mapping_remember(const struct mms_mapping *m, unsigned int version);
extern struct mms_mapping mms_mapping_pool[MMS_MAPPINGS_MAX + MMS_MAPPINGS_RESTING];
/* Returns false if mappings have come or gone since. */
static __always_inline bool mms_mapping_remembered(u64 word, const struct mms_mapping **m)
{
	if (unlikely(!word || word >> 32 != READ_ONCE(mms_mappings_version)))
		return false;
	*m = mms_mapping_pool + ((u32)word - 1);
	return true;
}
bool mms_mapping_any(void);
/* Text at these addresses goes: what called ioremap() there has no name any more. */
void mms_mapping_forget_callers(u64 first, u64 bytes);
/*
 * Writes a MAP record for every living mapping that the recording selects, silences
 * the others, then calls `start`, which starts recording. Meanwhile no mapping
 * comes or goes and no access is made.
 */
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
	unsigned int ranges, excludes, rams, port_ranges;
	struct mms_range range[MMS_RANGES_MAX];
	struct mms_range exclude[MMS_RANGES_MAX];
	struct mms_range ram[MMS_RANGES_MAX];	/* with `all`: no device memory */
	struct mms_range ports[MMS_RANGES_MAX];
};

extern struct mms_filter mms_filter;	/* constant while recording */

int mms_hooks_init(void);		/* iounmap: as long as we are loaded */
void mms_hooks_exit(void);
int mms_hooks_arm(void);		/* the ioremap family: for a recorder */
void mms_hooks_disarm(void);
u64 mms_hooks_missed(void);
int mms_hooks_check(void);		/* 0 or -EIO */
/* Returns true if this recording selects such a mapping. */
bool mms_hooks_wanted(u64 physical, u64 bytes, enum mms_memory_type type);
/* Returns true if the recording wants this memory, which was mapped by other
 * means than the ioremap family. For any context. */
bool mms_hooks_wanted_beside(u64 physical, u64 bytes, pgprot_t protection);

/* ---- functions.c ---- */

struct pci_bus;

#define MMS_FUNCTIONS_MAX 1024

void mms_functions_clear(void);
/* Takes `0000:00:03.0`. Returns 0, -EINVAL, or -ENOSPC. */
int mms_functions_add(const char *address);
/* Returns true if the recording is about this function, be it there or not. */
bool mms_functions_has(struct pci_bus *bus, unsigned int devfn);
bool mms_functions_has_number(unsigned int domain, unsigned int bus,
			      unsigned int devfn);

/* ---- configuration.c ---- */

#ifdef CONFIG_PCI
/* For the next recording: whether configuration space is recorded. */
void mms_configuration_want(void);
void mms_configuration_forget(void);
int mms_configuration_arm(void);	/* 0, or a negative error: nothing is armed */
void mms_configuration_disarm(void);
/* Accesses to the functions' configuration space that weren't recorded. */
u64 mms_configuration_past(void);
#else
static inline void mms_configuration_want(void)
{
}

static inline void mms_configuration_forget(void)
{
}

static inline int mms_configuration_arm(void)
{
	return 0;
}

static inline void mms_configuration_disarm(void)
{
}

static inline u64 mms_configuration_past(void)
{
	return 0;
}
#endif

/* ---- watch.c ---- */

void mms_watch_arm(void);
void mms_watch_disarm(void);

/* ---- unrecorded.c ---- */

/* Counts from 0, already before recording starts: the recorder looks for older mappings
 * meanwhile, and none is to be made between the two. */
void mms_unrecorded_open(void);
/* Writes the last records, then calls `stop`, which stops recording. Meanwhile
 * none is counted and no access is made. */
void mms_unrecorded_stop(void (*stop)(void));
u64 mms_unrecorded_calls(void);
/* Writes the status lines; returns their length, at most this. */
#define MMS_UNRECORDED_STATUS_BYTES_MAX (64 << 10)
size_t mms_unrecorded_describe(char *text, size_t size);

/* ---- interrupts.c, dma.c ---- */

#define MMS_EVENTS_STATUS_BYTES_MAX (4 << 10)

/* For the functions of functions.c. What can't be seen is a line of the status. */
int mms_interrupts_arm(void);
void mms_interrupts_disarm(void);
void mms_dma_arm(void);
void mms_dma_disarm(void);
/* At the recording's end: calls that go past the probes from here on don't count. */
/* Calls that went past the probes until now, before recording starts, don't count. */
void mms_interrupts_start(void);
void mms_dma_start(void);
void mms_interrupts_count_missed(void);
void mms_dma_count_missed(void);
/* Write the status lines; return their length. */
size_t mms_interrupts_describe(char *text, size_t size);
size_t mms_dma_describe(char *text, size_t size);

/* ---- fault.c ---- */

int mms_fault_init(void);
void mms_fault_exit(void);
int mms_fault_check(void);		/* 0, -EIO, or -EOPNOTSUPP: no fault comes */

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

/* ---- nofault.c ---- */

int mms_nofault_init(void);
void mms_nofault_exit(void);

/* ---- machine.c ---- */

struct mms_site;

/* A string's accesses that are recorded together, while they are being made. */
struct mms_run {
	unsigned int parts;	/* struct mms_run_part: 0 if there is no run */
	unsigned int left;	/* accesses that still fit */
	unsigned int done;
	u64 place;		/* of the record; the parts follow it */
};

/* The interrupted CPU, as the emulator's machine. */
struct mms_cpu {
	struct mms_machine machine;	/* first: the two are cast */
	struct pt_regs *regs;
	const struct mms_mapping *mapping;	/* the last one found, or NULL */
	unsigned int mappings_version;	/* at that moment: mms_mappings_version */
	bool in_nmi;
	bool learns;			/* may change what is known of the site */
	bool drain;			/* stores may linger in buffers */
	u64 locks;			/* held: access.c */
	struct mms_site *known;		/* the site as this CPU knows it, or NULL */
	u64 site;
	u32 caller;			/* in records; 0: none */
	bool caller_sought;		/* it was looked for */
	u32 record_flags;		/* enum mms_flags for every record */
	u32 instruction_flags;		/* those that this instruction adds */
	struct mms_run run;
};

static inline struct mms_cpu *mms_cpu_of(struct mms_machine *machine)
{
	return container_of(machine, struct mms_cpu, machine);
}

extern const uint16_t mms_pt_regs_at[MMS_REGISTER_COUNT];

/* Fills `cpu` from `regs`; the caller has interrupts off. preempt_count() counts
 * `nmis_of_ours` NMIs too many: the exceptions by which we were called. */
void mms_cpu_enter(struct mms_cpu *cpu, struct pt_regs *regs,
		   unsigned int nmis_of_ours);
/* Returns the context of our own caller, as enum mms_flags. */
u32 mms_record_context(void);
/* Copies the emulator's changes back into the registers. */
void mms_cpu_leave(struct mms_cpu *cpu);

/* ---- access.c ---- */

/* The locks' way. Changes only while no access is made: mms_access_hold(). */
extern bool mms_relaxed;

void mms_access_init(void);
void mms_access_exit(void);
/* Calls `work` while no CPU is making an access: each access comes, with its
 * record if any, before the call or after it. Exception: an NMI on this CPU. */
void mms_access_hold(void (*work)(void));
/*
 * Makes and records an access that isn't an instruction's on a decoy. `make` makes it:
 * it fills in the record's value, and returns false if there was no access. The
 * record has kind, address, width and site; `caller` are the registers of the function
 * that asks for the access, as they are when the access is made.
 */
enum mms_call_way {
	/* `make` may take long, or take locks; the access's place is uncertain then,
	 * also to mms_access_hold(): one that is under way when recording begins or
	 * ends is missing */
	MMS_CALL_UNORDERED,
	MMS_CALL_ORDERED,
	MMS_CALL_PORT,		/* the same, recorded if the recording wants the port */
};
void mms_access_by_call(struct mms_record *record, struct pt_regs *caller,
			enum mms_call_way way,
			bool (*make)(struct mms_record *, void *), void *data);

/* ---- caller.c ---- */

/* For the next recording: any module is a driver. */
void mms_caller_reset(void);
/* The driver is in no module: no caller is looked for. */
void mms_caller_off(void);
/* One of the driver's modules, or of those that they use. */
int mms_caller_add_module(const char *name, bool is_driver);
/* Fills in `caller`, and writes its symbol. */
void mms_caller_find(struct mms_cpu *cpu);
/* Returns the caller of the code with these registers, as records have it, and writes
 * its symbol; 0 if that code is a driver's. Interrupts are off. */
u32 mms_caller_of(struct pt_regs *regs, u32 record_flags);

/* ---- step.c ---- */

/*
 * Has the CPU execute the instruction: on a copy of its operand if the
 * operand's extent is known, else on the real mapping (an escape). Returns
 * false if neither is possible.
 */
bool mms_step(struct mms_cpu *cpu, const struct mms_instruction *instruction);
/* The same on a copy only, for a context that a debugger steps: it is to get a
 * debug exception of its own for this instruction. */
bool mms_step_for_debugger(struct mms_cpu *cpu,
			   const struct mms_instruction *instruction);
/* Handles a debug exception. Returns true if it was only the end of our step. */
bool mms_step_end(struct pt_regs *regs, unsigned long *dr6);
/* Aims the register at the real mapping for good: the instruction escapes, and
 * so do later ones that use the same register. False as for mms_step(). */
bool mms_step_not(struct mms_cpu *cpu, const struct mms_instruction *instruction);
/* The same for a call's argument, the register with this number: the called function's
 * accesses escape. */
void mms_step_not_called(struct mms_cpu *cpu, const struct mms_instruction *instruction,
			 unsigned int number);
/* Handles a fault: undoes the step if the stepped instruction raised it. Returns
 * true if that step ran on a copy; the caller then uses mms_step_not(). */
bool mms_step_abort(struct pt_regs *regs);

/* ---- user.c ---- */

/*
 * Sends the interrupted context to fault in a page of user memory and to come
 * back to its instruction. Returns false if that has failed or can't be tried:
 * then the fault is the instruction's. `first`: this is the first of the two
 * callers for this fault (struct asker in fault.c).
 */
bool mms_user_touch(struct mms_cpu *cpu, bool first);
/* To be called after the instruction was executed: forgets a page that
 * couldn't be faulted in. */
void mms_user_done(struct mms_cpu *cpu);
/* Returns true if the interrupted context may use user memory at all. */
bool mms_user_allowed(const struct mms_cpu *cpu);
/* Returns when no context is on its way back through our text any more. */
void mms_user_exit(void);
void mms_user_entry(void);
void mms_return(void);		/* a lone RET */

/* ---- ring.c ---- */

int mms_ring_allocate(u64 bytes);
void mms_ring_free(void);		/* after a grace period */
bool mms_ring_recording(void);
void mms_ring_start(void);
void mms_ring_stop(void);
/* After the stop: waits until no writer is putting a record in any more. */
void mms_ring_settle(void);
ssize_t mms_ring_read(char __user *buffer, size_t size, bool wait);
bool mms_ring_has_records(void);
struct wait_queue_head *mms_ring_wait_queue(void);
int mms_ring_map(struct vm_area_struct *vma);
u64 mms_ring_written(void);
u64 mms_ring_lost(void);
u64 mms_ring_escaped(void);

/* A claimed place becomes this record, with its sequence filled in: ring.h. */
void mms_ring_publish(u64 at, const struct mms_record *record);
/* Writes a record; fills in its sequence. */
void mms_ring_put(const struct mms_record *record);
/* Writes a record before recording starts, when there is no other writer. */
void mms_ring_put_early(const struct mms_record *record);
/* Makes a record of this kind with time, CPU and process filled in. */
void mms_record_init(struct mms_record *record, enum mms_kind kind);
/* Writes a text as one record or several. False: nothing records, or it is lost. */
bool mms_ring_put_text(enum mms_kind kind, u64 site, u32 mapping, u32 flags,
		       const char *text, size_t length);
void mms_ring_count_escape(void);
/* Counts records that aren't written. Interrupts are off, and the ring is there. */
void mms_ring_count_lost(unsigned int count);
/* Writes the kernel's symbol for this address, unless it did so before. True
 * if the trace has it now. */
bool mms_ring_put_symbol(u64 site);
/* The same before recording starts, when there is no other writer. */
void mms_ring_put_symbol_early(u64 site);
/* Symbols of these addresses are written again when they are needed. */
void mms_ring_forget_symbols(u64 first, u64 bytes);
extern bool mms_clean_room;

/* ---- control.c ---- */

int mms_control_init(void);
void mms_control_exit(void);

#endif
