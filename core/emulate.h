/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The emulator: executes one decoded instruction whose memory operand is a
 * decoy, as the CPU would have on the real mapping. No OS calls: what it needs
 * of its surroundings it asks of the mms_machine_*() functions, which kernel,
 * process and tests each define.
 */
#ifndef MMIOSTRIDER_EMULATE_H
#define MMIOSTRIDER_EMULATE_H

#include "decode.h"

#define MMS_VECTOR_BYTES_MAX 64

/* A string instruction gives the CPU back after so many elements: its
 * registers then say how far it came, as after an interrupt. */
#define MMS_STRING_ELEMENTS_MAX 64

enum mms_result {
	MMS_DONE,		/* executed; ip is behind the instruction */
	MMS_AGAIN,		/* a string instruction came this far; ip is on
				 * it still */
	MMS_NO_DEVICE,		/* touches no device memory: not ours */
	MMS_UNSUPPORTED,	/* not emulated; nothing was changed */
	MMS_MEMORY_FAULT,	/* the ordinary memory on its other side isn't
				 * there; nothing was changed */
};

/* The interrupted CPU. Surroundings put it in front of what is their own. */
struct mms_machine {
	void *registers;		/* with the 16 general registers */
	const uint16_t *register_at;	/* rax's to r15's place in them, bytes */
	uint64_t ip;
	uint64_t flags;
	uint64_t fault_address;		/* after MMS_MEMORY_FAULT: where */
	bool fault_write;		/* and whether it was to be written */
};

/* How a read-modify-write changes the device's memory in one operation. */
enum mms_atomic {
	MMS_ATOMIC_EXCHANGE,
	MMS_ATOMIC_ADD,
	MMS_ATOMIC_COMPARE_EXCHANGE,	/* stores `operand` over `expected` */
};

enum mms_result mms_emulate(struct mms_machine *machine,
			    const struct mms_instruction *instruction);

/* The address of the memory operand; for MOVS and CMPS that of RDI's. */
uint64_t mms_effective_address(struct mms_machine *machine,
			       const struct mms_instruction *instruction);

/* ---- What the surroundings define ---- */

/* Whether these bytes lie in a decoy of a mapping. */
bool mms_machine_is_device(struct mms_machine *machine, uint64_t address,
			   unsigned int bytes);

/*
 * All accesses between begin and end are one step in the trace's order. May
 * not be nested; ordinary memory may be touched in between, and is.
 */
void mms_machine_begin(struct mms_machine *machine, uint64_t address);
void mms_machine_end(struct mms_machine *machine);

/* One access of 1 to 64 bytes, made with one instruction, and its record. */
void mms_machine_load(struct mms_machine *machine, uint64_t address,
		      void *value, unsigned int bytes);
void mms_machine_store(struct mms_machine *machine, uint64_t address,
		       const void *value, unsigned int bytes);

/*
 * A locked operation of 1 to 16 bytes. Returns in `old` what was there;
 * compare-exchange returns whether it was `expected`.
 */
bool mms_machine_atomic(struct mms_machine *machine, uint64_t address,
			enum mms_atomic operation, const void *operand,
			const void *expected, void *old, unsigned int bytes);

/*
 * Ordinary memory. Return 0, or -1 when the CPU would have faulted, and then
 * say in the machine where. `writable` is asked before a device is read whose
 * value belongs there: it changes nothing, and where a fault can't be mended
 * it may say yes without looking.
 */
int mms_machine_memory_load(struct mms_machine *machine, uint64_t address,
			    void *value, unsigned int bytes);
int mms_machine_memory_store(struct mms_machine *machine, uint64_t address,
			     const void *value, unsigned int bytes);
int mms_machine_memory_writable(struct mms_machine *machine, uint64_t address,
				unsigned int bytes);
/* Whether the stack may be written: not where the handler's frame lies on it. */
bool mms_machine_stack_is_free(struct mms_machine *machine);

uint64_t mms_machine_segment_base(struct mms_machine *machine,
				  enum mms_segment segment);

/*
 * The low `bytes` (16, 32 or 64) of a vector register. A store with
 * `clear_upper` zeroes what is above, as VEX and EVEX instructions do.
 */
void mms_machine_vector_load(struct mms_machine *machine, unsigned int number,
			     void *value, unsigned int bytes);
void mms_machine_vector_store(struct mms_machine *machine, unsigned int number,
			      const void *value, unsigned int bytes,
			      bool clear_upper);

/* CLFLUSH and its kin: no access, but it has to happen. */
void mms_machine_flush(struct mms_machine *machine, uint64_t address,
		       enum mms_mnemonic mnemonic);

/* Port I/O of INS and OUTS. */
uint32_t mms_machine_port_in(struct mms_machine *machine, uint16_t port,
			     unsigned int bytes);
void mms_machine_port_out(struct mms_machine *machine, uint16_t port,
			  uint32_t value, unsigned int bytes);

#endif
