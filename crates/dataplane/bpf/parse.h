/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* From a frame to `struct packet`. Means the same as `wire::packet` for Ethernet with up to two tags. */
#pragma once

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"

#define EXTENSIONS_MAX 12

/* Octets between two places of the frame; opaque, for clang would compute it in halves that the verifier refuses. */
static __always_inline __u32 octets(void *from, void *to)
{
	__u64 n = to - from;

	asm volatile("" : "+r"(n));
	return n;
}

static __always_inline __u32 frame_len(struct xdp_md *ctx)
{
#ifdef FRAGS
	return bpf_xdp_get_buff_len(ctx);
#else
	return octets((void *)(long)ctx->data, (void *)(long)ctx->data_end);
#endif
}

/* Octets of a frame from a place on, also of those that lie in other buffers than its headers. */
static __always_inline __u32 octets_from(struct xdp_md *ctx, void *from, void *end)
{
	__u32 n = octets(from, end);

#ifdef FRAGS
	n += frame_len(ctx) - octets((void *)(long)ctx->data, (void *)(long)ctx->data_end);
#endif
	return n;
}

/* No more than is there. */
static __always_inline __u32 clipped(struct xdp_md *ctx, __u32 left, void *from, void *end)
{
	__u32 there = octets(from, end);

	if (left <= there)
		return left;
#ifdef FRAGS
	there = octets_from(ctx, from, end);
	return left < there ? left : there;
#else
	return there;
#endif
}

/* Where a packet within a tunnel may begin at most, in a frame whose outer headers are still there. */
#define WRAPPED_MAX 0xff

enum parsed { PARSED, NOT_IP, MALFORMED };

static __always_inline int is_tag(__be16 kind)
{
	return kind == bpf_htons(0x8100) || kind == bpf_htons(0x88a8) || kind == bpf_htons(0x9100) ||
	       kind == bpf_htons(0x9200);
}

static __always_inline void put_tcp_word(struct packet *p, __u16 word)
{
	p->tcp_flags = word & 0x0fff;
	p->has |= HAS_TCP;
}

/* What of the header behind IP is there, octet by octet where the frame ends early. `left`: octets by the IP length. */
static __noinline int short_transport(struct xdp_md *ctx, struct packet *p, __u32 left)
{
	__u8 b[20];
	__u32 end = frame_len(ctx);
	__u32 at;

	if (!p)
		return 0;
	at = p->l4;
	if (at >= end)
		return 0;
	if (left > end - at)
		left = end - at;
	if (p->protocol == IPPROTO_ICMP || p->protocol == IPPROTO_ICMPV6) {
		if (left >= 2 && !bpf_xdp_load_bytes(ctx, at, b, 2)) {
			p->icmp_type = b[0];
			p->icmp_code = b[1];
			p->has |= HAS_ICMP;
		}
		return 0;
	}
	if (p->protocol != IPPROTO_TCP && p->protocol != IPPROTO_UDP)
		return 0;
	if (left < 4 || bpf_xdp_load_bytes(ctx, at, b, 4))
		return 0;
	p->src_port = b[0] << 8 | b[1];
	p->dst_port = b[2] << 8 | b[3];
	p->has |= HAS_PORTS;
	if (p->protocol == IPPROTO_UDP) {
		if (left > 8) {
			p->payload_at = at + 8;
			p->payload_len = left - 8;
		}
		return 0;
	}
	if (left < 14 || bpf_xdp_load_bytes(ctx, at + 12, b, 2))
		return 0;
	__u16 word = b[0] << 8 | b[1];
	__u32 words = word >> 12;
	__u32 header = words > 5 ? words * 4 : 20;

	put_tcp_word(p, word);
	p->window = 0;
	if (left >= 16 && !bpf_xdp_load_bytes(ctx, at + 14, b, 2))
		p->window = b[0] << 8 | b[1];
	if (left > header) {
		p->payload_at = at + header;
		p->payload_len = left - header;
	}
	return 0;
}

static __always_inline void transport(struct xdp_md *ctx, struct packet *p, __u32 left)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	__u32 l4 = p->l4 & 0x3ff;
	__u8 *h = data + l4;

	if (p->fragment & FRAGMENT_IS || left == 0)
		return;
	if (left < 20 || (void *)(h + 20) > end) {
		/* A UDP header needs no more than eight octets. */
		if (p->protocol == IPPROTO_UDP && left >= 8 && (void *)(h + 8) <= end)
			goto udp;
		short_transport(ctx, p, left);
		return;
	}
	switch (p->protocol) {
	case IPPROTO_TCP: {
		__u16 word = h[12] << 8 | h[13];
		__u32 words = word >> 12;
		__u32 header = words > 5 ? words * 4 : 20;

		p->src_port = h[0] << 8 | h[1];
		p->dst_port = h[2] << 8 | h[3];
		put_tcp_word(p, word);
		p->window = h[14] << 8 | h[15];
		p->has |= HAS_PORTS;
		left = clipped(ctx, left, h, end);
		if (left > header) {
			p->payload_at = l4 + header;
			p->payload_len = left - header;
		}
		return;
	}
	case IPPROTO_UDP:
udp:
		p->src_port = h[0] << 8 | h[1];
		p->dst_port = h[2] << 8 | h[3];
		p->has |= HAS_PORTS;
		left = clipped(ctx, left, h, end);
		if (left > 8) {
			p->payload_at = l4 + 8;
			p->payload_len = left - 8;
		}
		return;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		p->icmp_type = h[0];
		p->icmp_code = h[1];
		p->has |= HAS_ICMP;
		return;
	}
}

static __always_inline void put_fragment(struct packet *p, __u32 offset, int more)
{
	if (offset)
		p->fragment = more ? FRAGMENT_IS : FRAGMENT_IS | FRAGMENT_LAST;
	else
		p->fragment = more ? FRAGMENT_FIRST : FRAGMENT_NONE;
}

static __always_inline enum parsed ipv4(struct xdp_md *ctx, struct packet *p, __u32 l3)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + l3;
	__u32 header, length;
	__u16 frag;

	if ((void *)(ip + 1) > end)
		return MALFORMED;
	header = ip->ihl * 4;
	if (header < 20)
		return MALFORMED;
	length = bpf_ntohs(ip->tot_len);
	if (length == 0)
		length = octets_from(ctx, ip, end);
	frag = bpf_ntohs(ip->frag_off);
	p->family = 4;
	p->src_high = p->dst_high = 0;
	p->src_low = bpf_ntohl(ip->saddr);
	p->dst_low = bpf_ntohl(ip->daddr);
	p->protocol = ip->protocol;
	p->ttl = ip->ttl;
	p->dscp = ip->tos >> 2;
	p->length = length;
	put_fragment(p, frag & 0x1fff, frag & 0x2000);
	if (frag & 0x4000)
		p->fragment |= FRAGMENT_DONT;
	p->l4 = l3 + header;
	/* Options that the frame does not hold leave no transport header. */
	if ((void *)ip + header <= end && length > header)
		transport(ctx, p, length - header);
	return PARSED;
}

static __noinline int extensions(struct xdp_md *ctx, struct packet *p)
{
	__u32 end = frame_len(ctx);
	__u32 at, after;
	__u8 next, b[8];

	if (!p)
		return 0;
	at = p->l4;
	next = p->protocol;
	after = p->length > 40 ? p->length - 40 : 0;
	for (int i = 0; i < EXTENSIONS_MAX; i++) {
		__u32 len = 8;

		if (next == 44) {
			if (bpf_xdp_load_bytes(ctx, at, b, 8))
				goto cut;
			put_fragment(p, (b[2] << 8 | b[3]) >> 3, b[3] & 1);
		} else if (next == 0 || next == 43 || next == 60 || next == 135 || next == 139 || next == 140) {
			if (bpf_xdp_load_bytes(ctx, at, b, 2))
				goto cut;
			len = (b[1] + 1) * 8;
		} else if (next == 51) {
			if (bpf_xdp_load_bytes(ctx, at, b, 2))
				goto cut;
			len = (b[1] + 2) * 4;
		} else {
			break;
		}
		if (at + len > end)
			goto cut;
		next = b[0];
		at += len;
		after = after > len ? after - len : 0;
		if (p->fragment & FRAGMENT_IS)
			break;
	}
	p->protocol = next;
	p->l4 = at;
	return after;
cut:
	p->protocol = next;
	p->l4 = at;
	return 0;
}

static __always_inline int is_extension(__u8 next)
{
	return next == 0 || next == 43 || next == 44 || next == 51 || next == 60 || next == 135 || next == 139 ||
	       next == 140;
}

static __always_inline enum parsed ipv6(struct xdp_md *ctx, struct packet *p, __u32 l3)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct ipv6hdr *ip = data + l3;
	__u64 *words;
	__u32 there, left;

	if ((void *)(ip + 1) > end)
		return MALFORMED;
	p->family = 6;
	words = (void *)&ip->saddr;
	p->src_high = bpf_be64_to_cpu(words[0]);
	p->src_low = bpf_be64_to_cpu(words[1]);
	p->dst_high = bpf_be64_to_cpu(words[2]);
	p->dst_low = bpf_be64_to_cpu(words[3]);
	p->protocol = ip->nexthdr;
	p->ttl = ip->hop_limit;
	p->dscp = (bpf_ntohs(*(__be16 *)ip) >> 6) & 0x3f;
	p->length = bpf_ntohs(ip->payload_len) + 40;
	if (p->length == 40) {
		there = octets_from(ctx, ip, end);
		if (there > 40)
			p->length = there;
	}
	p->fragment = FRAGMENT_NONE;
	p->l4 = l3 + 40;
	left = p->length - 40;
	if (is_extension(p->protocol)) {
		left = extensions(ctx, p);
		if (left && !(p->fragment & FRAGMENT_IS))
			short_transport(ctx, p, left);
		return PARSED;
	}
	transport(ctx, p, left);
	return PARSED;
}

/* Reads the frame; if it is `wrapped`, from where the packet within the tunnel begins. */
static __always_inline enum parsed parse(struct xdp_md *ctx, struct packet *p)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	__be16 kind;
	__u32 l3 = sizeof(*eth);
	__u8 *first;

	if (p->wrapped) {
		l3 = p->l3 & WRAPPED_MAX;
		goto packet;
	}
	if ((void *)(eth + 1) > end)
		return MALFORMED;
	kind = eth->h_proto;
#pragma unroll
	for (int i = 0; i < 2; i++) {
		if (!is_tag(kind))
			break;
		if (data + l3 + 4 > end)
			return MALFORMED;
		kind = *(__be16 *)(data + l3 + 2);
		l3 += 4;
	}
	if (kind != bpf_htons(ETH_P_IP) && kind != bpf_htons(ETH_P_IPV6))
		return NOT_IP;
packet:
	first = data + l3;
	if ((void *)(first + 1) > end)
		return MALFORMED;
	p->has = 0;
	p->payload_len = 0;
	p->l3 = l3;
	if (*first >> 4 == 4)
		return ipv4(ctx, p, l3);
	if (*first >> 4 == 6)
		return ipv6(ctx, p, l3);
	return MALFORMED;
}
