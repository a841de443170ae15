/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Places of addresses in tables that anybody can fill: keyed, so that collisions cannot be computed beforehand. */
#pragma once

#include <linux/types.h>

/* Random, from whoever loads the programs. */
const volatile __u64 hash_key[3] = { 0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9, 0x94d049bb133111eb };

/* Multiplication by secret odd numbers (Dietzfelbinger 1996); the upper bits are the good ones. */
static __always_inline __u64 keyed_hash(__u64 high, __u64 low, __u64 salt)
{
	__u64 x = (low ^ hash_key[0]) * (hash_key[1] | 1);

	x = ((x ^ x >> 32) + (high ^ salt << 48)) * (hash_key[2] | 1);
	return (x ^ x >> 29) * (hash_key[1] | 1);
}
