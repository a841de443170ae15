/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Rates of each source and of each destination by itself.
 *
 * Sources that nobody has vouched for share a sketch: each finds two of its cells by a keyed hash, a cell holds when its
 * bucket is empty again (GCRA, as in `bucket.h`), the less charged of the two speaks, and only what passes is charged. Alone
 * in its cells a source gets exactly its rate; a flood of new ones costs no memory, and fills cells only for as long as
 * a packet of the rate lasts: while fewer than CELLS / 2 packets arrive in the time of one, most cells are idle. Proven
 * sources are counted exactly, in a table that spoofed packets do not enter. */
#pragma once

#include "bucket.h"
#include "hash.h"
#include "maps.h"
#include "own.h"
#include "proven.h"

#define CELLS (1 << 18)
/* Buckets of proven sources, of all rules. */
#define EXACT_MAX 65536
/* Buckets of destinations, of all rules of a set. Those beyond share what follows. */
#define DESTINATIONS_MAX 65536
#define SHARED 16384

/* `rules::limit::BURST_SECONDS` */
#define BURST_NS 100000000ull

struct sketch {
	__u64 cells[CELLS];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sketch);
} sketch SEC(".maps");

struct limit_key {
	__u64 high, low; /* bits behind the prefix are 0 */
	__u32 rule, bits;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, EXACT_MAX);
	__type(key, struct limit_key);
	__type(value, __u64);
} exact SEC(".maps");

struct destination_table {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(key_size, sizeof(struct limit_key));
	__uint(value_size, sizeof(__u64));
};

/* A table for each set; user space puts an empty one in place with the rules. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, SETS);
	__type(key, __u32);
	__array(values, struct destination_table);
} destinations SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SHARED);
	__type(key, __u32);
	__type(value, __u64);
} shared SEC(".maps");

/* Packets for whose destination there was no bucket of its own. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} destinations_full SEC(".maps");

/* What may be borrowed by a prefix that may send so many times the rate. */
static __always_inline __u64 burst_of(struct rule *rule, __u64 interval)
{
	if (rule->action == ACTION_RATE_BITS)
		return rule->burst;
	interval >>= 16;
	return interval < BURST_NS ? BURST_NS - interval : 0;
}

struct cells {
	__u64 *first, *second;
	__u64 from; /* when the emptier one is empty, not before now */
};

/* Whether a prefix may send now. */
static __always_inline int has_tokens(struct sketch *s, struct cells *c, __u64 high, __u64 low, __u64 salt, __u64 now,
				      __u64 burst)
{
	__u64 hash = keyed_hash(high, low, salt);
	__u64 a, b;

	c->first = &s->cells[hash >> 46];
	c->second = &s->cells[hash >> 28 & (CELLS - 1)];
	a = *c->first;
	b = *c->second;
	c->from = a < b ? a : b;
	if (c->from < now)
		c->from = now;
	return c->from - now <= burst;
}

/* Processors may overwrite one another here; what is lost is a packet that two of them saw at once. */
static __always_inline void charge(struct cells *c, __u64 cost)
{
	__u64 until = c->from + cost;

	if (*c->first < until)
		*c->first = until;
	if (*c->second < until)
		*c->second = until;
}

static __always_inline int sketched(struct packet *p, struct rule *rule, __u32 key, __u32 units, __u64 now)
{
	__u32 zero = 0;
	struct sketch *s = bpf_map_lookup_elem(&sketch, &zero);
	__u64 cost = rule->interval * units >> 16, salt = key;
	struct cells host, home, site;

	if (!s)
		return 1;
	if (p->family == 4) {
		if (!has_tokens(s, &host, 0, p->src_low, salt, now, rule->burst))
			return 0;
		charge(&host, cost);
		return 1;
	}
	if (!has_tokens(s, &host, p->src_high, 64, salt, now, rule->burst) ||
	    !has_tokens(s, &home, p->src_high >> 8, 56, salt, now, burst_of(rule, rule->interval / HOME_TIMES)) ||
	    !has_tokens(s, &site, p->src_high >> 16, 48, salt, now, burst_of(rule, rule->interval / SITE_TIMES)))
		return 0;
	charge(&host, cost);
	charge(&home, cost / HOME_TIMES);
	charge(&site, cost / SITE_TIMES);
	return 1;
}

static __always_inline __u64 *exact_bucket(struct packet *p, __u32 rule, __u32 bits)
{
	struct limit_key key = { .rule = rule, .bits = bits };
	__u64 empty = 0, *bucket;

	if (bits == 32) {
		key.low = p->src_low;
	} else {
		key.high = p->src_high >> (64 - bits) << (64 - bits);
	}
	bucket = bpf_map_lookup_elem(&exact, &key);
	if (bucket)
		return bucket;
	bpf_map_update_elem(&exact, &key, &empty, BPF_NOEXIST);
	return bpf_map_lookup_elem(&exact, &key);
}

static __always_inline int counted(struct packet *p, struct rule *rule, __u32 key, __u32 units, __u64 now)
{
	__u64 *host, *home, *site;
	__u64 burst = rule->burst, interval = rule->interval;

	if (p->family == 4) {
		host = exact_bucket(p, key, 32);
		return !host || take(host, interval, burst, units, now);
	}
	host = exact_bucket(p, key, 64);
	home = exact_bucket(p, key, 56);
	site = exact_bucket(p, key, 48);
	if (!host || !home || !site)
		return 1;
	if (!may_take(site, burst_of(rule, interval / SITE_TIMES), now) ||
	    !may_take(home, burst_of(rule, interval / HOME_TIMES), now) || !take(host, interval, burst, units, now))
		return 0;
	take(home, interval / HOME_TIMES, ~0ull, units, now);
	take(site, interval / SITE_TIMES, ~0ull, units, now);
	return 1;
}

/* Whether the rate of a rule lets so many packets or bits of this source pass now. */
static __noinline int admit_source(struct packet *p, struct rule *rule, __u32 key, __u32 units)
{
	__u64 now;

	if (!p || !rule || !rule->interval)
		return 0;
	now = packet_now(p, COARSE);
	if (proof_of(p))
		return counted(p, rule, key, units, now);
	return sketched(p, rule, key, units, now) || is_own(p->family, p->src_high, p->src_low);
}

/* Whether the rate of a rule lets so many packets or bits to this destination pass now. */
static __noinline int admit_destination(struct packet *p, struct rule *rule, __u32 key, __u32 units)
{
	struct limit_key place = { .rule = key };
	__u32 zero = 0, set, index;
	__u64 empty = 0, *bucket = 0, *full, now;
	void *table;

	if (!p || !rule)
		return 0;
	now = packet_now(p, COARSE);
	set = p->set;
	place.high = p->dst_high;
	place.low = p->dst_low;
	place.bits = p->family;
	table = bpf_map_lookup_elem(&destinations, &set);
	if (table) {
		bucket = bpf_map_lookup_elem(table, &place);
		if (!bucket) {
			bpf_map_update_elem(table, &place, &empty, BPF_NOEXIST);
			bucket = bpf_map_lookup_elem(table, &place);
		}
	}
	if (!bucket) {
		full = bpf_map_lookup_elem(&destinations_full, &zero);
		if (full)
			++*full;
		index = keyed_hash(place.high, place.low, key) >> 50; /* 14 bits */
		bucket = bpf_map_lookup_elem(&shared, &index);
	}
	return !bucket || take(bucket, rule->interval, rule->burst, units, now);
}
