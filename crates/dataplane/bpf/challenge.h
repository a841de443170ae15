/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A SYN is answered with the cookie of the kernel's own listener; who is real comes back with it, and the kernel opens the
 * connection. Nothing is kept meanwhile. What clients offered survives in the low bits of the timestamp, as the kernel
 * itself puts it there (net/ipv4/syncookies.c, `cookie_init_timestamp`). */
#pragma once

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bucket.h"
#include "maps.h"

#define TCP_STATE_LISTEN 10
#define TCP_HEADER_MAX 60

/* What a SYN offers. */
struct offer {
	__u32 timestamp; /* as it came, not turned */
	__u8 has_timestamp;
	__u8 sack;
	__u8 scale; /* 15: none */
};

/* Walks the options: at most one in each octet, but no SYN has more than ten. */
static __noinline int read_offer(__u8 *header, __u32 length, struct offer *offer)
{
	__u32 at = 20;

	if (!header || !offer)
		return 0;
	for (int i = 0; i < 12; i++) {
		__u32 kind, size;

		if (at + 1 >= length || at >= TCP_HEADER_MAX - 1)
			break;
		kind = header[at];
		if (kind == 0)
			break;
		if (kind == 1) {
			at++;
			continue;
		}
		size = header[at + 1];
		if (size < 2 || at + size > length)
			break;
		if (kind == 3 && size == 3 && at + 2 < TCP_HEADER_MAX) {
			offer->scale = header[at + 2] > 14 ? 14 : header[at + 2];
		} else if (kind == 4 && size == 2) {
			offer->sack = 1;
		} else if (kind == 8 && size == 10 && at + 5 < TCP_HEADER_MAX) {
			__builtin_memcpy(&offer->timestamp, header + at + 2, 4);
			offer->has_timestamp = 1;
		}
		at += size;
	}
	return 0;
}

static __always_inline __u16 fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* The listener of a SYN, and its cookie; negative where there is none or the kernel will not. */
static __always_inline __s64 cookie_of(struct xdp_md *ctx, struct packet *p, void *ip, __u32 ip_length, __u8 *tcp,
				       __u32 tcp_length)
{
	struct bpf_sock_tuple tuple = {};
	struct tcphdr *header = (void *)tcp;
	struct bpf_sock *socket;
	__s64 cookie = -1;

	if (p->family == 4) {
		struct iphdr *v4 = ip;

		tuple.ipv4.saddr = v4->saddr;
		tuple.ipv4.daddr = v4->daddr;
		tuple.ipv4.sport = header->source;
		tuple.ipv4.dport = header->dest;
		socket = bpf_skc_lookup_tcp(ctx, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	} else {
		struct ipv6hdr *v6 = ip;

		__builtin_memcpy(tuple.ipv6.saddr, &v6->saddr, 16);
		__builtin_memcpy(tuple.ipv6.daddr, &v6->daddr, 16);
		tuple.ipv6.sport = header->source;
		tuple.ipv6.dport = header->dest;
		socket = bpf_skc_lookup_tcp(ctx, &tuple, sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS, 0);
	}
	if (!socket)
		return -1;
	if (socket->state == TCP_STATE_LISTEN)
		cookie = bpf_tcp_gen_syncookie(socket, ip, ip_length, (void *)tcp, tcp_length);
	bpf_sk_release(socket);
	return cookie;
}

/* Writes the answer to a SYN into `out`; how long it is. */
static __always_inline __u32 write_answer(__u8 *out, struct tcphdr *syn, struct offer *offer, __u32 cookie, __u16 mss,
					  struct host *host)
{
	struct tcphdr *answer = (void *)out;
	__u32 length = 24;

	answer->source = syn->dest;
	answer->dest = syn->source;
	answer->seq = bpf_htonl(cookie);
	answer->ack_seq = bpf_htonl(bpf_ntohl(syn->seq) + 1);
	answer->window = bpf_htons(64240);
	out[20] = 2;
	out[21] = 4;
	out[22] = mss >> 8;
	out[23] = mss & 0xff;
	/* Without timestamps of both sides the cookie has no room for anything else. */
	if (offer->has_timestamp && host->timestamps) {
		__u32 now = now_ns() / 1000000;
		__u32 sent = (now & ~0x3f) | offer->scale | (offer->sack ? 0x10 : 0);

		/* Never ahead of the clock: what the kernel sends next would look old to the client. */
		if (sent > now)
			sent -= 0x40;
		sent = bpf_htonl(sent);
		out[24] = offer->sack ? 4 : 1;
		out[25] = offer->sack ? 2 : 1;
		out[26] = 8;
		out[27] = 10;
		__builtin_memcpy(out + 28, &sent, 4);
		__builtin_memcpy(out + 32, &offer->timestamp, 4);
		length = 36;
		if (offer->scale != 15) {
			out[36] = 1;
			out[37] = 3;
			out[38] = 3;
			out[39] = host->scale;
			length = 40;
		}
	}
	out[12] = length << 2;
	out[13] = 0x12; /* SYN and ACK */
	return length;
}

/* Answers a SYN; 0 where there is nothing to answer with. */
static __always_inline int answer_syn(struct xdp_md *ctx, struct packet *p, struct host *host)
{
	__u8 tcp[TCP_HEADER_MAX] = {}, out[40] = {}, ip[40] = {}, ether[12], turned[12];
	struct offer offer = { .scale = 15 };
	__u32 ip_length = p->l4 - p->l3, tcp_length, length, sum;
	__u32 l3 = p->l3, l4 = p->l4;
	__s64 cookie;
	__s64 total;

	if (bpf_xdp_load_bytes(ctx, l4, tcp, 20))
		return 0;
	tcp_length = (tcp[12] >> 4) * 4;
	if (tcp_length < 20 || tcp_length > TCP_HEADER_MAX)
		return 0;
	if (bpf_xdp_load_bytes(ctx, l4, tcp, tcp_length))
		return 0;
	/* IP options and extension headers are left to the kernel. */
	if (p->family == 4 ? ip_length != 20 : ip_length != 40)
		return 0;
	if (p->family == 4) {
		if (bpf_xdp_load_bytes(ctx, l3, ip, 20))
			return 0;
	} else if (bpf_xdp_load_bytes(ctx, l3, ip, 40)) {
		return 0;
	}
	if (p->family == 4)
		cookie = cookie_of(ctx, p, ip, 20, tcp, tcp_length);
	else
		cookie = cookie_of(ctx, p, ip, 40, tcp, tcp_length);
	if (cookie < 0)
		return 0;
	read_offer(tcp, tcp_length, &offer);
	length = write_answer(out, (void *)tcp, &offer, (__u32)cookie, p->family == 4 ? host->mss4 : host->mss6, host);

	if (p->family == 4) {
		struct iphdr *v4 = (void *)ip;
		__be32 addr = v4->saddr;

		v4->saddr = v4->daddr;
		v4->daddr = addr;
		v4->tot_len = bpf_htons(20 + length);
		v4->id = 0;
		v4->frag_off = bpf_htons(0x4000);
		v4->ttl = 64;
		v4->tos = 0;
		v4->check = 0;
		v4->check = fold(bpf_csum_diff(0, 0, (void *)ip, 20, 0));
		sum = bpf_csum_diff(0, 0, (void *)&v4->saddr, 8, 0);
	} else {
		struct ipv6hdr *v6 = (void *)ip;
		struct in6_addr addr = v6->saddr;

		v6->saddr = v6->daddr;
		v6->daddr = addr;
		v6->payload_len = bpf_htons(length);
		v6->hop_limit = 64;
		sum = bpf_csum_diff(0, 0, (void *)&v6->saddr, 32, 0);
	}
	{
		__be32 pseudo[2] = { bpf_htonl(IPPROTO_TCP), bpf_htonl(length) };

		sum = bpf_csum_diff(0, 0, (void *)pseudo, 8, sum);
	}
	/* Octets behind the answer are 0 and change nothing. */
	sum = bpf_csum_diff(0, 0, (void *)out, 40, sum);
	((struct tcphdr *)out)->check = fold(sum);

	total = (__s64)l4 + length - frame_len(ctx);
	if (bpf_xdp_adjust_tail(ctx, total))
		return 0;
	if (bpf_xdp_load_bytes(ctx, 0, ether, 12))
		return 0;
	__builtin_memcpy(turned, ether + 6, 6);
	__builtin_memcpy(turned + 6, ether, 6);
	if (bpf_xdp_store_bytes(ctx, 0, turned, 12))
		return 0;
	if (p->family == 4 ? bpf_xdp_store_bytes(ctx, l3, ip, 20) : bpf_xdp_store_bytes(ctx, l3, ip, 40))
		return 0;
	if (length == 24)
		return !bpf_xdp_store_bytes(ctx, l4, out, 24);
	if (length == 36)
		return !bpf_xdp_store_bytes(ctx, l4, out, 36);
	return !bpf_xdp_store_bytes(ctx, l4, out, 40);
}
