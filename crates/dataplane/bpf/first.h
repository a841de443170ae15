/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The first SYN of its kind is dropped; who repeats it when TCP does (RFC 6298: after a second) is let in. Remembered in
 * Bloom filters of 200 ms each, sixteen in one cache line: a flood cannot push an honest SYN out, it only makes more of its
 * own look repeated. */
#pragma once

#include "protection.h"

#define FIRST_LINES 262144
#define FIRST_NS 200000000ull
#define FIRST_SLOTS 16
/* Slots between the first SYN and the one that counts: 0.8 to 3.2 s. */
#define FIRST_AGE_MIN 5
#define FIRST_AGE_MAX 15

struct sieve_line {
	__u32 slots[FIRST_SLOTS]; /* the number of its time, modulo 256, above 24 bits of filter */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FIRST_LINES);
	__type(key, __u32);
	__type(value, struct sieve_line);
} firsts SEC(".maps");

/* Whether the same SYN (addresses, ports, sequence number) was here in time; it is remembered either way. */
static __always_inline int is_repeated(struct packet *p, __u32 sequence, __u64 now)
{
	__u64 ports = (__u64)p->src_port << 48 | (__u64)p->dst_port << 32 | sequence;
	__u64 hash = p->family == 4 ? spread(p->src_low << 32 | p->dst_low, ports) :
				      spread(spread(p->src_high, p->src_low) ^ spread(p->dst_low, p->dst_high), ports);
	__u32 key = hash & (FIRST_LINES - 1);
	__u32 bits = 1u << ((hash >> 32 & 0xff) * 24 >> 8) | 1u << ((hash >> 40 & 0xff) * 24 >> 8);
	struct sieve_line *line = bpf_map_lookup_elem(&firsts, &key);
	__u64 slot = now / FIRST_NS;
	__u32 *place, label, found = 0;

	if (!line)
		return 1;
#pragma unroll
	for (int age = FIRST_AGE_MIN; age <= FIRST_AGE_MAX; age++) {
		__u32 then = line->slots[(slot - age) & (FIRST_SLOTS - 1)];

		label = ((slot - age) >> 4 & 0xff) << 24;
		found |= (then & (0xff000000 | bits)) == (label | bits);
	}
	place = &line->slots[slot & (FIRST_SLOTS - 1)];
	label = (slot >> 4 & 0xff) << 24;
	*place = ((*place & 0xff000000) == label ? *place : label) | bits;
	return found;
}
