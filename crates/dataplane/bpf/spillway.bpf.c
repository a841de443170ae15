/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The fixed programs: `entry` reads a packet and looks who it is for, the rules program (emitted) finds the rule that
 * decides, `verdict` does what that rule says. Each finds the next by a tail call; an empty slot means: pass, and count. */
#include "bounds.h"
#include "maps.h"
#include "leave.h"
#include "parse.h"
#include "bucket.h"
#include "heartbeat.h"
#include "lists.h"
#include "challenge.h"
#include "options.h"
#include "limit.h"
#include "spared.h"
#include "telemetry.h"
#include "proof.h"
#include "stray.h"
#include "truncate.h"
#include "engine.h"
#include "decap.h"
#include "lead.h"
#include "returning.h"
#include "tell.h"

SEC("xdp")
int entry(struct xdp_md *ctx)
{
	__u32 zero = 0, frame = frame_len(ctx), index, where;
	struct packet *p = bpf_map_lookup_elem(&scratch, &zero);
	struct config *c = bpf_map_lookup_elem(&config, &zero);
	struct set *set;

	if (!p || !c)
		return XDP_PASS;
	p->tunnels = p->carried;
	p->carried = 0;
	if (!p->tunnels)
		p->wrapped = 0;
	switch (parse(ctx, p)) {
	case NOT_IP:
		return leave_unseen(LEAVE_NOT_IP, frame_len(ctx), XDP_PASS);
	case MALFORMED:
		if (!is_bare(ctx, p))
			return leave_unseen(LEAVE_NESTED, frame_len(ctx), XDP_DROP);
		return leave_unseen(LEAVE_MALFORMED, frame_len(ctx), XDP_PASS);
	case PARSED:
		break;
	}
	index = c->active & (SETS - 1);
	set = &c->sets[index];
	p->set = index;
	if (set->flags & SET_TELEMETRY)
		tell(ctx, p, frame);
	p->asks = set->flags & (SET_SAMPLE | SET_RETURN);
	if (p->asks)
		p->rule = NO_RULE;
	if (p->wrapped)
		p->asks |= SET_DECAP;
	if (set->flags & SET_DECAP && is_tunnel(p)) {
		int met = decapsulate(ctx, p);

		if (met == OPENED)
			bpf_tail_call(ctx, &programs, SLOT_ENTRY);
		/* As it is now, the frame has not been read. */
		p->carried = 0;
		if (met)
			return leave_unseen(LEAVE_NESTED, p->length, XDP_DROP);
	}
	if (set->flags & SET_PROTECT && !listed(p, set, LIST_PROTECT, p->dst_high, p->dst_low))
		return leave(LEAVE_UNPROTECTED, p->length, XDP_PASS);
	if (set->flags & SET_ALLOW && listed(p, set, LIST_ALLOW, p->src_high, p->src_low))
		return leave(LEAVE_ALLOWED, p->length, XDP_PASS);
	if (set->flags & SET_BLOCK && listed(p, set, LIST_BLOCK, p->src_high, p->src_low)) {
		where = set->flags & SET_DRY ? LEAVES : spared(p);
		if (where != LEAVES)
			return leave(where, p->length, XDP_PASS);
		return leave(LEAVE_BLOCKED, p->length, set->flags & SET_DRY ? XDP_PASS : XDP_DROP);
	}
	if (!(set->flags & SET_RULES))
		return leave(LEAVE_NO_RULES, p->length, XDP_PASS);
	if (set->flags & SET_PAYLOAD && p->payload_len) {
		__u32 len = p->payload_len;

		if (len > sizeof(p->payload))
			len = sizeof(p->payload);
		bpf_xdp_load_bytes(ctx, p->payload_at, p->payload, some_of(sizeof(p->payload), len));
	}
	if (set->flags & SET_OPTIONS && p->has & HAS_TCP)
		read_options(ctx, p);
	if (set->flags & SET_PROOFS && p->has & HAS_TCP)
		bpf_tail_call(ctx, &programs, SLOT_TCP);
	bpf_tail_call(ctx, &programs, index);
	return leave(LEAVE_NO_RULES, p->length, XDP_PASS);
}

static __always_inline int is_dry(struct rule *rule, __u32 index)
{
	__u32 zero = 0;
	struct config *c = bpf_map_lookup_elem(&config, &zero);

	if (rule->flags & RULE_DRY || is_orphaned(rule))
		return 1;
	return c && c->sets[index & (SETS - 1)].flags & SET_DRY;
}

static __always_inline int admitted(struct packet *p, struct rule *rule, __u32 key, __u32 units)
{
	if (rule->flags & RULE_PER_SOURCE)
		return p->family == 4 ? admit_source4(p, rule, key, units) : admit_source6(p, rule, key, units);
	if (rule->flags & RULE_PER_DESTINATION)
		return admit_destination(p, rule, key, units);
	return admit(rule, key, units);
}

SEC("xdp")
int verdict(struct xdp_md *ctx)
{
	__u32 zero = 0, key, where;
	struct packet *p = bpf_map_lookup_elem(&scratch, &zero);
	struct counter *counter;
	struct rule *rule;
	int drop = 0;

	if (!p)
		return XDP_PASS;
	if (p->rule == NO_RULE)
		return leave(LEAVE_UNMATCHED, p->length, XDP_PASS);
	key = p->rule;
	rule = bpf_map_lookup_elem(&rules, &key);
	counter = bpf_map_lookup_elem(&counters, &key);
	if (!rule || !counter)
		return leave(LEAVE_UNMATCHED, p->length, XDP_PASS);
	if (rule->until && coarse_ns() >= rule->until)
		return leave(LEAVE_LAPSED, p->length, XDP_PASS);
	counter->packets++;
	counter->bytes += p->length;
	if (rule->flags & RULE_SAMPLE)
		p->asks |= SET_SAMPLE;
	switch (rule->action) {
	case ACTION_DROP:
		drop = 1;
		break;
	case ACTION_CHALLENGE:
		if (is_dry(rule, p->set))
			break;
		if (p->protocol == IPPROTO_UDP)
			bpf_tail_call(ctx, &programs, SLOT_UDP);
		bpf_tail_call(ctx, &programs, SLOT_CHALLENGE);
		break;
	case ACTION_REDIRECT:
		if (is_dry(rule, p->set))
			break;
		bpf_tail_call(ctx, &programs, SLOT_TUNNEL);
		break;
	case ACTION_RATE_PACKETS:
		drop = !admitted(p, rule, key, 1);
		break;
	case ACTION_RATE_BITS:
		drop = !admitted(p, rule, key, p->length * 8);
		break;
	}
	if (!drop)
		return leave(LEAVE_PASSED, p->length, XDP_PASS);
	if (is_dry(rule, p->set)) {
		counter->dropped++;
		return leave(LEAVE_PASSED, p->length, XDP_PASS);
	}
	where = spared(p);
	if (where != LEAVES)
		return leave(where, p->length, XDP_PASS);
	counter->dropped++;
	return leave(LEAVE_DROPPED, p->length, XDP_DROP);
}

/* What a challenge drops, its rule has dropped. */
static __always_inline int judged(struct packet *p, int action)
{
	__u32 key = p->rule;
	struct counter *counter;

	if (action != XDP_DROP)
		return action;
	counter = bpf_map_lookup_elem(&counters, &key);
	if (counter)
		counter->dropped++;
	return action;
}

SEC("xdp")
int challenge(struct xdp_md *ctx)
{
	__u32 zero = 0, set;
	struct packet *p = bpf_map_lookup_elem(&scratch, &zero);
	struct config *c = bpf_map_lookup_elem(&config, &zero);
	struct protection *g;

	if (!p || !c)
		return XDP_PASS;
	if (!is_bare(ctx, p))
		return leave_unseen(LEAVE_NESTED, p->length, XDP_DROP);
	set = p->set;
	g = bpf_map_lookup_elem(&protections, &set);
	if (!g || p->protocol != IPPROTO_TCP || !(p->has & HAS_TCP))
		return leave(LEAVE_UNCHALLENGED, p->length, XDP_PASS);
	/* SYN and none of ACK, RST, FIN. */
	if ((p->tcp_flags & 0x17) == 0x02)
		return judged(p, challenge_syn(ctx, p, &c->host, g));
	return judged(p, judge_stray(ctx, p, g));
}

SEC("xdp")
int challenge_udp(struct xdp_md *ctx)
{
	__u32 zero = 0, set;
	struct packet *p = bpf_map_lookup_elem(&scratch, &zero);
	struct protection *g;

	if (!p)
		return XDP_PASS;
	if (!is_bare(ctx, p))
		return leave_unseen(LEAVE_NESTED, p->length, XDP_DROP);
	set = p->set;
	g = bpf_map_lookup_elem(&protections, &set);
	if (!g)
		return leave(LEAVE_UNCHALLENGED, p->length, XDP_PASS);
	return judged(p, challenge_query(ctx, p, g));
}

/* Ahead of the rules, where the set challenges: what a packet of TCP proves. */
SEC("xdp")
int proof(struct xdp_md *ctx)
{
	__u32 zero = 0, set, flags;
	struct packet *p = bpf_map_lookup_elem(&scratch, &zero);
	struct protection *g;

	if (!p)
		return XDP_PASS;
	if (!is_bare(ctx, p))
		return leave_unseen(LEAVE_NESTED, p->length, XDP_DROP);
	set = p->set;
	flags = p->tcp_flags & 0x17;
	g = bpf_map_lookup_elem(&protections, &set);
	if (g && g->mode == MODE_RESET) {
		__u64 now = coarse_ns();

		if (flags == 0x04 && brings_number(ctx, p, now)) {
			prove(p, PROOF_RESET, now);
			return leave(LEAVE_ECHOED, p->length, XDP_DROP);
		}
	} else if (g && g->mode != MODE_FIRST && flags == 0x10 && !p->payload_len) {
		__u64 now = coarse_ns();

		if (!is_proven(p, now) && brings_cookie(ctx, p))
			prove(p, PROOF_COOKIE, now);
	} else if (g && flags & 0x01) {
		note_closed(p, coarse_ns());
	}
	bpf_tail_call(ctx, &programs, set);
	return leave(LEAVE_NO_RULES, p->length, XDP_PASS);
}

SEC("xdp")
int lead(struct xdp_md *ctx)
{
	__u32 zero = 0, key;
	struct packet *p = bpf_map_lookup_elem(&scratch, &zero);
	struct target *target;

	if (!p)
		return XDP_PASS;
	key = p->rule;
	target = bpf_map_lookup_elem(&targets, &key);
	if (!target)
		return leave(LEAVE_NO_ROUTE, p->length, XDP_PASS);
	return lead_away(ctx, p, target);
}

/* What passes, where the set gives back. */
SEC("xdp")
int give_back(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct packet *p = bpf_map_lookup_elem(&scratch, &zero);

	return p ? find_owner(ctx, p) : XDP_PASS;
}

SEC("xdp")
int tell_sender(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct packet *p = bpf_map_lookup_elem(&scratch, &zero);

	return p && is_bare(ctx, p) ? answer_sender(ctx, p) : XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
