/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Packets that a rule leads elsewhere: to another next hop, as they are, or through a tunnel (RFC 2003, RFC 2473, RFC 2784,
 * RFC 4213). They are forwarded once more, so their time to live is one less. What has no way goes up to the kernel. */
#pragma once

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "challenge.h"
#include "leave.h"
#include "maps.h"

/* By the place of the rule; empty where no rule leads anywhere. What a replaced set leaves behind is never asked for. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SETS * RULES_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct target);
} targets SEC(".maps");

#define AF_INET 2
#define AF_INET6 10
#define GRE_HEADER 4

/* One hop less, or 0 where none is left. */
static __always_inline int pay_hop(struct xdp_md *ctx, struct packet *p)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 l3 = p->l3 & 0x3f;

	if (p->ttl <= 1)
		return 0;
	if (p->family == 4) {
		struct iphdr *ip = data + l3;
		__u32 sum;

		if ((void *)(ip + 1) > end)
			return 0;
		ip->ttl--;
		/* RFC 1624: the sum grows by what the header lost. */
		sum = ip->check + bpf_htons(0x0100);
		ip->check = sum + (sum >= 0xffff);
		return 1;
	}
	struct ipv6hdr *ip = data + l3;

	if ((void *)(ip + 1) > end)
		return 0;
	ip->hop_limit--;
	return 1;
}

/* Octets in front of the packet within the tunnel. */
static __always_inline __u32 outer_length(struct target *t)
{
	__u32 length = t->family == 4 ? 20 : 40;

	if (t->kind == LEAD_PLAIN)
		return 0;
	return t->kind == LEAD_GRE ? length + GRE_HEADER : length;
}

/* The way of packets of so many octets from one address to another, as the kernel would send them. */
static __always_inline long find_way(struct xdp_md *ctx, __u8 family, __u8 *from, __u8 *to, struct bpf_fib_lookup *way, __u32 length)
{
	way->ifindex = ctx->ingress_ifindex;
	way->tot_len = length;
	if (family == 4) {
		way->family = AF_INET;
		__builtin_memcpy(&way->ipv4_src, from, 4);
		__builtin_memcpy(&way->ipv4_dst, to, 4);
	} else {
		way->family = AF_INET6;
		__builtin_memcpy(way->ipv6_src, from, 16);
		__builtin_memcpy(way->ipv6_dst, to, 16);
	}
	return bpf_fib_lookup(ctx, way, sizeof(*way), 0);
}

/* Alike for all packets of a flow. */
static __always_inline __u32 flow_label(struct packet *p)
{
	__u64 mixed = p->src_low ^ (p->src_high + p->dst_low) * 0x9e3779b97f4a7c15ull;

	mixed = (mixed ^ p->dst_high ^ ((__u64)p->src_port << 16 | p->dst_port)) * 0xbf58476d1ce4e5b9ull;
	return mixed >> 44;
}

/* Writes the outer headers behind Ethernet; `tos` and DF are the inner packet's. */
static __always_inline int put_outer(struct xdp_md *ctx, struct packet *p, struct target *t, __u8 tos)
{
	void *at = (void *)(long)ctx->data + sizeof(struct ethhdr), *end = (void *)(long)ctx->data_end;
	__u32 length = outer_length(t), inner = p->length;
	__u8 carried = p->family == 4 ? IPPROTO_IPIP : IPPROTO_IPV6;
	__be32 *gre;

	if (t->kind == LEAD_GRE)
		carried = IPPROTO_GRE;
	if (t->family == 4) {
		/* An IPv6 packet is not to be cut on its way (RFC 4213); one of IPv4 says so itself (RFC 2003). */
		int whole = p->family == 6 || p->fragment & FRAGMENT_DONT;
		__u32 *ip = at, *from = (void *)t->from, *to = (void *)t->to;
		__u64 sum;

		gre = at + 20;
		if (at + 20 + GRE_HEADER > end)
			return 0;
		ip[0] = bpf_htonl(0x45000000 | tos << 16 | (inner + length));
		ip[1] = whole ? bpf_htonl(0x4000) : bpf_htonl(bpf_get_prandom_u32() << 16);
		ip[2] = bpf_htonl(64 << 24 | carried << 16);
		ip[3] = *from;
		ip[4] = *to;
		sum = (__u64)ip[0] + ip[1] + ip[2] + *from + *to;
		((__u16 *)ip)[5] = fold(sum);
	} else {
		__u32 *ip = at;

		gre = at + 40;
		if (at + 40 + GRE_HEADER > end)
			return 0;
		/* Who spreads traffic over several ways looks at the label (RFC 6438). */
		ip[0] = bpf_htonl(0x60000000 | tos << 20 | flow_label(p));
		ip[1] = bpf_htonl((inner + length - 40) << 16 | carried << 8 | 64);
		__builtin_memcpy(ip + 2, t->from, 16);
		__builtin_memcpy(ip + 6, t->to, 16);
	}
	/* Of a tunnel without, that is where the packet begins. */
	if (t->kind == LEAD_GRE)
		*gre = bpf_htonl(p->family == 4 ? ETH_P_IP : ETH_P_IPV6);
	return 1;
}

/* DSCP and ECN as the packet has them (RFC 2983, RFC 6040). */
static __always_inline __u8 traffic_class(struct xdp_md *ctx, struct packet *p)
{
	__u8 *b = (void *)(long)ctx->data + (p->l3 & WRAPPED_MAX);

	if ((void *)(b + 2) > (void *)(long)ctx->data_end)
		return 0;
	return p->family == 4 ? b[1] : b[0] << 4 | b[1] >> 4;
}

/* Whether what IP says of the packet's length is there: an outer header has to repeat it. */
static __always_inline int is_whole(struct xdp_md *ctx, struct packet *p)
{
	return p->length >= 20 && p->l3 + p->length <= frame_len(ctx);
}

/* What came of sending a packet on. */
enum sent { SENT, NO_ROOM, SPOILT };

/* Gives a packet its outer headers and these addresses of the link: the destination's, then the source's. */
static __always_inline enum sent send_on(struct xdp_md *ctx, struct packet *p, struct target *t, __u8 *macs)
{
	__u32 front = outer_length(t), kind = p->family == 4 ? ETH_P_IP : ETH_P_IPV6;
	__u8 tos = front ? traffic_class(ctx, p) : 0;
	struct ethhdr *eth;
	int growth;

	/* The new Ethernet header has no tags, and stands where those of a tunnel did. */
	growth = (int)(sizeof(*eth) + front) - (int)p->l3;
	if (growth && bpf_xdp_adjust_head(ctx, -growth))
		return NO_ROOM;
	p->l3 += growth;
	p->wrapped = 0;
	if (!pay_hop(ctx, p) || (front && !put_outer(ctx, p, t, tos)))
		return SPOILT;
	eth = (void *)(long)ctx->data;
	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return SPOILT;
	__builtin_memcpy(eth, macs, 2 * ETH_ALEN);
	if (front)
		kind = t->family == 4 ? ETH_P_IP : ETH_P_IPV6;
	eth->h_proto = bpf_htons(kind);
	p->l4 += growth;
	p->payload_at += growth;
	return SENT;
}

static __always_inline int lead_away(struct xdp_md *ctx, struct packet *p, struct target *t)
{
	struct bpf_fib_lookup way = {};
	__u32 front = outer_length(t);
	__u8 macs[2 * ETH_ALEN];
	long found;

	if (!is_whole(ctx, p) || p->ttl <= 1)
		return leave(LEAVE_NO_ROUTE, p->length, XDP_PASS);
	if (p->length + front > 0xffff)
		return leave(LEAVE_TOO_BIG, p->length, XDP_PASS);
	found = find_way(ctx, t->family, t->from, t->to, &way, p->length + front);
	if (found == BPF_FIB_LKUP_RET_FRAG_NEEDED)
		return leave(LEAVE_TOO_BIG, p->length, XDP_PASS);
	if (found != BPF_FIB_LKUP_RET_SUCCESS)
		return leave(LEAVE_NO_ROUTE, p->length, XDP_PASS);
	__builtin_memcpy(macs, way.dmac, ETH_ALEN);
	__builtin_memcpy(macs + ETH_ALEN, way.smac, ETH_ALEN);
	switch (send_on(ctx, p, t, macs)) {
	case NO_ROOM:
		return leave(LEAVE_NO_HEADROOM, p->length, XDP_PASS);
	case SPOILT:
		return leave_unseen(LEAVE_NO_ROUTE, p->length, XDP_DROP);
	case SENT:
		break;
	}
	return leave(front ? LEAVE_TUNNELLED : LEAVE_REDIRECTED, p->length,
		     way.ifindex == ctx->ingress_ifindex ? XDP_TX : bpf_redirect(way.ifindex, 0));
}
