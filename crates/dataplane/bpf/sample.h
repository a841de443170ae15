/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One packet in so many, as it leaves, for people: with the rule, the verdict and the rate that was in force. */
#pragma once

#include <linux/bpf.h>
#include <linux/in.h>
#include <bpf/bpf_helpers.h>

#include "bucket.h"
#include "maps.h"
#include "parse.h"
#include "wrapped.h"

/* Never woken for one sample: user space looks when it wants to. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} samples SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CLASSES);
	__type(key, __u32);
	__type(value, struct grant);
} grants SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, METERS);
	__type(key, __u32);
	__type(value, __u64);
} meters SEC(".maps");

static __always_inline void meter(__u32 key)
{
	__u64 *word = bpf_map_lookup_elem(&meters, &key);

	if (word)
		(*word)++;
}

/* Where the headers of a packet end: what lies behind them is nobody's business while the packet is let through. */
static __always_inline __u32 headers_end(struct packet *p)
{
	if (p->payload_len)
		return p->payload_at;
	if (p->has & HAS_PORTS)
		return p->l3 + p->length;
	if (p->has & HAS_ICMP)
		return p->l4 + 8;
	return p->l4;
}

/* A rule's own rate, where it has one, times that of the class. */
static __always_inline __u32 rate_of(struct packet *p, struct grant *grant)
{
	__u32 key = p->rule;
	struct rule *rule;
	__u64 rate;

	if (p->rule == NO_RULE)
		return grant->rate;
	rule = bpf_map_lookup_elem(&rules, &key);
	if (!rule || !(rule->flags & RULE_SAMPLE) || !rule->sample)
		return grant->rate;
	rate = (__u64)rule->sample * grant->rate;
	return rate > 0xffffffff ? 0xffffffff : rate;
}

/* Global, so that the verifier walks it once and not for each way out (Linux 5.13). */
__noinline int sample(struct xdp_md *ctx, struct packet *p, __u32 where, int action)
{
	__u32 class = action == XDP_DROP ? CLASS_DROPPED : CLASS_PASSED, meters_at = class * METERS_OF_CLASS;
	__u32 zero = 0, rate, length, cut;
	struct grant *grant = bpf_map_lookup_elem(&grants, &class);
	struct config *c = bpf_map_lookup_elem(&config, &zero);
	struct sample *s;

	if (!p || !c || !grant || !grant->rate)
		return 0;
	meter(meters_at + METER_OFFERED);
	rate = rate_of(p, grant);
	if ((__u64)bpf_get_prandom_u32() * rate >> 32)
		return 0;
	if (grant->credit <= 0 || __sync_fetch_and_add(&grant->credit, -1) <= 0) {
		meter(meters_at + METER_OVER);
		return 0;
	}
	s = is_bare(ctx, p) ? bpf_ringbuf_reserve(&samples, sizeof(*s), 0) : 0;
	if (!s) {
		meter(meters_at + METER_LOST);
		return 0;
	}
	cut = length = frame_len(ctx);
	if (class == CLASS_PASSED && cut > headers_end(p))
		cut = headers_end(p);
	if (cut > SAMPLE_MAX)
		cut = SAMPLE_MAX;
	if (!cut)
		cut = 1;
	cut = some_of(SAMPLE_MAX, cut);
	if (bpf_xdp_load_bytes(ctx, 0, s->frame, cut)) {
		bpf_ringbuf_discard(s, BPF_RB_NO_WAKEUP);
		meter(meters_at + METER_LOST);
		return 0;
	}
	s->time = now_ns();
	s->digest = c->sets[p->set & (SETS - 1)].digest[0];
	s->rule = p->rule;
	s->length = length;
	s->rate = rate;
	s->ifindex = ctx->ingress_ifindex;
	s->caplen = cut;
	s->where = where;
	s->class = class;
	s->unused = 0;
	meter(meters_at + METER_TAKEN);
	bpf_ringbuf_submit(s, BPF_RB_NO_WAKEUP);
	return 0;
}
