/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Lists of addresses and prefixes. A bitmap says no for nearly all; what it does not refuse is looked for in a table, once
 * for each length that is listed. (A trie of a million prefixes costs a microsecond.) */
#pragma once

#include "lines.h"
#include "maps.h"
#include "scope.h"

static __noinline int probe4(struct packet *p, __u32 index, __u32 addr, __u64 lengths)
{
	void *table = bpf_map_lookup_elem(&tables4, &index);
	__u32 *value;
	int said;

	if (!table || !p)
		return 0;
	/* Most lists are of addresses. */
	if (lengths >> 32 & 1) {
		struct key4 key = { .addr = addr, .length = 32 };

		value = bpf_map_lookup_elem(table, &key);
		if (value) {
			said = *value ? in_scope(p, *value) : IN_SCOPE;
			if (said != OUT_OF_SCOPE)
				return said == IN_SCOPE;
		}
	}
	for (__u32 i = 1; i <= 32; i++) {
		struct key4 key = { .length = 32 - i };

		if (!(lengths >> key.length & 1))
			continue;
		key.addr = i == 32 ? 0 : addr >> i << i;
		value = bpf_map_lookup_elem(table, &key);
		if (!value)
			continue;
		said = *value ? in_scope(p, *value) : IN_SCOPE;
		if (said != OUT_OF_SCOPE)
			return said == IN_SCOPE;
	}
	return 0;
}

static __noinline int probe6(struct packet *p, __u32 index, struct list *list, __u64 high, __u64 low)
{
	void *table = bpf_map_lookup_elem(&tables6, &index);
	__u32 *value;
	int said;

	if (!table || !list || !p)
		return 0;
	for (__u32 i = 0; i <= 128; i++) {
		__u32 length = 128 - i;
		struct key6 key = { .length = length };

		if (!(list->lengths6[length >> 6] >> (length & 63) & 1))
			continue;
		if (i < 64) {
			key.high = high;
			key.low = low >> i << i;
		} else {
			key.high = i == 128 ? 0 : high >> (i - 64) << (i - 64);
			key.low = 0;
		}
		value = bpf_map_lookup_elem(table, &key);
		if (!value)
			continue;
		said = *value ? in_scope(p, *value) : IN_SCOPE;
		if (said != OUT_OF_SCOPE)
			return said == IN_SCOPE;
	}
	return 0;
}

/* Mixes the front of an address into a place among the bits; `src/lists.rs` does the same. */
static __always_inline __u32 place6(__u64 high, __u32 front)
{
	__u64 mixed = (high >> (64 - front)) * 0x9e3779b97f4a7c15ull;

	return mixed >> 40; /* 24 bits: WORDS6 words of 64 */
}

static __always_inline int listed(struct packet *p, struct set *set, __u32 kind, __u64 high, __u64 low)
{
	struct list *list = &set->lists[kind];
	__u32 index = p->set * LISTS + kind;
	__u32 key;
	__u64 *word;

	if (p->family == 4) {
		__u32 addr = low;

		if (!list->lengths4 && !list->lines)
			return 0;
		key = index * WORDS4 + (addr >> 14);
		word = bpf_map_lookup_elem(&bits4, &key);
		if (!word || !(*word >> (addr >> 8 & 63) & 1))
			return 0;
		if (list->lines && in_line(index, addr, list->lines))
			return 1;
		return probe4(p, index, addr, list->lengths4);
	}
	if (!(list->lengths6[0] | list->lengths6[1] | list->lengths6[2]))
		return 0;
	if (list->front6) {
		__u32 place = list->front6 == 48 ? place6(high, 48) : place6(high, 32);

		key = index * WORDS6 + (place >> 6);
		word = bpf_map_lookup_elem(&bits6, &key);
		if (!word || !(*word >> (place & 63) & 1))
			return 0;
	}
	return probe6(p, index, list, high, low);
}
