/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Gives a program another packet each run: writes the next of 4096 headers into the frame and goes on to slot 0. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define FRAMES 4096
#define LENGTH 74

struct header {
	__u64 words[8]; /* the first 64 octets of a frame */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FRAMES);
	__type(key, __u32);
	__type(value, struct header);
} headers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} next SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} slot SEC(".maps");

/* Not 0: the source address of each packet is the number of the run. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} counting SEC(".maps");

SEC("xdp")
int driver(struct xdp_md *ctx)
{
	__u32 zero = 0, key, *at = bpf_map_lookup_elem(&next, &zero);
	__u32 *counts = bpf_map_lookup_elem(&counting, &zero);
	struct header *header;
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	if (!at || !counts)
		return XDP_ABORTED;
	key = *at & (FRAMES - 1);
	++*at;
	header = bpf_map_lookup_elem(&headers, &key);
	if (!header)
		return XDP_ABORTED;
	/* An answer has changed the frame's length. */
	if (data + LENGTH > end) {
		if (bpf_xdp_adjust_tail(ctx, LENGTH - (int)(end - data)))
			return XDP_ABORTED;
		data = (void *)(long)ctx->data;
		end = (void *)(long)ctx->data_end;
	}
	if (data + sizeof(*header) > end)
		return XDP_ABORTED;
	__builtin_memcpy(data, header, sizeof(*header));
	/* Behind Ethernet and twelve octets of IPv4. */
	if (*counts)
		*(__u32 *)(data + 26) = *at * 2654435761u;
	bpf_tail_call(ctx, &slot, 0);
	return XDP_ABORTED;
}

/* A frame that the program writes its answer over: all of it has to be there anew. */
struct whole {
	__u8 octets[94];
	__u16 length; /* 60, 74 or 94 */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FRAMES);
	__type(key, __u32);
	__type(value, struct whole);
} wholes SEC(".maps");

SEC("xdp")
int answered(struct xdp_md *ctx)
{
	__u32 zero = 0, key, *at = bpf_map_lookup_elem(&next, &zero);
	struct whole *whole;
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	if (!at)
		return XDP_ABORTED;
	key = (*at)++ & (FRAMES - 1);
	whole = bpf_map_lookup_elem(&wholes, &key);
	if (!whole)
		return XDP_ABORTED;
	if (end - data != whole->length) {
		if (bpf_xdp_adjust_tail(ctx, whole->length - (int)(end - data)))
			return XDP_ABORTED;
		data = (void *)(long)ctx->data;
		end = (void *)(long)ctx->data_end;
	}
	if (data + 94 <= end)
		__builtin_memcpy(data, whole->octets, 94);
	else if (data + 74 <= end)
		__builtin_memcpy(data, whole->octets, 74);
	else if (data + 60 <= end)
		__builtin_memcpy(data, whole->octets, 60);
	bpf_tail_call(ctx, &slot, 0);
	return XDP_ABORTED;
}

/* A frame that the program unwraps or wraps: its front moves, and all of it has to be there anew. */
#define CARRIED 128
struct carried {
	__u64 words[CARRIED / 8];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FRAMES);
	__type(key, __u32);
	__type(value, struct carried);
} carried SEC(".maps");

SEC("xdp")
int carrier(struct xdp_md *ctx)
{
	__u32 zero = 0, key, *at = bpf_map_lookup_elem(&next, &zero);
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct carried *frame;

	if (!at)
		return XDP_ABORTED;
	key = *at & (FRAMES - 1);
	++*at;
	frame = bpf_map_lookup_elem(&carried, &key);
	if (!frame)
		return XDP_ABORTED;
	if (end - data != CARRIED) {
		if (bpf_xdp_adjust_head(ctx, (int)(end - data) - CARRIED))
			return XDP_ABORTED;
		data = (void *)(long)ctx->data;
		end = (void *)(long)ctx->data_end;
	}
	if (data + CARRIED > end)
		return XDP_ABORTED;
	__builtin_memcpy(data, frame, CARRIED);
	bpf_tail_call(ctx, &slot, 0);
	return XDP_ABORTED;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* What one would do without a sketch: a bucket for each source in a table that forgets who was not seen for longest. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1 << 17);
	__type(key, __u32);
	__type(value, __u64);
} sources SEC(".maps");

SEC("xdp")
int lru(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u64 now = bpf_jiffies64() * 4000000, first = now + 10000000, *full;
	__u32 source;

	if (data + LENGTH > end)
		return XDP_ABORTED;
	source = *(__u32 *)(data + 26);
	full = bpf_map_lookup_elem(&sources, &source);
	if (!full)
		return bpf_map_update_elem(&sources, &source, &first, BPF_ANY) ? XDP_DROP : XDP_PASS;
	if (*full > now + 90000000)
		return XDP_DROP;
	*full = (*full > now ? *full : now) + 10000000;
	return XDP_PASS;
}
