/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* How a SYN is challenged: by the cookie of the kernel's own listener, by one that the kernel's SYN proxy takes back, by an
 * answer that a real client resets, or by waiting for it to come again. Nothing is kept meanwhile, and nothing is answered
 * twice. */
#pragma once

#include "answer.h"
#include "bounds.h"
#include "closed.h"
#include "first.h"
#include "protection.h"

#define TCP_STATE_TIME_WAIT 6
#define TCP_STATE_LISTEN 10
#define AF_INET 2
#define AF_INET6 10

/* The order of what `bpf_fib_lookup` returns. */
#define ROUTE_NOT_FORWARDED 4
#define ROUTE_NO_FORWARDING 5

/* Whether a packet is for this machine, by its own routes. */
static __noinline int is_for_us(struct xdp_md *ctx, struct packet *p)
{
	struct bpf_fib_lookup route = {};
	long found;

	if (!p)
		return 1;
	route.l4_protocol = IPPROTO_TCP;
	route.sport = bpf_htons(p->src_port);
	route.dport = bpf_htons(p->dst_port);
	route.ifindex = ctx->ingress_ifindex;
	if (p->family == 4) {
		route.family = AF_INET;
		route.ipv4_src = bpf_htonl(p->src_low);
		route.ipv4_dst = bpf_htonl(p->dst_low);
	} else {
		route.family = AF_INET6;
		route.ipv6_src[0] = bpf_htonl(p->src_high >> 32);
		route.ipv6_src[1] = bpf_htonl(p->src_high);
		route.ipv6_src[2] = bpf_htonl(p->src_low >> 32);
		route.ipv6_src[3] = bpf_htonl(p->src_low);
		route.ipv6_dst[0] = bpf_htonl(p->dst_high >> 32);
		route.ipv6_dst[1] = bpf_htonl(p->dst_high);
		route.ipv6_dst[2] = bpf_htonl(p->dst_low >> 32);
		route.ipv6_dst[3] = bpf_htonl(p->dst_low);
	}
	found = bpf_fib_lookup(ctx, &route, sizeof(route), 0);
	return found < 0 || found == ROUTE_NOT_FORWARDED || found == ROUTE_NO_FORWARDING;
}

/* A cookie without a listener. */
static __always_inline __s64 raw_cookie(struct packet *p, struct syn *syn, void *tcp, __u32 length)
{
	if (p->family == 4)
		return bpf_tcp_raw_gen_syncookie_ipv4(syn->ip, tcp, length);
	return bpf_tcp_raw_gen_syncookie_ipv6(syn->ip, tcp, length);
}

/* An address and port of this machine behind which somebody listens, and when the kernel's listener was last told that
 * cookies are out (it takes none back that it knows nothing of, for two minutes): asking for it costs more than the cookie. */
struct door {
	__u64 high, low;
	__u64 port;
	__u64 asked;
};

/* The last of each place, for each processor: who sends to other doors makes us ask, no more. */
#define DOORS 256
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DOORS);
	__type(key, __u32);
	__type(value, struct door);
} doors SEC(".maps");

/* How long a listener is believed to be there. */
#define DOOR_NS 1000000000ull

/* The kernel's socket that a SYN is for; whoever asks gives it back. */
static __always_inline struct bpf_sock *socket_of(struct xdp_md *ctx, struct packet *p, struct syn *syn)
{
	struct bpf_sock_tuple tuple;

	if (p->family == 4) {
		__builtin_memcpy(&tuple.ipv4, syn->ip + 12, 8);
		*(__u32 *)&tuple.ipv4.sport = syn->tcp[0];
		return bpf_skc_lookup_tcp(ctx, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	}
	__builtin_memcpy(&tuple.ipv6, syn->ip + 8, 32);
	*(__u32 *)&tuple.ipv6.sport = syn->tcp[0];
	return bpf_skc_lookup_tcp(ctx, &tuple, sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS, 0);
}

/* Whether the kernel still keeps the flow that a SYN begins anew. */
static __always_inline int is_waiting(struct xdp_md *ctx, struct packet *p, struct syn *syn)
{
	struct bpf_sock *socket = socket_of(ctx, p, syn);
	int is;

	if (!socket)
		return 0;
	is = socket->state == TCP_STATE_TIME_WAIT;
	bpf_sk_release(socket);
	return is;
}

/* The cookie of the listener that a SYN is for; negative where there is none or the kernel will not. */
static __always_inline __s64 listener_cookie(struct xdp_md *ctx, struct packet *p, struct syn *syn, void *tcp,
					     __u32 length, __u64 now)
{
	__u32 place = (p->dst_low ^ p->dst_low >> 8 ^ p->dst_port) & (DOORS - 1);
	struct door *door = bpf_map_lookup_elem(&doors, &place);
	__u32 front = p->family == 4 ? 20 : 40;
	struct bpf_sock *socket;
	__s64 cookie = -1;

	if (!door)
		return -1;
	if (door->low == p->dst_low && door->high == p->dst_high && door->port == p->dst_port &&
	    now - door->asked < DOOR_NS)
		return raw_cookie(p, syn, tcp, length);
	socket = socket_of(ctx, p, syn);
	if (!socket)
		return -1;
	if (socket->state == TCP_STATE_LISTEN)
		cookie = bpf_tcp_gen_syncookie(socket, syn->ip, front, tcp, length);
	bpf_sk_release(socket);
	if (cookie >= 0) {
		door->high = p->dst_high;
		door->low = p->dst_low;
		door->port = p->dst_port;
		door->asked = now;
	}
	return cookie;
}

static __always_inline __s64 cookie_of(struct xdp_md *ctx, struct packet *p, __u32 mode, struct syn *syn, void *tcp,
				       __u32 length, __u64 now)
{
	return mode == MODE_HOST ? listener_cookie(ctx, p, syn, tcp, length, now) : raw_cookie(p, syn, tcp, length);
}

/* The number that a client's reset has to bring back. */
static __always_inline __u32 reset_cookie(struct packet *p, __u64 epoch)
{
	return hash_flow(p, epoch);
}

/* Answers a SYN; 0 where there is nothing to answer with. */
static __always_inline int answer_syn(struct xdp_md *ctx, struct packet *p, __u32 mode, struct host *host,
				      struct protection *g, __u64 now)
{
	__u32 zero = 0, room = frame_len(ctx), length;
	struct draft *draft;
	struct offer offer = { .scale = 15 };
	struct reply reply = {};
	struct syn syn;
	__s64 cookie;

	if (!find_syn(ctx, p, &syn))
		return 0;
	if (mode == MODE_HOST && closed_lately(p, now) && is_waiting(ctx, p, &syn))
		return 0;
	room = (room > FRAME_MIN ? room : FRAME_MIN) - p->l4;
	reply.ack = bpf_ntohl(syn.tcp[1]) + 1;
	if (mode == MODE_RESET) {
		__u32 wrong = reset_cookie(p, now >> EPOCH_BITS);

		reply.sequence = reply.ack;
		reply.ack = wrong == reply.ack ? wrong ^ 1 : wrong;
		return send_reply(ctx, p, &syn, &reply, &offer, 1, room, now);
	}
	if (syn.tcp_length == 20) {
		cookie = cookie_of(ctx, p, mode, &syn, syn.tcp, 20, now);
	} else if (syn.tcp_length == 40 && has_room(ctx, &syn, 40) && is_common(syn.tcp + 5)) {
		offer.sack = offer.has_timestamp = 1;
		offer.timestamp = syn.tcp[7];
		offer.scale = ((__u8 *)syn.tcp)[39];
		if (offer.scale > 14)
			offer.scale = 14;
		cookie = cookie_of(ctx, p, mode, &syn, syn.tcp, 40, now);
	} else {
		draft = bpf_map_lookup_elem(&drafts, &zero);
		length = some_of(sizeof(draft->octets), syn.tcp_length);
		if (!draft || bpf_xdp_load_bytes(ctx, p->l4, draft->octets, length))
			return 0;
		read_offer(draft->octets, length, &offer);
		cookie = cookie_of(ctx, p, mode, &syn, draft->octets, length, now);
	}
	if (cookie < 0)
		return 0;
	reply.sequence = cookie;
	if (mode == MODE_HOST) {
		reply.mss = p->family == 4 ? host->mss4 : host->mss6;
		reply.window = 64240;
		reply.timestamps = host->timestamps;
		reply.scale = host->scale;
	} else {
		/* No data before the server has opened its side: the proxy tells its window then. */
		reply.mss = p->family == 4 ? g->mss4 : g->mss6;
		reply.timestamps = 1;
		reply.scale = g->scale;
	}
	if (syn.tcp_length == 20)
		return send_reply(ctx, p, &syn, &reply, &offer, 1, room, now);
	return send_reply(ctx, p, &syn, &reply, &offer, 0, room, now);
}

/* Whether an answer may go out: so many a second to the claimed network, so many from this box. */
static __always_inline int may_answer(struct packet *p, struct protection *g, __u32 second)
{
	__u64 net = p->family == 4 ? p->src_low >> 8 : p->src_high;

	return count_sketch(ROW_NET, spread(net, p->family), second) <= g->net &&
	       count(ROW_BOX * COUNTS, second) <= g->box;
}

/* Whether a destination gets more SYNs than it may get unasked. */
static __always_inline int is_attacked(struct packet *p, __u32 above, __u32 second)
{
	return !above || count_sketch(ROW_HOST, spread(p->dst_high + OF_SYNS, p->dst_low), second) > above;
}

/* How much passes unasked: as the rule that challenges says, or else its set. */
static __always_inline __u32 unasked(struct packet *p, struct protection *g)
{
	__u32 key = p->rule;
	struct rule *rule = bpf_map_lookup_elem(&rules, &key);

	return rule && rule->above ? rule->above : g->above;
}

/* Waits for the same SYN again. */
static __always_inline int wait_for_repeat(struct xdp_md *ctx, struct packet *p, enum leave first, __u64 now)
{
	__u32 sequence = 0;

	if (bpf_xdp_load_bytes(ctx, p->l4 + 4, &sequence, 4) || !is_repeated(p, sequence, now))
		return leave(first, p->length, XDP_DROP);
	prove(p, PROOF_REPEAT, now);
	return leave(LEAVE_REPEATED, p->length, XDP_PASS);
}

/* What becomes of a SYN. */
static __always_inline int challenge_syn(struct xdp_md *ctx, struct packet *p, struct host *host, struct protection *g)
{
	__u64 now = coarse_ns();
	__u32 second = second_of(now), mode = g->mode;

	if (!is_attacked(p, unasked(p, g), second))
		return leave(LEAVE_QUIET, p->length, XDP_PASS);
	if (mode == MODE_RESET || mode == MODE_FIRST) {
		/* A proof is no licence to flood. */
		if (is_proven(p, now)) {
			__u64 source = spread(p->src_high + OF_OWN, p->src_low);

			if (count_sketch(ROW_HOST, source, second) > g->net)
				return leave(LEAVE_EXCESSIVE, p->length, XDP_DROP);
			return leave(LEAVE_PROVEN, p->length, XDP_PASS);
		}
	}
	if (mode == MODE_FIRST)
		return wait_for_repeat(ctx, p, LEAVE_FIRST, now);
	if (!may_answer(p, g, second))
		return wait_for_repeat(ctx, p, LEAVE_CAPPED, now);
	if (mode == MODE_AUTO)
		mode = is_for_us(ctx, p) ? MODE_HOST : MODE_GATEWAY;
	if (!answer_syn(ctx, p, mode, host, g, now))
		return leave(LEAVE_UNCHALLENGED, p->length, XDP_PASS);
	return leave(LEAVE_CHALLENGED, p->length, XDP_TX);
}
