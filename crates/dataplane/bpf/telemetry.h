/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Local packets as telemetry: the fronts of some of them, each with the rate at which it was chosen. Nobody is woken:
 * user space looks each few milliseconds, and says with each look (a turn) how many it wants. */
#pragma once

#include "maps.h"

/* Octets of a frame that are told. */
#define TOLD 128
/* No rate beyond 1 in 2^19: collectors believe none above a million. */
#define RATE_BITS_MAX 19

struct told {
	__u32 rate;   /* N of 1 in N */
	__u32 length; /* octets of the frame */
	__u32 front;  /* octets of it that are here */
	__u32 unused;
	__u8 frame[TOLD];
};

/* What user space turns. */
struct dial {
	__u32 bits;   /* N is 2 to this power… */
	__u32 budget; /* …and once more for each 2^budget packets told in this turn by one processor */
	__u32 turn;
	__u32 unused;
};

struct teller {
	__u32 turn;
	__u32 count; /* told in this turn */
	__u64 told;
	__u64 lost; /* no room: nobody reads */
};

_Static_assert(sizeof(struct told) == 144, "telemetry::TOLD");
_Static_assert(sizeof(struct dial) == 16, "telemetry::DIAL");
_Static_assert(sizeof(struct teller) == 24, "telemetry::TELLER");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} telemetry SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct dial);
} dial SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct teller);
} tellers SEC(".maps");

/* Tells of the packet, or not: the rate is known before the coin is tossed, so that estimates are right. */
static __always_inline void tell(struct xdp_md *ctx, struct packet *p, __u32 frame)
{
	__u32 zero = 0, bits, more, front;
	struct dial *d = bpf_map_lookup_elem(&dial, &zero);
	struct teller *t = bpf_map_lookup_elem(&tellers, &zero);
	struct told *told;

	if (!d || !t)
		return;
	if (t->turn != d->turn) {
		t->turn = d->turn;
		t->count = 0;
	}
	more = t->count >> (d->budget & 31);
	bits = d->bits + (more > RATE_BITS_MAX ? RATE_BITS_MAX : more);
	if (bits > RATE_BITS_MAX)
		bits = RATE_BITS_MAX;
	if (bits && bpf_get_prandom_u32() & ((1 << bits) - 1))
		return;
	t->count++;
	if (p->wrapped) {
		if (take_off(ctx, p)) {
			t->lost++;
			return;
		}
		frame = frame_len(ctx);
	}
	told = bpf_ringbuf_reserve(&telemetry, sizeof(*told), 0);
	if (!told) {
		t->lost++;
		return;
	}
	front = frame < TOLD ? frame : TOLD;
	told->rate = 1 << bits;
	told->length = frame;
	told->unused = 0;
	front = some_of(TOLD, front);
	if (bpf_xdp_load_bytes(ctx, 0, told->frame, front)) {
		t->lost++;
		bpf_ringbuf_discard(told, BPF_RB_NO_WAKEUP);
		return;
	}
	told->front = front;
	t->told++;
	bpf_ringbuf_submit(told, BPF_RB_NO_WAKEUP);
}
