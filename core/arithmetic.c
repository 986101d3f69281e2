// SPDX-License-Identifier: GPL-2.0
/* Integer operations with the CPU's flags. See arithmetic.h. */
#include "arithmetic.h"

/*
 * Wraps an instruction: AH brings in the low flags (only the carry is ever an
 * input), AH and AL return the low flags and the overflow.
 */
#define WITH_FLAGS(instruction) "sahf\n\t" instruction "\n\tlahf\n\tseto %%al"

static uint64_t arithmetic_flags_in(uint64_t flags)
{
	return (flags & 0xff) << 8;
}

static uint64_t arithmetic_flags_out(uint64_t flags, uint64_t ax)
{
	flags &= ~(uint64_t)MMS_FLAGS_ARITHMETIC;
	flags |= (ax >> 8) & (MMS_FLAGS_ARITHMETIC & 0xff);
	return ax & 1 ? flags | MMS_FLAG_OF : flags;
}

#define BINARY(name, op) \
static uint64_t name(uint64_t a, uint64_t b, unsigned int bytes, uint64_t *flags) \
{ \
	uint64_t ax = arithmetic_flags_in(*flags); \
	switch (bytes) { \
	case 1: asm(WITH_FLAGS(op "b %b2, %b1") : "+a" (ax), "+q" (a) : "q" (b) : "cc"); break; \
	case 2: asm(WITH_FLAGS(op "w %w2, %w1") : "+a" (ax), "+r" (a) : "r" (b) : "cc"); break; \
	case 4: asm(WITH_FLAGS(op "l %k2, %k1") : "+a" (ax), "+r" (a) : "r" (b) : "cc"); break; \
	default: asm(WITH_FLAGS(op "q %2, %1") : "+a" (ax), "+r" (a) : "r" (b) : "cc"); break; \
	} \
	*flags = arithmetic_flags_out(*flags, ax); \
	return a; \
}
BINARY(arithmetic_add, "add") BINARY(arithmetic_or, "or") BINARY(arithmetic_adc, "adc")
BINARY(arithmetic_sbb, "sbb") BINARY(arithmetic_and, "and") BINARY(arithmetic_sub, "sub")
BINARY(arithmetic_xor, "xor") BINARY(arithmetic_test, "test")

#define SHIFT(name, op) \
static uint64_t name(uint64_t a, uint64_t b, unsigned int bytes, uint64_t *flags) \
{ \
	uint64_t ax = arithmetic_flags_in(*flags); \
	uint8_t count = b & (bytes == 8 ? 63 : 31); \
	if (!count) \
		return a; /* flags unchanged */ \
	if (*flags & MMS_FLAG_OF) \
		ax |= 0x7f; /* ADDB below turns it into OF */ \
	switch (bytes) { \
	case 1: asm(SHIFT_FLAGS(op "b %%cl, %b1") : "+a" (ax), "+q" (a) : "c" (count) : "cc"); break; \
	case 2: asm(SHIFT_FLAGS(op "w %%cl, %w1") : "+a" (ax), "+r" (a) : "c" (count) : "cc"); break; \
	case 4: asm(SHIFT_FLAGS(op "l %%cl, %k1") : "+a" (ax), "+r" (a) : "c" (count) : "cc"); break; \
	default: asm(SHIFT_FLAGS(op "q %%cl, %1") : "+a" (ax), "+r" (a) : "c" (count) : "cc"); break; \
	} \
	*flags = arithmetic_flags_out(*flags, ax); \
	return a; \
}
/* As WITH_FLAGS, but OF is an input, too: on some CPUs a rotation by more than
 * one leaves it unchanged. */
#define SHIFT_FLAGS(instruction) \
	"addb $1, %%al\n\tsahf\n\t" instruction "\n\tlahf\n\tseto %%al"
SHIFT(arithmetic_rol, "rol") SHIFT(arithmetic_ror, "ror") SHIFT(arithmetic_rcl, "rcl")
SHIFT(arithmetic_rcr, "rcr") SHIFT(arithmetic_shl, "shl") SHIFT(arithmetic_shr, "shr")
SHIFT(arithmetic_sar, "sar")

#define BIT(name, op) \
static uint64_t name(uint64_t a, uint64_t b, unsigned int bytes, uint64_t *flags) \
{ \
	uint8_t carry; \
	switch (bytes) { \
	case 2: asm(op "w %w2, %w1\n\tsetc %0" : "=q" (carry), "+r" (a) : "r" (b) : "cc"); break; \
	case 4: asm(op "l %k2, %k1\n\tsetc %0" : "=q" (carry), "+r" (a) : "r" (b) : "cc"); break; \
	default: asm(op "q %2, %1\n\tsetc %0" : "=q" (carry), "+r" (a) : "r" (b) : "cc"); break; \
	} \
	*flags = (*flags & ~(uint64_t)MMS_FLAG_CF) | carry; \
	return a; \
}
BIT(arithmetic_bt, "bt") BIT(arithmetic_bts, "bts") BIT(arithmetic_btr, "btr") BIT(arithmetic_btc, "btc")

bool mms_binary(enum mms_mnemonic mnemonic, uint64_t a, uint64_t b,
		unsigned int bytes, uint64_t *flags, uint64_t *result)
{
	switch (mnemonic) {
	case MMS_MN_ADD: *result = arithmetic_add(a, b, bytes, flags); return true;
	case MMS_MN_OR: *result = arithmetic_or(a, b, bytes, flags); return true;
	case MMS_MN_ADC: *result = arithmetic_adc(a, b, bytes, flags); return true;
	case MMS_MN_SBB: *result = arithmetic_sbb(a, b, bytes, flags); return true;
	case MMS_MN_AND: *result = arithmetic_and(a, b, bytes, flags); return true;
	case MMS_MN_SUB: case MMS_MN_CMP:
		*result = arithmetic_sub(a, b, bytes, flags); return true;
	case MMS_MN_XOR: *result = arithmetic_xor(a, b, bytes, flags); return true;
	case MMS_MN_TEST: *result = arithmetic_test(a, b, bytes, flags); return true;
	case MMS_MN_ROL: *result = arithmetic_rol(a, b, bytes, flags); return true;
	case MMS_MN_ROR: *result = arithmetic_ror(a, b, bytes, flags); return true;
	case MMS_MN_RCL: *result = arithmetic_rcl(a, b, bytes, flags); return true;
	case MMS_MN_RCR: *result = arithmetic_rcr(a, b, bytes, flags); return true;
	case MMS_MN_SHL: case MMS_MN_SAL:
		*result = arithmetic_shl(a, b, bytes, flags); return true;
	case MMS_MN_SHR: *result = arithmetic_shr(a, b, bytes, flags); return true;
	case MMS_MN_SAR: *result = arithmetic_sar(a, b, bytes, flags); return true;
	case MMS_MN_BT: *result = arithmetic_bt(a, b, bytes, flags); return true;
	case MMS_MN_BTS: *result = arithmetic_bts(a, b, bytes, flags); return true;
	case MMS_MN_BTR: *result = arithmetic_btr(a, b, bytes, flags); return true;
	case MMS_MN_BTC: *result = arithmetic_btc(a, b, bytes, flags); return true;
	default: return false;
	}
}

#define UNARY(name, op) \
static uint64_t name(uint64_t a, unsigned int bytes, uint64_t *flags) \
{ \
	uint64_t ax = arithmetic_flags_in(*flags); \
	switch (bytes) { \
	case 1: asm(WITH_FLAGS(op "b %b1") : "+a" (ax), "+q" (a) : : "cc"); break; \
	case 2: asm(WITH_FLAGS(op "w %w1") : "+a" (ax), "+r" (a) : : "cc"); break; \
	case 4: asm(WITH_FLAGS(op "l %k1") : "+a" (ax), "+r" (a) : : "cc"); break; \
	default: asm(WITH_FLAGS(op "q %1") : "+a" (ax), "+r" (a) : : "cc"); break; \
	} \
	*flags = arithmetic_flags_out(*flags, ax); \
	return a; \
}
UNARY(arithmetic_inc, "inc") UNARY(arithmetic_dec, "dec") UNARY(arithmetic_neg, "neg")

bool mms_unary(enum mms_mnemonic mnemonic, uint64_t a, unsigned int bytes,
	       uint64_t *flags, uint64_t *result)
{
	switch (mnemonic) {
	case MMS_MN_INC: *result = arithmetic_inc(a, bytes, flags); return true;
	case MMS_MN_DEC: *result = arithmetic_dec(a, bytes, flags); return true;
	case MMS_MN_NEG: *result = arithmetic_neg(a, bytes, flags); return true;
	case MMS_MN_NOT: *result = ~a; return true;	/* no flags */
	default: return false;
	}
}

/* result = op(source): r is the destination, a the source. */
#define SCAN(name, op) \
static uint64_t name(uint64_t a, uint64_t r, unsigned int bytes, uint64_t *flags) \
{ \
	uint64_t ax = arithmetic_flags_in(*flags); \
	switch (bytes) { \
	case 2: asm(WITH_FLAGS(op "w %w2, %w1") : "+a" (ax), "+r" (r) : "r" (a) : "cc"); break; \
	case 4: asm(WITH_FLAGS(op "l %k2, %k1") : "+a" (ax), "+r" (r) : "r" (a) : "cc"); break; \
	default: asm(WITH_FLAGS(op "q %2, %1") : "+a" (ax), "+r" (r) : "r" (a) : "cc"); break; \
	} \
	*flags = arithmetic_flags_out(*flags, ax); \
	return r; \
}
SCAN(arithmetic_bsf, "bsf") SCAN(arithmetic_bsr, "bsr") SCAN(arithmetic_tzcnt, "tzcnt")
SCAN(arithmetic_lzcnt, "lzcnt") SCAN(arithmetic_popcnt, "popcnt") SCAN(arithmetic_imul, "imul")

/* VEX forms with one source. */
#define VEX_SCAN(name, op) \
static uint64_t name(uint64_t a, unsigned int bytes, uint64_t *flags) \
{ \
	uint64_t ax = arithmetic_flags_in(*flags), r; \
	if (bytes == 4) \
		asm(WITH_FLAGS(op " %k2, %k1") : "+a" (ax), "=&r" (r) : "r" (a) : "cc"); \
	else \
		asm(WITH_FLAGS(op " %2, %1") : "+a" (ax), "=&r" (r) : "r" (a) : "cc"); \
	*flags = arithmetic_flags_out(*flags, ax); \
	return r; \
}
VEX_SCAN(arithmetic_blsi, "blsi") VEX_SCAN(arithmetic_blsmsk, "blsmsk") VEX_SCAN(arithmetic_blsr, "blsr")

/* VEX forms op(a, b) as `op x, y, r` in AT&T's order. */
#define VEX_PAIR(name, op, x, y) \
static uint64_t name(uint64_t a, uint64_t b, unsigned int bytes, uint64_t *flags) \
{ \
	uint64_t ax = arithmetic_flags_in(*flags), r; \
	if (bytes == 4) \
		asm(WITH_FLAGS(op " %k" x ", %k" y ", %k1") : "+a" (ax), "=&r" (r) : "r" (a), "r" (b) : "cc"); \
	else \
		asm(WITH_FLAGS(op " %" x ", %" y ", %1") : "+a" (ax), "=&r" (r) : "r" (a), "r" (b) : "cc"); \
	*flags = arithmetic_flags_out(*flags, ax); \
	return r; \
}
VEX_PAIR(arithmetic_andn, "andn", "2", "3")	/* ~b & a */
VEX_PAIR(arithmetic_bextr, "bextr", "3", "2")	/* b selects bits of a */
VEX_PAIR(arithmetic_bzhi, "bzhi", "3", "2")
VEX_PAIR(arithmetic_pdep, "pdep", "2", "3")	/* a is the mask */
VEX_PAIR(arithmetic_pext, "pext", "2", "3")

static uint64_t arithmetic_value_mask(unsigned int bytes)
{
	return bytes == 8 ? ~0ull : (1ull << (8 * bytes)) - 1;
}

/* ADCX and ADOX: an addition whose carry lives in one flag alone. */
static uint64_t arithmetic_add_with_flag(uint64_t a, uint64_t b, unsigned int bytes,
					 uint64_t flag, uint64_t *flags)
{
	uint64_t mask = arithmetic_value_mask(bytes);
	uint64_t carry = *flags & flag ? 1 : 0;
	uint64_t sum = ((a & mask) + (b & mask) + carry) & mask;
	bool carry_out = sum < (a & mask) || (carry && sum == (a & mask));

	*flags = carry_out ? *flags | flag : *flags & ~flag;
	return sum;
}

static uint64_t arithmetic_rotate_right(uint64_t a, unsigned int count, unsigned int bytes)
{
	unsigned int bits = bytes * 8;

	count &= bits - 1;
	a &= arithmetic_value_mask(bytes);
	return count ? a >> count | a << (bits - count) : a;
}

bool mms_scan(enum mms_mnemonic mnemonic, uint64_t a, uint64_t b,
	      unsigned int bytes, uint64_t *flags, uint64_t *result)
{
	unsigned int count = b & (bytes == 8 ? 63 : 31);
	uint64_t unchanged = 0;

	switch (mnemonic) {
	case MMS_MN_BSF: *result = arithmetic_bsf(a, b, bytes, flags); return true;
	case MMS_MN_BSR: *result = arithmetic_bsr(a, b, bytes, flags); return true;
	case MMS_MN_TZCNT: *result = arithmetic_tzcnt(a, b, bytes, flags); return true;
	case MMS_MN_LZCNT: *result = arithmetic_lzcnt(a, b, bytes, flags); return true;
	case MMS_MN_POPCNT: *result = arithmetic_popcnt(a, b, bytes, flags); return true;
	case MMS_MN_IMUL: *result = arithmetic_imul(a, b, bytes, flags); return true;
	case MMS_MN_BLSI: *result = arithmetic_blsi(a, bytes, flags); return true;
	case MMS_MN_BLSMSK: *result = arithmetic_blsmsk(a, bytes, flags); return true;
	case MMS_MN_BLSR: *result = arithmetic_blsr(a, bytes, flags); return true;
	case MMS_MN_ANDN: *result = arithmetic_andn(a, b, bytes, flags); return true;
	case MMS_MN_BEXTR: *result = arithmetic_bextr(a, b, bytes, flags); return true;
	case MMS_MN_BZHI: *result = arithmetic_bzhi(a, b, bytes, flags); return true;
	/* the rest of BMI2 leaves the flags alone */
	case MMS_MN_PDEP: *result = arithmetic_pdep(a, b, bytes, &unchanged); return true;
	case MMS_MN_PEXT: *result = arithmetic_pext(a, b, bytes, &unchanged); return true;
	case MMS_MN_RORX: *result = arithmetic_rotate_right(a, count, bytes); return true;
	case MMS_MN_SHLX: *result = a << count; return true;
	case MMS_MN_SHRX:
		*result = (a & arithmetic_value_mask(bytes)) >> count;
		return true;
	case MMS_MN_SARX:
		*result = bytes == 8 ? (uint64_t)((int64_t)a >> count) :
				       (uint64_t)((int32_t)a >> count);
		return true;
	case MMS_MN_ADCX:
		*result = arithmetic_add_with_flag(a, b, bytes, MMS_FLAG_CF, flags);
		return true;
	case MMS_MN_ADOX:
		*result = arithmetic_add_with_flag(a, b, bytes, MMS_FLAG_OF, flags);
		return true;
	default:
		return false;
	}
}

#define DOUBLE_SHIFT(op, width) \
	asm(SHIFT_FLAGS(op " %%cl, %" width "2, %" width "1") \
	    : "+a" (ax), "+r" (a) : "r" (b), "c" ((uint8_t)count) : "cc")

uint64_t mms_double_shift(bool left, uint64_t a, uint64_t b,
			  unsigned int count, unsigned int bytes,
			  uint64_t *flags)
{
	uint64_t ax = arithmetic_flags_in(*flags);

	count &= bytes == 8 ? 63 : 31;
	if (!count)
		return a;
	if (*flags & MMS_FLAG_OF)
		ax |= 0x7f;
	switch (bytes | left << 4) {
	case 0x12: DOUBLE_SHIFT("shldw", "w"); break;
	case 0x14: DOUBLE_SHIFT("shldl", "k"); break;
	case 0x18: DOUBLE_SHIFT("shldq", ""); break;
	case 0x02: DOUBLE_SHIFT("shrdw", "w"); break;
	case 0x04: DOUBLE_SHIFT("shrdl", "k"); break;
	default: DOUBLE_SHIFT("shrdq", ""); break;
	}
	*flags = arithmetic_flags_out(*flags, ax);
	return a;
}

/*
 * One-operand multiplication returns its product in rax and rdx. LAHF needs rax,
 * so the low half is moved away before it.
 */
#define MULTIPLY(op, width) \
	asm(op " %" width "4\n\tmov %%rax, %0\n\tlahf\n\tseto %%al" \
	    : "=&r" (product), "=&d" (upper), "=&a" (ax) \
	    : "2" (a), "r" (b) : "cc")

void mms_multiply(bool is_signed, uint64_t a, uint64_t b, unsigned int bytes,
		  uint64_t *flags, uint64_t *low, uint64_t *high)
{
	uint64_t product, upper, ax;

	switch (bytes | is_signed << 4) {
	case 0x01: MULTIPLY("mulb", "b"); break;
	case 0x02: MULTIPLY("mulw", "w"); break;
	case 0x04: MULTIPLY("mull", "k"); break;
	case 0x08: MULTIPLY("mulq", ""); break;
	case 0x11: MULTIPLY("imulb", "b"); break;
	case 0x12: MULTIPLY("imulw", "w"); break;
	case 0x14: MULTIPLY("imull", "k"); break;
	default: MULTIPLY("imulq", ""); break;
	}
	*flags = arithmetic_flags_out(*flags, ax);
	*low = product & arithmetic_value_mask(bytes);
	*high = bytes == 1 ? (product >> 8) & 0xff : upper & arithmetic_value_mask(bytes);
}

/* Negates the double-width number high:low. */
static void arithmetic_negate_pair(uint64_t *low, uint64_t *high, unsigned int bytes)
{
	*low = -*low & arithmetic_value_mask(bytes);
	*high = (~*high + !*low) & arithmetic_value_mask(bytes);
}

/* Returns true if the quotient fits. DIV raises #DE if it doesn't. */
static bool arithmetic_quotient_fits(bool is_signed, uint64_t low, uint64_t high,
				     uint64_t b, unsigned int bytes)
{
	uint64_t sign = 1ull << (8 * bytes - 1), limit = sign;
	bool negative;

	if (!b)
		return false;
	if (!is_signed)
		return high < b;
	negative = (high ^ b) & sign;
	if (high & sign)
		arithmetic_negate_pair(&low, &high, bytes);
	if (b & sign)
		b = -b & arithmetic_value_mask(bytes);
	/* |dividend| < b * (limit or limit + 1), limit being 2^(bits - 1) */
	if (high >= b)
		return false;
	/* the unsigned quotient fits its width: is it small enough? */
	{
		uint64_t quotient, remainder, flags = 0;

		mms_divide(false, low, high, b, bytes, &flags, &quotient,
			   &remainder);
		return quotient < limit || (negative && quotient == limit);
	}
}

#define DIVIDE(op, width) \
	asm(op " %" width "2" : "+a" (low), "+d" (high) : "r" (b) : "cc")

bool mms_divide(bool is_signed, uint64_t low, uint64_t high, uint64_t b,
		unsigned int bytes, uint64_t *flags, uint64_t *quotient,
		uint64_t *remainder)
{
	uint64_t mask = arithmetic_value_mask(bytes);

	(void)flags;	/* undefined after a division: left as they are */
	low &= mask;
	high &= mask;
	b &= mask;
	if (!arithmetic_quotient_fits(is_signed, low, high, b, bytes))
		return false;
	if (bytes == 1) {
		low |= high << 8;
		if (is_signed)
			DIVIDE("idivb", "b");
		else
			DIVIDE("divb", "b");
		*quotient = low & 0xff;
		*remainder = (low >> 8) & 0xff;
		return true;
	}
	switch (bytes | is_signed << 4) {
	case 0x02: DIVIDE("divw", "w"); break;
	case 0x04: DIVIDE("divl", "k"); break;
	case 0x08: DIVIDE("divq", ""); break;
	case 0x12: DIVIDE("idivw", "w"); break;
	case 0x14: DIVIDE("idivl", "k"); break;
	default: DIVIDE("idivq", ""); break;
	}
	*quotient = low & mask;
	*remainder = high & mask;
	return true;
}

uint32_t mms_crc32(uint32_t crc, uint64_t value, unsigned int bytes)
{
	uint64_t wide = crc;

	switch (bytes) {
	case 1: asm("crc32b %b1, %k0" : "+r" (wide) : "q" (value)); break;
	case 2: asm("crc32w %w1, %k0" : "+r" (wide) : "r" (value)); break;
	case 4: asm("crc32l %k1, %k0" : "+r" (wide) : "r" (value)); break;
	default: asm("crc32q %1, %0" : "+r" (wide) : "r" (value)); break;
	}
	return (uint32_t)wide;
}

bool mms_condition(unsigned int code, uint64_t flags)
{
	bool sign_differs = !(flags & MMS_FLAG_SF) != !(flags & MMS_FLAG_OF);
	bool holds;

	switch ((code >> 1) & 7) {
	case 0: holds = flags & MMS_FLAG_OF; break;
	case 1: holds = flags & MMS_FLAG_CF; break;
	case 2: holds = flags & MMS_FLAG_ZF; break;
	case 3: holds = flags & (MMS_FLAG_CF | MMS_FLAG_ZF); break;
	case 4: holds = flags & MMS_FLAG_SF; break;
	case 5: holds = flags & MMS_FLAG_PF; break;
	case 6: holds = sign_differs; break;
	default: holds = sign_differs || (flags & MMS_FLAG_ZF); break;
	}
	return code & 1 ? !holds : holds;
}
