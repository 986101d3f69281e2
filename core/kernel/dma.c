// SPDX-License-Identifier: GPL-2.0
/*
 * The memory that drivers give to the recorded functions for direct access: a record
 * for each allocation and mapping, once it has succeeded, and for each end, just
 * before it. So a bus address that is used again ends before it begins.
 *
 * The probes are on the functions that the kernel exports. Some call others of them;
 * the outer call counts (calls.c).
 */
#include <linux/dma-mapping.h>
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/pfn.h>
#include <linux/scatterlist.h>
#include <linux/string.h>

#include "calls.h"
#include "compat.h"
#include "core.h"
#include "events.h"

#define CALLS_AT_ONCE_MAX 256
/* Interrupts are off meanwhile. Longer lists are lost from here on, and counted. */
#define SEGMENTS_MAX (1u << 18)

/* A call about a recorded function, from its entry on. */
struct dma_call {
	const struct dma_probe *probe;
	const struct pci_dev *function;
	u64 argument[6];
	u64 sp;
	u64 site;		/* the caller */
	u32 caller;		/* as in a record */
};

struct dma_probe {
	enum mms_dma_kind kind;
	s8 direction;		/* the argument that has it; -1: both directions */
	/* Writes the call's records. */
	void (*see)(const struct dma_call *call, u64 result);
};

/* ---- Records ---- */

struct buffer {
	enum mms_kind kind;
	u64 bus;
	u64 physical;		/* 0: unknown */
	u64 bytes;
};

static void dma_see_physical(const struct dma_call *call, u64 result);
static void dma_see_unmap(const struct dma_call *call, u64 result);

static enum mms_dma_kind dma_kind_of(const struct dma_call *call)
{
	const struct dma_probe *probe = call->probe;

#ifdef DMA_ATTR_MMIO
	/* (…, direction, attributes): in place of dma_map_resource() */
	if ((probe->see == dma_see_physical || probe->see == dma_see_unmap) &&
	    call->argument[probe->direction + 1] & DMA_ATTR_MMIO)
		return MMS_DMA_RESOURCE;
#endif
	return probe->kind;
}

static void dma_tell(const struct dma_call *call, const struct buffer *buffer)
{
	s8 direction = call->probe->direction;
	struct mms_record record;

	mms_record_init(&record, buffer->kind);
	record.address = buffer->bus;
	record.value[0] = buffer->physical;
	record.value[1] = buffer->bytes & MMS_EVENT_VALUE_MASK;
	mms_events_put_function(&record, call->function);
	record.site = call->site;
	record.caller = call->caller;
	record.width = dma_kind_of(call) << MMS_DMA_DIRECTION_BITS |
		       (direction < 0 ? DMA_BIDIRECTIONAL :
				       call->argument[direction] & MMS_DMA_DIRECTION_MASK);
	record.flags = mms_calls_context();
	mms_ring_put(&record);
}

static void dma_tell_map(const struct dma_call *call, u64 bus, u64 physical, u64 bytes)
{
	if (bus != DMA_MAPPING_ERROR)
		dma_tell(call, &(struct buffer){ MMS_DMA_MAP, bus, physical, bytes });
}

static void dma_tell_end(const struct dma_call *call, u64 bus, u64 bytes)
{
	dma_tell(call, &(struct buffer){ MMS_DMA_UNMAP, bus, 0, bytes });
}

/* Each mapped segment. `listed`: the list's entries, of which an IOMMU may have made
 * fewer segments: then no entry is one segment's memory. */
static void dma_tell_list(const struct dma_call *call, struct scatterlist *list,
			  unsigned int mapped, unsigned int listed)
{
	unsigned int n;

	for (n = 0; n < mapped && n < SEGMENTS_MAX && list; n++, list = sg_next(list))
		dma_tell_map(call, sg_dma_address(list),
			     mapped == listed ? sg_phys(list) : 0, sg_dma_len(list));
	if (n == SEGMENTS_MAX && mapped > n)
		mms_ring_count_lost(mapped - n);
}

static void dma_tell_list_end(const struct dma_call *call, struct scatterlist *list,
			      unsigned int listed)
{
	unsigned int n;

	for (n = 0; n < listed && n < SEGMENTS_MAX && list; n++, list = sg_next(list)) {
		if (!sg_dma_len(list))
			return;		/* the entries behind it made no segment */
		dma_tell_end(call, sg_dma_address(list), sg_dma_len(list));
	}
	if (n == SEGMENTS_MAX && listed > n)
		mms_ring_count_lost(listed - n);
}

/* ---- The functions, by their arguments ---- */

static u64 dma_page_address(u64 page)
{
	return PFN_PHYS(page_to_pfn((const struct page *)page));
}

/* Memory that an IOMMU joins isn't in the kernel's direct mapping. */
static u64 dma_memory_address(u64 memory)
{
	return virt_addr_valid((void *)memory) ? virt_to_phys((void *)memory) : 0;
}

/* The place to which a function has written the bus address. */
static u64 dma_handle(u64 place)
{
	return mms_is_decoy(place) ? DMA_MAPPING_ERROR : *(const dma_addr_t *)place;
}

/* (device, bytes, &bus, …): memory */
static void dma_see_memory(const struct dma_call *call, u64 result)
{
	const u64 *argument = call->argument;

	if (result)
		dma_tell_map(call, dma_handle(argument[2]), dma_memory_address(result),
			     argument[1]);
}

/* (device, bytes, &bus, direction, …): a page */
static void dma_see_pages(const struct dma_call *call, u64 result)
{
	const u64 *argument = call->argument;

	if (result)
		dma_tell_map(call, dma_handle(argument[2]), dma_page_address(result),
			     argument[1]);
}

/* (device, bytes, memory or page, bus, …) */
static void dma_see_free(const struct dma_call *call, u64 result)
{
	if (call->argument[2])
		dma_tell_end(call, call->argument[3], call->argument[1]);
}

/* (device, bytes, direction, …): a table */
static void dma_see_scattered(const struct dma_call *call, u64 result)
{
	const struct sg_table *table = (const void *)result;

	if (table)
		dma_tell_list(call, table->sgl, table->nents, table->orig_nents);
}

/* (device, bytes, table, …) */
static void dma_see_scattered_free(const struct dma_call *call, u64 result)
{
	const struct sg_table *table = (const void *)call->argument[2];

	if (table)
		dma_tell_list_end(call, table->sgl, table->nents);
}

/* (device, page, offset, bytes, direction, …): a bus address */
static void dma_see_page(const struct dma_call *call, u64 result)
{
	const u64 *argument = call->argument;

	dma_tell_map(call, result, dma_page_address(argument[1]) + argument[2],
		     argument[3]);
}

/* (device, physical, bytes, direction, …): a bus address */
static void dma_see_physical(const struct dma_call *call, u64 result)
{
	dma_tell_map(call, result, call->argument[1], call->argument[2]);
}

/* (device, bus, bytes, direction, …) */
static void dma_see_unmap(const struct dma_call *call, u64 result)
{
	dma_tell_end(call, call->argument[1], call->argument[2]);
}

/* (device, list, entries, direction, …): the number of segments, or none */
static void dma_see_list(const struct dma_call *call, u64 result)
{
	if ((int)result > 0)
		dma_tell_list(call, (struct scatterlist *)call->argument[1],
			      (int)result, call->argument[2]);
}

/* (device, table, direction, …): 0 or an error */
static void dma_see_table(const struct dma_call *call, u64 result)
{
	const struct sg_table *table = (const void *)call->argument[1];

	if (!(int)result)
		dma_tell_list(call, table->sgl, table->nents, table->orig_nents);
}

/* (device, list, entries, direction, …) */
static void dma_see_list_end(const struct dma_call *call, u64 result)
{
	dma_tell_list_end(call, (struct scatterlist *)call->argument[1],
			  call->argument[2]);
}

#ifdef MMS_HAS_DMA_IOVA

/* (device, state, physical, offset, bytes, direction, …): 0 or an error */
static void dma_see_link(const struct dma_call *call, u64 result)
{
	const struct dma_iova_state *state = (const void *)call->argument[1];

	if (!(int)result)
		dma_tell_map(call, state->addr + call->argument[3], call->argument[2],
			     call->argument[4]);
}

/* (device, state, offset, bytes, direction, …) */
static void dma_see_unlink(const struct dma_call *call, u64 result)
{
	const struct dma_iova_state *state = (const void *)call->argument[1];

	dma_tell_end(call, state->addr + call->argument[2], call->argument[3]);
}

/* (device, state, linked bytes, direction, …): ends all links at once */
static void dma_see_destroy(const struct dma_call *call, u64 result)
{
	const struct dma_iova_state *state = (const void *)call->argument[1];

	if (call->argument[2])
		dma_tell_end(call, state->addr, call->argument[2]);
}

#endif

/* ---- The probes ---- */

/* Fills in all but `probe`. False: it isn't about a recorded function, or another
 * call tells of it. `calls_others`: this one may call functions that are probed, and
 * its return will be seen. */
static bool dma_begin(struct dma_call *call, struct pt_regs *regs, bool calls_others)
{
	struct pci_dev *function;

	if (!mms_ring_recording())
		return false;
	function = mms_events_function((struct device *)regs->di);
	if (!function || !mms_functions_has(function->bus, function->devfn))
		return false;
	if (calls_others ? !mms_calls_begin(regs->sp, regs->di, call->probe) :
			   mms_calls_is_inner(regs->sp, regs->di, call->probe))
		return false;
	call->function = function;
	call->argument[0] = regs->di;
	call->argument[1] = regs->si;
	call->argument[2] = regs->dx;
	call->argument[3] = regs->cx;
	call->argument[4] = regs->r8;
	call->argument[5] = regs->r9;
	call->sp = regs->sp;
	call->site = 0;
	call->caller = 0;
	if (mms_clean_room)
		return true;
	/* at its entry a function's return address is on top of the stack */
	call->site = *(const unsigned long *)regs->sp;
	mms_ring_put_symbol(call->site);
	call->caller = mms_caller_of(regs, mms_calls_context());
	if (call->caller == (u32)call->site)
		call->caller = 0;	/* the site is the driver's own */
	return true;
}

static const struct dma_probe *dma_probe_of(const struct kretprobe *probe);

/* A call of a function whose return may be seen, too. `ends`: it is told at once. */
static int dma_enter(struct kretprobe_instance *instance, struct pt_regs *regs,
		     bool calls_others, bool ends)
{
	const struct kretprobe *probe = get_kretprobe(instance);
	struct dma_call *call = (struct dma_call *)instance->data;
	unsigned long flags;
	bool begun;

	if (!probe)
		return 1;
	flags = mms_events_enter();
	call->probe = dma_probe_of(probe);
	begun = dma_begin(call, regs, calls_others);
	if (begun && ends)
		call->probe->see(call, 0);
	mms_events_leave(flags);
	return !begun || !calls_others;
}

static int dma_on_call(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	return dma_enter(instance, regs, true, false);
}

static int dma_on_return(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	const struct dma_call *call = (const void *)instance->data;
	unsigned long flags = mms_events_enter();

	mms_calls_end(call->sp);
	if (mms_ring_recording())
		call->probe->see(call, regs->ax);
	mms_events_leave(flags);
	return 0;
}

static int dma_on_end(struct kprobe *kprobe, struct pt_regs *regs)
{
	struct dma_call call;
	unsigned long flags = mms_events_enter();

	call.probe = dma_probe_of(container_of(kprobe, struct kretprobe, kp));
	if (dma_begin(&call, regs, false))
		call.probe->see(&call, 0);
	mms_events_leave(flags);
	return 0;
}

static bool ends_call_ends;	/* in this kernel: see mms_dma_arm() */

/* An end that may call another one. */
static int dma_on_outer_end(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	return dma_enter(instance, regs, ends_call_ends, true);
}

static int dma_on_outer_end_return(struct kretprobe_instance *instance,
				   struct pt_regs *regs)
{
	mms_calls_end(((const struct dma_call *)instance->data)->sp);
	return 0;
}

#define WITH_RETURN(name_, needed_, entry, return_) { \
	.probe = { \
		.kp.symbol_name = name_, \
		.entry_handler = entry, \
		.handler = return_, \
		.data_size = sizeof(struct dma_call), \
		.maxactive = CALLS_AT_ONCE_MAX, \
	}, \
	.needed = needed_, \
}
#define NEW(name_, needed_) \
	WITH_RETURN(name_, needed_, dma_on_call, dma_on_return)
#define OUTER_END(name_, needed_) \
	WITH_RETURN(name_, needed_, dma_on_outer_end, dma_on_outer_end_return)
#define END(name_, needed_) { \
	.probe.kp = { .symbol_name = name_, .pre_handler = dma_on_end }, \
	.needed = needed_, \
}

/*
 * Name, whether every kernel has it, kind, direction's argument, reader of its
 * arguments. The functions without a device's list of pages are all wrappers of these.
 */
#define DMA_FUNCTIONS(X) \
	X(NEW, "dma_alloc_attrs", true, COHERENT, -1, dma_see_memory) \
	X(END, "dma_free_attrs", true, COHERENT, -1, dma_see_free) \
	X(NEW, "dma_alloc_pages", true, PAGES, 3, dma_see_pages) \
	X(END, "dma_free_pages", true, PAGES, 4, dma_see_free) \
	/* functions of their own until "dma-mapping: remove the ->alloc_noncoherent and \
	 * ->free_noncoherent methods", 5.12 */ \
	X(NEW, "dma_alloc_noncoherent", false, PAGES, 3, dma_see_memory) \
	X(OUTER_END, "dma_free_noncoherent", false, PAGES, 4, dma_see_free) \
	/* "dma-mapping: add a dma_alloc_noncontiguous API", 5.13 */ \
	X(NEW, "dma_alloc_noncontiguous", false, NONCONTIGUOUS, 2, dma_see_scattered) \
	X(END, "dma_free_noncontiguous", false, NONCONTIGUOUS, 3, \
	  dma_see_scattered_free) \
	X(NEW, "dma_map_page_attrs", true, STREAMING, 4, dma_see_page) \
	X(OUTER_END, "dma_unmap_page_attrs", true, STREAMING, 3, dma_see_unmap) \
	/* "dma-mapping: export new dma_*map_phys() interface", 6.18 */ \
	X(NEW, "dma_map_phys", false, STREAMING, 3, dma_see_physical) \
	X(END, "dma_unmap_phys", false, STREAMING, 3, dma_see_unmap) \
	X(NEW, "dma_map_resource", true, RESOURCE, 3, dma_see_physical) \
	X(OUTER_END, "dma_unmap_resource", true, RESOURCE, 3, dma_see_unmap) \
	X(NEW, "dma_map_sg_attrs", true, LIST, 3, dma_see_list) \
	/* a wrapper until "dma-mapping: allow map_sg() ops to return negative error \
	 * codes", 5.15 */ \
	X(NEW, "dma_map_sgtable", false, LIST, 2, dma_see_table) \
	X(END, "dma_unmap_sg_attrs", true, LIST, 3, dma_see_list_end) \
	DMA_IOVA_FUNCTIONS(X)

/* "dma-mapping: Implement link/unlink ranges API", 6.16 */
#ifdef MMS_HAS_DMA_IOVA
#define DMA_IOVA_FUNCTIONS(X) \
	X(NEW, "dma_iova_link", false, STREAMING, 5, dma_see_link) \
	X(END, "dma_iova_unlink", false, STREAMING, 4, dma_see_unlink) \
	/* 7.3: calls dma_iova_unlink() */ \
	X(OUTER_END, "dma_iova_destroy", false, STREAMING, 3, dma_see_destroy)
#else
#define DMA_IOVA_FUNCTIONS(X)
#endif

#define PROBE(make, name, needed, kind, direction, see) make(name, needed),
#define ABOUT(make, name, needed, kind_, direction_, see_) \
	{ .kind = MMS_DMA_##kind_, .direction = direction_, .see = see_ },

static struct mms_event_probe probes[] = { DMA_FUNCTIONS(PROBE) };
static const struct dma_probe about[] = { DMA_FUNCTIONS(ABOUT) };
static_assert(ARRAY_SIZE(probes) <= MMS_EVENT_PROBES_MAX);

static const struct dma_probe *dma_probe_of(const struct kretprobe *probe)
{
	return &about[container_of(probe, struct mms_event_probe, probe) - probes];
}

/* True if the function is there, and can be watched. */
static bool dma_is_armed(const char *name)
{
	unsigned int n;

	for (n = 0; n < ARRAY_SIZE(probes); n++)
		if (!strcmp(probes[n].probe.kp.symbol_name, name))
			return probes[n].armed;
	return false;
}

void mms_dma_arm(void)
{
	mms_events_arm(probes, ARRAY_SIZE(probes));
	ends_call_ends = dma_is_armed("dma_unmap_phys") ||
			 dma_is_armed("dma_free_noncoherent") ||
			 dma_is_armed("dma_iova_unlink");
}

void mms_dma_disarm(void)
{
	mms_events_disarm(probes, ARRAY_SIZE(probes));
}

void mms_dma_start(void)
{
	mms_events_start(probes, ARRAY_SIZE(probes));
}

void mms_dma_count_missed(void)
{
	mms_events_count_missed(probes, ARRAY_SIZE(probes));
}

size_t mms_dma_describe(char *text, size_t size)
{
	return mms_events_describe("dma", probes, ARRAY_SIZE(probes), text, size);
}

/* A probe in any of these would be called by a probe. */
NOKPROBE_SYMBOL(dma_kind_of);
NOKPROBE_SYMBOL(dma_tell);
NOKPROBE_SYMBOL(dma_tell_map);
NOKPROBE_SYMBOL(dma_tell_end);
NOKPROBE_SYMBOL(dma_tell_list);
NOKPROBE_SYMBOL(dma_tell_list_end);
NOKPROBE_SYMBOL(dma_page_address);
NOKPROBE_SYMBOL(dma_memory_address);
NOKPROBE_SYMBOL(dma_handle);
NOKPROBE_SYMBOL(dma_see_memory);
NOKPROBE_SYMBOL(dma_see_pages);
NOKPROBE_SYMBOL(dma_see_free);
NOKPROBE_SYMBOL(dma_see_scattered);
NOKPROBE_SYMBOL(dma_see_scattered_free);
NOKPROBE_SYMBOL(dma_see_page);
NOKPROBE_SYMBOL(dma_see_physical);
NOKPROBE_SYMBOL(dma_see_unmap);
NOKPROBE_SYMBOL(dma_see_list);
NOKPROBE_SYMBOL(dma_see_table);
NOKPROBE_SYMBOL(dma_see_list_end);
#ifdef MMS_HAS_DMA_IOVA
NOKPROBE_SYMBOL(dma_see_link);
NOKPROBE_SYMBOL(dma_see_unlink);
NOKPROBE_SYMBOL(dma_see_destroy);
#endif
NOKPROBE_SYMBOL(dma_begin);
NOKPROBE_SYMBOL(dma_probe_of);
NOKPROBE_SYMBOL(dma_enter);
NOKPROBE_SYMBOL(dma_on_call);
NOKPROBE_SYMBOL(dma_on_return);
NOKPROBE_SYMBOL(dma_on_end);
NOKPROBE_SYMBOL(dma_on_outer_end);
NOKPROBE_SYMBOL(dma_on_outer_end_return);
