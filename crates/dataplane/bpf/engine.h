/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Rules interpreted from tables: the second way beside the emitted tree. `engine` takes the tree's place where a kernel
 * refuses that; `increment` comes behind either of them while single rules wait for the next whole set. The walk over candidates is a
 * `bpf_loop` (Linux 5.17; `parse.h` needs 5.18 already): as one bounded loop 512 steps cost the verifier 150,000
 * instructions. */
#pragma once

#include "maps.h"
#include "leave.h"

/* Steps of one packet at most: entries that it is asked against, and blocks of them. User space refuses more. */
#define STEPS_MAX 4096
/* Steps between two calls of `bpf_loop`, which costs more than some of them. */
#define STRIDE 16
/* Checks of one entry at most, and between two calls of `bpf_loop`. */
#define CHECKS_MAX 256
#define CHECK_STRIDE 8
/* Rules that wait for the next whole set. */
#define INCREMENTS_MAX 256
/* Banks of a set's increments take turns: who still reads one is not overtaken. */
#define TURNS 4
/* Each set has a bank for all its rules, and some for its increments. */
#define BANKS (SETS + SETS * TURNS)
/* A rule without prefix stands in both families. */
#define ENTRIES_WHOLE (2 * RULES_MAX)
#define ENTRIES_INCREMENT (2 * INCREMENTS_MAX)
#define CHECKS_WHOLE (4 * RULES_MAX)
#define CHECKS_INCREMENT (16 * INCREMENTS_MAX)
/* Of destinations and sources, and one of each family for the rest. */
#define BLOCKS_WHOLE (RULES_MAX + 8)
#define BLOCKS_INCREMENT (INCREMENTS_MAX + 8)
#define BOUNDS_WHOLE (2 * RULES_MAX + 8)
#define BOUNDS_INCREMENT (2 * INCREMENTS_MAX + 8)
#define OF_BANKS(WHAT) (SETS * WHAT##_WHOLE + SETS * TURNS * WHAT##_INCREMENT)

/* The place of a set's rule among all, increments between them: the lowest decides. */
#define ORDER_STEP (2 * INCREMENTS_MAX)

#define NO_BLOCK 0xffffffff

struct question {
	__u32 order;
	__u32 slot; /* written into the record when it decides */
	__u8 has;
	__u8 fragment;
	__u8 protocol_from, protocol_to;
	__u16 src_port_from, src_port_to;
	__u16 dst_port_from, dst_port_to;
	__u32 length_from, length_to;
	__u32 checks_at;
	__u32 checks;
	__u64 src_high, src_low;
	__u64 mask_high, mask_low;
};

/* Bits of a number lie in a range. Alternatives stand one behind the other; the last has `last` set. */
struct check {
	__u8 far;  /* not in the record: so many octets of the payload, from `word` on */
	__u8 last;
	__u8 shift;
	__u8 unused;
	__u32 word; /* of the record */
	__u32 mask;
	__u32 from, to;
};

struct block {
	__u32 first, count; /* entries */
	__u32 parent;	    /* the block of the next wider prefix */
	__u32 unused;
};

struct bound {
	__u64 high, low; /* from this address on */
	__u32 block;
	__u32 unused;
};

struct side {
	__u32 dst_at, dst_count; /* bounds */
	__u32 src_at, src_count;
	__u32 rest; /* the block of rules with neither */
	__u32 unused;
};

struct bank {
	struct side sides[2]; /* IPv4, IPv6 */
	__u32 entries_at, entries; /* for `status` */
};

/* What changes while packets run. */
struct engine_state {
	__u32 banks[SETS]; /* where the increments of each set are; 0: there are none */
	__u64 fallbacks;   /* sets that became no tree; for `status` */
};

/* Where a walk stands. Kept in memory: what comes from there the verifier does not know, and so one stride looks to it like
 * any other. */
struct walk {
	__u32 heads[3]; /* the blocks of destination, of source and of the rest */
	__u32 turn;	/* of the one that is next */
	__u32 at, end;	/* entries of the present block that are left */
	__u32 block;	/* the one after it */
	__u32 best;	/* order of the rule found */
};

_Static_assert(sizeof(struct question) == 72, "engine::QUESTION");
_Static_assert(sizeof(struct check) == 20, "engine::CHECK");
_Static_assert(sizeof(struct block) == 16, "engine::BLOCK");
_Static_assert(sizeof(struct bound) == 24, "engine::BOUND");
_Static_assert(sizeof(struct bank) == 56, "engine::BANK");
_Static_assert(sizeof(struct engine_state) == 16, "engine::STATE");

#define TABLE(NAME, TYPE, ENTRIES)                    \
	struct {                                      \
		__uint(type, BPF_MAP_TYPE_ARRAY);     \
		__uint(max_entries, ENTRIES);         \
		__type(key, __u32);                   \
		__type(value, TYPE);                  \
	} NAME SEC(".maps")

TABLE(questions, struct question, OF_BANKS(ENTRIES));
TABLE(checks, struct check, OF_BANKS(CHECKS));
TABLE(blocks, struct block, OF_BANKS(BLOCKS));
TABLE(bounds, struct bound, OF_BANKS(BOUNDS));
TABLE(banks, struct bank, BANKS);
TABLE(engine_states, struct engine_state, 1);

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct walk);
} walks SEC(".maps");

/* What a stride of checks is given. */
struct checker {
	struct xdp_md *ctx;
	struct packet *p;
	__u32 at, left;
	__u64 holds; /* one of the alternatives so far */
	__u64 fails;
};

/* Some checks of an entry; 1 when it is over. */
static long check_some(__u32 turn, struct checker *checker)
{
	for (int i = 0; i < CHECK_STRIDE; i++) {
		struct check *check;
		__u32 value = 0, word;

		if (!checker->left)
			return 1;
		checker->left--;
		check = bpf_map_lookup_elem(&checks, &checker->at);
		checker->at++;
		checker->fails = 1;
		if (!check)
			return 1;
		word = check->word;
		if (check->far) {
			__u32 octets = ((check->far - 1) & 3) + 1;

			if (bpf_xdp_load_bytes(checker->ctx, checker->p->payload_at + word, &value, octets))
				return 1;
		} else {
			if (word >= sizeof(struct packet) / 4)
				return 1;
			value = ((__u32 *)checker->p)[word] >> (check->shift & 31);
		}
		value &= check->mask;
		/* 1 if inside, without a branch: after each the verifier would walk on twice. */
		checker->holds |= ~(((__u64)value - check->from) | ((__u64)check->to - value)) >> 63;
		if (check->last & (checker->holds ^ 1))
			return 1;
		checker->holds &= check->last ^ 1;
		checker->fails = 0;
	}
	return 0;
}

/* Whether what an entry has beyond itself holds. */
__noinline int checks_hold(struct xdp_md *ctx, struct packet *p, __u32 at, __u32 count)
{
	struct checker checker = { .ctx = ctx, .p = p, .at = at, .left = count };

	if (!p)
		return 0;
	/* Few have more than some. */
	if (!check_some(0, &checker) && checker.left)
		bpf_loop(CHECKS_MAX / CHECK_STRIDE, check_some, &checker, 0);
	return !checker.fails;
}

/* Whether a packet has what an entry asks. */
__noinline int holds(struct xdp_md *ctx, struct packet *p, struct question *q)
{
	if (!p || !q)
		return 0;
	if (p->protocol < q->protocol_from || p->protocol > q->protocol_to)
		return 0;
	if (p->dst_port < q->dst_port_from || p->dst_port > q->dst_port_to)
		return 0;
	if (p->src_port < q->src_port_from || p->src_port > q->src_port_to)
		return 0;
	if (((p->src_high ^ q->src_high) & q->mask_high) | ((p->src_low ^ q->src_low) & q->mask_low))
		return 0;
	if (p->length < q->length_from || p->length > q->length_to)
		return 0;
	if ((p->has & q->has) != q->has || !(p->fragment & q->fragment))
		return 0;
	return !q->checks || checks_hold(ctx, p, q->checks_at, q->checks);
}

/* The later of two bounds, if that is not above an address. */
static __always_inline __u32 later_bound(__u32 best, __u32 step, __u32 end, __u64 high, __u64 low)
{
	__u32 key = best + step;
	struct bound *bound;

	if (key >= end)
		return best;
	bound = bpf_map_lookup_elem(&bounds, &key);
	if (!bound)
		return best;
	return bound->high < high || (bound->high == high && bound->low <= low) ? key : best;
}

/* The block of the last bound that is not above an address. The first bound is 0. */
__noinline int block_of(__u32 at, __u32 count, __u64 high, __u64 low)
{
	__u32 best = at, end = at + count;
	struct bound *bound;

	if (!count)
		return NO_BLOCK;
	if (count > 256) {
#pragma unroll
		for (__u32 step = 32768; step >= 256; step >>= 1)
			best = later_bound(best, step, end, high, low);
	}
	if (count > 16) {
#pragma unroll
		for (__u32 step = 128; step >= 16; step >>= 1)
			best = later_bound(best, step, end, high, low);
	}
#pragma unroll
	for (__u32 step = 8; step; step >>= 1)
		best = later_bound(best, step, end, high, low);
	bound = bpf_map_lookup_elem(&bounds, &best);
	return bound ? bound->block : NO_BLOCK;
}

/* What a stride of a walk is given. */
struct walker {
	struct xdp_md *ctx;
	struct packet *p;
	struct walk *walk;
};

/* Some steps of a walk; 1 when it is over. */
static long stride(__u32 turn, struct walker *walker)
{
	struct packet *p = walker->p;
	struct walk *walk = walker->walk;
	__u32 at = walk->at, end = walk->end, block = walk->block, best = walk->best;

	for (int i = 0; i < STRIDE; i++) {
		struct question *q;

		if (at >= end) {
			struct block *b;

			if (block == NO_BLOCK) {
				__u32 turn = walk->turn;

				if (turn > 2)
					return 1;
				block = walk->heads[turn];
				walk->turn = turn + 1;
				continue;
			}
			b = bpf_map_lookup_elem(&blocks, &block);
			if (!b)
				return 1;
			at = b->first;
			end = at + b->count;
			block = b->parent;
			continue;
		}
		q = bpf_map_lookup_elem(&questions, &at);
		if (!q)
			return 1;
		at++;
		/* Those of a block stand in their order: behind this one none can be better. */
		if (q->order >= best) {
			at = end;
			continue;
		}
		if (holds(walker->ctx, p, q)) {
			best = q->order;
			p->rule = q->slot;
			at = end;
		}
	}
	walk->at = at;
	walk->end = end;
	walk->block = block;
	walk->best = best;
	return 0;
}

/* Writes down the first rule of a bank that a packet meets, if it goes before `best`. */
static __always_inline void find(struct xdp_md *ctx, struct packet *p, __u32 key, __u32 best)
{
	__u32 zero = 0;
	struct bank *bank = bpf_map_lookup_elem(&banks, &key);
	struct walk *walk = bpf_map_lookup_elem(&walks, &zero);
	struct walker walker = { .ctx = ctx, .p = p, .walk = walk };
	struct side *side;

	if (!bank || !walk)
		return;
	side = p->family == 4 ? &bank->sides[0] : &bank->sides[1];
	walk->heads[0] = block_of(side->dst_at, side->dst_count, p->dst_high, p->dst_low);
	walk->heads[1] = block_of(side->src_at, side->src_count, p->src_high, p->src_low);
	walk->heads[2] = side->rest;
	walk->turn = 0;
	walk->at = walk->end = 0;
	walk->block = NO_BLOCK;
	walk->best = best;
	/* Most are over after one. */
	if (!stride(0, &walker))
		bpf_loop(STEPS_MAX / STRIDE, stride, &walker, 0);
}

SEC("xdp")
int engine(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct packet *p = bpf_map_lookup_elem(&scratch, &zero);

	if (!p)
		return XDP_PASS;
	p->rule = NO_RULE;
	find(ctx, p, p->set & (SETS - 1), 0xffffffff);
	bpf_tail_call(ctx, &programs, SLOT_BEHIND + (p->set & (SETS - 1)));
	return leave(LEAVE_NO_RULES, p->length, XDP_PASS);
}

SEC("xdp")
int increment(struct xdp_md *ctx)
{
	__u32 zero = 0, best = 0xffffffff, bank;
	struct packet *p = bpf_map_lookup_elem(&scratch, &zero);
	struct engine_state *state = bpf_map_lookup_elem(&engine_states, &zero);

	if (!p || !state)
		return XDP_PASS;
	if (p->rule != NO_RULE)
		best = (p->rule & (RULES_MAX - 1)) * ORDER_STEP + INCREMENTS_MAX;
	bank = state->banks[p->set & (SETS - 1)];
	if (bank >= SETS)
		find(ctx, p, bank, best);
	bpf_tail_call(ctx, &programs, SLOT_VERDICT);
	return leave(LEAVE_NO_RULES, p->length, XDP_PASS);
}
