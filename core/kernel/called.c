// SPDX-License-Identifier: GPL-2.0
/*
 * A rewritten driver's calls of the kernel's functions that access a device for it:
 * ioread32() and its kin, memcpy_fromio(), __iowrite64_copy() and the like. The core
 * makes the accesses that the function makes on memory, of the same widths and in
 * the same order, with the driver's call as their site, and the function isn't called.
 *
 * These functions are the same in all kernels from 5.10 to 7.3: lib/iomap.c,
 * lib/iomap_copy.c and arch/x86/lib/iomem.c. The accesses of others, such as
 * memset_io(), depend on the CPU: they are called, and their accesses fault.
 */
#include <linux/kprobes.h>
#include <linux/minmax.h>
#include <linux/swab.h>
#ifdef MMS_HAS_UNROLLED_COPIES
#include <linux/cc_platform.h>
#endif

#include "core.h"
#include "operand.h"
#include "rewritten.h"

/*
 * A guest whose memory is encrypted copies byte by byte: "x86/sev: Use CC_ATTR
 * attribute to generalize string I/O unroll", 5.18.
 */
static bool called_copies_bytes(const struct mms_rewritten_site *s)
{
#ifdef MMS_HAS_UNROLLED_COPIES
	return !s->bytes && s->kind >= MMS_REWRITTEN_CALL_COPY_FROM &&
	       cc_platform_has(CC_ATTR_GUEST_UNROLL_STRING_IO);
#else
	return false;
#endif
}

/* The file and the code must agree on the instruction. */
static bool called_is_same(const struct mms_rewritten_site *s,
			 const struct mms_instruction *i)
{
	return i->length == s->length && i->memory == MMS_MEMORY_NONE &&
	       i->opcode->mnemonic == (s->jump ? MMS_MN_JMP : MMS_MN_CALL);
}

static bool called_stores(const struct mms_rewritten_site *s)
{
	return s->kind == MMS_REWRITTEN_CALL_STORE ||
	       s->kind == MMS_REWRITTEN_CALL_STORE_SWAPPED ||
	       s->kind == MMS_REWRITTEN_CALL_STORES ||
	       s->kind == MMS_REWRITTEN_CALL_COPY_TO;
}

/* ---- One value ---- */

/* Big-endian, where the function's name says so. */
static u64 called_ordered(const struct mms_rewritten_site *s, u64 value)
{
	if (s->kind != MMS_REWRITTEN_CALL_LOAD_SWAPPED &&
	    s->kind != MMS_REWRITTEN_CALL_STORE_SWAPPED)
		return value;
	return s->bytes == 2 ? swab16(value) : s->bytes == 4 ? swab32(value) : swab64(value);
}

static bool called_one(struct mms_machine *m, const struct mms_rewritten_site *s)
{
	u64 address = *mms_register(m, s->base), *r = mms_register(m, s->reg);
	u64 value = 0;

	mms_machine_begin(m, address, s->bytes);
	if (called_stores(s)) {
		value = called_ordered(s, *r);
		mms_machine_store(m, address, &value, s->bytes);
	} else {
		mms_machine_load(m, address, &value, s->bytes);
	}
	mms_machine_end(m);
	if (m->access_failed)
		return false;
	if (!called_stores(s))
		*r = called_ordered(s, value);
	return true;
}

/* ---- Several values ---- */

/* memcpy_fromio() and memcpy_toio() align the device's address first. */
static unsigned int called_copied_bytes(u64 address, u64 left)
{
	if (address & 1 || left == 1)
		return 1;
	return address & 2 || left < 4 ? 2 : 4;
}

/* The memory is the kernel's, and the registers tell what is left. */
static bool called_element(struct mms_machine *m, const struct mms_rewritten_site *s,
			 unsigned int bytes)
{
	u64 *address = mms_register(m, s->base), *memory = mms_register(m, s->reg);
	u64 value = 0;

	if ((s64)*memory >= 0 || mms_is_decoy(*memory))
		return false;
	/* the function is to fault at bad memory, before the device is accessed */
	if (mms_machine_memory_load(m, *memory, &value, bytes))
		return false;
	if (called_stores(s)) {
		mms_machine_store(m, *address, &value, bytes);
		if (m->access_failed)
			return false;
	} else {
		mms_machine_load(m, *address, &value, bytes);
		if (m->access_failed || mms_machine_memory_store(m, *memory, &value, bytes))
			return false;
	}
	*memory += bytes;
	if (s->kind >= MMS_REWRITTEN_CALL_COPY_FROM)
		*address += bytes;
	*mms_register(m, MMS_RDX) -= s->bytes ? 1 : bytes;
	return true;
}

/* Makes accesses of one width, as many as a string instruction at a time. */
static unsigned int called_several(struct mms_machine *m, const struct mms_rewritten_site *s)
{
	u64 address = *mms_register(m, s->base), *left = mms_register(m, MMS_RDX);
	bool copies = s->kind >= MMS_REWRITTEN_CALL_COPY_FROM;
	unsigned int bytes = s->bytes, count, done;

	/* ioread32_rep() and the like count with an int */
	if (!copies)
		*left = max((s32)*left, 0);
	if (!*left)
		return 0;
	if (bytes) {
		count = min_t(u64, *left, MMS_STRING_ELEMENTS_MAX);
	} else {
		bytes = called_copied_bytes(address, *left);
		count = bytes < 4 ? 1 : min_t(u64, *left / 4, MMS_STRING_ELEMENTS_MAX);
		mms_cpu_of(m)->instruction_flags |= MMS_F_STRING;
	}
	mms_machine_begin(m, address, copies ? count * bytes : bytes);
	mms_machine_expect(m, address, called_stores(s), bytes, copies ? bytes : 0, count);
	for (done = 0; done < count && called_element(m, s, bytes); done++)
		;
	mms_machine_end(m);
	/* the next failure is that of the first one that isn't made */
	if (done)
		m->access_failed = false;
	return done;
}

unsigned int mms_rewritten_call(struct mms_cpu *cpu, struct mms_rewritten_site *s,
				const struct mms_instruction *instruction, bool failed)
{
	struct mms_machine *m = &cpu->machine;
	unsigned int made;

	if (!called_is_same(s, instruction) || mms_rewritten_is_watched(s) ||
	    called_copies_bytes(s) ||
	    !mms_machine_is_device(m, *mms_register(m, s->base), max_t(u8, s->bytes, 1)))
		return 0;
	if (likely(!failed)) {
		if (s->kind >= MMS_REWRITTEN_CALL_LOADS)
			made = called_several(m, s);
		else
			made = called_one(m, s);
		if (likely(made)) {
			mms_rewritten_learn(s, cpu);
			return made;
		}
	}
	if (failed || m->access_failed)
		mms_step_not_called(cpu, instruction, s->base);
	return 0;
}
NOKPROBE_SYMBOL(mms_rewritten_call);
