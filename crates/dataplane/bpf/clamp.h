/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The largest segment that SYNs and SYN-ACKs offer, lowered to what fits into a tunnel (RFC 9293 §3.7.1): TCP then never sends what is
 * too big, whoever drops the messages that would say so. */
#pragma once

#include <linux/in.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bounds.h"
#include "maps.h"
#include "parse.h"

/* Octets of a TCP header at most, and room for them: a power of two. */
#define SEGMENT_MAX 60
#define SEGMENT_ROOM 64
/* Options of one octet each: more there are none. */
#define SEGMENT_OPTIONS 40
#define OPTION_MSS 2

/* A TCP header, and where one looks in it. In a map, for a verifier that walks a loop's body once believes what it sees on the stack. */
struct segment {
	__u8 octets[SEGMENT_ROOM];
	__u32 length;
	__u32 at;
	__u32 found; /* where the option stands; 0: nowhere */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct segment);
} segments SEC(".maps");

/* One option; 1 when there is nothing more to look for. */
static long seek_mss(__u32 turn, void *unused)
{
	__u32 zero = 0, at, kind, size;
	struct segment *s = bpf_map_lookup_elem(&segments, &zero);

	if (!s)
		return 1;
	at = s->at;
	if (at >= s->length)
		return 1;
	kind = s->octets[place_in(SEGMENT_ROOM, at)];
	if (kind == 0)
		return 1;
	if (kind == 1) {
		s->at = at + 1;
		return 0;
	}
	if (at + 1 >= s->length)
		return 1;
	size = s->octets[place_in(SEGMENT_ROOM, at + 1)];
	if (size < 2 || at + size > s->length)
		return 1;
	if (kind == OPTION_MSS && size == 4) {
		s->found = at;
		return 1;
	}
	s->at = at + size;
	return 0;
}

static __always_inline __u16 swapped(__u32 word)
{
	return word >> 8 | word << 8;
}

/* A SYN or SYN-ACK whose header is there. */
static __always_inline int is_syn(struct packet *p)
{
	return p->protocol == IPPROTO_TCP && p->has & HAS_TCP && p->tcp_flags & 0x02;
}

/* Lowers the MSS to what fits into packets of so many octets; 1 where it did. A SYN without the option gets none: its peer sends 536
 * octets then (1,220 over IPv6), which fit. Global, for the verifier to walk it once. */
__noinline int clamp(struct xdp_md *ctx, struct packet *p, __u32 limit)
{
	__u32 zero = 0, length, at, offered, most, sum;
	struct segment *s = bpf_map_lookup_elem(&segments, &zero);
	__u8 b[2];
	__u16 old, new;

	if (!p || !s || bpf_xdp_load_bytes(ctx, p->l4 + 12, b, 1))
		return 0;
	length = (b[0] >> 4) * 4;
	if (length <= 20 || length > SEGMENT_MAX)
		return 0;
	most = p->family == 4 ? 40 : 60;
	if (limit <= most)
		return 0;
	most = limit - most;
	length = some_of(SEGMENT_ROOM, length);
	/* Octets behind the frame's end are not there; nor is such a header. */
	if (p->l4 + length > p->l3 + p->length || bpf_xdp_load_bytes(ctx, p->l4, s->octets, length))
		return 0;
	s->length = length;
	s->at = 20;
	s->found = 0;
	bpf_loop(SEGMENT_OPTIONS, seek_mss, (void *)0, 0);
	at = s->found;
	if (at < 20)
		return 0;
	offered = s->octets[place_in(SEGMENT_ROOM, at + 2)] << 8 | s->octets[place_in(SEGMENT_ROOM, at + 3)];
	if (offered <= most)
		return 0;
	/* RFC 1624, equation 3: HC' = ~(~HC + ~m + m'). A word that stands across two of the sum's counts turned round. */
	old = at & 1 ? swapped(offered) : offered;
	new = at & 1 ? swapped(most) : most;
	sum = s->octets[16] << 8 | s->octets[17];
	sum = (~sum & 0xffff) + (~old & 0xffff) + new;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	b[0] = most >> 8;
	b[1] = most;
	if (bpf_xdp_store_bytes(ctx, p->l4 + at + 2, b, 2))
		return 0;
	b[0] = sum >> 8;
	b[1] = sum;
	bpf_xdp_store_bytes(ctx, p->l4 + 16, b, 2);
	return 1;
}
