/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Declared prefixes: who gets back what passes, and what became of it. Looked for by the lengths that are declared. */
#pragma once

#include "maps.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SETS);
	__type(key, __u32);
	__type(value, struct returning);
} returning SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SETS * RETURN_PLACES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct return_key);
	__type(value, __u32);
} return_index SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SETS * RETURN_PLACES);
	__type(key, __u32);
	__type(value, struct return_path);
} return_paths SEC(".maps");

/* By the place alone: a prefix that stays declared goes on. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, RETURN_PLACES);
	__type(key, __u32);
	__type(value, struct return_counter);
} return_counters SEC(".maps");

#define NO_PLACE (-1)

/* The place of the declared prefix that holds a packet's destination, or its source; global, for the verifier to walk it once. */
__noinline int place_of(struct packet *p, __u32 by_source)
{
	struct return_key key = {};
	struct return_mask *mask;
	struct returning *all;
	__u32 set, lengths;
	__u64 high, low;

	if (!p)
		return NO_PLACE;
	set = p->set & (SETS - 1);
	all = bpf_map_lookup_elem(&returning, &set);
	if (!all)
		return NO_PLACE;
	high = by_source ? p->src_high : p->dst_high;
	low = by_source ? p->src_low : p->dst_low;
	mask = p->family == 4 ? all->masks4 : all->masks6;
	lengths = p->family == 4 ? all->lengths4 : all->lengths6;
	key.set = set;
	key.family = p->family;
#pragma unroll
	for (__u32 i = 0; i < RETURN_LENGTHS_MAX; i++, mask++) {
		__u32 *place;

		if (i >= lengths)
			return NO_PLACE;
		key.high = high & mask->high;
		key.low = low & mask->low;
		key.length = mask->length;
		place = bpf_map_lookup_elem(&return_index, &key);
		if (place)
			return *place & (RETURN_PLACES - 1);
	}
	return NO_PLACE;
}

/* The same of the destination, where most packets go. */
static __always_inline int place_of_destination(struct packet *p, struct returning *all)
{
	__u32 few = p->family == 4 ? all->few4 : all->few6;
	struct return_near *near = p->family == 4 ? all->near4 : all->near6;
	__u64 high = p->dst_high, low = p->dst_low;

	if (!few)
		return place_of(p, 0);
#pragma unroll
	for (__u32 i = 0; i < RETURN_FEW; i++, near++) {
		if (i >= few)
			break;
		if ((low & near->mask_low) == near->low && (high & near->mask_high) == near->high)
			return near->place & (RETURN_PLACES - 1);
	}
	return NO_PLACE;
}

static __always_inline struct return_counter *counter_at(__u32 place)
{
	place &= RETURN_PLACES - 1;
	return bpf_map_lookup_elem(&return_counters, &place);
}

/* Counts a packet that is dropped on its way to a declared prefix. */
__noinline int count_dropped(struct packet *p)
{
	struct return_counter *counter;
	int place;

	if (!p)
		return 0;
	place = place_of(p, 0);
	if (place < 0)
		return 0;
	counter = counter_at(place);
	if (counter) {
		counter->dropped++;
		counter->dropped_octets += p->length;
	}
	return 0;
}
