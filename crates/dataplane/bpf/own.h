/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The addresses of this host itself. As a source they are never limited; blocked they are neither, for the list says so
 * (`src/lists.rs`). */
#pragma once

#include "maps.h"

#define OWN_MAX 1024

struct own_key {
	__u64 high, low;
	__u64 family;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, OWN_MAX);
	__type(key, struct own_key);
	__type(value, __u32);
} own SEC(".maps");

static __always_inline int is_own(__u64 family, __u64 high, __u64 low)
{
	struct own_key key = { .high = high, .low = low, .family = family };

	return bpf_map_lookup_elem(&own, &key) != 0;
}
