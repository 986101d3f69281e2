/* SPDX-License-Identifier: GPL-2.0 */
/* The two texts that debugfs shows. */
#ifndef MMS_ACCESS_TEST_MAIN_H
#define MMS_ACCESS_TEST_MAIN_H

#include <linux/compiler.h>

__printf(1, 2) void mms_say(const char *format, ...);
__printf(1, 2) void mms_say_expected(const char *format, ...);

#endif
