/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the programs and user space share. Mirrored in src/abi.rs, where sizes and offsets are asserted. */
#pragma once

#include <linux/types.h>

/* Sets of rules and lists held side by side: the one in force, and the one before it or being filled. */
#define SETS 2
/* Rules of one set at most. */
#define RULES_MAX 16384

/* A packet as the entry program has read it. Numbers are in the order of the processor. */
struct packet {
	__u64 dst_high, dst_low; /* IPv4: the address in dst_low */
	__u64 src_high, src_low;
	__u32 length; /* IPv4 total length, or IPv6 payload length + 40 */
	__u16 src_port, dst_port;
	__u8 family; /* 4 or 6 */
	__u8 protocol;
	__u8 ttl;
	__u8 dscp;
	__u16 tcp_flags;
	__u16 window;
	__u8 icmp_type, icmp_code;
	__u8 fragment; /* FRAGMENT_* */
	__u8 has;      /* HAS_* */
	__u16 l3, l4;  /* offsets in the frame */
	__u32 payload_at; /* likewise */
	__u32 payload_len; /* octets of it that are there */
	__u32 set;
	__u32 rule; /* place in `rules` of the one that decides, or NO_RULE */
	__u64 payload[8]; /* the first 64 octets, where the set asks for them */
};

#define NO_RULE 0xffffffff

_Static_assert(sizeof(struct packet) == 136, "rules::compile::bpf::record::SIZE");
_Static_assert(__builtin_offsetof(struct packet, has) == 51, "rules::compile::bpf::record::HAS");
_Static_assert(__builtin_offsetof(struct packet, payload_len) == 60, "rules::compile::bpf::record::PAYLOAD_LEN");
_Static_assert(__builtin_offsetof(struct packet, rule) == 68, "rules::compile::bpf::record::RULE");

/* Kinds of fragment. */
#define FRAGMENT_NONE 1
#define FRAGMENT_IS 2
#define FRAGMENT_FIRST 4
#define FRAGMENT_LAST 8
#define FRAGMENT_DONT 16

/* What the packet carries. */
#define HAS_PORTS 1
#define HAS_TCP 2
#define HAS_ICMP 4

/* What a set asks of the entry program. */
#define SET_RULES 1
#define SET_PAYLOAD 2
#define SET_ALLOW 4
#define SET_BLOCK 8
#define SET_PROTECT 16 /* only listed destinations are protected */
#define SET_DRY 32     /* everything is counted and passes */
#define SET_ENGINE 64  /* the rules are tables, not a program */

/* Lists of prefixes: for each, a bit for each /24 (IPv4) or for the hash of the front of an address (IPv6), and a table
 * of prefixes for those addresses whose bit is set. */
#define LIST_ALLOW 0
#define LIST_BLOCK 1
#define LIST_PROTECT 2
#define LISTS 3
/* Words of 64 bits of one list of one set. */
#define WORDS4 262144
#define WORDS6 262144

struct list {
	__u64 lengths4;    /* bit n: a prefix of length n is listed */
	__u64 lengths6[3]; /* likewise */
	__u32 front6;	   /* bits of an address whose hash finds its bit; 0: always look */
	__u32 entries;
};

struct set {
	__u32 flags;
	__u32 rules;
	struct list lists[LISTS];
	__u64 digest[4]; /* SHA-256 of rules and lists, for people */
};

#define NO_SET 0xffffffff

/* What answers to SYNs say of this host. */
struct host {
	__u16 mss4, mss6;
	__u8 scale; /* of the receive window, as the kernel chooses it */
	__u8 timestamps; /* sent without a secret offset: they can carry options */
	__u16 unused;
};

struct config {
	__u32 active; /* index of the set in force */
	__u32 previous; /* of the one before it, while that is whole; else NO_SET */
	struct host host;
	struct set sets[SETS];
};

/* Slots of the array of programs. The rules of set n stand in slot n. */
#define SLOT_VERDICT SETS
#define SLOT_CHALLENGE (SETS + 1)
/* What comes behind the rules of set n: the verdict, or single rules first. */
#define SLOT_BEHIND (SLOT_CHALLENGE + 6)
#define SLOTS (SLOT_BEHIND + SETS)

#define ACTION_PASS 0
#define ACTION_DROP 1
#define ACTION_RATE_PACKETS 2
#define ACTION_RATE_BITS 3
#define ACTION_CHALLENGE 4
#define ACTION_REDIRECT 5

struct rule {
	__u32 action;
	__u32 flags; /* RULE_* */
	__u64 until; /* CLOCK_MONOTONIC, ns; 0: no end */
	__u64 interval; /* of rates: 2^-16 ns a packet, or a bit */
	__u64 burst;    /* of rates: ns that may be borrowed */
};

#define RULE_DRY 1

struct counter {
	__u64 packets; /* decided by the rule */
	__u64 bytes;
	__u64 dropped; /* packets of these */
};

/* Where a packet left. */
enum leave {
	LEAVE_NOT_IP,
	LEAVE_MALFORMED,
	LEAVE_UNPROTECTED,
	LEAVE_ALLOWED,
	LEAVE_BLOCKED,
	LEAVE_NO_RULES,
	LEAVE_UNMATCHED,
	LEAVE_PASSED,
	LEAVE_DROPPED,
	LEAVE_LAPSED, /* the rule's lease is over */
	LEAVE_CHALLENGED,   /* answered with a cookie */
	LEAVE_UNCHALLENGED, /* no SYN, or nobody here listens: passed */
	LEAVES
};

_Static_assert(sizeof(struct list) == 40, "abi::LIST");
_Static_assert(sizeof(struct set) == 160, "abi::SET");
_Static_assert(sizeof(struct rule) == 32, "abi::rule");

struct key4 {
	__u32 addr; /* the order of the processor, bits behind the prefix are 0 */
	__u32 length;
};

struct key6 {
	__u64 high, low;
	__u64 length;
};

struct tally {
	__u64 packets;
	__u64 bytes;
};
