// SPDX-License-Identifier: GPL-2.0
/*
 * Reads and writes one register of a mapping in a tight loop, on one CPU or on
 * all at once, and prints the cycles of an access. It measures while it is being
 * loaded, and then fails to load on purpose, so that nothing has to be unloaded.
 */
#include <linux/completion.h>
#include <linux/cpu.h>
#include <linux/io.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <asm/asm.h>
#include <asm/msr.h>

static ulong physical;
module_param(physical, ulong, 0);
static uint loops = 10000;
module_param(loops, uint, 0);
static bool all_cpus;
module_param(all_cpus, bool, 0);
static char *label = "bare";
module_param(label, charp, 0);
/* Faults that the kernel's own exception table fixes, instead of accesses. */
static bool floor;
module_param(floor, bool, 0);
/* The accesses are made by functions of the kernel's. */
static bool called;
module_param(called, bool, 0);

struct runner {
	void __iomem *at;
	struct completion *ready, *go;
	struct completion done;
	u64 read_cycles, write_cycles;
};

/* An address that isn't canonical: #GP, and the way out is in the table. */
static const u32 *const nowhere = (const u32 *)0xbfff888000000000;

static void read_fixed(void)
{
	u32 value;

	asm volatile("1: movl %1, %0\n2:\n" _ASM_EXTABLE(1b, 2b)
		     : "=r" (value) : "m" (*nowhere));
}

static void write_fixed(void)
{
	asm volatile("1: movl %1, %0\n2:\n" _ASM_EXTABLE(1b, 2b)
		     : : "m" (*nowhere), "r" (0) : "memory");
}

static void measure_calls(struct runner *r)
{
	u64 start;
	uint n;

	start = rdtsc_ordered();
	for (n = 0; n < loops; n++)
		ioread32(r->at);
	r->read_cycles = rdtsc_ordered() - start;
	start = rdtsc_ordered();
	for (n = 0; n < loops; n++)
		iowrite32(n, r->at);
	r->write_cycles = rdtsc_ordered() - start;
}

static int measure(void *data)
{
	struct runner *r = data;
	u64 start;
	uint n;

	complete(r->ready);
	wait_for_completion(r->go);
	if (called) {
		measure_calls(r);
		complete(&r->done);
		return 0;
	}
	start = rdtsc_ordered();
	for (n = 0; n < loops; n++)
		if (floor)
			read_fixed();
		else
			readl(r->at);
	r->read_cycles = rdtsc_ordered() - start;
	start = rdtsc_ordered();
	for (n = 0; n < loops; n++)
		if (floor)
			write_fixed();
		else
			writel(n, r->at);
	r->write_cycles = rdtsc_ordered() - start;
	complete(&r->done);
	return 0;
}

static int __init bench_init(void)
{
	DECLARE_COMPLETION_ONSTACK(ready);
	DECLARE_COMPLETION_ONSTACK(go);
	struct runner *runners;
	unsigned int cpu, count = 0, n;
	void __iomem *bar = ioremap(physical, PAGE_SIZE);

	if (!bar)
		return -ENOMEM;
	runners = kcalloc(nr_cpu_ids, sizeof(*runners), GFP_KERNEL);
	if (!runners) {
		iounmap(bar);
		return -ENOMEM;
	}
	cpus_read_lock();
	for_each_online_cpu(cpu) {
		struct runner *r = &runners[count];
		struct task_struct *task;

		*r = (struct runner){ .at = bar + 64 * count, .ready = &ready, .go = &go };
		init_completion(&r->done);
		task = kthread_create_on_cpu(measure, r, cpu, "mms_bench/%u");
		if (IS_ERR(task))
			break;
		wake_up_process(task);
		count++;
		if (!all_cpus)
			break;
	}
	cpus_read_unlock();
	for (n = 0; n < count; n++)
		wait_for_completion(&ready);
	complete_all(&go);
	for (n = 0; n < count; n++)
		wait_for_completion(&runners[n].done);
	for (n = 0; n < count; n++)
		pr_info("mms_bench: %s cpus %u cpu %u read %llu write %llu tsc_khz %u\n",
			label, count, n, runners[n].read_cycles / loops,
			runners[n].write_cycles / loops, tsc_khz);
	kfree(runners);
	iounmap(bar);
	return -ECANCELED;
}

module_init(bench_init);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Cycles an access to memory-mapped I/O takes");
