/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Each way out has its counter. */
#pragma once

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

static __always_inline int leave_seen(struct xdp_md *ctx, struct packet *p, enum leave where, __u32 bytes, int action)
{
	if (p->asks)
		sample(ctx, p, where, action);
	return leave_unseen(where, bytes, action);
}

/* Every program has its context and the packet's record under these names. */
#define leave(where, bytes, action) leave_seen(ctx, p, where, bytes, action)
