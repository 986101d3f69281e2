// SPDX-License-Identifier: GPL-2.0
/* Results, expectations, and the two memories that are compared. */
#include <linux/kernel.h>
#include <linux/string.h>

#include "access-test.h"
#include "main.h"

unsigned int mms_cases, mms_failures;

#define FAILURES_SHOWN_MAX 20

bool mms_check(bool good, const char *what, ...)
{
	struct va_format text;
	va_list arguments;

	mms_cases++;
	if (good)
		return true;
	if (++mms_failures > FAILURES_SHOWN_MAX)
		return false;
	va_start(arguments, what);
	text.fmt = what;
	text.va = &arguments;
	mms_say("FAIL %pV\n", &text);
	va_end(arguments);
	return false;
}

static void expect(const char *how, unsigned int offset, const u8 *value,
		   unsigned int bytes)
{
	mms_say_expected("%s %u 0x%x ", how, bytes, offset);
	while (bytes) {
		unsigned int part = min(bytes, 64u);

		mms_say_expected("%*phN", part, value);
		value += part;
		bytes -= part;
	}
	mms_say_expected("\n");
}

void mms_expect(char direction, unsigned int offset, const void *value,
		unsigned int bytes)
{
	expect(direction == 'R' ? "R" : "W", offset, value, bytes);
}

void mms_expect_cover(char direction, unsigned int offset, const void *value,
		      unsigned int bytes)
{
	expect(direction == 'R' ? "RR" : "WW", offset, value, bytes);
}

void mms_expect_escape(void)
{
	mms_say_expected("E\n");
}

/* xorshift64* */
static u64 random_state;

void mms_random_restart(void)
{
	random_state = 0x9e3779b97f4a7c15ull;
}

u64 mms_random(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * 0x2545f4914f6cdd1dull;
}

void mms_window_fill(struct mms_window *window, unsigned int at)
{
	unsigned int n;

	window->at = at;
	window->device = (void *)mms_bar + at;
	for (n = 0; n < MMS_WINDOW_BYTES; n += 8)
		*(u64 *)&window->ordinary[n] = mms_random();
	mms_window_spread(window);
}

void mms_window_spread(struct mms_window *window)
{
	memcpy(window->before, window->ordinary, MMS_WINDOW_BYTES);
	memcpy(mms_real(window->device), window->ordinary, MMS_WINDOW_BYTES);
}

bool mms_window_equal(const struct mms_window *window)
{
	return !memcmp(mms_real(window->device), window->ordinary,
		       MMS_WINDOW_BYTES);
}

void mms_window_expect(const struct mms_window *window, char direction,
		       unsigned int offset, unsigned int bytes)
{
	mms_expect(direction, window->at + offset,
		   (direction == 'R' ? window->before : window->ordinary) +
			   offset,
		   bytes);
}
