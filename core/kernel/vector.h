/* SPDX-License-Identifier: GPL-2.0 */
/* Operands as wide as a vector register. */
#ifndef MMIOSTRIDER_VECTOR_H
#define MMIOSTRIDER_VECTOR_H

#include <linux/types.h>

struct bytes16 { u8 byte[16]; };
struct bytes32 { u8 byte[32]; };
struct bytes64 { u8 byte[64]; };

#endif
