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
#define SET_PROTECT 16 /* only destinations in `protected` are protected */
#define SET_DRY 32     /* everything is counted and passes */

struct set {
	__u32 flags;
	__u32 rules;
	__u64 block4_lengths[1]; /* bit n: prefixes of length n are listed */
	__u64 block6_lengths[3];
	__u64 hash[4]; /* SHA-256 of the text of the rules, for `status` */
};

struct config {
	__u32 active; /* index of the set in force */
	__u32 enabled;
	struct set sets[SETS];
};

/* Slots of the array of programs. The rules of set n stand in slot n. */
#define SLOT_VERDICT SETS
#define SLOTS (SETS + 1)

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
	LEAVES
};

struct tally {
	__u64 packets;
	__u64 bytes;
};
