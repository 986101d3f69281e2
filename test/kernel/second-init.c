// SPDX-License-Identifier: GPL-2.0
/* See init-text.h. */
#include "init-text.h"

INIT_TEXT_MODULE(read_in_second);
