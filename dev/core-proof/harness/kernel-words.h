/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's words that core/kernel/access.c, ring.c and rewritten.c use, outside the kernel. Every
 * header of the kernel that they include is this one; a word that they begin to use is
 * added here.
 *
 * The CPUs are the process's own coroutines (cpus.c). At each of the kernel's marked
 * accesses, atomic operations and locks another one may take its turn, by a seed: so
 * races come in every order, and in the same one again.
 */
#ifndef HARNESS_KERNEL_WORDS_H
#define HARNESS_KERNEL_WORDS_H

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "kernel-headers/linux/compiler.h"
#include "kernel-headers/linux/types.h"

#define CPUS_MAX 4

/* ---- cpus.c ---- */

/* The CPU whose turn it is. */
unsigned int cpus_now(void);
/* Another CPU may take its turn. */
void cpus_point(void);
/* This CPU waits: another one takes its turn. */
void cpus_yield(void);
void cpus_interrupts_off(void);
void cpus_interrupts_on(void);
/* A harness may want to see these. */
void cpus_unlocked(void);

/* ---- Types and arithmetic ---- */

typedef int64_t s64;
typedef uint8_t __u8;
typedef uint16_t __u16;
typedef uint32_t __u32;
typedef uint64_t __u64;
typedef struct { unsigned long pgprot; } pgprot_t;

#define U64_MAX UINT64_MAX
#define PAGE_SIZE 4096ul
#define BIT_ULL(n) (1ull << (n))
#define DIV_ROUND_UP(n, by) (((n) + (by) - 1) / (by))
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define BUILD_BUG_ON(condition) static_assert(!(condition), #condition)
#define sizeof_field(type, field) sizeof(((type *)0)->field)
#define container_of(pointer, type, field) \
	((type *)((char *)(pointer) - offsetof(type, field)))
#define min_t(type, a, b) ((type)(a) < (type)(b) ? (type)(a) : (type)(b))
#define max_t(type, a, b) ((type)(a) > (type)(b) ? (type)(a) : (type)(b))
#define min(a, b) ({ \
	__typeof__(a) a_ = (a); \
	__typeof__(b) b_ = (b); \
	a_ < b_ ? a_ : b_; \
})
#define max(a, b) ({ \
	__typeof__(a) a_ = (a); \
	__typeof__(b) b_ = (b); \
	a_ > b_ ? a_ : b_; \
})
#define noinline __attribute__((noinline))
#define __ffs64(number) ((unsigned int)__builtin_ctzll(number))

static inline u64 rol64(u64 word, unsigned int by)
{
	return word << (by & 63) | word >> (-by & 63);
}

static inline bool is_power_of_2(unsigned long n)
{
	return n && !(n & (n - 1));
}

static inline u64 roundup_pow_of_two(u64 n)
{
	u64 power = 1;

	while (power < n)
		power <<= 1;
	return power;
}

#define __user
#define __printf(format, first)
#define __aligned(bytes) __attribute__((aligned(bytes)))
#define ____cacheline_aligned_in_smp __aligned(64)
#define NOKPROBE_SYMBOL(function)
/* none of the kernel's options is on */
#define IS_ENABLED(option) 0

/* ---- Memory that CPUs share ---- */

#define barrier() asm volatile("" : : : "memory")
#define READ_ONCE(place) \
	(cpus_point(), *(const volatile __typeof__(place) *)&(place))
#define WRITE_ONCE(place, value) do { \
	cpus_point(); \
	*(volatile __typeof__(place) *)&(place) = (value); \
} while (0)
#define smp_load_acquire(at) READ_ONCE(*(at))
#define smp_store_release(at, value) WRITE_ONCE(*(at), value)
#define smp_rmb() barrier()
#define smp_wmb() barrier()

#define cmpxchg64(at, old, new) ({ \
	__typeof__(*(at)) there_ = (old); \
	try_cmpxchg(at, &there_, new); \
	there_; \
})
#define try_cmpxchg(at, old, new) \
	(cpus_point(), \
	 __atomic_compare_exchange_n(at, old, new, false, __ATOMIC_SEQ_CST, \
				     __ATOMIC_SEQ_CST))

typedef struct { int counter; } atomic_t;
typedef struct { s64 counter; } atomic64_t;

#define atomic_read(at) READ_ONCE((at)->counter)
#define atomic_set(at, value) WRITE_ONCE((at)->counter, value)
#define atomic_inc(at) ((void)(cpus_point(), __sync_add_and_fetch(&(at)->counter, 1)))
#define atomic_dec(at) ((void)(cpus_point(), __sync_sub_and_fetch(&(at)->counter, 1)))
#define atomic64_read(at) READ_ONCE((at)->counter)
#define atomic64_set(at, value) WRITE_ONCE((at)->counter, value)
#define atomic64_add_return(n, at) \
	(cpus_point(), __sync_add_and_fetch(&(at)->counter, n))
#define atomic64_add(n, at) ((void)atomic64_add_return(n, at))
#define atomic64_inc_return(at) atomic64_add_return(1, at)
#define atomic64_xchg(at, value) \
	(cpus_point(), __atomic_exchange_n(&(at)->counter, value, __ATOMIC_SEQ_CST))
#define atomic64_try_cmpxchg(at, old, new) try_cmpxchg(&(at)->counter, old, (s64)(new))

/* ---- CPUs, their interrupts and locks ---- */

#define DECLARE_PER_CPU(type, name) extern __typeof__(type) name[CPUS_MAX]
#define DEFINE_PER_CPU(type, name) __typeof__(type) name[CPUS_MAX]
#define this_cpu_read(name) (name[cpus_now()])
#define this_cpu_write(name, value) ((void)(name[cpus_now()] = (value)))
#define this_cpu_ptr(at) (&(*(at))[cpus_now()])
#define raw_smp_processor_id() cpus_now()
#define local_irq_save(flags) ((flags) = 0, cpus_interrupts_off())
#define local_irq_restore(flags) ((void)(flags), cpus_interrupts_on())
#define preempt_count() 0u
#define softirq_count() 0u
#define HARDIRQ_MASK 0xf0000u
#define SOFTIRQ_MASK 0xff00u
#define for_each_possible_cpu(cpu) for ((cpu) = 0; (cpu) < CPUS_MAX; (cpu)++)
#define per_cpu(name, cpu) ((name)[cpu])
#define this_cpu_inc(name) ((void)(name[cpus_now()]++))
#define this_cpu_add(name, value) ((void)(name[cpus_now()] += (value)))
#define EXPORT_SYMBOL(name) extern int harness_has_no_exports
#define NMI_MASK 0xf00000u
#define NMI_SHIFT 20
#define cpu_relax() cpus_yield()

typedef struct { bool held; } arch_spinlock_t;

#define __ARCH_SPIN_LOCK_UNLOCKED { .held = false }

static inline bool arch_spin_trylock(arch_spinlock_t *lock)
{
	cpus_point();
	if (lock->held)
		return false;
	lock->held = true;
	return true;
}

static inline void arch_spin_lock(arch_spinlock_t *lock)
{
	while (!arch_spin_trylock(lock))
		cpus_yield();
}

static inline void arch_spin_unlock(arch_spinlock_t *lock)
{
	lock->held = false;
	cpus_unlocked();
	cpus_point();
}

/* Waits for every CPU that has interrupts off. */
void synchronize_rcu(void);

struct task_struct {
	pid_t pid;
};

extern struct task_struct *current;

/* ---- Everything else ---- */

/* As the kernel has it, up to what the core looks at. */
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8;
	unsigned long ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss;
};

#define X86_EFLAGS_DF BIT_ULL(10)
#define INT3_INSN_OPCODE 0xcc
#define CALL_INSN_OPCODE 0xe8
#define JMP32_INSN_OPCODE 0xe9

struct vm_area_struct {
	unsigned long vm_pgoff;
};
struct wait_queue_head {
	char unused;
};
struct irq_work {
	void (*function)(struct irq_work *work);
};
struct notifier_block {
	int (*notifier_call)(struct notifier_block *block, unsigned long event,
			     void *data);
};
struct notifier_head {
	struct notifier_block *first;
};

extern struct notifier_head panic_notifier_list;
extern int oops_in_progress;

#define NOTIFY_DONE 0
#define ERESTARTSYS 512
#define KSYM_SYMBOL_LEN 256
#define DECLARE_WAIT_QUEUE_HEAD(name) struct wait_queue_head name
#define DEFINE_IRQ_WORK(name, does) struct irq_work name = { .function = does }
#define wake_up_interruptible(queue) ((void)(queue))
#define wait_event_interruptible_timeout(queue, condition, time) \
	((void)(queue), (condition) ? 1 : (cpus_yield(), 1))
#define msecs_to_jiffies(ms) (ms)
#define signal_pending(task) ((void)(task), false)
#define atomic_notifier_chain_register(list, block) ((list)->first = (block))
#define atomic_notifier_chain_unregister(list, block) \
	((void)(block), (list)->first = NULL)

static inline void irq_work_queue(struct irq_work *work)
{
	work->function(work);
}

#define irq_work_sync(work) ((void)(work))

int sprint_symbol(char *text, unsigned long address);
unsigned long copy_to_user(void *to, const void *from, unsigned long bytes);
void *vmalloc_user(unsigned long bytes);
void vfree(void *memory);
int remap_vmalloc_range(struct vm_area_struct *vma, void *memory, unsigned long page);
u64 rdtsc(void);

#endif
