/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Bounds that every verifier sees. Clang leaves out what it knows already, and the verifier of Linux 6.1 knows less: it
 * learns nothing from "not 0", forgets the bounds of a sum that clang has turned into an OR of 32 bits, and does not
 * remember that a number read from the stack twice is one number. */
#pragma once

#include <linux/types.h>
#include <bpf/bpf_helpers.h>

/* Hides what clang knows of a number. */
#define OPAQUE(number) asm volatile("" : "+r"(number))

/* A place in a room of so many octets, a power of two. */
static __always_inline __u32 place_in(__u32 room, __u32 place)
{
	OPAQUE(place);
	return place & (room - 1);
}

/* How many octets: one at least, and at most a power of two. */
static __always_inline __u32 some_of(__u32 most, __u32 octets)
{
	octets--;
	OPAQUE(octets);
	return (octets & (most - 1)) + 1;
}
