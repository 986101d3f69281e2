// SPDX-License-Identifier: GPL-2.0
/* Decoded instructions, remembered by CPU and address: see site.h. */
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <asm/asm.h>
#include <asm/text-patching.h>

#include "core.h"
#include "ring.h"
#include "site.h"

#define SITES_MAX 256	/* of one CPU: a power of two */

static DEFINE_PER_CPU(struct mms_site *, sites);

int mms_site_init(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		struct mms_site *table = kvcalloc(SITES_MAX, sizeof(*table),
						  GFP_KERNEL);

		if (!table) {
			mms_site_exit();
			return -ENOMEM;
		}
		per_cpu(sites, cpu) = table;
	}
	return 0;
}

void mms_site_exit(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		kvfree(per_cpu(sites, cpu));
		per_cpu(sites, cpu) = NULL;
	}
}

/* The instruction's bytes and some behind it. False where they end the page:
 * the next one may not be there. */
static __always_inline bool site_fetch(u64 ip, u64 *low, u64 *high)
{
	unsigned int failed = 1;

	if (unlikely(offset_in_page(ip) > PAGE_SIZE - MMS_SITE_BYTES))
		return false;
	asm volatile("1: movq (%3), %1\n"
		     "   movq 8(%3), %2\n"
		     "   xorl %0, %0\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : "+&r" (failed), "=&r" (*low), "=&r" (*high)
		     : "r" (ip) : "memory", "cc");
	return !failed;
}

/*
 * Copies the instruction's bytes at `ip`; fewer than the maximum where the
 * next page isn't mapped. Returns their number, which is 0 after a jump or
 * return to a bad address: then the fetch itself faulted.
 */
static size_t site_fetch_slowly(u64 ip, u8 *bytes)
{
	size_t first = min_t(size_t, PAGE_SIZE - offset_in_page(ip),
			     MMS_INSTRUCTION_BYTES_MAX);

	if (copy_from_kernel_nofault(bytes, (const void *)ip, first))
		return 0;
	if (first < MMS_INSTRUCTION_BYTES_MAX &&
	    !copy_from_kernel_nofault(bytes + first, (const void *)(ip + first),
				      MMS_INSTRUCTION_BYTES_MAX - first))
		return MMS_INSTRUCTION_BYTES_MAX;
	return first;
}

static enum mms_site_answer site_decode(struct mms_site *site, const u8 *bytes,
					size_t available)
{
	if (available && bytes[0] == INT3_INSN_OPCODE)
		return MMS_SITE_BREAKPOINT;
	if (!mms_decode(bytes, available, &site->instruction))
		return MMS_SITE_INVALID;
	mms_move_describe(&site->instruction, &site->move);
	return MMS_SITE_DECODED;
}

static enum mms_site_answer site_decode_uncached(u64 ip, struct mms_site *spare)
{
	u8 bytes[MMS_INSTRUCTION_BYTES_MAX];

	return site_decode(spare, bytes, site_fetch_slowly(ip, bytes));
}

/* An NMI that comes meanwhile finds an unused entry. */
static enum mms_site_answer site_fill(struct mms_site *site, u64 ip, u64 low,
				      u64 high)
{
	u64 bytes[2] = { low, high };
	enum mms_site_answer answer;

	WRITE_ONCE(site->ip, 0);
	barrier();
	answer = site_decode(site, (const u8 *)bytes, MMS_INSTRUCTION_BYTES_MAX);
	if (answer != MMS_SITE_DECODED)
		return answer;
	site->bytes[0] = low;
	site->bytes[1] = high;
	site->mapping = NULL;
	/* any other epoch: its symbol has yet to be asked for */
	site->symbol_epoch = atomic_read(&mms_ring.symbol_epoch) - 1;
	site->caller_way = MMS_CALLER_UNKNOWN;
	barrier();
	WRITE_ONCE(site->ip, ip);
	return answer;
}

enum mms_site_answer mms_site_find(u64 ip, bool learns, struct mms_site *spare,
				   struct mms_site **known)
{
	struct mms_site *site = this_cpu_read(sites) +
				(ip ^ ip >> 8) % SITES_MAX;
	u64 low, high;

	/* a jump into device memory: to look there would be an access */
	if (unlikely(mms_is_decoy(ip)))
		return MMS_SITE_INVALID;
	if (likely(site_fetch(ip, &low, &high))) {
		*known = site;
		if (likely(READ_ONCE(site->ip) == ip && site->bytes[0] == low &&
			   site->bytes[1] == high))
			return MMS_SITE_DECODED;
		if (learns)
			return site_fill(site, ip, low, high);
	}
	*known = spare;
	return site_decode_uncached(ip, spare);
}
NOKPROBE_SYMBOL(mms_site_find);
