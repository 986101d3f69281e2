// SPDX-License-Identifier: GPL-2.0
/*
 * The interrupts of the recorded functions: a record when a handler begins, and one
 * when it has returned. The kernel's tracepoints tell of handlers in hard interrupts,
 * probes of those that run in an interrupt's thread.
 *
 * An MSI has the descriptor of its function. An interrupt line has none, and several
 * functions may share it: each handler's function is found by the object that the
 * driver gave to request_irq(), or by the driver's text.
 */
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/msi.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/tracepoint.h>
#include <asm/hw_irq.h>

#include "calls.h"
#include "compat.h"
#include "core.h"
#include "events.h"

#define THREADS_AT_ONCE_MAX 256

/* The functions that can raise an interrupt line, with a reference each. */
static struct pci_dev **lines;
static unsigned int lines_count;

/* ---- Whose an interrupt is ---- */

static bool interrupts_has_text(const struct pci_dev *function, u64 address)
{
	const struct pci_driver *driver = READ_ONCE(function->driver);

	return driver && driver->driver.owner &&
	       within_module(address, driver->driver.owner);
}

/* Drivers most often give request_irq() what they also keep as the device's data. */
static bool interrupts_is_given(struct pci_dev *function, const void *object)
{
	return object && (object == function || object == &function->dev ||
			  object == pci_get_drvdata(function));
}

/* A driver can't be unloaded under us: interrupts are off, or its handler runs. */
static struct pci_dev *interrupts_on_line(unsigned int irq,
					  const struct irqaction *action)
{
	/* of a handler that is forced into a thread, the other one is the kernel's */
	u64 text = (u64)(action->thread_fn ? action->thread_fn : action->handler);
	struct pci_dev *by_text = NULL, *recorded = NULL;
	bool by_text_wanted = false, wanted;
	unsigned int n;

	for (n = 0; n < lines_count; n++) {
		struct pci_dev *function = lines[n];

		if (READ_ONCE(function->irq) != irq || !READ_ONCE(function->driver) ||
		    function->msi_enabled || function->msix_enabled)
			continue;
		if (interrupts_is_given(function, action->dev_id))
			return function;
		wanted = mms_functions_has(function->bus, function->devfn);
		/* of several with the same driver, a recorded one */
		if ((!by_text || (wanted && !by_text_wanted)) &&
		    interrupts_has_text(function, text)) {
			by_text = function;
			by_text_wanted = wanted;
		}
		if (!recorded && wanted)
			recorded = function;
	}
	/* nothing tells whose it is: better one too many than one that is missing */
	return by_text ? by_text : recorded;
}

/* Returns the recorded function that has raised the interrupt, or NULL. */
static struct pci_dev *interrupts_function(struct irq_data *data,
					   const struct irqaction *action)
{
	const struct msi_desc *msi = irq_data_get_msi_desc(data);
	struct pci_dev *function;

	if (msi)
		function = mms_events_function(msi->dev);
	else
		function = interrupts_on_line(data->irq, action);
	return function && mms_functions_has(function->bus, function->devfn) ?
		       function : NULL;
}

/* The CPU's vector, as it is assigned now; 0: the interrupt has none, as with the old PIC. */
static unsigned int interrupts_vector(struct irq_data *data)
{
	const struct irq_cfg *configuration;

	while (data->parent_data)
		data = data->parent_data;
	/* other chips keep other things there */
	if (!data->chip || !data->chip->name || strcmp(data->chip->name, "APIC"))
		return 0;
	configuration = irqd_cfg(data);
	return configuration ? configuration->vector : 0;
}

/* ---- Records ---- */

struct handling {
	enum mms_kind kind;
	const struct irqaction *action;
	u64 handler;
	unsigned int result;
	u32 flags;
};

/* Returns true if the recording wants it. */
static bool interrupts_tell(const struct handling *handling)
{
	struct irq_data *data = irq_get_irq_data(handling->action->irq);
	struct mms_record record;
	struct pci_dev *function;
	unsigned long flags;

	if (!data)
		return false;
	function = interrupts_function(data, handling->action);
	if (!function)
		return false;
	local_irq_save(flags);
	if (!mms_clean_room)
		mms_ring_put_symbol(handling->handler);
	mms_record_init(&record, handling->kind);
	record.address = data->irq;
	record.value[0] = interrupts_vector(data);
	record.value[1] = handling->result;
	mms_events_put_function(&record, function);
	record.site = mms_clean_room ? 0 : handling->handler;
	record.flags = handling->flags | mms_calls_context();
	mms_ring_put(&record);
	local_irq_restore(flags);
	return true;
}

static void interrupts_on_entry(void *unused, int irq, struct irqaction *action)
{
	if (mms_ring_recording())
		interrupts_tell(&(struct handling){
			.kind = MMS_IRQ_ENTRY,
			.action = action,
			.handler = (u64)action->handler,
		});
}

static void interrupts_on_exit(void *unused, int irq, struct irqaction *action,
			       int result)
{
	if (mms_ring_recording())
		interrupts_tell(&(struct handling){
			.kind = MMS_IRQ_EXIT,
			.action = action,
			.handler = (u64)action->handler,
			.result = result,
		});
}

/* ---- Handlers in threads ---- */

struct thread_call {
	const struct irqaction *action;
	u64 sp;
};

/* (descriptor, action) */
static int interrupts_on_thread(struct kretprobe_instance *instance,
				struct pt_regs *regs)
{
	struct thread_call *call = (struct thread_call *)instance->data;
	const struct irqaction *action = (const void *)regs->si;
	unsigned long flags;
	bool told;

	if (!mms_ring_recording())
		return 1;
	flags = mms_events_enter();
	told = mms_calls_begin(regs->sp, (u64)action, get_kretprobe(instance));
	if (told) {
		call->action = action;
		call->sp = regs->sp;
		told = interrupts_tell(&(struct handling){
			.kind = MMS_IRQ_ENTRY,
			.action = action,
			.handler = (u64)action->thread_fn,
			.flags = MMS_F_THREAD,
		});
		if (!told)
			mms_calls_end(regs->sp);
	}
	mms_events_leave(flags);
	return !told;
}

static int interrupts_on_thread_end(struct kretprobe_instance *instance,
				    struct pt_regs *regs)
{
	const struct thread_call *call = (const void *)instance->data;
	unsigned long flags = mms_events_enter();

	mms_calls_end(call->sp);
	if (mms_ring_recording())
		interrupts_tell(&(struct handling){
			.kind = MMS_IRQ_EXIT,
			.action = call->action,
			.handler = (u64)call->action->thread_fn,
			.result = (u32)regs->ax,
			.flags = MMS_F_THREAD,
		});
	mms_events_leave(flags);
	return 0;
}

#define THREAD_PROBE(name) { \
	.kp.symbol_name = name, \
	.entry_handler = interrupts_on_thread, \
	.handler = interrupts_on_thread_end, \
	.data_size = sizeof(struct thread_call), \
	.maxactive = THREADS_AT_ONCE_MAX, \
}

/* The functions that call handlers in an interrupt's thread: of drivers that ask for
 * one, and of all others with threadirqs, or with PREEMPT_RT. */
static struct mms_event_probe probes[] = {
	{ .probe = THREAD_PROBE("irq_thread_fn"), .needed = true },
	{ .probe = THREAD_PROBE("irq_forced_thread_fn") },
};

/* ---- The tracepoints ---- */

struct point {
	const char *name;
	void *probe;
	struct tracepoint *tracepoint;
	int error;
	bool armed;
};

static struct point points[] = {
	{ .name = "irq_handler_entry", .probe = interrupts_on_entry },
	{ .name = "irq_handler_exit", .probe = interrupts_on_exit },
};

#ifdef CONFIG_TRACEPOINTS

static void interrupts_find_point(struct tracepoint *tracepoint, void *unused)
{
	unsigned int n;

	for (n = 0; n < ARRAY_SIZE(points); n++)
		if (!strcmp(tracepoint->name, points[n].name))
			points[n].tracepoint = tracepoint;
}

static void interrupts_arm_points(void)
{
	unsigned int n;

	for_each_kernel_tracepoint(interrupts_find_point, NULL);
	for (n = 0; n < ARRAY_SIZE(points); n++) {
		struct point *point = &points[n];

		point->error = -ENOENT;
		if (point->tracepoint)
			point->error = tracepoint_probe_register(point->tracepoint,
								 point->probe, NULL);
		point->armed = !point->error;
	}
}

static void interrupts_disarm_points(void)
{
	bool any = false;
	unsigned int n;

	for (n = 0; n < ARRAY_SIZE(points); n++) {
		if (points[n].armed)
			tracepoint_probe_unregister(points[n].tracepoint,
						    points[n].probe, NULL);
		any |= points[n].armed;
		points[n].armed = false;
		points[n].error = 0;
	}
	if (any)
		tracepoint_synchronize_unregister();
}

#else

static void interrupts_arm_points(void)
{
	unsigned int n;

	for (n = 0; n < ARRAY_SIZE(points); n++)
		points[n].error = -ENOENT;
}

static void interrupts_disarm_points(void)
{
}

#endif

/* ---- From arming to disarming ---- */

static void interrupts_drop_lines(void)
{
	while (lines_count)
		pci_dev_put(lines[--lines_count]);
	kvfree(lines);
	lines = NULL;
}

static int interrupts_keep_lines(void)
{
	struct pci_dev *function = NULL;
	unsigned int count = 0;

	for_each_pci_dev(function)
		count++;
	lines = kvcalloc(count, sizeof(*lines), GFP_KERNEL);
	if (!lines && count)
		return -ENOMEM;
	for_each_pci_dev(function)
		if (function->pin && lines_count < count)
			lines[lines_count++] = pci_dev_get(function);
	return 0;
}

int mms_interrupts_arm(void)
{
	int error = interrupts_keep_lines();

	if (error)
		return error;
	mms_events_arm(probes, ARRAY_SIZE(probes));
	interrupts_arm_points();
	return 0;
}

void mms_interrupts_disarm(void)
{
	interrupts_disarm_points();
	mms_events_disarm(probes, ARRAY_SIZE(probes));
	interrupts_drop_lines();
}

void mms_interrupts_start(void)
{
	mms_events_start(probes, ARRAY_SIZE(probes));
}

void mms_interrupts_count_missed(void)
{
	mms_events_count_missed(probes, ARRAY_SIZE(probes));
}

size_t mms_interrupts_describe(char *text, size_t size)
{
	size_t length = mms_events_describe("interrupts", probes, ARRAY_SIZE(probes),
					    text, size);
	unsigned int n;

	for (n = 0; n < ARRAY_SIZE(points); n++)
		if (points[n].error)
			length += scnprintf(text + length, size - length,
					    "unseen interrupts %s %d 0\n",
					    points[n].name, points[n].error);
	return length;
}

/* A probe in any of these would be called by a probe. */
NOKPROBE_SYMBOL(interrupts_has_text);
NOKPROBE_SYMBOL(interrupts_is_given);
NOKPROBE_SYMBOL(interrupts_on_line);
NOKPROBE_SYMBOL(interrupts_function);
NOKPROBE_SYMBOL(interrupts_vector);
NOKPROBE_SYMBOL(interrupts_tell);
NOKPROBE_SYMBOL(interrupts_on_entry);
NOKPROBE_SYMBOL(interrupts_on_exit);
NOKPROBE_SYMBOL(interrupts_on_thread);
NOKPROBE_SYMBOL(interrupts_on_thread_end);
