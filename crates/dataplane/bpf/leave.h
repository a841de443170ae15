/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Each way out has its counter. */
#pragma once

#include "paths.h"
#include "sample.h"

/* Without a sample: of what is not read as a packet, nobody knows where its headers end. */
static __always_inline int leave_unseen(enum leave where, __u32 bytes, int action)
{
	__u32 key = where;
	struct tally *tally = bpf_map_lookup_elem(&leaves, &key);

	if (tally) {
		tally->packets++;
		tally->bytes += bytes;
	}
	return action;
}

static __always_inline int leave_for_good(struct xdp_md *ctx, struct packet *p, enum leave where, __u32 bytes, int action)
{
	if (action == XDP_PASS && !is_bare(ctx, p)) {
		where = LEAVE_NESTED;
		action = XDP_DROP;
	}
	if (p->asks & SET_SAMPLE)
		sample(ctx, p, where, action);
	return leave_unseen(where, bytes, action);
}

/* Where the set gives back what passes, that is asked for its way first, and leaves there. */
static __always_inline int leave_seen(struct xdp_md *ctx, struct packet *p, enum leave where, __u32 bytes, int action)
{
	if (!p->asks)
		return leave_unseen(where, bytes, action);
	if (p->asks & SET_RETURN) {
		if (action == XDP_PASS) {
			p->where = where;
			bpf_tail_call(ctx, &programs, SLOT_RETURN);
		} else if (action == XDP_DROP) {
			count_dropped(p);
		}
	}
	return leave_for_good(ctx, p, where, bytes, action);
}

/* Every program has its context and the packet's record under these names. */
#define leave(where, bytes, action) leave_seen(ctx, p, where, bytes, action)
