/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Flows that ended lately. Who closes first keeps a flow for a minute (TIME-WAIT, RFC 9293, 3.3.2), and a client may begin it
 * anew meanwhile. Then the kernel's own socket has to see its SYN: it would not take a cookie back. What clients close is
 * seen here; each FIN marks a place, and only a SYN that finds its place marked is looked up among the kernel's sockets. */
#pragma once

#include "protection.h"

/* Places, by 64: a FIN too many costs a look among the sockets. */
#define CLOSED_LINES 4096

struct closed {
	/* The epoch of the last FIN, modulo 128, and one: 0 is never. One of two hours ago costs a look. */
	__u8 at[64];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CLOSED_LINES);
	__type(key, __u32);
	__type(value, struct closed);
} closed SEC(".maps");

static __always_inline __u64 closed_place(struct packet *p)
{
	__u64 source = p->src_high * 3 ^ p->src_low, ports = (__u64)p->src_port << 16 | p->dst_port;

	return spread(source, p->dst_low ^ ports << 32 ^ p->dst_high);
}

/* Of 69 s. */
static __always_inline __u8 closed_label(__u64 now)
{
	return (now >> EPOCH_BITS & 127) + 1;
}

/* A client has no more to say. */
static __always_inline void note_closed(struct packet *p, __u64 now)
{
	__u64 place = closed_place(p);
	__u32 line = place & (CLOSED_LINES - 1);
	struct closed *marks = bpf_map_lookup_elem(&closed, &line);

	if (marks)
		marks->at[place >> 32 & 63] = closed_label(now);
}

/* Whether a flow may have ended in this epoch or the one before. */
static __always_inline int closed_lately(struct packet *p, __u64 now)
{
	__u64 place = closed_place(p);
	__u32 line = place & (CLOSED_LINES - 1);
	struct closed *marks = bpf_map_lookup_elem(&closed, &line);
	__u8 mark;

	if (!marks)
		return 0;
	mark = marks->at[place >> 32 & 63];
	return mark == closed_label(now) || mark == closed_label(now - (1ull << EPOCH_BITS));
}
