// SPDX-License-Identifier: GPL-2.0
/*
 * Code that changes while it accesses the device: jump labels, static calls,
 * and probes on the very instructions that make accesses.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/jump_label.h>
#include <linux/kprobes.h>
#include <linux/kthread.h>
#include <linux/static_call.h>

#include "access-test.h"

#define FIRST 0x11111111
#define SECOND 0x22222222
#define CHANGES 20

static u32 __iomem *registers(void)
{
	return mms_bar + MMS_UNCHECKED + 0x30000;
}

static noinline u32 read_first(void)
{
	return readl(registers());
}

static noinline u32 read_second(void)
{
	return readl(registers() + 1);
}

static DEFINE_STATIC_KEY_FALSE(second_key);
DEFINE_STATIC_CALL(mms_read_either, read_first);

static u32 read_by_label(void)
{
	if (static_branch_unlikely(&second_key))
		return readl(registers() + 1);
	return readl(registers());
}

/* Instructions with a name, for probes: each leaves FIRST in eax. */
u32 mms_probed_load(const void *at);
u32 mms_probed_step(const void *at);
u32 mms_probed_string(const void *at);
u32 mms_probed_rbp(const void *at);
extern u8 mms_probed_load_at[], mms_probed_step_at[], mms_probed_string_at[],
	mms_probed_rbp_at[];

asm(".pushsection .text\n"
    ".type mms_probed_load, @function\n"
    "mms_probed_load: endbr64\n"
    "mms_probed_load_at: movl 0x10(%rdi), %eax\n"
    "	nop\n	nop\n	nop\n"
    ASM_RET
    ".size mms_probed_load, . - mms_probed_load\n"
    ".type mms_probed_step, @function\n"
    "mms_probed_step: endbr64\n"
    "mms_probed_step_at: pushq 0x10(%rdi)\n"
    "	popq %rax\n"
    ASM_RET
    ".size mms_probed_step, . - mms_probed_step\n"
    ".type mms_probed_string, @function\n"
    "mms_probed_string: endbr64\n"
    "	leaq 0x10(%rdi), %rsi\n"
    "	movl $70, %ecx\n"
    "mms_probed_string_at: rep lodsl\n"
    ASM_RET
    ".size mms_probed_string, . - mms_probed_string\n"
    ".type mms_probed_rbp, @function\n"
    "mms_probed_rbp: endbr64\n"
    "	pushq %rbp\n"
    "	movq %rdi, %rbp\n"
    "mms_probed_rbp_at: movl 0x10(%rbp), %eax\n"
    "	popq %rbp\n"
    ASM_RET
    ".size mms_probed_rbp, . - mms_probed_rbp\n"
    ".popsection\n");

static struct {
	const char *name;
	u32 (*run)(const void *at);
	u8 *at;
} probed[] = {
	{ "load", mms_probed_load, mms_probed_load_at },
	{ "step", mms_probed_step, mms_probed_step_at },
	{ "string", mms_probed_string, mms_probed_string_at },
	{ "rbp", mms_probed_rbp, mms_probed_rbp_at },
};

static DECLARE_COMPLETION(done);
static bool stop;
static atomic_t bad, runs, hits;

static int thread(void *unused)
{
	const void *at = (const void __force *)registers() + 0x100 - 0x10;
	unsigned int n;
	u32 value;

	while (!READ_ONCE(stop)) {
		value = read_by_label();
		if (value != FIRST && value != SECOND)
			atomic_inc(&bad);
		value = static_call(mms_read_either)();
		if (value != FIRST && value != SECOND)
			atomic_inc(&bad);
		for (n = 0; n < ARRAY_SIZE(probed); n++)
			if (probed[n].run(at) != FIRST)
				atomic_inc(&bad);
		atomic_inc(&runs);
		cond_resched();
	}
	complete(&done);
	return 0;
}

static int on_probe(struct kprobe *probe, struct pt_regs *regs)
{
	atomic_inc(&hits);
	return 0;
}

static void after_probe(struct kprobe *probe, struct pt_regs *regs,
			unsigned long flags)
{
}

/* With a post_handler it is always stepped; without, turned into a jump. */
static void probe(unsigned int n, bool stepped)
{
	struct kprobe kprobe = {
		.addr = (kprobe_opcode_t *)probed[n].at,
		.pre_handler = on_probe,
		.post_handler = stepped ? after_probe : NULL,
	};
	int error = register_kprobe(&kprobe), before;

	if (!mms_check(!error, "probe on %s: error %d", probed[n].name, error))
		return;
	before = atomic_read(&hits);
	msleep(stepped ? 20 : 150);
	unregister_kprobe(&kprobe);
	mms_check(atomic_read(&hits) > before, "probe on %s wasn't hit",
		  probed[n].name);
}

void mms_patching(void)
{
	u32 *real = mms_real(registers());
	struct task_struct *task;
	unsigned int n;

	if (!mms_check(mms_bar, "no ivshmem device"))
		return;
	real[0] = FIRST;
	real[1] = SECOND;
	for (n = 0x100 / 4; n < 0x400 / 4; n++)
		real[n] = FIRST;
	init_completion(&done);
	WRITE_ONCE(stop, false);
	atomic_set(&bad, 0);
	atomic_set(&runs, 0);
	task = kthread_run(thread, NULL, "mms_patching");
	if (!mms_check(!IS_ERR(task), "no thread"))
		return;
	for (n = 0; n < CHANGES; n++) {
		static_branch_enable(&second_key);
		static_call_update(mms_read_either, read_second);
		usleep_range(500, 1000);
		static_branch_disable(&second_key);
		static_call_update(mms_read_either, read_first);
		usleep_range(500, 1000);
	}
	for (n = 0; n < ARRAY_SIZE(probed); n++) {
		probe(n, true);
		probe(n, false);
	}
	WRITE_ONCE(stop, true);
	wait_for_completion(&done);
	mms_check(atomic_read(&runs) > CHANGES, "only %d runs",
		  atomic_read(&runs));
	mms_check(!atomic_read(&bad), "%d wrong values", atomic_read(&bad));
}
