/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tunnels that end here: GRE and IP in IP from configured peers to this box (RFC 2003, RFC 2473, RFC 2784, RFC 2890). */
#pragma once

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "maps.h"
#include "parse.h"
#include "sample.h"
#include "wrapped.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SETS);
	__type(key, __u32);
	__type(value, struct peers);
} peers SEC(".maps");

#define MAPPED 0xffff00000000ull
/* Tunnels within each other that are opened; what is wrapped in more is dropped. */
#define TUNNELS_MAX 4

/* What came of looking at a tunnel. */
#define OPENED 1
#define TOO_NESTED 2

/* Whether the packet comes from one of the peers, and to one of the addresses. */
static __always_inline int is_from_peer(struct packet *p)
{
	__u32 key = p->set & (SETS - 1);
	struct peers *all = bpf_map_lookup_elem(&peers, &key);
	__u64 mapped = p->family == 4 ? MAPPED : 0;
	__u64 src_low = p->src_low | mapped, dst_low = p->dst_low | mapped;

	if (!all)
		return 0;
	for (__u32 i = 0; i < LOCALS_MAX && i < all->locals; i++)
		if (dst_low == all->local[i].low && p->dst_high == all->local[i].high)
			goto to;
	return 0;
to:
	for (__u32 i = 0; i < PEERS_MAX && i < all->peers; i++)
		if ((src_low & all->mask[i].low) == all->peer[i].low && (p->src_high & all->mask[i].high) == all->peer[i].high)
			return 1;
	return 0;
}

static __always_inline int is_tunnel(struct packet *p)
{
	return p->protocol == IPPROTO_GRE || p->protocol == IPPROTO_IPIP || p->protocol == IPPROTO_IPV6;
}

/* Finds the packet within; OPENED if it did: then that is what is read next, and the outer headers stay until somebody needs the frame
 * (take_off). */
static __always_inline int decapsulate(struct xdp_md *ctx, struct packet *p)
{
	void *data, *end;
	__u32 inner, kind = ETH_P_IP;
	__u8 *b;

	/* A tunnel's packet that was cut is put together by the kernel. */
	if (p->fragment & (FRAGMENT_IS | FRAGMENT_FIRST) || !is_from_peer(p))
		goto foreign;
	/* Of tunnels in tunnels, one at a time. */
	if (p->wrapped && take_off(ctx, p))
		return TOO_NESTED;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	inner = p->l4;
	if (p->protocol == IPPROTO_IPV6)
		kind = ETH_P_IPV6;
	if (p->protocol == IPPROTO_GRE) {
		/* Headers that stand farther behind are none that a tunnel has. */
		b = data + (inner & 0xff);
		if (inner > 0xff || (void *)(b + 4) > end)
			goto foreign;
		/* Version 0, no routing; a sum, a key and a number of sequence may follow. */
		if (b[1] & 7 || b[0] & 0x4f)
			goto foreign;
		kind = b[2] << 8 | b[3];
		inner += 4 + (b[0] >> 7) * 4 + (b[0] >> 5 & 1) * 4 + (b[0] >> 4 & 1) * 4;
	}
	if (kind != ETH_P_IP && kind != ETH_P_IPV6)
		goto foreign;
	if (inner < sizeof(struct ethhdr) || inner > WRAPPED_MAX || data + (inner & WRAPPED_MAX) + 20 > end)
		goto foreign;
	if (p->tunnels >= TUNNELS_MAX)
		return TOO_NESTED;
	if (!p->tunnels) {
		p->outer_high = p->src_high;
		p->outer_low = p->src_low | (p->family == 4 ? MAPPED : 0);
	}
	p->l3 = inner;
	p->carried = p->tunnels + 1;
	p->wrapped = kind == ETH_P_IP ? 4 : 6;
	/* What passes goes up. */
	if (!(p->asks & SET_RETURN) && take_off_here(ctx, p))
		return TOO_NESTED;
	meter(METER_DECAPSULATED);
	return OPENED;
foreign:
	meter(METER_FOREIGN);
	return 0;
}
