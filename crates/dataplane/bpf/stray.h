/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* TCP without a SYN, of sources that have proven nothing: counted first, limited where that is asked for. Who sees one
 * direction only cannot know the connections that were open before; below the limit they all pass. */
#pragma once

#include "protection.h"
#include "spared.h"

static __always_inline int judge_stray(struct xdp_md *ctx, struct packet *p, struct protection *g)
{
	__u64 now;

	if (g->stray == STRAY_PASS)
		return leave(LEAVE_UNCHALLENGED, p->length, XDP_PASS);
	now = coarse_ns();
	if (is_proven(p, now))
		return leave(LEAVE_PASSED, p->length, XDP_PASS);
	if (g->stray == STRAY_LIMIT) {
		__u64 destination = spread(p->dst_high + OF_STRAY, p->dst_low);

		if (count_sketch(ROW_HOST, destination, second_of(now)) > g->strays) {
			__u32 where = spared(p);

			if (where != LEAVES)
				return leave(where, p->length, XDP_PASS);
			return leave(LEAVE_STRAY_DROPPED, p->length, XDP_DROP);
		}
	}
	return leave(LEAVE_STRAY, p->length, XDP_PASS);
}
