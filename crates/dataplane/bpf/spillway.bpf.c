/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The fixed programs: `entry` reads a packet and looks who it is for, the rules program (emitted) finds the rule that
 * decides, `verdict` does what that rule says. Each finds the next by a tail call; an empty slot means: pass, and count. */
#include "maps.h"
#include "leave.h"
#include "parse.h"
#include "bucket.h"
#include "lists.h"
#include "challenge.h"
#include "decap.h"
#include "lead.h"

SEC("xdp")
int entry(struct xdp_md *ctx)
{
	__u32 zero = 0, index;
	struct packet *p = bpf_map_lookup_elem(&scratch, &zero);
	struct config *c = bpf_map_lookup_elem(&config, &zero);
	struct set *set;

	if (!p || !c)
		return XDP_PASS;
	switch (parse(ctx, p)) {
	case NOT_IP:
		return leave_unseen(LEAVE_NOT_IP, frame_len(ctx), XDP_PASS);
	case MALFORMED:
		return leave_unseen(LEAVE_MALFORMED, frame_len(ctx), XDP_PASS);
	case PARSED:
		break;
	}
	index = c->active & (SETS - 1);
	set = &c->sets[index];
	p->set = index;
	p->asks = set->flags & SET_SAMPLE;
	if (p->asks)
		p->rule = NO_RULE;
	if (set->flags & SET_DECAP && is_tunnel(p) && decapsulate(ctx, p)) {
		bpf_tail_call(ctx, &programs, SLOT_ENTRY);
		return leave(LEAVE_NO_RULES, p->length, XDP_PASS);
	}
	if (set->flags & SET_PROTECT && !listed(p, set, LIST_PROTECT, p->dst_high, p->dst_low))
		return leave(LEAVE_UNPROTECTED, p->length, XDP_PASS);
	if (set->flags & SET_ALLOW && listed(p, set, LIST_ALLOW, p->src_high, p->src_low))
		return leave(LEAVE_ALLOWED, p->length, XDP_PASS);
	if (set->flags & SET_BLOCK && listed(p, set, LIST_BLOCK, p->src_high, p->src_low))
		return leave(LEAVE_BLOCKED, p->length, set->flags & SET_DRY ? XDP_PASS : XDP_DROP);
	if (!(set->flags & SET_RULES))
		return leave(LEAVE_NO_RULES, p->length, XDP_PASS);
	if (set->flags & SET_PAYLOAD && p->payload_len) {
		__u32 len = p->payload_len;

		if (len > sizeof(p->payload))
			len = sizeof(p->payload);
		/* That it is not 0 the verifier of Linux 6.1 sees only so. */
		len--;
		asm volatile("" : "+r"(len));
		len = (len & (sizeof(p->payload) - 1)) + 1;
		bpf_xdp_load_bytes(ctx, p->payload_at, p->payload, len);
	}
	bpf_tail_call(ctx, &programs, index);
	return leave(LEAVE_NO_RULES, p->length, XDP_PASS);
}

static __always_inline int is_dry(__u32 index)
{
	__u32 zero = 0;
	struct config *c = bpf_map_lookup_elem(&config, &zero);

	return c && c->sets[index & (SETS - 1)].flags & SET_DRY;
}

SEC("xdp")
int verdict(struct xdp_md *ctx)
{
	__u32 zero = 0, key;
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
	if (rule->until && now_ns() >= rule->until)
		return leave(LEAVE_LAPSED, p->length, XDP_PASS);
	counter->packets++;
	counter->bytes += p->length;
	if (rule->flags & RULE_SAMPLE)
		p->asks = SET_SAMPLE;
	switch (rule->action) {
	case ACTION_DROP:
		drop = 1;
		break;
	case ACTION_CHALLENGE:
		if (rule->flags & RULE_DRY || is_dry(p->set))
			break;
		bpf_tail_call(ctx, &programs, SLOT_CHALLENGE);
		break;
	case ACTION_REDIRECT:
		if (rule->flags & RULE_DRY || is_dry(p->set))
			break;
		bpf_tail_call(ctx, &programs, SLOT_TUNNEL);
		break;
	case ACTION_RATE_PACKETS:
		drop = !admit(rule, key, 1);
		break;
	case ACTION_RATE_BITS:
		drop = !admit(rule, key, p->length * 8);
		break;
	}
	if (!drop)
		return leave(LEAVE_PASSED, p->length, XDP_PASS);
	counter->dropped++;
	if (rule->flags & RULE_DRY || is_dry(p->set))
		return leave(LEAVE_PASSED, p->length, XDP_PASS);
	return leave(LEAVE_DROPPED, p->length, XDP_DROP);
}

SEC("xdp")
int challenge(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct packet *p = bpf_map_lookup_elem(&scratch, &zero);
	struct config *c = bpf_map_lookup_elem(&config, &zero);
	int is_syn;

	if (!p || !c)
		return XDP_PASS;
	/* SYN and none of ACK, RST, FIN. */
	is_syn = p->protocol == IPPROTO_TCP && p->has & HAS_TCP && (p->tcp_flags & 0x17) == 0x02;
	if (!is_syn || !answer_syn(ctx, p, &c->host))
		return leave(LEAVE_UNCHALLENGED, p->length, XDP_PASS);
	return leave(LEAVE_CHALLENGED, p->length, XDP_TX);
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

char LICENSE[] SEC("license") = "Dual MIT/GPL";
