/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Rates, shared by all processors: GCRA with compare-and-swap (ITU-T I.371; exact, and as cheap as a racy one). */
#pragma once

#include "maps.h"

/* With the switch set, time is what user space wrote: a program can be replayed. Unset, the verifier removes the branch. */
const volatile __u32 test_clock = 0;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} clock SEC(".maps");

static __always_inline __u64 now_ns(void)
{
	if (test_clock) {
		__u32 zero = 0;
		__u64 *now = bpf_map_lookup_elem(&clock, &zero);

		return now ? *now : 0;
	}
	return bpf_ktime_get_ns();
}

/* To some milliseconds, at half the price (Linux 5.11). */
static __always_inline __u64 coarse_ns(void)
{
	return test_clock ? now_ns() : bpf_ktime_get_coarse_ns();
}

/* Nanoseconds of a tick of the kernel, from whoever loads the programs (the resolution of CLOCK_MONOTONIC_COARSE). */
const volatile __u64 tick_ns = 4000000;

/* The time of buckets: counts ticks, from no particular time on. A load, where clocks cost 13 and 30 ns; buckets hold a
 * tenth of a second, many ticks (Linux 5.5). */
static __always_inline __u64 bucket_ns(void)
{
	return test_clock ? now_ns() : bpf_jiffies64() * tick_ns;
}

/* Tries on a word that other processors write too; who loses them all drops. */
#define TRIES 4

/* Whether a bucket that is empty again at `*full` has what a packet needs. The last one of a burst may overdraw. */
static __always_inline int may_take(__u64 *full, __u64 burst, __u64 now)
{
	return *full <= now || *full - now <= burst;
}

/* Likewise, and takes it. */
static __always_inline int take(__u64 *full, __u64 interval, __u64 burst, __u32 units, __u64 now)
{
	__u64 cost = interval * units >> 16;

	if (!interval)
		return 0;
	for (int i = 0; i < TRIES; i++) {
		__u64 old = *full;
		__u64 from = old > now ? old : now;

		if (from - now > burst)
			return 0;
		if (__sync_bool_compare_and_swap(full, old, from + cost))
			return 1;
	}
	return 0;
}

/* Whether the rate of a rule lets `units` (packets or bits) pass now. */
static __always_inline int admit(struct rule *rule, __u32 key, __u32 units)
{
	__u64 *full = bpf_map_lookup_elem(&buckets, &key);

	return full && take(full, rule->interval, rule->burst, units, bucket_ns());
}
