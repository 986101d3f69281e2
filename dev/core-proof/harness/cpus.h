/* SPDX-License-Identifier: GPL-2.0 */
/* CPUs that take turns: see kernel-words.h. */
#ifndef HARNESS_CPUS_H
#define HARNESS_CPUS_H

#include "kernel-words.h"

/*
 * Runs each function on a CPU of its own, until all have returned. `seed`: the order of
 * their turns. A CPU that never gets any further ends the process.
 */
void cpus_run(u64 seed, unsigned int count, void (*const functions[])(void));

u64 cpus_random(void);

#endif
