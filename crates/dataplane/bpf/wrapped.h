/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Frames whose packet came out of a tunnel, and which still begin with the tunnel's headers: to move where a frame begins costs as much as
 * to read a packet, and most are dropped, or get new headers of the same length. */
#pragma once

#include "parse.h"

/* Takes the outer headers off: then the frame begins with Ethernet and the packet. 0 if it did. */
static __always_inline int take_off_here(struct xdp_md *ctx, struct packet *p)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	__u32 macs[3], front, kind;

	if (p->l3 < sizeof(*eth) || (void *)(eth + 1) > end)
		return -1;
	front = p->l3 - sizeof(*eth);
	kind = p->wrapped == 4 ? ETH_P_IP : ETH_P_IPV6;
	__builtin_memcpy(macs, eth, sizeof(macs));
	if (bpf_xdp_adjust_head(ctx, front & 0xffff))
		return -1;
	eth = (void *)(long)ctx->data;
	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return -1;
	__builtin_memcpy(eth, macs, sizeof(macs));
	eth->h_proto = bpf_htons(kind);
	p->l3 -= front;
	p->l4 -= front;
	p->payload_at -= front;
	p->wrapped = 0;
	return 0;
}

/* Global, for the verifier to walk it once. */
__noinline int take_off(struct xdp_md *ctx, struct packet *p)
{
	return p ? take_off_here(ctx, p) : -1;
}

/* Whether the frame is the packet's own, for those who write into it. */
static __always_inline int is_bare(struct xdp_md *ctx, struct packet *p)
{
	return !p->wrapped || !take_off(ctx, p);
}
