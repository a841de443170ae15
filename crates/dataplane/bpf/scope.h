/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Entries of lists that hold for some packets of their source only, or up to a ceiling: the value of an entry in a table is 0,
 * or one more than the place of the first of its scopes. */
#pragma once

#include "bucket.h"
#include "maps.h"

/* Scopes of one set at most, and of one source prefix in one list. */
#define SCOPES_MAX 16384
#define CHAIN_MAX 8

#define SCOPE_PROTOCOL 1
#define SCOPE_PORT 2
#define SCOPE_CEILING 4
#define SCOPE_BITS 8	/* the ceiling is of bits */
#define SCOPE_EXEMPT 16 /* not listed, whatever wider prefixes say */

struct scope {
	__u64 dst_high, dst_low, mask_high, mask_low;
	__u64 interval, burst; /* of the ceiling, as of a rule's rate */
	__u64 full;
	__u32 next; /* one more than the place of the next one of this source; 0: none */
	__u16 port; /* destination port */
	__u8 protocol;
	__u8 flags;
};

_Static_assert(sizeof(struct scope) == 64, "lists::scope::SIZE");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SETS * SCOPES_MAX);
	__type(key, __u32);
	__type(value, struct scope);
} scopes SEC(".maps");

/* Packets of allowed sources above their ceiling. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} over_ceiling SEC(".maps");

#define OUT_OF_SCOPE 0
#define IN_SCOPE 1
#define NOT_LISTED 2

/* What the entry with this value says of a packet. Of external linkage: the verifier walks it once, not once for each length
 * of prefixes (Linux 5.13). */
__attribute__((noinline)) int in_scope(struct packet *p, __u32 value)
{
	if (!p)
		return OUT_OF_SCOPE;
	for (int i = 0; i < CHAIN_MAX && value; i++) {
		__u32 zero = 0, place = (value - 1) % SCOPES_MAX + (p->set & (SETS - 1)) * SCOPES_MAX;
		struct scope *scope = bpf_map_lookup_elem(&scopes, &place);
		__u64 *over;

		if (!scope)
			return OUT_OF_SCOPE;
		value = scope->next;
		if (scope->flags & SCOPE_EXEMPT)
			return NOT_LISTED;
		if ((p->dst_high & scope->mask_high) != scope->dst_high || (p->dst_low & scope->mask_low) != scope->dst_low)
			continue;
		if (scope->flags & SCOPE_PROTOCOL && p->protocol != scope->protocol)
			continue;
		if (scope->flags & SCOPE_PORT && (!(p->has & HAS_PORTS) || p->dst_port != scope->port))
			continue;
		if (!(scope->flags & SCOPE_CEILING) || take(&scope->full, scope->interval, scope->burst,
							    scope->flags & SCOPE_BITS ? p->length * 8 : 1, bucket_ns()))
			return IN_SCOPE;
		over = bpf_map_lookup_elem(&over_ceiling, &zero);
		if (over)
			++*over;
		return NOT_LISTED;
	}
	return OUT_OF_SCOPE;
}
