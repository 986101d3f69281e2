// SPDX-License-Identifier: GPL-2.0
/* A machine for the emulator outside any kernel. See plain-machine.h. */
#include <string.h>

#include "plain-machine.h"

static struct mms_plain_machine *plain(struct mms_machine *machine)
{
	return (struct mms_plain_machine *)machine;
}

void mms_plain_reset(struct mms_plain_machine *p, uint64_t ip, uint64_t flags)
{
	static const uint16_t register_at[MMS_REGISTER_COUNT] = {
		0, 8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120,
	};

	p->machine = (struct mms_machine){
		.registers = p->gpr,
		.register_at = register_at,
		.ip = ip,
		.flags = flags,
	};
	p->accesses = 0;
	p->unannounced = 0;
	p->expected.announced = false;
}

/* Writes the 4 bytes of an address into the instruction, before its immediate. */
static bool patch_displacement(uint8_t *bytes, const struct mms_instruction *i,
			       uint64_t value)
{
	unsigned int tail = i->opcode->immediate_bytes + i->opcode->immediate2_bytes;
	int32_t displacement = (int32_t)value;

	if ((int64_t)value != displacement || i->encoding == MMS_D3NOW)
		return false;
	memcpy(bytes + i->length - tail - 4, &displacement, 4);
	return true;
}

bool mms_plain_aim(const struct mms_plain_machine *machine, uint64_t gpr[16],
		   uint8_t *bytes, const struct mms_instruction *i, uint64_t ip,
		   uint64_t target)
{
	uint64_t rest = target;

	if (i->segment == MMS_SEGMENT_FS) {
		if (i->address_bytes == 4)
			return false;
		rest -= machine->fs_base;
	}
	switch (i->memory) {
	case MMS_MEMORY_XLAT:
		gpr[MMS_RBX] = rest - (gpr[MMS_RAX] & 0xff);
		break;
	case MMS_MEMORY_OFFSET:
		if (i->address_bytes == 4)
			memcpy(bytes + i->length - 4, &rest, 4);
		else
			memcpy(bytes + i->length - 8, &rest, 8);
		break;
	case MMS_MEMORY_MODRM:
		if (i->base == MMS_RIP)
			return patch_displacement(bytes, i,
						  rest - (ip + i->length));
		rest -= (uint64_t)i->displacement;
		if (i->base == MMS_NO_REGISTER) {
			if (i->index != MMS_NO_REGISTER) {
				if (rest % i->scale)
					return false;
				gpr[i->index] = rest / i->scale;
				return true;
			}
			return patch_displacement(bytes, i,
						  rest + (uint64_t)i->displacement);
		}
		if (i->index == i->base) {
			if (rest % (i->scale + 1u))
				return false;
			gpr[i->base] = rest / (i->scale + 1u);
			return true;
		}
		if (i->index != MMS_NO_REGISTER)
			rest -= gpr[i->index] * i->scale;
		gpr[i->base] = rest;
		/* the upper half doesn't matter for a 32-bit address */
		if (i->address_bytes == 4)
			gpr[i->base] = (uint32_t)rest | 0xa5a5a5a500000000;
		break;
	default:
		return false;
	}
	return true;
}

static bool lies_in(uint64_t address, uint64_t bytes, uint64_t area)
{
	return address >= area && address + bytes <= area + MMS_PLAIN_AREA_BYTES &&
	       address + bytes >= address;
}

static bool is_memory(struct mms_machine *machine, uint64_t address,
		      unsigned int bytes)
{
	return lies_in(address, bytes, plain(machine)->ordinary) ||
	       lies_in(address, bytes, plain(machine)->device);
}

bool mms_machine_is_device(struct mms_machine *machine, uint64_t address,
			   unsigned int bytes)
{
	return lies_in(address, bytes, plain(machine)->device);
}

void mms_machine_begin(struct mms_machine *machine, uint64_t address,
		       unsigned int bytes)
{
	(void)machine;
	(void)address;
	(void)bytes;
}

void mms_machine_expect(struct mms_machine *machine, uint64_t address,
			bool store, unsigned int bytes, int stride,
			unsigned int count)
{
	plain(machine)->expected = (struct mms_plain_expected){
		true, { store, address, bytes }, stride, count,
	};
}

void mms_machine_end(struct mms_machine *machine)
{
	plain(machine)->expected.announced = false;
}

/* True: it may be made. Another one than the announced would be recorded as
 * that. */
static bool was_expected(struct mms_plain_expected *e, bool write,
			   uint64_t address, unsigned int bytes)
{
	if (!e->announced)
		return true;
	if (!e->left || write != e->next.write || address != e->next.address ||
	    bytes != e->next.bytes)
		return false;
	e->left--;
	e->next.address += (uint64_t)(int64_t)e->stride;
	return true;
}

static void log_access(struct mms_machine *machine, bool write,
		       uint64_t address, unsigned int bytes)
{
	struct mms_plain_machine *p = plain(machine);

	if (!was_expected(&p->expected, write, address, bytes))
		p->unannounced++;
	if (p->accesses < MMS_PLAIN_ACCESSES_MAX)
		p->access[p->accesses] =
			(struct mms_plain_access){ write, address, bytes };
	p->accesses++;
}

void mms_machine_load(struct mms_machine *machine, uint64_t address,
		      void *value, unsigned int bytes)
{
	log_access(machine, false, address, bytes);
	memcpy(value, (void *)address, bytes);
}

void mms_machine_store(struct mms_machine *machine, uint64_t address,
		       const void *value, unsigned int bytes)
{
	log_access(machine, true, address, bytes);
	memcpy((void *)address, value, bytes);
}

/* The device takes every command. */
bool mms_machine_enqueue(struct mms_machine *machine, uint64_t address,
			 const void *command)
{
	mms_machine_store(machine, address, command, 64);
	return false;
}

bool mms_machine_atomic(struct mms_machine *machine, uint64_t address,
			enum mms_atomic operation, const void *operand,
			const void *expected, void *old, unsigned int bytes)
{
	uint64_t sum = 0, addend = 0;
	bool equal = true;

	log_access(machine, false, address, bytes);
	memcpy(old, (void *)address, bytes);
	log_access(machine, true, address, bytes);
	switch (operation) {
	case MMS_ATOMIC_EXCHANGE:
		memcpy((void *)address, operand, bytes);
		break;
	case MMS_ATOMIC_ADD:
		memcpy(&sum, old, bytes);
		memcpy(&addend, operand, bytes);
		sum += addend;
		memcpy((void *)address, &sum, bytes);
		break;
	case MMS_ATOMIC_COMPARE_EXCHANGE:
		equal = !memcmp(old, expected, bytes);
		if (equal)
			memcpy((void *)address, operand, bytes);
		break;
	}
	return equal;
}

int mms_machine_memory_load(struct mms_machine *machine, uint64_t address,
			    void *value, unsigned int bytes)
{
	if (!is_memory(machine, address, bytes)) {
		machine->fault_address = address;
		return -1;
	}
	memcpy(value, (void *)address, bytes);
	return 0;
}

int mms_machine_memory_store(struct mms_machine *machine, uint64_t address,
			     const void *value, unsigned int bytes)
{
	if (!is_memory(machine, address, bytes)) {
		machine->fault_address = address;
		return -1;
	}
	memcpy((void *)address, value, bytes);
	return 0;
}

int mms_machine_memory_writable(struct mms_machine *machine, uint64_t address,
				unsigned int bytes)
{
	if (is_memory(machine, address, bytes))
		return 0;
	machine->fault_address = address;
	return -1;
}

bool mms_machine_stack_is_free(struct mms_machine *machine)
{
	(void)machine;
	return true;
}

uint64_t mms_machine_segment_base(struct mms_machine *machine,
				  enum mms_segment segment)
{
	return segment == MMS_SEGMENT_FS ? plain(machine)->fs_base : 0;
}

void mms_machine_vector_load(struct mms_machine *machine, unsigned int number,
			     void *value, unsigned int bytes)
{
	memcpy(value, &plain(machine)->vector[number], bytes);
}

void mms_machine_vector_store(struct mms_machine *machine, unsigned int number,
			      const void *value, unsigned int bytes,
			      bool clear_upper)
{
	struct mms_plain_vector *v = &plain(machine)->vector[number];

	memcpy(v->byte, value, bytes);
	if (clear_upper)
		memset(v->byte + bytes, 0, 64 - bytes);
}

void mms_machine_flush(struct mms_machine *machine, uint64_t address,
		       enum mms_mnemonic mnemonic)
{
	(void)machine;
	(void)address;
	(void)mnemonic;
}

/* Only the kernel has ports: strings that use them aren't run here. */
uint32_t mms_machine_port_in(struct mms_machine *machine, uint16_t port,
			     unsigned int bytes)
{
	(void)machine;
	(void)port;
	(void)bytes;
	return 0;
}

void mms_machine_port_out(struct mms_machine *machine, uint16_t port,
			  uint32_t value, unsigned int bytes)
{
	(void)machine;
	(void)port;
	(void)value;
	(void)bytes;
}
