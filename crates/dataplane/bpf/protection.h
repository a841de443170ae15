/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What challenges share: settings, a secret, counts in the running second, and the sources that have proven themselves. */
#pragma once

#include "bucket.h"
#include "maps.h"
#include "proven.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SETS);
	__type(key, __u32);
	__type(value, struct protection);
} protections SEC(".maps");

struct secret {
	__u64 words[2];
};

/* Random, written when the programs are loaded. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct secret);
} secret SEC(".maps");

/* How many proofs there were of each kind. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PROOFS);
	__type(key, __u32);
	__type(value, __u64);
} proofs SEC(".maps");

/* Counts in the running second, of each processor: packets of a flood are spread over them, and none waits for another.
 * The second modulo 256 stands above a count of 24 bits. Rows of a count-min sketch; user space divides what is allowed
 * by the number of processors. */
#define COUNTS 16384
#define ROW_NET 0  /* answers to a claimed network */
#define ROW_HOST 2 /* SYNs to a destination or of a proven source, strays to a destination */
#define ROW_BOX 4  /* answers of this box: one cell */
#define CELL_TOLD (ROW_BOX * COUNTS + 1) /* messages of this box that packets are too big */
#define COUNTS_ALL (ROW_BOX * COUNTS + 2)
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNTS_ALL);
	__type(key, __u32);
	__type(value, __u32);
} cells SEC(".maps");

/* Nanoseconds that a proof holds without being seen again. */
#define PROOF_LIFE (600ull * 1000000000ull)
/* How old a proof may be before seeing its source again is written down. */
#define PROOF_FRESH (60ull * 1000000000ull)
/* log2 of the nanoseconds after which the secret that is used turns over: about 69 s. */
#define EPOCH_BITS 36

static __always_inline __u64 rotate(__u64 word, int by)
{
	return word << by | word >> (64 - by);
}

/* SipHash (Aumasson and Bernstein), with one round a word and three at the end: nobody finds collisions from outside. */
struct sip {
	__u64 v0, v1, v2, v3;
};

static __always_inline void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v1 = rotate(s->v1, 13) ^ s->v0;
	s->v0 = rotate(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotate(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotate(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotate(s->v1, 17) ^ s->v2;
	s->v2 = rotate(s->v2, 32);
}

static __always_inline void sip_word(struct sip *s, __u64 word)
{
	s->v3 ^= word;
	sip_round(s);
	s->v0 ^= word;
}

static __always_inline __u64 sip_end(struct sip *s)
{
	s->v2 ^= 0xff;
	sip_round(s);
	sip_round(s);
	sip_round(s);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

static __always_inline int sip_begin(struct sip *s)
{
	__u32 zero = 0;
	struct secret *key = bpf_map_lookup_elem(&secret, &zero);

	if (!key)
		return 0;
	s->v0 = 0x736f6d6570736575ull ^ key->words[0];
	s->v1 = 0x646f72616e646f6dull ^ key->words[1];
	s->v2 = 0x6c7967656e657261ull ^ key->words[0];
	s->v3 = 0x7465646279746573ull ^ key->words[1];
	return 1;
}

/* A hash of addresses, ports and one more word. */
static __always_inline __u64 hash_flow(struct packet *p, __u64 more)
{
	struct sip s;

	if (!sip_begin(&s))
		return 0;
	if (p->family == 4) {
		sip_word(&s, p->src_low << 32 | p->dst_low);
	} else {
		sip_word(&s, p->src_high);
		sip_word(&s, p->src_low);
		sip_word(&s, p->dst_high);
		sip_word(&s, p->dst_low);
	}
	sip_word(&s, (__u64)p->src_port << 16 | p->dst_port | more << 32);
	return sip_end(&s);
}

/* Spreads two words over a sketch: quick, and nobody outside knows where they fall. */
static __always_inline __u64 spread(__u64 one, __u64 two)
{
	__u32 zero = 0;
	struct secret *key = bpf_map_lookup_elem(&secret, &zero);

	if (!key)
		return 0;
	one = (one ^ key->words[0]) * 0x9e3779b97f4a7c15ull;
	one ^= one >> 32;
	one = (one ^ two ^ key->words[1]) * 0xbf58476d1ce4e5b9ull;
	return one ^ one >> 29;
}

/* Counts one more in a cell in this second; how many that makes. */
static __always_inline __u32 count(__u32 key, __u32 second)
{
	__u32 *cell = bpf_map_lookup_elem(&cells, &key);
	__u32 label = second << 24, now;

	if (!cell)
		return 0;
	now = (*cell & 0xff000000) == label ? *cell : label;
	if ((now & 0xffffff) != 0xffffff)
		now++;
	*cell = now;
	return now & 0xffffff;
}

/* Likewise, in the two rows of a sketch: never less than there were. */
static __always_inline __u32 count_sketch(__u32 row, __u64 hash, __u32 second)
{
	__u32 one = count(row * COUNTS + (hash & (COUNTS - 1)), second);
	__u32 two = count((row + 1) * COUNTS + (hash >> 32 & (COUNTS - 1)), second);

	return one < two ? one : two;
}

/* What is counted of an address. */
#define OF_SYNS 0x100
#define OF_OWN 0x200
#define OF_STRAY 0x300

/* Of 1.07 s, for that divides by a shift. */
static __always_inline __u32 second_of(__u64 now)
{
	return now >> 30;
}

/* Whether the source of a packet has proven itself, and not too long ago. */
static __always_inline int is_proven(struct packet *p, __u64 now)
{
	struct proof *proof = proof_of(p);

	if (!proof || now - proof->when > PROOF_LIFE)
		return 0;
	if (now - proof->when > PROOF_FRESH)
		proof->when = now;
	return 1;
}

static __always_inline void prove(struct packet *p, __u32 how, __u64 now)
{
	__u64 *total = bpf_map_lookup_elem(&proofs, &how);

	note_proof(p, how, now);
	if (total)
		(*total)++;
}
