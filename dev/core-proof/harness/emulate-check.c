// SPDX-License-Identifier: GPL-2.0
/*
 * Compares the emulator with the CPU: executes instructions natively on
 * ordinary memory and through mms_emulate() with the same memory as a device,
 * from the same random state, and compares everything afterwards.
 *
 * A separate program, because native code may fault. Standard input: a table of
 * 8192 uint32_t, the flags that each of iced-x86's forms leaves undefined, then
 * byte strings of 16 bytes each until the end. Arguments: the seed, states a
 * string. Standard output: a line a mismatch, then lines of counts.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <asm/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arithmetic.h"
#include "operand.h"
#include "plain-machine.h"

#define FORMS_MAX 8192
#define STRING_BYTES 16
#define MISMATCHES_MAX 20

/* Fixed places below 2 GiB, so that every form of address reaches them. */
#define CODE 0x10000000ul	/* the instruction */
#define DEVICE 0x10100000ul	/* device memory: two pages */
#define ORDINARY 0x10200000ul	/* ordinary memory: two pages */
#define CPU_STATE 0x10300000ul
#define AREA_BYTES MMS_PLAIN_AREA_BYTES
#define AT_CODE (CODE + 0x800)
#define AT_TARGET (CODE + 0x900)	/* target of CALL and JMP */

/* A CPU's registers. At CPU_STATE for the native run. */
struct state {
	uint64_t gpr[16];	/* 0x000 */
	uint64_t flags;		/* 0x080 */
	uint64_t ip;		/* 0x088 */
	uint64_t k[8];		/* 0x090 */
	uint64_t host_rsp;	/* 0x0d0 */
	uint64_t return_to;	/* 0x0d8 */
	uint64_t jump_to;	/* 0x0e0 */
	uint64_t return_from_target;	/* 0x0e8 */
	uint64_t pad[2];
	struct mms_plain_vector vector[32];	/* 0x100 */
};
_Static_assert(offsetof(struct state, vector) == 0x100, "as the assembly has it");
_Static_assert(offsetof(struct state, host_rsp) == 0xd0, "as the assembly has it");

static struct state *const native = (struct state *)CPU_STATE;
static struct mms_plain_machine emulated;
static uint32_t undefined_flags[FORMS_MAX];
static uint64_t done_by_form[FORMS_MAX], refused_by_form[FORMS_MAX];
static uint64_t cases, mismatches;
static bool has_avx512;
static uint8_t device_before[AREA_BYTES], ordinary_before[AREA_BYTES];
static uint8_t device_emulated[AREA_BYTES], ordinary_emulated[AREA_BYTES];

/* ---- Random numbers: xorshift128+ ---- */

static uint64_t random_state[2];

static uint64_t random64(void)
{
	uint64_t a = random_state[0], b = random_state[1];

	random_state[0] = b;
	a ^= a << 23;
	random_state[1] = a ^ b ^ (a >> 17) ^ (b >> 26);
	return random_state[1] + b;
}

static uint64_t below(uint64_t limit)
{
	return random64() % limit;
}

/* Values at the edges of widths are more frequent than by chance. */
static uint64_t random_value(void)
{
	static const uint64_t edges[] = {
		0, 1, 2, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff,
		0x7fffffff, 0x80000000, 0xffffffff, 0x100000000,
		0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff,
		0xaaaaaaaaaaaaaaaa, 0x5555555555555555,
	};

	switch (below(4)) {
	case 0: return edges[below(sizeof(edges) / sizeof(*edges))];
	case 1: return random64() >> below(64);
	default: return random64();
	}
}

static void random_bytes(void *to, size_t bytes)
{
	uint64_t *at = to;

	for (; bytes; bytes -= 8)
		*at++ = random64();
	/* a few edge values: operands that are equal, zero or all ones */
}

/* ---- The native run ---- */

static sigjmp_buf fault_jump;
static volatile sig_atomic_t running_natively;

static void on_fault(int number, siginfo_t *info, void *context)
{
	(void)info;
	(void)context;
	if (!running_natively) {
		static const char text[] = "emulate-check: a fault outside the native run\n";

		(void)!write(2, text, sizeof(text) - 1);
		_exit(70);
	}
	siglongjmp(fault_jump, number);
}

/*
 * Loads the whole state, jumps to the instruction, and stores the whole state
 * after the jump back. Uses absolute addresses: no register is free.
 */
void run_native(void);
extern char native_return[], native_return_target[];
asm(
"	.text\n"
"	.globl run_native\n"
"run_native:\n"
"	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
"	mov %rsp, 0x103000d0\n"
"	cmpb $0, has_avx512(%rip)\n"
"	je 1f\n"
"	.irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
"	vmovdqu64 0x10300100 + 64*\\n, %zmm\\n\n"
"	.endr\n"
"	.irp n,0,1,2,3,4,5,6,7\n"
"	kmovq 0x10300090 + 8*\\n, %k\\n\n"
"	.endr\n"
"	jmp 2f\n"
"1:\n"
"	.irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
"	vmovdqu 0x10300100 + 64*\\n, %ymm\\n\n"
"	.endr\n"
"2:\n"
"	pushq 0x10300080; popfq\n"
"	mov 0x10300000, %rax; mov 0x10300008, %rcx; mov 0x10300010, %rdx\n"
"	mov 0x10300018, %rbx; mov 0x10300020, %rsp; mov 0x10300028, %rbp\n"
"	mov 0x10300030, %rsi; mov 0x10300038, %rdi\n"
"	mov 0x10300040, %r8; mov 0x10300048, %r9; mov 0x10300050, %r10\n"
"	mov 0x10300058, %r11; mov 0x10300060, %r12; mov 0x10300068, %r13\n"
"	mov 0x10300070, %r14; mov 0x10300078, %r15\n"
"	jmp *0x103000e0\n"
"	.globl native_return\n"
"native_return:\n"
"	movq $0, 0x10300088\n"
"	jmp 3f\n"
"	.globl native_return_target\n"
"native_return_target:\n"
"	movq $1, 0x10300088\n"
"3:\n"
"	mov %rax, 0x10300000; mov %rcx, 0x10300008; mov %rdx, 0x10300010\n"
"	mov %rbx, 0x10300018; mov %rsp, 0x10300020; mov %rbp, 0x10300028\n"
"	mov %rsi, 0x10300030; mov %rdi, 0x10300038\n"
"	mov %r8, 0x10300040; mov %r9, 0x10300048; mov %r10, 0x10300050\n"
"	mov %r11, 0x10300058; mov %r12, 0x10300060; mov %r13, 0x10300068\n"
"	mov %r14, 0x10300070; mov %r15, 0x10300078\n"
"	mov 0x103000d0, %rsp\n"
"	pushfq; popq 0x10300080\n"
"	cld\n"
"	cmpb $0, has_avx512(%rip)\n"
"	je 4f\n"
"	.irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
"	vmovdqu64 %zmm\\n, 0x10300100 + 64*\\n\n"
"	.endr\n"
"	.irp n,0,1,2,3,4,5,6,7\n"
"	kmovq %k\\n, 0x10300090 + 8*\\n\n"
"	.endr\n"
"	jmp 5f\n"
"4:\n"
"	.irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
"	vmovdqu %ymm\\n, 0x10300100 + 64*\\n\n"
"	.endr\n"
"5:\n"
"	vzeroupper\n"
"	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
"	ret\n");

/* Returns 0, or the signal that the instruction raised. */
static int execute_natively(void)
{
	int number = sigsetjmp(fault_jump, 1);

	if (number) {
		asm volatile("cld");
		running_natively = 0;
		return number;
	}
	running_natively = 1;
	run_native();
	running_natively = 0;
	return 0;
}

/* Places the instruction, and behind it and at CALL's target a jump back. */
static void place_code(const uint8_t *bytes, unsigned int length)
{
	static const uint8_t jump_back[] = { 0xff, 0x24, 0x25 };	/* jmp *disp32 */
	const uint32_t slots[2] = { CPU_STATE + 0xd8, CPU_STATE + 0xe8 };
	uint8_t *places[2] = { (uint8_t *)AT_CODE + length, (uint8_t *)AT_TARGET };
	unsigned int n;

	memcpy((void *)AT_CODE, bytes, length);
	for (n = 0; n < 2; n++) {
		memcpy(places[n], jump_back, 3);
		memcpy(places[n] + 3, &slots[n], 4);
	}
}

/* ---- One case ---- */

static bool is_bit_test(const struct mms_instruction *i)
{
	switch (i->opcode->mnemonic) {
	case MMS_MN_BT: case MMS_MN_BTS: case MMS_MN_BTR: case MMS_MN_BTC:
		return i->opcode->operands[1] != MMS_OPERAND_IMM8;
	default:
		return false;
	}
}

/* Ports, and commands to accelerators: a process may not use them. */
static bool needs_kernel(const struct mms_instruction *i)
{
	switch (i->opcode->mnemonic) {
	case MMS_MN_ENQCMD: case MMS_MN_ENQCMDS:
	case MMS_MN_INSB: case MMS_MN_INSW: case MMS_MN_INSD:
	case MMS_MN_OUTSB: case MMS_MN_OUTSW: case MMS_MN_OUTSD:
		return true;
	default:
		return false;
	}
}

static bool is_string(const struct mms_instruction *i)
{
	return i->memory == MMS_MEMORY_RDI || i->memory == MMS_MEMORY_RSI ||
	       i->memory == MMS_MEMORY_RDI_RSI || i->memory == MMS_MEMORY_RSI_RDI;
}

/* Returns an address in an area's middle: often across its pages, often unaligned. */
static uint64_t place_in(uint64_t area, unsigned int bytes)
{
	uint64_t at = area + AREA_BYTES / 2 - 2048 + below(4096);

	if (below(4) == 0)
		at = area + AREA_BYTES / 2 - below(bytes + 1);
	return below(2) ? at & ~(uint64_t)63 : at;
}

static void set_up_string(struct state *s, const struct mms_instruction *i)
{
	bool to_device = below(2), both = below(8) == 0;
	unsigned int bytes = i->memory_bytes;
	uint64_t high = i->address_bytes == 4 ? random64() << 32 : 0;
	bool two = i->memory == MMS_MEMORY_RDI_RSI || i->memory == MMS_MEMORY_RSI_RDI;

	s->gpr[MMS_RDI] = (place_in(!two || to_device || both ? DEVICE : ORDINARY, bytes) &
			   ~(uint64_t)0xfff00000000) | high;
	s->gpr[MMS_RSI] = (place_in(!two || !to_device || both ? DEVICE : ORDINARY, bytes)) | high;
	if (i->segment == MMS_SEGMENT_FS && i->address_bytes == 8)
		s->gpr[MMS_RSI] -= emulated.fs_base;
	s->gpr[MMS_RCX] = below(201) | high;
}

static void random_registers(struct state *s)
{
	unsigned int n;

	for (n = 0; n < 16; n++)
		s->gpr[n] = random_value();
	for (n = 0; n < 8; n++)
		s->k[n] = random_value();
	s->gpr[MMS_RSP] = ORDINARY + AREA_BYTES / 2 + below(1024);
	s->flags = 0x202 | (random64() & (MMS_FLAGS_ARITHMETIC | MMS_FLAG_DF));
	random_bytes(s->vector, sizeof(s->vector));
}

/* Gives comparisons and divisions operands that fit together now and then. */
static void make_operand_likely(struct state *s, uint64_t target)
{
	uint64_t value = random_value();

	switch (below(6)) {
	case 0:
		memcpy(device_before + (target - DEVICE), &s->gpr[MMS_RAX], 8);
		break;
	case 1:
		memcpy(device_before + (target - DEVICE), &value, 8);
		break;
	case 2:
		s->gpr[MMS_RDX] = below(2) ? 0 : ~0ull;
		break;
	default:
		break;
	}
}

/* The mismatch of the current case; empty while there is none. */
static char complaint[256];

static __attribute__((format(printf, 1, 2))) void complain(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(complaint, sizeof(complaint), format, arguments);
	va_end(arguments);
}

static void print_mismatch(const struct mms_instruction *i, const uint8_t *bytes,
			   const struct state *before, uint64_t target)
{
	static const char *const names[] = {
		"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
		"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
	};
	uint64_t operand;
	unsigned int n;

	printf("mismatch %u ", i->opcode->code);
	for (n = 0; n < i->length; n++)
		printf("%02x", bytes[n]);
	memcpy(&operand, device_before + (target - DEVICE), 8);
	printf(" %s; from flags=%llx [%llx]=%llx", complaint,
	       (unsigned long long)before->flags, (unsigned long long)target,
	       (unsigned long long)operand);
	for (n = 0; n < 16; n++)
		if (before->gpr[n])
			printf(" %s=%llx", names[n],
			       (unsigned long long)before->gpr[n]);
	printf("\n");
}

/* Checks the form's accesses and their order. */
static bool accesses_fit(const struct mms_instruction *i, uint64_t target)
{
	struct mms_plain_access expected[2];
	unsigned int count = 0, n;

	switch (i->opcode->mnemonic) {
	case MMS_MN_CLFLUSH: case MMS_MN_CLFLUSHOPT: case MMS_MN_CLWB:
		return !emulated.accesses;
	case MMS_MN_MOVDIR64B:
		return emulated.accesses == 1 && emulated.access[0].write &&
		       emulated.access[0].bytes == 64;
	default:
		break;
	}
	/* POP's address counts from after the pop */
	if (i->opcode->mnemonic == MMS_MN_POP && i->base == MMS_RSP)
		target += i->memory_bytes;
	if (is_string(i))
		return !emulated.unannounced;	/* memory tells the rest */
	if (i->access & MMS_ACCESS_READ)
		expected[count++] = (struct mms_plain_access){ false, target, i->memory_bytes };
	if (i->access & MMS_ACCESS_WRITE)
		expected[count++] = (struct mms_plain_access){ true, target, i->memory_bytes };
	if (emulated.accesses != count)
		return false;
	for (n = 0; n < count; n++) {
		const struct mms_plain_access *a = &emulated.access[n];

		if (a->write != expected[n].write || a->bytes != expected[n].bytes ||
		    (a->address != expected[n].address && !is_bit_test(i)))
			return false;
	}
	return true;
}

static void compare(const struct mms_instruction *i, uint64_t target)
{
	uint64_t ip = native->ip ? AT_TARGET : AT_CODE + i->length;
	uint64_t care = (MMS_FLAGS_ARITHMETIC | MMS_FLAG_DF) &
			~(uint64_t)undefined_flags[i->opcode->code];
	unsigned int n, vectors = has_avx512 ? 32 : 16;
	size_t width = has_avx512 ? 64 : 32;

	for (n = 0; n < 16; n++) {
		if (native->gpr[n] != emulated.gpr[n]) {
			complain("register %u: CPU %llx, emulator %llx",
				 n, (unsigned long long)native->gpr[n],
				 (unsigned long long)emulated.gpr[n]);
			return;
		}
	}
	if (ip != emulated.machine.ip)
		complain("ip: CPU %llx, emulator %llx",
			 (unsigned long long)ip,
			 (unsigned long long)emulated.machine.ip);
	else if ((native->flags ^ emulated.machine.flags) & care)
		complain("flags: CPU %llx, emulator %llx",
			 (unsigned long long)native->flags,
			 (unsigned long long)emulated.machine.flags);
	else if (memcmp(device_emulated, (void *)DEVICE, AREA_BYTES))
		complain("device memory differs");
	else if (memcmp(ordinary_emulated, (void *)ORDINARY, AREA_BYTES))
		complain("ordinary memory differs");
	else if (!accesses_fit(i, target))
		complain("accesses: %u, the first %s of %u bytes at %llx, operand at %llx",
			 emulated.accesses, emulated.access[0].write ? "write" : "read",
			 emulated.access[0].bytes,
			 (unsigned long long)emulated.access[0].address,
			 (unsigned long long)target);
	else
		for (n = 0; n < vectors; n++)
			if (memcmp(&native->vector[n], &emulated.vector[n], width)) {
				complain("vector register %u", n);
				break;
			}
}

static enum mms_result emulate(const struct mms_instruction *i,
			       const struct state *before)
{
	enum mms_result result;

	mms_plain_reset(&emulated, AT_CODE, before->flags);
	memcpy(emulated.gpr, before->gpr, sizeof(before->gpr));
	memcpy(emulated.vector, before->vector, sizeof(before->vector));
	do
		result = mms_emulate(&emulated.machine, i);
	while (result == MMS_AGAIN);
	return result;
}

static void load_areas(void)
{
	memcpy((void *)DEVICE, device_before, AREA_BYTES);
	memcpy((void *)ORDINARY, ordinary_before, AREA_BYTES);
}

/* Runs the case both ways; on a mismatch describes it in `complaint`. */
static bool shows_mismatch(const struct mms_instruction *i, const uint8_t *bytes,
			   const struct state *before, uint64_t target)
{
	enum mms_result result;
	int signal_number;

	complaint[0] = '\0';
	load_areas();
	result = emulate(i, before);
	if (result != MMS_DONE) {
		if (result == MMS_UNSUPPORTED)
			refused_by_form[i->opcode->code]++;
		return false;
	}
	memcpy(device_emulated, (void *)DEVICE, AREA_BYTES);
	memcpy(ordinary_emulated, (void *)ORDINARY, AREA_BYTES);

	load_areas();
	memcpy(native, before, offsetof(struct state, ip));
	memcpy(native->k, before->k, sizeof(before->k));
	memcpy(native->vector, before->vector, sizeof(before->vector));
	native->return_to = (uint64_t)native_return;
	native->return_from_target = (uint64_t)native_return_target;
	native->jump_to = AT_CODE;
	place_code(bytes, i->length);
	signal_number = execute_natively();
	if (signal_number == SIGILL)
		return false;	/* this CPU can't execute it: no verdict */
	cases++;
	done_by_form[i->opcode->code]++;
	if (signal_number)
		complain("the CPU raises signal %d, the emulator nothing",
			 signal_number);
	else
		compare(i, target);
	return complaint[0];
}

/* Simplifies a case as far as it still shows a mismatch. */
static void shrink(const struct mms_instruction *i, const uint8_t *bytes,
		   struct state *before, uint64_t target)
{
	uint64_t kept;
	unsigned int n;

	for (n = 0; n < 17; n++) {
		uint64_t *value = n < 16 ? &before->gpr[n] : &before->flags;
		uint64_t plain = n < 16 ? 0 : 0x202;

		kept = *value;
		*value = plain;
		if (!shows_mismatch(i, bytes, before, target))
			*value = kept;
	}
	memcpy(&kept, device_before + (target - DEVICE), 8);
	memset(device_before + (target - DEVICE), 0, 8);
	if (!shows_mismatch(i, bytes, before, target))
		memcpy(device_before + (target - DEVICE), &kept, 8);
	shows_mismatch(i, bytes, before, target);
}

static void one_case(const uint8_t *string)
{
	struct mms_instruction i;
	uint8_t bytes[STRING_BYTES];
	struct state before;
	uint64_t target, value;

	memcpy(bytes, string, STRING_BYTES);
	if (!mms_decode(bytes, 15, &i) || !i.memory || needs_kernel(&i))
		return;
	random_registers(&before);
	target = place_in(DEVICE, i.memory_bytes);
	make_operand_likely(&before, target);
	if (is_bit_test(&i)) {
		value = (uint64_t)((int64_t)below(4096) - 2048);
		before.gpr[i.reg] = i.operand_bytes == 8 ? value :
			mms_truncate(value, i.operand_bytes) |
				random64() << (8 * i.operand_bytes);
	}
	if (is_string(&i)) {
		set_up_string(&before, &i);
	} else if (i.opcode->operands[0] == MMS_OPERAND_R64_REG_MEM) {
		if (!mms_plain_aim(&emulated, before.gpr, bytes, &i, AT_CODE, place_in(ORDINARY, 64)))
			return;
		before.gpr[i.reg] = target & ~(uint64_t)63;
	} else if (!mms_plain_aim(&emulated, before.gpr, bytes, &i, AT_CODE, target)) {
		return;
	}
	if (!mms_decode(bytes, 15, &i))
		return;
	if (i.opcode->mnemonic == MMS_MN_CALL || i.opcode->mnemonic == MMS_MN_JMP) {
		value = AT_TARGET;
		memcpy(device_before + (target - DEVICE), &value, 8);
	}

	if (!shows_mismatch(&i, bytes, &before, target))
		return;
	mismatches++;
	if (mismatches > MISMATCHES_MAX)
		return;
	shrink(&i, bytes, &before, target);
	print_mismatch(&i, bytes, &before, target);
}

static void map_areas(void)
{
	static const unsigned long areas[] = { CODE, DEVICE, ORDINARY, CPU_STATE };
	unsigned int n;

	for (n = 0; n < 4; n++) {
		void *got = mmap((void *)areas[n], AREA_BYTES,
				 PROT_READ | PROT_WRITE | PROT_EXEC,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
				 -1, 0);

		if (got != (void *)areas[n]) {
			perror("emulate-check: mmap");
			exit(1);
		}
	}
}

static void catch_faults(void)
{
	static const int numbers[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP };
	static uint8_t stack[65536];
	stack_t alternative = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction action = { .sa_sigaction = on_fault,
				    .sa_flags = SA_SIGINFO | SA_ONSTACK };
	unsigned int n;

	sigaltstack(&alternative, NULL);
	for (n = 0; n < sizeof(numbers) / sizeof(*numbers); n++)
		sigaction(numbers[n], &action, NULL);
}

int main(int count, char **arguments)
{
	unsigned int states = count > 2 ? (unsigned int)atoi(arguments[2]) : 4, n;
	uint8_t string[STRING_BYTES];
	uint64_t seed = count > 1 ? strtoull(arguments[1], NULL, 10) : 1;

	random_state[0] = seed * 0x9e3779b97f4a7c15ull + 1;
	random_state[1] = ~seed;
	for (n = 0; n < 20; n++)
		random64();
	__builtin_cpu_init();
	has_avx512 = __builtin_cpu_supports("avx512bw");
	syscall(SYS_arch_prctl, ARCH_GET_FS, &emulated.fs_base);
	emulated.device = DEVICE;
	emulated.ordinary = ORDINARY;
	map_areas();
	catch_faults();
	if (fread(undefined_flags, sizeof(undefined_flags), 1, stdin) != 1) {
		fprintf(stderr, "emulate-check: no table of undefined flags\n");
		return 1;
	}
	random_bytes(device_before, AREA_BYTES);
	random_bytes(ordinary_before, AREA_BYTES);
	while (fread(string, STRING_BYTES, 1, stdin) == 1)
		for (n = 0; n < states; n++)
			one_case(string);
	for (n = 0; n < FORMS_MAX; n++)
		if (done_by_form[n] || refused_by_form[n])
			printf("form %u %llu %llu\n", n,
			       (unsigned long long)done_by_form[n],
			       (unsigned long long)refused_by_form[n]);
	printf("cases %llu\nmismatches %llu\n", (unsigned long long)cases,
	       (unsigned long long)mismatches);
	return 0;
}
