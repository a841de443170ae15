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

static __always_inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* Sum of so many words of 32 bits, to be folded (RFC 1071). */
#define ADD_WORDS(sum, from, count)                                                                                    \
	do {                                                                                                           \
		_Pragma("unroll") for (int word = 0; word < (count); word++) (sum) += ((__u32 *)(from))[word];         \
	} while (0)

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

/* Writes the answer to a SYN into `out`, of which all is 0; how long it is. */
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
		__u32 now = coarse_ns() / 1000000;
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

/* Octets of TCP header that an answer has at most. */
#define ANSWER_MAX 40

/* The answer's IP header turns round what came; both are written where the TCP header follows. */
static __always_inline void turn_v4(struct iphdr *ip, struct packet *p, __u32 length, __u64 *pseudo)
{
	__u64 sum = 0;

	*(__u8 *)ip = 0x45;
	ip->saddr = bpf_htonl(p->dst_low);
	ip->daddr = bpf_htonl(p->src_low);
	ip->tot_len = bpf_htons(20 + length);
	ip->frag_off = bpf_htons(0x4000);
	ip->ttl = 64;
	ip->protocol = IPPROTO_TCP;
	ADD_WORDS(sum, ip, 5);
	ip->check = fold(sum);
	*pseudo = (__u64)ip->saddr + ip->daddr;
}

static __always_inline void turn_v6(struct ipv6hdr *ip, struct packet *p, __u32 length, __u64 *pseudo)
{
	__u64 *words = (void *)&ip->saddr;

	*(__u8 *)ip = 0x60;
	ip->payload_len = bpf_htons(length);
	ip->nexthdr = IPPROTO_TCP;
	ip->hop_limit = 64;
	words[0] = bpf_cpu_to_be64(p->dst_high);
	words[1] = bpf_cpu_to_be64(p->dst_low);
	words[2] = bpf_cpu_to_be64(p->src_high);
	words[3] = bpf_cpu_to_be64(p->src_low);
	ADD_WORDS(*pseudo, words, 8);
}

/* Answers a SYN; 0 where there is nothing to answer with. */
static __always_inline int answer_syn(struct xdp_md *ctx, struct packet *p, struct host *host)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u8 tcp[TCP_HEADER_MAX] = {};
	/* Both headers of the question, then of the answer; IPv4 begins at 20. */
	__u8 out[40 + ANSWER_MAX] __attribute__((aligned(8))) = {};
	struct offer offer = { .scale = 15 };
	__u32 l3 = p->l3, l4 = p->l4 & 0x3ff, front = p->family == 4 ? 20 : 40;
	__u32 tcp_length, length;
	__u8 *header = data + l4, *ether, source[6];
	__u64 sum = 0;
	__s64 cookie;

	/* IP options and extension headers are left to the kernel. */
	if (l4 - l3 != front || (void *)(header + 20) > end || data + 14 > end)
		return 0;
	tcp_length = (header[12] >> 4) * 4;
	if (tcp_length < 20 || tcp_length > TCP_HEADER_MAX)
		return 0;
	if (bpf_xdp_load_bytes(ctx, l4, tcp, tcp_length))
		return 0;
	if (p->family == 4) {
		struct iphdr *ip = (void *)(out + 20);

		ip->version = 4;
		ip->ihl = 5;
		ip->saddr = bpf_htonl(p->src_low);
		ip->daddr = bpf_htonl(p->dst_low);
		cookie = cookie_of(ctx, p, ip, 20, tcp, tcp_length);
	} else {
		struct ipv6hdr *ip = (void *)out;
		__u64 *words = (void *)&ip->saddr;

		ip->version = 6;
		words[0] = bpf_cpu_to_be64(p->src_high);
		words[1] = bpf_cpu_to_be64(p->src_low);
		words[2] = bpf_cpu_to_be64(p->dst_high);
		words[3] = bpf_cpu_to_be64(p->dst_low);
		cookie = cookie_of(ctx, p, ip, 40, tcp, tcp_length);
	}
	if (cookie < 0)
		return 0;
	if (tcp_length > 20)
		read_offer(tcp, tcp_length, &offer);
	length = write_answer(out + 40, (void *)tcp, &offer, (__u32)cookie, p->family == 4 ? host->mss4 : host->mss6,
			      host);
	if (p->family == 4)
		turn_v4((void *)(out + 20), p, length, &sum);
	else
		turn_v6((void *)out, p, length, &sum);
	sum += bpf_htonl(IPPROTO_TCP) + (__u64)bpf_htonl(length);
	/* Octets behind the answer are 0 and change nothing. */
	ADD_WORDS(sum, out + 40, ANSWER_MAX / 4);
	((struct tcphdr *)(out + 40))->check = fold(sum);

	if (bpf_xdp_adjust_tail(ctx, (int)(l4 + length) - (int)frame_len(ctx)))
		return 0;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	ether = data;
	if (data + 14 > end)
		return 0;
	__builtin_memcpy(source, ether + 6, 6);
	__builtin_memcpy(ether + 6, ether, 6);
	__builtin_memcpy(ether, source, 6);
	length += front;
	if (length > 40 + ANSWER_MAX || length < 40)
		return 0;
	if (p->family == 4) {
		if (length > 20 + ANSWER_MAX)
			return 0;
		return !bpf_xdp_store_bytes(ctx, l3, out + 20, length);
	}
	return !bpf_xdp_store_bytes(ctx, l3, out, length);
}
