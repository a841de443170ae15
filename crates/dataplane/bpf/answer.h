/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Answers to SYNs, written over the SYN itself. An answer is never longer than what caused it: flags and addresses turn
 * round, options go where there is no room for them. What clients offered survives in the low bits of the timestamp, as
 * the kernel itself puts it there (net/ipv4/syncookies.c, `cookie_init_timestamp`; net/netfilter/nf_synproxy_core.c,
 * `synproxy_init_timestamp_cookie`, has the same bits). */
#pragma once

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "maps.h"
#include "parse.h"

#define TCP_HEADER_MAX 60
/* Octets of TCP header that an answer has at most. */
#define ANSWER_MAX 40
/* Ethernet fills shorter frames up. */
#define FRAME_MIN 60

/* A TCP header with its options, where it is longer than what is looked at in the frame. */
struct draft {
	__u8 octets[64];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct draft);
} drafts SEC(".maps");

/* What a SYN offers. */
struct offer {
	__u32 timestamp; /* as it came, not turned */
	__u8 has_timestamp;
	__u8 sack;
	__u8 scale; /* 15: none */
	__u8 unused;
};

/* What an answer says. */
struct reply {
	__u32 sequence, ack; /* the order of the processor */
	__u16 window;
	__u16 mss;	 /* 0: no options at all */
	__u8 timestamps; /* whether they may carry options */
	__u8 scale;
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

/* A word of an answer, and its part of the checksum (RFC 1071). */
#define PUT(sum, place, value)                                                                                         \
	do {                                                                                                           \
		__u32 word = (value);                                                                                  \
		(place) = word;                                                                                        \
		(sum) += word;                                                                                         \
	} while (0)

/* Linux and its kin order the options so: MSS, SACK, timestamps, no operation, window scale. */
static __always_inline int is_common(__u32 *options)
{
	return (options[0] & bpf_htonl(0xffff0000)) == bpf_htonl(0x02040000) && options[1] == bpf_htonl(0x0402080a) &&
	       (options[4] & bpf_htonl(0xffffff00)) == bpf_htonl(0x01030300);
}

/* The timestamp that says what the client offered; never ahead of the clock: what the kernel sends next would look old. */
static __always_inline __u32 timestamp(struct offer *offer, __u64 now_ns)
{
	__u32 now = now_ns / 1000000;
	__u32 sent = (now & ~0x3f) | offer->scale | (offer->sack ? 0x10 : 0);

	return bpf_htonl(sent > now ? sent - 0x40 : sent);
}

/* The headers of a SYN where they stand in the frame, with room for an answer behind them. */
struct syn {
	void *ip;
	__u32 *tcp;
	__u32 tcp_length;
};

/* Finds them; 0 where the frame is none that is answered here. IP options and extension headers are left to the kernel. */
static __always_inline int find_syn(struct xdp_md *ctx, struct packet *p, struct syn *syn)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 l3 = p->l3 & 0x1f, front = p->family == 4 ? 20 : 40, need;

	if (p->l4 - p->l3 != front || p->fragment & (FRAGMENT_IS | FRAGMENT_FIRST) || data + l3 + front + 20 > end)
		return 0;
	syn->tcp_length = (((__u8 *)data + l3 + front)[12] >> 4) * 4;
	if (syn->tcp_length < 20 || syn->tcp_length > TCP_HEADER_MAX)
		return 0;
	/* Who offers nothing is told the MSS and nothing else. */
	need = l3 + front + (syn->tcp_length == 20 ? 24 : ANSWER_MAX);
	/* A short frame grows for as long as its answer is written. */
	if (frame_len(ctx) < need) {
		if (bpf_xdp_adjust_tail(ctx, (int)need - (int)frame_len(ctx)))
			return 0;
		data = (void *)(long)ctx->data;
		end = (void *)(long)ctx->data_end;
	}
	syn->ip = data + l3;
	if (p->family == 4) {
		if (syn->ip + 20 + 20 > end)
			return 0;
		syn->tcp = syn->ip + 20;
	} else {
		if (syn->ip + 40 + 20 > end)
			return 0;
		syn->tcp = syn->ip + 40;
	}
	return 1;
}

/* Whether the frame holds so many octets of TCP: asked anew where they are written, for the verifier of Linux 6.1. */
static __always_inline int has_room(struct xdp_md *ctx, struct syn *syn, __u32 octets)
{
	return (void *)syn->tcp + octets <= (void *)(long)ctx->data_end;
}

/* Sends a frame back to where it came from. */
static __always_inline int turn_ether(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u16 *ether = data;
	__u32 low;
	__u16 high;

	if (data + 14 > end)
		return 0;
	low = *(__u32 *)ether;
	high = ether[2];
	*(__u32 *)ether = *(__u32 *)(ether + 3);
	ether[2] = ether[5];
	*(__u32 *)(ether + 3) = low;
	ether[5] = high;
	return 1;
}

/* Writes the answer over the SYN and cuts the frame; 0 where that failed. `room`: octets the SYN had for TCP. `plain`, which
 * the compiler has to know: nothing is offered, and the frame is only known to hold an MSS. */
static __always_inline int send_reply(struct xdp_md *ctx, struct packet *p, struct syn *syn, struct reply *reply,
				      struct offer *offer, int plain, __u32 room, __u64 now)
{
	__u32 front = p->family == 4 ? 20 : 40, length = 20;
	__u32 *tcp = syn->tcp, ports;
	__u64 sum = bpf_htonl(IPPROTO_TCP);
	int delta, with = !plain && offer->has_timestamp && reply->timestamps;

	if (!has_room(ctx, syn, plain ? 24 : ANSWER_MAX))
		return 0;
	/* Without timestamps of both sides the cookie has no room for anything else. */
	if (reply->mss) {
		__u32 sack = offer->sack ? 0x0402080a : 0x0101080a;
		__u32 scale = 0x01030300 | reply->scale;

		length = with ? offer->scale != 15 ? 40 : 36 : 24;
		if (length <= room) {
			PUT(sum, tcp[5], bpf_htonl(0x02040000 | reply->mss));
			if (with) {
				PUT(sum, tcp[6], bpf_htonl(sack));
				PUT(sum, tcp[7], timestamp(offer, now));
				PUT(sum, tcp[8], offer->timestamp);
				if (offer->scale != 15)
					PUT(sum, tcp[9], bpf_htonl(scale));
			}
		} else {
			length -= 4;
			if (with) {
				PUT(sum, tcp[5], bpf_htonl(sack));
				PUT(sum, tcp[6], timestamp(offer, now));
				PUT(sum, tcp[7], offer->timestamp);
				if (offer->scale != 15)
					PUT(sum, tcp[8], bpf_htonl(scale));
			}
		}
	}
	ports = tcp[0];
	PUT(sum, tcp[0], ports << 16 | ports >> 16);
	PUT(sum, tcp[1], bpf_htonl(reply->sequence));
	PUT(sum, tcp[2], bpf_htonl(reply->ack));
	/* The length in words, and SYN and ACK. */
	PUT(sum, tcp[3], bpf_htonl(length << 26 | 0x12 << 16 | reply->window));
	sum += bpf_htonl(length);
	if (p->family == 4) {
		__u32 *ip = syn->ip, src = ip[3], dst = ip[4];
		__u64 head = 0;

		PUT(head, ip[0], bpf_htonl(0x45000000 | (20 + length)));
		PUT(head, ip[1], bpf_htonl(0x4000)); /* do not fragment */
		head += bpf_htonl(64 << 24 | IPPROTO_TCP << 16);
		PUT(head, ip[3], dst);
		PUT(head, ip[4], src);
		sum += (__u64)src + dst;
		ip[2] = bpf_htonl(64 << 24 | IPPROTO_TCP << 16 | bpf_ntohs(fold(head)));
	} else {
		__u64 *ip = syn->ip;
		__u64 src_high = ip[1], src_low = ip[2], dst_high = ip[3], dst_low = ip[4];

		((__u32 *)ip)[0] = bpf_htonl(0x60000000);
		((__u32 *)ip)[1] = bpf_htonl(length << 16 | IPPROTO_TCP << 8 | 64);
		ip[1] = dst_high;
		ip[2] = dst_low;
		ip[3] = src_high;
		ip[4] = src_low;
		sum += (src_high >> 32) + (__u32)src_high + (src_low >> 32) + (__u32)src_low;
		sum += (dst_high >> 32) + (__u32)dst_high + (dst_low >> 32) + (__u32)dst_low;
	}
	/* No urgent data. */
	tcp[4] = fold(sum);
	delta = (int)((p->l3 & 0x1f) + front + length) - (int)frame_len(ctx);
	if (!turn_ether(ctx))
		return 0;
	return !delta || !bpf_xdp_adjust_tail(ctx, delta);
}
