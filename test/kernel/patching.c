// SPDX-License-Identifier: GPL-2.0
/*
 * Code that is changed while it accesses the device: jump labels, static calls,
 * and probes on the instructions that make accesses.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/jump_label.h>
#include <linux/kprobes.h>
#include <linux/kthread.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
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
/* The instructions' offsets in these functions; addresses in code would be checked. */
extern const u32 mms_probed_load_at, mms_probed_step_at, mms_probed_string_at,
	mms_probed_rbp_at;

#define AT(name) \
	".pushsection .rodata\n.balign 4\n" #name "_at: .long 1b - " #name \
	"\n.popsection\n"

asm(".pushsection .text\n"
    ".type mms_probed_load, @function\n"
    "mms_probed_load: endbr64\n"
    "1:	movl 0x10(%rdi), %eax\n"
    "	nop\n	nop\n	nop\n"
    ASM_RET
    ".size mms_probed_load, . - mms_probed_load\n"
    AT(mms_probed_load)
    ".type mms_probed_step, @function\n"
    "mms_probed_step: endbr64\n"
    "1:	pushq 0x10(%rdi)\n"
    "	popq %rax\n"
    ASM_RET
    ".size mms_probed_step, . - mms_probed_step\n"
    AT(mms_probed_step)
    ".type mms_probed_string, @function\n"
    "mms_probed_string: endbr64\n"
    "	leaq 0x10(%rdi), %rsi\n"
    "	movl $70, %ecx\n"
    "1:	rep lodsl\n"
    ASM_RET
    ".size mms_probed_string, . - mms_probed_string\n"
    AT(mms_probed_string)
    ".type mms_probed_rbp, @function\n"
    "mms_probed_rbp: endbr64\n"
    "	pushq %rbp\n"
    "	movq %rdi, %rbp\n"
    "1:	movl 0x10(%rbp), %eax\n"
    "	popq %rbp\n"
    ASM_RET
    ".size mms_probed_rbp, . - mms_probed_rbp\n"
    AT(mms_probed_rbp)
    ".popsection\n");

static struct {
	const char *name;
	u32 (*run)(const void *at);
	const u32 *at;
} probed[] = {
	{ "load", mms_probed_load, &mms_probed_load_at },
	{ "step", mms_probed_step, &mms_probed_step_at },
	{ "string", mms_probed_string, &mms_probed_string_at },
	{ "rbp", mms_probed_rbp, &mms_probed_rbp_at },
};

static DECLARE_COMPLETION(done);
static bool stop;
/*
 * Held while code is patched: on QEMU's TCG a CPU that executes the code
 * meanwhile may keep the old bytes, and the kernel oopses, traced or not.
 */
static DEFINE_MUTEX(not_patching);
static u32 expected = FIRST;
static atomic_t bad, runs, hits;

static int thread(void *unused)
{
	const void *at = (const void __force *)registers() + 0x100 - 0x10;
	unsigned int n;
	u32 value;

	while (!READ_ONCE(stop)) {
		mutex_lock(&not_patching);
		value = read_by_label();
		if (value != expected)
			atomic_inc(&bad);
		value = static_call(mms_read_either)();
		if (value != expected)
			atomic_inc(&bad);
		for (n = 0; n < ARRAY_SIZE(probed); n++)
			if (probed[n].run(at) != FIRST)
				atomic_inc(&bad);
		atomic_inc(&runs);
		mutex_unlock(&not_patching);
		cond_resched_tasks_rcu_qs();
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

static bool wait_for(atomic_t *counter, int value)
{
	unsigned int waited;

	for (waited = 0; atomic_read(counter) < value && waited < 5000; waited++)
		msleep(1);
	return atomic_read(counter) >= value;
}

/* Without a post_handler the kernel turns a breakpoint into a jump after a while. */
static void probe(unsigned int n, bool jump)
{
	struct kprobe kprobe = {
		.addr = (kprobe_opcode_t *)((u8 *)probed[n].run + *probed[n].at),
		.pre_handler = on_probe,
		.post_handler = jump ? NULL : after_probe,
	};
	int error;

	mutex_lock(&not_patching);
	error = register_kprobe(&kprobe);
	if (jump)
		msleep(100);
	mutex_unlock(&not_patching);
	if (!mms_check(!error, "probe on %s: error %d", probed[n].name, error))
		return;
	mms_check(wait_for(&hits, atomic_read(&hits) + 5),
		  "probe on %s wasn't hit", probed[n].name);
	mutex_lock(&not_patching);
	unregister_kprobe(&kprobe);
	mutex_unlock(&not_patching);
}

static void change(bool second)
{
	mutex_lock(&not_patching);
	if (second)
		static_branch_enable(&second_key);
	else
		static_branch_disable(&second_key);
	static_call_update(mms_read_either, second ? read_second : read_first);
	WRITE_ONCE(expected, second ? SECOND : FIRST);
	mutex_unlock(&not_patching);
	mms_check(wait_for(&runs, atomic_read(&runs) + 5), "the thread hangs");
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
	for (n = 0; n < CHANGES; n++)
		change(n % 2 == 0);
	for (n = 0; n < ARRAY_SIZE(probed); n++) {
		probe(n, false);
		probe(n, true);
	}
	change(false);
	WRITE_ONCE(stop, true);
	wait_for_completion(&done);
	mms_check(!atomic_read(&bad), "%d wrong values", atomic_read(&bad));
}
