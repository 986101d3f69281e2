/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The emulator: executes one decoded instruction whose memory operand is a
 * decoy, as the CPU would have done on the real mapping. No OS calls: it uses
 * its surroundings only through the mms_machine_*() functions, which kernel,
 * process and tests each define.
 */
#ifndef MMIOSTRIDER_EMULATE_H
#define MMIOSTRIDER_EMULATE_H

#include "decode.h"

#define MMS_VECTOR_BYTES_MAX 64

/* Elements that a string instruction does in one go. Then its registers say how
 * far it came, as after an interrupt. */
#define MMS_STRING_ELEMENTS_MAX 64

enum mms_result {
	MMS_DONE,		/* executed; ip is behind the instruction */
	MMS_AGAIN,		/* a string instruction was done in part; ip is
				 * still on it */
	MMS_NO_DEVICE,		/* touches no device memory */
	MMS_UNSUPPORTED,	/* not emulated; nothing was changed */
	MMS_MEMORY_FAULT,	/* the ordinary memory on its other side can't be
				 * used; nothing was changed */
};

/* The kinds of stores: they differ in what may linger in buffers and caches. */
enum mms_store_kind {
	MMS_STORE_PLAIN,
	MMS_STORE_NON_TEMPORAL,	/* MOVNTI, MOVNTDQ and their kin */
	MMS_STORE_DIRECT,	/* MOVDIRI, MOVDIR64B */
};

/* The interrupted CPU. The surroundings' own structure begins with it. */
struct mms_machine {
	void *registers;		/* a structure with the 16 general registers */
	const uint16_t *register_at;	/* the offsets of rax to r15 in it, bytes */
	uint64_t ip;
	uint64_t flags;
	uint64_t fault_address;		/* set with MMS_MEMORY_FAULT */
	bool fault_write;		/* likewise: the fault was a write */
	enum mms_store_kind store_kind;	/* of the stores that are made */
	bool access_failed;		/* an access to the device has faulted: the
					 * registers may be wrong by now, unless
					 * the instruction is a plain move */
};

/* A read-modify-write of the device's memory in one operation. */
enum mms_atomic {
	MMS_ATOMIC_EXCHANGE,
	MMS_ATOMIC_ADD,
	MMS_ATOMIC_COMPARE_EXCHANGE,	/* stores `operand` over `expected` */
};

enum mms_result mms_emulate(struct mms_machine *machine,
			    const struct mms_instruction *instruction);
struct mms_move;
/* The same for a plain move (move.h), described beforehand. */
enum mms_result mms_emulate_move(struct mms_machine *machine,
				  const struct mms_move *move);

/* Returns the address of the memory operand; for MOVS and CMPS, RDI's. */
uint64_t mms_effective_address(struct mms_machine *machine,
			       const struct mms_instruction *instruction);

/* ---- Functions that the surroundings define ---- */

/* Returns true if these bytes lie in a decoy of a mapping. */
bool mms_machine_is_device(struct mms_machine *machine, uint64_t address,
			   unsigned int bytes);

/*
 * All accesses between begin and end are one step in the trace's order. Pairs
 * must not be nested; ordinary memory is touched in between, too. The stores,
 * and what a read-modify-write reads, lie in the `bytes` from `address` on;
 * MMS_ANYWHERE: not only there.
 */
#define MMS_ANYWHERE (~0u)
void mms_machine_begin(struct mms_machine *machine, uint64_t address,
		       unsigned int bytes);
void mms_machine_end(struct mms_machine *machine);

/*
 * Tells that up to `count` accesses of `bytes` (1 to 8) follow until the end of
 * this step, all of them loads or all stores, the first at `address`, each one
 * `stride` bytes behind the former, which may be 0. They may then be recorded together.
 */
void mms_machine_expect(struct mms_machine *machine, uint64_t address,
			bool store, unsigned int bytes, int stride,
			unsigned int count);

/* Make one access of 1 to 64 bytes, with one instruction, and record it. */
void mms_machine_load(struct mms_machine *machine, uint64_t address,
		      void *value, unsigned int bytes);
void mms_machine_store(struct mms_machine *machine, uint64_t address,
		       const void *value, unsigned int bytes);

/* ENQCMDS: stores 64 bytes and returns true if the device wants them again.
 * Recorded as a write. */
bool mms_machine_enqueue(struct mms_machine *machine, uint64_t address,
			 const void *command);

/*
 * Makes a locked operation of 1 to 16 bytes. Stores the old value in `old`;
 * compare-exchange returns true if that was `expected`.
 */
bool mms_machine_atomic(struct mms_machine *machine, uint64_t address,
			enum mms_atomic operation, const void *operand,
			const void *expected, void *old, unsigned int bytes);

/*
 * Ordinary memory. They return 0, or -1 if the CPU would have faulted; then
 * fault_address and fault_write are set. `writable` is called before a device is
 * read whose value is to be stored there. It changes nothing, and may return 0
 * without checking if a fault couldn't be mended.
 */
int mms_machine_memory_load(struct mms_machine *machine, uint64_t address,
			    void *value, unsigned int bytes);
int mms_machine_memory_store(struct mms_machine *machine, uint64_t address,
			     const void *value, unsigned int bytes);
int mms_machine_memory_writable(struct mms_machine *machine, uint64_t address,
				unsigned int bytes);
/* Returns true if the stack may be written: false if the handler's frame is on it. */
bool mms_machine_stack_is_free(struct mms_machine *machine);

uint64_t mms_machine_segment_base(struct mms_machine *machine,
				  enum mms_segment segment);

/*
 * Copy the low `bytes` (16, 32 or 64) of a vector register. A store with
 * `clear_upper` zeroes the bytes above, as VEX and EVEX instructions do.
 */
void mms_machine_vector_load(struct mms_machine *machine, unsigned int number,
			     void *value, unsigned int bytes);
void mms_machine_vector_store(struct mms_machine *machine, unsigned int number,
			      const void *value, unsigned int bytes,
			      bool clear_upper);

/* Executes CLFLUSH and the like: no access, but it has to happen. */
void mms_machine_flush(struct mms_machine *machine, uint64_t address,
		       enum mms_mnemonic mnemonic);

/* Port I/O of INS and OUTS. */
uint32_t mms_machine_port_in(struct mms_machine *machine, uint16_t port,
			     unsigned int bytes);
void mms_machine_port_out(struct mms_machine *machine, uint16_t port,
			  uint32_t value, unsigned int bytes);

#endif
