/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The dead-man switch: rules that nobody made by hand act only while whoever made them lives. */
#pragma once

#include "bucket.h"

struct heart {
	__u64 beat;	/* CLOCK_MONOTONIC, ns: when it beat last */
	__u64 patience; /* ns without a beat after which automatic rules are a dry run; 0: never */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct heart);
} heartbeat SEC(".maps");

static __always_inline int is_orphaned(struct rule *rule)
{
	__u32 zero = 0;
	struct heart *heart;
	__u64 now;

	if (!(rule->flags & RULE_AUTOMATIC))
		return 0;
	heart = bpf_map_lookup_elem(&heartbeat, &zero);
	if (!heart || !heart->patience)
		return 0;
	now = coarse_ns(); /* may be some milliseconds behind the beat */
	return now > heart->beat && now - heart->beat > heart->patience;
}
