/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Integer operations with the CPU's flags. The instruction itself does each of
 * them, on registers, so that the result and all flags, even the undefined
 * ones, are the CPU's own.
 */
#ifndef MMIOSTRIDER_ARITHMETIC_H
#define MMIOSTRIDER_ARITHMETIC_H

#include "decode.h"

#define MMS_FLAG_CF 0x001u
#define MMS_FLAG_PF 0x004u
#define MMS_FLAG_AF 0x010u
#define MMS_FLAG_ZF 0x040u
#define MMS_FLAG_SF 0x080u
#define MMS_FLAG_DF 0x400u
#define MMS_FLAG_OF 0x800u
#define MMS_FLAGS_ARITHMETIC \
	(MMS_FLAG_CF | MMS_FLAG_PF | MMS_FLAG_AF | MMS_FLAG_ZF | MMS_FLAG_SF | \
	 MMS_FLAG_OF)

/*
 * Do one operation on values of 1, 2, 4 or 8 bytes: read and change the flags,
 * store the result. Return false if there is no such operation here.
 *
 * mms_binary: ADD OR ADC SBB AND SUB XOR CMP TEST; with `b` as the count
 * ROL ROR RCL RCR SHL SHR SAL SAR; with `b` as the bit BT BTS BTR BTC.
 * mms_unary: INC DEC NOT NEG.
 * mms_scan: the instructions that compute a register from one operand alone
 * or from two: BSF BSR TZCNT LZCNT POPCNT IMUL ANDN BLSI BLSMSK BLSR BEXTR
 * BZHI PDEP PEXT RORX SARX SHLX SHRX ADCX ADOX. `b` is the other operand (for
 * BSF and BSR the destination's old value).
 */
bool mms_binary(enum mms_mnemonic mnemonic, uint64_t a, uint64_t b,
		unsigned int bytes, uint64_t *flags, uint64_t *result);
bool mms_unary(enum mms_mnemonic mnemonic, uint64_t a, unsigned int bytes,
	       uint64_t *flags, uint64_t *result);
bool mms_scan(enum mms_mnemonic mnemonic, uint64_t a, uint64_t b,
	      unsigned int bytes, uint64_t *flags, uint64_t *result);

/* SHLD (left) and SHRD: shifts `a` and fills it from `b`. */
uint64_t mms_double_shift(bool left, uint64_t a, uint64_t b,
			  unsigned int count, unsigned int bytes,
			  uint64_t *flags);

/* MUL and IMUL with one operand: stores a * b in low and high. */
void mms_multiply(bool is_signed, uint64_t a, uint64_t b, unsigned int bytes,
		  uint64_t *flags, uint64_t *low, uint64_t *high);

/* DIV and IDIV: divides high:low by b. Returns false if the CPU would raise #DE. */
bool mms_divide(bool is_signed, uint64_t low, uint64_t high, uint64_t b,
		unsigned int bytes, uint64_t *flags, uint64_t *quotient,
		uint64_t *remainder);

uint32_t mms_crc32(uint32_t crc, uint64_t value, unsigned int bytes);

/* Returns true if the condition of a Jcc, SETcc or CMOVcc with these low four
 * opcode bits holds: Intel's manual, volume 1, appendix B. */
bool mms_condition(unsigned int code, uint64_t flags);

#endif
