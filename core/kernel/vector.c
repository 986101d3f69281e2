// SPDX-License-Identifier: GPL-2.0
/*
 * The vector registers of the interrupted context: still in the CPU, because no
 * code of ours uses them.
 */
#include <linux/string.h>

#include "core.h"
#include "vector.h"

#define VECTOR_CASE(n, op) case n: op(n); break;
#define VECTOR_CASES_8(op) \
	VECTOR_CASE(0, op) VECTOR_CASE(1, op) VECTOR_CASE(2, op) \
	VECTOR_CASE(3, op) VECTOR_CASE(4, op) VECTOR_CASE(5, op) \
	VECTOR_CASE(6, op) VECTOR_CASE(7, op)
#define VECTOR_CASES_16(op) VECTOR_CASES_8(op) \
	VECTOR_CASE(8, op) VECTOR_CASE(9, op) VECTOR_CASE(10, op) \
	VECTOR_CASE(11, op) VECTOR_CASE(12, op) VECTOR_CASE(13, op) \
	VECTOR_CASE(14, op) VECTOR_CASE(15, op)
#define VECTOR_CASES_32(op) VECTOR_CASES_16(op) \
	VECTOR_CASE(16, op) VECTOR_CASE(17, op) VECTOR_CASE(18, op) \
	VECTOR_CASE(19, op) VECTOR_CASE(20, op) VECTOR_CASE(21, op) \
	VECTOR_CASE(22, op) VECTOR_CASE(23, op) VECTOR_CASE(24, op) \
	VECTOR_CASE(25, op) VECTOR_CASE(26, op) VECTOR_CASE(27, op) \
	VECTOR_CASE(28, op) VECTOR_CASE(29, op) VECTOR_CASE(30, op) \
	VECTOR_CASE(31, op)

#define GET_XMM(n) asm volatile("movdqu %%xmm" #n ", %0" : "=m" (*(struct bytes16 *)value))
#define GET_YMM(n) asm volatile("vmovdqu %%ymm" #n ", %0" : "=m" (*(struct bytes32 *)value))
#define GET_ZMM(n) asm volatile("vmovdqu64 %%zmm" #n ", %0" : "=m" (*(struct bytes64 *)value))
#define SET_XMM(n) asm volatile("movdqu %0, %%xmm" #n : : "m" (*(const struct bytes16 *)value))
#define SET_XMM_CLEAR(n) asm volatile("vmovdqu %0, %%xmm" #n : : "m" (*(const struct bytes16 *)value))
#define SET_YMM(n) asm volatile("vmovdqu %0, %%ymm" #n : : "m" (*(const struct bytes32 *)value))
#define SET_ZMM(n) asm volatile("vmovdqu64 %0, %%zmm" #n : : "m" (*(const struct bytes64 *)value))

/* Reads all 64 bytes; the caller ignores those it doesn't need. Registers 16 to
 * 31 exist only with AVX-512, in EVEX instructions. */
static void vector_get_high(unsigned int number, void *value)
{
	switch (number) {
	VECTOR_CASES_32(GET_ZMM)
	}
}

static void vector_set_high(unsigned int number, const void *value)
{
	switch (number) {
	VECTOR_CASES_32(SET_ZMM)
	}
}

void mms_machine_vector_load(struct mms_machine *machine, unsigned int number,
			     void *value, unsigned int bytes)
{
	if (number >= 16 || bytes == 64) {
		u8 whole[64];

		vector_get_high(number, whole);
		memcpy(value, whole, bytes);
	} else if (bytes == 32) {
		switch (number) {
		VECTOR_CASES_16(GET_YMM)
		}
	} else {
		switch (number) {
		VECTOR_CASES_16(GET_XMM)
		}
	}
}

void mms_machine_vector_store(struct mms_machine *machine, unsigned int number,
			      const void *value, unsigned int bytes,
			      bool clear_upper)
{
	if (number >= 16 || bytes == 64) {
		u8 whole[64] = { 0 };

		memcpy(whole, value, bytes);
		vector_set_high(number, whole);
	} else if (bytes == 32) {
		switch (number) {
		VECTOR_CASES_16(SET_YMM)
		}
	} else if (clear_upper) {
		switch (number) {
		VECTOR_CASES_16(SET_XMM_CLEAR)
		}
	} else {
		switch (number) {
		VECTOR_CASES_16(SET_XMM)
		}
	}
}
