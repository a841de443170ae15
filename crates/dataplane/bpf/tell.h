/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Senders are told of what does not go back to its owner: of packets that do not fit into a tunnel and may not be cut, how long packets may
 * be ("fragmentation needed", RFC 792, RFC 1191 §4; "packet too big", RFC 4443 §3.2), and of those whose time to live (hop limit) ends
 * here, that it does ("time exceeded", RFC 792, RFC 4443 §3.3): who traces a path sees us on it. Capped by box and by network, and never to
 * whom RFC 1122 §3.2.2 and RFC 4443 §2.4 (e) forbid: no source that is none, no errors about errors or later fragments. A message is
 * shorter than what caused it; of a short packet it shows what tells flows apart, and is up to twice as long as that. */
#pragma once

#include "answer.h"
#include "leave.h"
#include "paths.h"
#include "protection.h"
#include "truncate.h"

/* Octets of a long packet that are shown to its sender, before them those of the message, and with an IP header all of it at most. */
#define QUOTE 504
#define FRONT 8
#define TOLD_MAX (40 + FRONT + QUOTE)
/* Of a short one: the IP header and 64 bits behind it (RFC 792). */
#define QUOTE4 28
#define QUOTE6 48
/* Ethernet with two tags, and room for it: a power of two. */
#define LINK_MAX 22
#define LINK_ROOM 32
/* What the sketch counts. */
#define OF_TOLD 0x400

/* A source that may hear of it: one host's address that routers know. */
static __always_inline int is_addressable(struct packet *p)
{
	if (p->family == 4) {
		__u32 net = p->src_low >> 24;

		return net != 0 && net != 127 && net < 224;
	}
	/* Of the global addresses there are, and of unique local ones. */
	return p->src_high >> 61 == 1 || p->src_high >> 57 == 0xfc >> 1;
}

/* An error of ICMP, or what cannot be told to be none. */
static __always_inline int is_error(struct packet *p)
{
	if (p->protocol == IPPROTO_ICMP)
		return !(p->has & HAS_ICMP) || p->icmp_type == 3 || p->icmp_type == 4 || p->icmp_type == 5 ||
		       p->icmp_type == 11 || p->icmp_type == 12;
	if (p->protocol == IPPROTO_ICMPV6)
		return !(p->has & HAS_ICMP) || p->icmp_type < 128 || p->icmp_type == 137;
	return 0;
}

static __always_inline int may_tell(struct packet *p)
{
	__u32 set = p->set & (SETS - 1), second = second_of(coarse_ns());
	struct returning *all = bpf_map_lookup_elem(&returning, &set);
	__u64 net = p->family == 4 ? p->src_low >> 8 : p->src_high;

	if (!all || !all->net || !is_addressable(p) || is_error(p) || p->fragment & FRAGMENT_IS)
		return 0;
	return count_sketch(ROW_NET, spread(net, OF_TOLD + p->family), second) <= all->net &&
	       count(CELL_TOLD, second) <= all->box;
}

/* Who tells it: our end of the tunnel; where that is of the other family, whoever the packet was for. */
static __always_inline void put_teller(struct packet *p, struct return_path *path, __be32 *from)
{
	if (path->tunnel.family == p->family) {
		__builtin_memcpy(from, path->tunnel.from, p->family == 4 ? 4 : 16);
	} else if (p->family == 4) {
		from[0] = bpf_htonl(p->dst_low);
	} else {
		from[0] = bpf_htonl(p->dst_high >> 32);
		from[1] = bpf_htonl(p->dst_high);
		from[2] = bpf_htonl(p->dst_low >> 32);
		from[3] = bpf_htonl(p->dst_low);
	}
}

static __always_inline __u64 sum_of(__be32 *words, int count)
{
	__u64 sum = 0;

#pragma unroll
	for (int i = 0; i < count; i++)
		sum += words[i];
	return sum;
}

/* Whether its time to live ends here; if not, it is too big. */
static __always_inline int is_over(struct packet *p)
{
	return p->ttl <= 1;
}

/* Turns the frame into the message, which shows so many octets of the packet; 0 where that failed. */
static __always_inline int write_message(struct xdp_md *ctx, struct packet *p, struct return_path *path, const __u32 quote)
{
	__u32 zero = 0, link = p->l3, front = p->family == 4 ? 20 : 40, mtu = p->limit, size = FRONT + quote;
	struct query *message = bpf_map_lookup_elem(&queries, &zero);
	__u8 frame[LINK_ROOM] = {}, mac[ETH_ALEN];
	__be32 ip[10] = {}, *icmp;
	__u64 sum;

	if (!message || link > LINK_MAX || bpf_xdp_load_bytes(ctx, link, message->octets + FRONT, quote))
		return 0;
	link = some_of(LINK_ROOM, link);
	if (bpf_xdp_load_bytes(ctx, 0, frame, link))
		return 0;
	__builtin_memcpy(mac, frame, ETH_ALEN);
	__builtin_memcpy(frame, frame + ETH_ALEN, ETH_ALEN);
	__builtin_memcpy(frame + ETH_ALEN, mac, ETH_ALEN);
	icmp = (void *)message->octets;
	if (p->family == 4) {
		icmp[0] = is_over(p) ? bpf_htonl(11 << 24) : bpf_htonl(3 << 24 | 4 << 16);
		icmp[1] = is_over(p) ? 0 : bpf_htonl(mtu);
		ip[0] = bpf_htonl(0x45c00000 | (20 + size));
		ip[1] = bpf_htonl(0x4000);
		ip[2] = bpf_htonl(64 << 24 | IPPROTO_ICMP << 16);
		put_teller(p, path, ip + 3);
		ip[4] = bpf_htonl(p->src_low);
		((__u16 *)ip)[5] = fold(sum_of(ip, 5));
		sum = 0;
	} else {
		icmp[0] = is_over(p) ? bpf_htonl(3 << 24) : bpf_htonl(2 << 24);
		/* No link takes less (RFC 8200 §5). */
		icmp[1] = is_over(p) ? 0 : bpf_htonl(mtu < 1280 ? 1280 : mtu);
		put_teller(p, path, ip + 2);
		ip[6] = bpf_htonl(p->src_high >> 32);
		ip[7] = bpf_htonl(p->src_high);
		ip[8] = bpf_htonl(p->src_low >> 32);
		ip[9] = bpf_htonl(p->src_low);
		sum = sum_of(ip + 2, 8) + bpf_htonl(size) + (__u64)bpf_htonl(IPPROTO_ICMPV6);
		ip[0] = bpf_htonl(0x60000000);
		ip[1] = bpf_htonl(size << 16 | IPPROTO_ICMPV6 << 8 | 64);
	}
	sum += bpf_csum_diff(0, 0, icmp, size, 0) & 0xffffffff;
	((__u16 *)icmp)[1] = fold(sum);
	if (bpf_xdp_adjust_tail(ctx, (int)(link + front + size) - (int)frame_len(ctx)))
		return 0;
	return !bpf_xdp_store_bytes(ctx, 0, frame, link) && !bpf_xdp_store_bytes(ctx, link, ip, front) &&
	       !bpf_xdp_store_bytes(ctx, link + front, message->octets, size);
}

/* How many octets of the packet a message shows; 0 where there is none about it. */
static __always_inline __u32 quote_of(struct packet *p)
{
	if (p->length > TOLD_MAX)
		return QUOTE;
	if (!is_over(p))
		return 0;
	if (p->family == 6)
		return p->length >= QUOTE6 ? QUOTE6 : 0;
	/* With options the 64 bits stand elsewhere. */
	return p->length >= QUOTE4 && p->l4 == p->l3 + 20 ? QUOTE4 : 0;
}

static __always_inline int tell_back(struct xdp_md *ctx, struct packet *p, struct return_path *path, __u32 quote)
{
	if (quote == QUOTE)
		return write_message(ctx, p, path, QUOTE);
	return quote == QUOTE4 ? write_message(ctx, p, path, QUOTE4) : write_message(ctx, p, path, QUOTE6);
}

static __always_inline int answer_sender(struct xdp_md *ctx, struct packet *p)
{
	__u32 place = p->place & (RETURN_PLACES - 1), at = (p->set & (SETS - 1)) * RETURN_PLACES + place;
	__u32 where = is_over(p) ? LEAVE_EXPIRED : LEAVE_OVERSIZED, quote = quote_of(p);
	struct return_path *path = bpf_map_lookup_elem(&return_paths, &at);
	struct return_counter *counter = counter_at(place);
	int may;

	if (!path || !counter)
		return leave_for_good(ctx, p, where, p->length, XDP_DROP);
	may = quote && may_tell(p);
	if (may && tell_back(ctx, p, path, quote)) {
		counter->told++;
		return leave_unseen(LEAVE_TOLD, p->length, XDP_TX);
	}
	if (is_over(p))
		counter->expired++;
	else
		counter->too_big++;
	/* What may be a message by half is no sample. */
	return may ? leave_unseen(where, p->length, XDP_DROP) : leave_for_good(ctx, p, where, p->length, XDP_DROP);
}
