/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The kinds of a TCP header's options in their order: the shape by which stacks and tools are told apart. */
#pragma once

#include "bounds.h"
#include "parse.h"

/* Kinds that are told; `rules::rule::limits::OPTIONS`. */
#define KINDS_MAX 12
/* Octets of options that a header can have. */
#define OPTIONS_LEN 40
/* Room for them: a power of two, for the verifier. */
#define OPTIONS_ROOM 64
/* In place of how many: they are cut, of a length that cannot be, or too many. */
#define NO_SHAPE 0xff

static __noinline int walk_options(struct packet *p, __u8 *options, __u32 length)
{
	__u32 at = 0;

	if (!p || !options)
		return 0;
	for (int i = 0; i <= KINDS_MAX; i++) {
		__u32 kind, size = 1;

		if (at >= length || at >= OPTIONS_LEN) {
			p->options[15] = i;
			return 0;
		}
		if (i == KINDS_MAX)
			return 0;
		kind = options[place_in(OPTIONS_ROOM, at)];
		p->options[i] = kind;
		if (kind == 0) {
			p->options[15] = i + 1;
			return 0;
		}
		if (kind != 1) {
			if (at + 1 >= length || at + 1 >= OPTIONS_LEN)
				return 0;
			size = options[place_in(OPTIONS_ROOM, at + 1)];
			if (size < 2 || at + size > length)
				return 0;
		}
		at += size;
	}
	return 0;
}

static __noinline int read_options(struct xdp_md *ctx, struct packet *p)
{
	__u8 options[OPTIONS_ROOM] = {};
	__u32 end = frame_len(ctx), headers, left, length;
	__u64 *words;
	__u8 offset;

	if (!p)
		return 0;
	words = (void *)p->options;
	words[0] = words[1] = 0;
	if (bpf_xdp_load_bytes(ctx, p->l4 + 12, &offset, 1))
		return 0;
	if (offset >> 4 <= 5)
		return 0;
	p->options[15] = NO_SHAPE;
	length = (offset >> 4) * 4 - 20;
	headers = p->l4 - p->l3;
	left = p->length > headers ? p->length - headers : 0;
	if (length == 0 || length > OPTIONS_LEN || left < 20 + length || p->l4 + 20 + length > end)
		return 0;
	length = some_of(OPTIONS_ROOM, length);
	if (bpf_xdp_load_bytes(ctx, p->l4 + 20, options, length))
		return 0;
	return walk_options(p, options, length);
}
