/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Rates of each source and of each destination by itself.
 *
 * Sources that nobody vouches for share a sketch: each finds two cells of one cache line by a keyed hash, a cell holds when its bucket is empty
 * again (GCRA, as in `bucket.h`), the less charged of the two speaks, and only what passes is charged. Alone in one of its
 * cells a source gets exactly its rate; a flood of new ones costs no memory, and charges cells only for as long as a
 * packet of the rate lasts: while fewer than CELLS / 2 packets arrive in the time of one, most are idle. Proven sources
 * are counted exactly instead, in a table that spoofed packets do not enter. */
#pragma once

#include "bounds.h"
#include "bucket.h"
#include "hash.h"
#include "maps.h"
#include "own.h"
#include "proven.h"

/* Lines of eight cells: 64 octets, as a cache holds them. */
#define LINES_BITS 14
#define CELLS (8 << LINES_BITS)
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
	/* Only so its lines are those of the cache. */
	__uint(map_flags, BPF_F_MMAPABLE);
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

/* The later of two times, without a branch: which it is cannot be foreseen, and the cell is seldom in a near cache. */
static __always_inline __u64 later(__u64 a, __u64 b)
{
	__s64 ahead = a - b;
	__u64 mask = ahead >> 63;

	asm volatile("" : "+r"(mask));
	return a - (ahead & mask);
}

struct cells {
	__u64 *first, *second;
	__u64 from; /* when the emptier one is empty, not before now */
};

static __always_inline void find_cells(struct sketch *s, struct cells *c, __u64 high, __u64 low, __u64 salt, __u64 now)
{
	__u64 hash = keyed_hash(high, low, salt);
	__u32 line = hash >> (64 - LINES_BITS) << 3, first = hash >> 40 & 7, step = 1 + ((hash >> 32 & 0xff) * 7 >> 8);
	__u64 a, b;

	OPAQUE(line);
	c->first = &s->cells[line + first];
	c->second = &s->cells[line + ((first + step) & 7)];
	a = *c->first;
	b = *c->second;
	c->from = later(now, a + b - later(a, b));
}

/* Neither cell is less charged than until then. Processors may overwrite one another here; what is lost is a packet that
 * two of them saw at once. */
static __always_inline void raise(struct cells *c, __u64 until)
{
	*c->first = later(*c->first, until);
	*c->second = later(*c->second, until);
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

static __noinline int admit_source4(struct packet *p, struct rule *rule, __u32 key, __u32 units)
{
	__u32 zero = 0;
	struct sketch *s = bpf_map_lookup_elem(&sketch, &zero);
	__u64 now = bucket_ns(), cost, *bucket;
	struct cells host;

	if (!p || !rule || !s || !rule->interval)
		return 0;
	cost = rule->interval * units >> 16;
	if (proof_of(p)) {
		bucket = exact_bucket(p, key, 32);
		return !bucket || take(bucket, rule->interval, rule->burst, units, now);
	}
	find_cells(s, &host, 0, p->src_low, key, now);
	if (host.from - now > rule->burst)
		return is_own(4, 0, p->src_low);
	raise(&host, host.from + cost);
	return 1;
}

/* An IPv6 source is its /64, its /56 and its /48; all have to let it. */
static __noinline int admit_source6(struct packet *p, struct rule *rule, __u32 key, __u32 units)
{
	__u32 zero = 0;
	struct sketch *s = bpf_map_lookup_elem(&sketch, &zero);
	__u64 now = bucket_ns(), cost, interval, *exact_host, *exact_home, *exact_site;
	struct cells host, home, site;
	__u64 burst, home_burst, site_burst;

	if (!p || !rule || !s || !rule->interval)
		return 0;
	interval = rule->interval;
	cost = interval * units >> 16;
	burst = rule->burst;
	home_burst = burst_of(rule, interval / HOME_TIMES);
	site_burst = burst_of(rule, interval / SITE_TIMES);
	if (proof_of(p)) {
		exact_host = exact_bucket(p, key, 64);
		exact_home = exact_bucket(p, key, 56);
		exact_site = exact_bucket(p, key, 48);
		if (!exact_host || !exact_home || !exact_site)
			return 1;
		if (!may_take(exact_site, site_burst, now) || !may_take(exact_home, home_burst, now) ||
		    !take(exact_host, interval, burst, units, now))
			return 0;
		take(exact_home, interval / HOME_TIMES, ~0ull, units, now);
		take(exact_site, interval / SITE_TIMES, ~0ull, units, now);
		return 1;
	}
	find_cells(s, &host, p->src_high, 64, key, now);
	find_cells(s, &home, p->src_high >> 8, 56, key, now);
	find_cells(s, &site, p->src_high >> 16, 48, key, now);
	if (host.from - now > burst || home.from - now > home_burst || site.from - now > site_burst)
		return is_own(6, p->src_high, p->src_low);
	raise(&host, host.from + cost);
	raise(&home, home.from + cost / HOME_TIMES);
	raise(&site, site.from + cost / SITE_TIMES);
	return 1;
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
	now = bucket_ns();
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
