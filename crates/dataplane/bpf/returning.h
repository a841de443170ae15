/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The way back of what passes: into a tunnel to the owner of its prefix (RFC 2003, RFC 2473, RFC 2784, RFC 4213), in the pass in which it
 * came. Nothing of it goes up: the kernel's own routes would send it round to where it was diverted. */
#pragma once

#include "clamp.h"
#include "decap.h"
#include "lead.h"
#include "leave.h"
#include "paths.h"

/* The hop towards a far end, as the kernel said not long ago: asking costs more than all the rest. */
struct return_hop {
	__u64 asked; /* ns of the clock of buckets */
	__u32 stamp; /* of the path */
	__u32 ifindex;
	__u32 mtu;
	__u8 macs[2 * ETH_ALEN];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, RETURN_PLACES);
	__type(key, __u32);
	__type(value, struct return_hop);
} return_hops SEC(".maps");

/* How long what it said holds: a route that changes is taken that much later. */
#define HOP_NS 100000000ull

/* Asks for it. Not inlined: it is seldom needed, and what it needs of the stack is cleared where it is. */
static __noinline int ask_hop(struct xdp_md *ctx, struct return_path *path, struct return_hop *hop)
{
	struct bpf_fib_lookup way = {};
	__u8 from[16] = {};

	if (!path || !hop)
		return -1;
	hop->stamp = 0;
	if (path->via_family) {
		if (path->via_family == path->tunnel.family)
			__builtin_memcpy(from, path->tunnel.from, 16);
		if (find_way(ctx, path->via_family, from, path->via, &way, 1))
			return -1;
	} else if (find_way(ctx, path->tunnel.family, path->tunnel.from, path->tunnel.to, &way, 1)) {
		return -1;
	}
	hop->ifindex = way.ifindex;
	hop->mtu = way.mtu_result;
	__builtin_memcpy(hop->macs, way.dmac, ETH_ALEN);
	__builtin_memcpy(hop->macs + ETH_ALEN, way.smac, ETH_ALEN);
	hop->asked = bucket_ns();
	hop->stamp = path->stamp;
	return 0;
}

/* The hop on a path; 0 where there is none. */
static __always_inline struct return_hop *hop_of(struct xdp_md *ctx, struct return_path *path, __u32 place)
{
	struct return_hop *hop = bpf_map_lookup_elem(&return_hops, &place);

	if (!hop)
		return 0;
	if (hop->stamp == path->stamp && bucket_ns() - hop->asked < HOP_NS)
		return hop;
	return ask_hop(ctx, path, hop) ? 0 : hop;
}

/* Octets of the longest packet that fits into the tunnel. */
static __always_inline __u32 limit_of(struct return_path *path, struct return_hop *hop, __u32 front)
{
	__u32 mtu = hop->mtu > front ? hop->mtu - front : 0;

	return path->mtu && path->mtu < mtu ? path->mtu : mtu;
}

/* Counts a packet that does not go back. */
#define lose(where, field)                                                                                             \
	({                                                                                                             \
		counter->field++;                                                                                      \
		leave_for_good(ctx, p, where, p->length, XDP_DROP);                                                    \
	})

/* An outer header for the kernel to cut; it forwards what is for its address of the link. */
static __always_inline int hand_up(struct xdp_md *ctx, struct packet *p, struct return_path *path, struct return_counter *counter)
{
	__u8 macs[2 * ETH_ALEN];

	if (bpf_xdp_load_bytes(ctx, 0, macs, sizeof(macs)) || send_on(ctx, p, &path->tunnel, macs) != SENT)
		return lose(LEAVE_NO_WAY, no_way);
	counter->handed++;
	return leave_for_good(ctx, p, LEAVE_HANDED, p->length, XDP_PASS);
}

static __always_inline int return_along(struct xdp_md *ctx, struct packet *p, struct returning *all, __u32 place)
{
	__u32 at = (p->set & (SETS - 1)) * RETURN_PLACES + place, front, limit, length = p->length, ifindex;
	struct return_path *path = bpf_map_lookup_elem(&return_paths, &at);
	struct return_counter *counter = counter_at(place);
	struct return_hop *hop;

	if (!path || !counter)
		return leave_for_good(ctx, p, LEAVE_NO_WAY, p->length, XDP_DROP);
	if (path->flags & RETURN_DISCARD) {
		counter->discarded_octets += length;
		return lose(LEAVE_DISCARDED, discarded);
	}
	if (p->tunnels && p->outer_low == path->remote_low && p->outer_high == path->remote_high)
		return lose(LEAVE_LOOPED, looped);
	if (p->ttl <= 1) {
		p->place = place;
		bpf_tail_call(ctx, &programs, SLOT_TELL);
		return lose(LEAVE_EXPIRED, expired);
	}
	hop = hop_of(ctx, path, place);
	if (!hop || !is_whole(ctx, p))
		return lose(LEAVE_NO_WAY, no_way);
	front = outer_length(&path->tunnel);
	limit = limit_of(path, hop, front);
	if (length > limit) {
		if (p->family == 6 || p->fragment & FRAGMENT_DONT) {
			p->limit = limit;
			p->place = place;
			bpf_tail_call(ctx, &programs, SLOT_TELL);
		} else if (all->flags & RETURNING_CUT && path->tunnel.family == 4 && length + front <= 0xffff) {
			return hand_up(ctx, p, path, counter);
		}
		return lose(LEAVE_OVERSIZED, too_big);
	}
	if (is_syn(p))
		counter->clamped += clamp(ctx, p, limit);
	ifindex = hop->ifindex;
	if (send_on(ctx, p, &path->tunnel, hop->macs) != SENT)
		return lose(LEAVE_NO_WAY, no_way);
	counter->packets++;
	counter->octets += length;
	return leave_for_good(ctx, p, LEAVE_RETURNED, length,
			      ifindex == ctx->ingress_ifindex ? XDP_TX : bpf_redirect(ifindex, 0));
}

/* What an owner sends to others goes up, and is forwarded by the kernel's routes; whether it is that: from his prefix, and out of his
 * tunnel if out of any. */
static __always_inline int is_of_owner(struct xdp_md *ctx, struct packet *p)
{
	int place = place_of(p, 1);
	__u32 at = (p->set & (SETS - 1)) * RETURN_PLACES + place;
	struct return_counter *counter;
	struct return_path *path;
	struct return_hop *hop;

	if (place < 0)
		return 0;
	path = bpf_map_lookup_elem(&return_paths, &at);
	counter = counter_at(place);
	if (!path || !counter || path->flags & RETURN_DISCARD)
		return 0;
	if (p->tunnels && (p->outer_low != path->remote_low || p->outer_high != path->remote_high))
		return 0;
	counter->sent++;
	if (is_syn(p)) {
		hop = hop_of(ctx, path, place);
		if (hop)
			counter->clamped += clamp(ctx, p, limit_of(path, hop, outer_length(&path->tunnel)));
	}
	return 1;
}

static __always_inline int find_owner(struct xdp_md *ctx, struct packet *p)
{
	__u32 set = p->set & (SETS - 1);
	struct returning *all = bpf_map_lookup_elem(&returning, &set);
	int place;

	if (!all)
		return leave_for_good(ctx, p, p->where, p->length, XDP_PASS);
	place = place_of_destination(p, all);
	if (place >= 0)
		return return_along(ctx, p, all, place);
	if (is_of_owner(ctx, p) || !p->tunnels || all->flags & RETURNING_PASS)
		return leave_for_good(ctx, p, p->where, p->length, XDP_PASS);
	return leave_for_good(ctx, p, LEAVE_UNDECLARED, p->length, XDP_DROP);
}
