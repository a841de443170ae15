/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What is never cut, whatever lists and rules say: asked where a packet would be dropped, and only there.
 *
 * Neighbour discovery of the link (RFC 4861): without it IPv6 ends. It has a hop limit of 255, which no packet from beyond
 * the link can have. Sessions of the administrator, as user space found them: whoever cuts those can no longer be told to
 * stop. A session has a ceiling, for its numbers might be guessed and spoofed. */
#pragma once

#include "bucket.h"
#include "own.h"

#define SESSIONS_MAX 256
/* Of each session: a thousand packets a second, and a burst of a tenth. */
#define SESSION_INTERVAL (1000000ull << 16)
#define SESSION_BURST 99000000ull

struct session {
	__u64 src_high, src_low, dst_high, dst_low;
	__u16 src_port, dst_port;
	__u32 family;
};

_Static_assert(sizeof(struct session) == 40, "sessions::KEY");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SESSIONS_MAX);
	__type(key, struct session);
	__type(value, __u64);
} sessions SEC(".maps");

/* A bit for the low six bits of each session's port here: most packets are told apart by it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} session_ports SEC(".maps");

static __always_inline int is_discovery(struct packet *p)
{
	if (p->family != 6 || !(p->has & HAS_ICMP) || p->icmp_type < 133 || p->icmp_type > 137 || p->ttl != 255)
		return 0;
	return p->dst_high >> 48 == 0xff02 || p->dst_high >> 54 == 0xfe80 >> 6 || is_own(6, p->dst_high, p->dst_low);
}

static __always_inline int is_session(struct packet *p)
{
	struct session key = {};
	__u64 *ports, *full;
	__u32 zero = 0;

	/* SYNs belong to no session yet. */
	if (!(p->has & HAS_TCP) || p->tcp_flags & 0x02)
		return 0;
	ports = bpf_map_lookup_elem(&session_ports, &zero);
	if (!ports || !(*ports >> (p->dst_port & 63) & 1))
		return 0;
	key.src_high = p->src_high;
	key.src_low = p->src_low;
	key.dst_high = p->dst_high;
	key.dst_low = p->dst_low;
	key.src_port = p->src_port;
	key.dst_port = p->dst_port;
	key.family = p->family;
	full = bpf_map_lookup_elem(&sessions, &key);
	return full && take(full, SESSION_INTERVAL, SESSION_BURST, 1, bucket_ns());
}

/* Where a packet leaves that must not be dropped; LEAVES if it may be. */
static __noinline int spared(struct packet *p)
{
	if (!p)
		return LEAVES;
	if (p->protocol == IPPROTO_ICMPV6)
		return is_discovery(p) ? LEAVE_NEIGHBOUR : LEAVES;
	if (p->protocol == IPPROTO_TCP)
		return is_session(p) ? LEAVE_ADMINISTRATOR : LEAVES;
	return LEAVES;
}
