/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A DNS query over UDP of a source that has proven nothing is answered with the question alone and the TC bit (RFC 1035
 * §4.1.1, RFC 5966): a resolver asks again over TCP, whose handshake proves it. The answer is never longer than the query:
 * header, question, and the OPT record without its options where there was one (RFC 6891 §6.1.1). */
#pragma once

#include "bounds.h"
#include "challenge.h"

/* Header, the longest name, type and class, an OPT record without options. */
#define QUERY_MAX (12 + 255 + 4 + 11)

struct query {
	__u8 octets[512];
};

#define OCTET(query, place) ((query)->octets[place_in(sizeof((query)->octets), place)])

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct query);
} queries SEC(".maps");

/* Where the question ends; 0 if it does not. */
static __noinline __u32 question_end(struct query *q, __u32 length)
{
	__u32 at = 12;

	if (!q)
		return 0;
	for (int i = 0; i < 128; i++) {
		__u32 label;

		if (at >= length)
			return 0;
		label = OCTET(q, at);
		at += label + 1;
		if (!label)
			return at + 4 <= length ? at + 4 : 0;
		if (label > 63)
			return 0;
	}
	return 0;
}

/* Makes the answer of a query; octets of it, or 0 where that is no query. */
static __always_inline __u32 make_answer(struct query *q, __u32 length)
{
	__u8 *b = q->octets;
	__u32 end;

	/* A query of one question, with nothing else but additional records. */
	if (length < 17 || b[2] & 0xf8 || b[4] || b[5] != 1 || b[6] || b[7] || b[8] || b[9])
		return 0;
	end = question_end(q, length);
	if (!end || end > QUERY_MAX - 11)
		return 0;
	b[2] = 0x82 | (b[2] & 1);
	b[3] &= 0x10;
	if (b[11] && end + 11 <= length && !OCTET(q, end) && !OCTET(q, end + 1) && OCTET(q, end + 2) == 41) {
		OCTET(q, end + 9) = OCTET(q, end + 10) = 0;
		b[10] = 0;
		b[11] = 1;
		return end + 11;
	}
	b[10] = b[11] = 0;
	return end;
}

/* Turns the query's headers round and puts the answer behind them. */
static __always_inline int send_truncated(struct xdp_md *ctx, struct packet *p, struct query *q, __u32 length)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 l3 = p->l3 & 0x1f, front = p->family == 4 ? 20 : 40, at;
	void *ip = data + l3;
	__u16 *udp, port;
	__u64 sum;

	/* Octets behind the answer, up to a whole word, are none of it. */
	at = some_of(sizeof(q->octets), length);
	if (at > QUERY_MAX)
		return 0;
	OCTET(q, at) = OCTET(q, at + 1) = OCTET(q, at + 2) = 0;
	sum = bpf_csum_diff(0, 0, (void *)q->octets, (at + 3) & 0x1fc, 0) & 0xffffffff;
	sum += bpf_htonl(IPPROTO_UDP) + (__u64)bpf_htonl(8 + at);
	if (p->family == 4) {
		__u32 *words = ip, src, dst;
		__u64 head = 0;

		if (ip + 28 > end)
			return 0;
		src = words[3];
		dst = words[4];
		PUT(head, words[0], bpf_htonl(0x45000000 | (28 + at)));
		PUT(head, words[1], bpf_htonl(0x4000));
		head += bpf_htonl(64 << 24 | IPPROTO_UDP << 16);
		PUT(head, words[3], dst);
		PUT(head, words[4], src);
		sum += (__u64)src + dst;
		words[2] = bpf_htonl(64 << 24 | IPPROTO_UDP << 16 | bpf_ntohs(fold(head)));
		udp = ip + 20;
	} else {
		__u64 *words = ip, src_high, src_low, dst_high, dst_low;

		if (ip + 48 > end)
			return 0;
		src_high = words[1];
		src_low = words[2];
		dst_high = words[3];
		dst_low = words[4];
		((__u32 *)ip)[0] = bpf_htonl(0x60000000);
		((__u32 *)ip)[1] = bpf_htonl((8 + at) << 16 | IPPROTO_UDP << 8 | 64);
		words[1] = dst_high;
		words[2] = dst_low;
		words[3] = src_high;
		words[4] = src_low;
		sum += (src_high >> 32) + (__u32)src_high + (src_low >> 32) + (__u32)src_low;
		sum += (dst_high >> 32) + (__u32)dst_high + (dst_low >> 32) + (__u32)dst_low;
		udp = ip + 40;
	}
	port = udp[0];
	udp[0] = udp[1];
	udp[1] = port;
	udp[2] = bpf_htons(8 + at);
	sum += (__u64)udp[0] + udp[1] + udp[2];
	udp[3] = fold(sum);
	/* 0 would say that there is none. */
	if (!udp[3])
		udp[3] = 0xffff;
	if (!turn_ether(ctx) || bpf_xdp_store_bytes(ctx, l3 + front + 8, q->octets, at))
		return 0;
	return !bpf_xdp_adjust_tail(ctx, (int)(l3 + front + 8 + at) - (int)frame_len(ctx));
}

/* What becomes of a packet of UDP that a rule challenges: only queries have an answer that proves something. */
static __always_inline int challenge_query(struct xdp_md *ctx, struct packet *p, struct protection *g)
{
	__u32 zero = 0, front = p->family == 4 ? 20 : 40, length = p->payload_len;
	struct query *q = bpf_map_lookup_elem(&queries, &zero);
	__u64 now = coarse_ns();

	if (!q || p->dst_port != 53 || p->l4 - p->l3 != front || p->payload_at != p->l4 + 8)
		return leave(LEAVE_UNCHALLENGED, p->length, XDP_PASS);
	if (!is_attacked(p, unasked(p, g), second_of(now)))
		return leave(LEAVE_QUIET, p->length, XDP_PASS);
	if (is_proven(p, now))
		return leave(LEAVE_PROVEN, p->length, XDP_PASS);
	if (length > QUERY_MAX)
		length = QUERY_MAX;
	/* A header's length, and Linux 6.1 does not learn from "not 0". */
	if (length < 12 || bpf_xdp_load_bytes(ctx, p->payload_at, q->octets, length))
		return leave(LEAVE_UNCHALLENGED, p->length, XDP_PASS);
	length = make_answer(q, length);
	if (!length)
		return leave(LEAVE_UNCHALLENGED, p->length, XDP_PASS);
	if (!may_answer(p, g, second_of(now)))
		return leave(LEAVE_CAPPED, p->length, XDP_DROP);
	if (!send_truncated(ctx, p, q, length))
		return leave(LEAVE_UNCHALLENGED, p->length, XDP_PASS);
	return leave(LEAVE_TRUNCATED, p->length, XDP_TX);
}
