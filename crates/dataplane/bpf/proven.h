/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Sources that have proven that they are real: spoofed packets can neither enter here nor push anybody out. */
#pragma once

#include "bucket.h"
#include "maps.h"

/* Proven sources at most; who was not seen for longest gives way. */
#define PROVEN_MAX 65536
/* Words of a filter in front of them: a bit of `kernel` or of `user`, whoever has set it. Bits stay; one too many costs a
 * look into the table. Small, so that it stays in a near cache while every packet asks it. */
#define PROVEN_WORDS 4096

/* A host: an address of a family. */
struct address {
	__u64 high, low; /* as in `struct packet` */
	__u64 family;
};

struct proven_bits {
	__u64 kernel, user;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, PROVEN_MAX);
	__type(key, struct address);
	__type(value, struct proof);
} proven SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PROVEN_WORDS);
	__type(key, __u32);
	__type(value, struct proven_bits);
} proven_bits SEC(".maps");

/* `src/proven.rs` does the same. */
static __always_inline __u32 proven_place(__u64 high, __u64 low)
{
	return ((high * 0x9e3779b97f4a7c15ull) ^ (low * 0xbf58476d1ce4e5b9ull)) >> 46; /* 18 bits */
}

static __always_inline struct proof *proof_of(struct packet *p)
{
	__u32 place = proven_place(p->src_high, p->src_low), word = place >> 6;
	struct address key = { .high = p->src_high, .low = p->src_low, .family = p->family };
	struct proven_bits *bits = bpf_map_lookup_elem(&proven_bits, &word);

	if (!bits || !((bits->kernel | bits->user) >> (place & 63) & 1))
		return 0;
	return bpf_map_lookup_elem(&proven, &key);
}

/* The packet's source is real. */
static __always_inline void note_proof(struct packet *p, __u32 how, __u64 now)
{
	__u32 place = proven_place(p->src_high, p->src_low), word = place >> 6;
	struct address key = { .high = p->src_high, .low = p->src_low, .family = p->family };
	struct proof proof = { .when = now, .how = how };
	struct proven_bits *bits = bpf_map_lookup_elem(&proven_bits, &word);

	bpf_map_update_elem(&proven, &key, &proof, BPF_ANY);
	if (bits && !(bits->kernel >> (place & 63) & 1))
		__sync_fetch_and_or(&bits->kernel, 1ull << (place & 63));
}
