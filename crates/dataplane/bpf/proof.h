/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* How a source proves that it is there: it brings back a number that only who receives our answers can know. */
#pragma once

#include "challenge.h"

/* Whether an ACK brings back a SYN cookie, ours or the kernel's. */
static __always_inline int brings_cookie(struct xdp_md *ctx, struct packet *p)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 l3 = p->l3 & 0x1f;
	void *ip = data + l3;

	if (p->family == 4) {
		if (p->l4 - p->l3 != 20 || ip + 40 > end)
			return 0;
		return !bpf_tcp_raw_check_syncookie_ipv4(ip, ip + 20);
	}
	if (p->l4 - p->l3 != 40 || ip + 60 > end)
		return 0;
	return !bpf_tcp_raw_check_syncookie_ipv6(ip, ip + 40);
}

/* Whether a reset brings back the number of a wrong answer. */
static __always_inline int brings_number(struct xdp_md *ctx, struct packet *p, __u64 now)
{
	__u32 epoch = now >> EPOCH_BITS, number, wrong;

	if (bpf_xdp_load_bytes(ctx, p->l4 + 4, &number, 4))
		return 0;
	number = bpf_ntohl(number);
	/* The last bit may have been turned, to be wrong. */
	wrong = (reset_cookie(p, epoch) ^ number) & ~1u;
	return !wrong || !((reset_cookie(p, epoch - 1) ^ number) & ~1u);
}
