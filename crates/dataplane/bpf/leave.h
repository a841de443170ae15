/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Each way out has its counter. */
#pragma once

#include "maps.h"

static __always_inline int leave(enum leave where, __u32 bytes, int action)
{
	__u32 key = where;
	struct tally *tally = bpf_map_lookup_elem(&leaves, &key);

	if (tally) {
		tally->packets++;
		tally->bytes += bytes;
	}
	return action;
}
