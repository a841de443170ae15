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
	__u8 options[16]; /* kinds of the TCP options, where the set asks for them; how many in the last one */
	__u32 asks; /* SET_SAMPLE, where the set or the rule asks for samples; SET_RETURN, where the set gives back what passes;
	SET_DECAP, where the frame is `wrapped` */
	__u8 carried; /* tunnels that the packet which is read next came out of; taken at once */
	__u8 tunnels; /* tunnels that this one came out of, where the set ends some */
	__u8 where; /* enum leave: where it would have left, if it were not given back */
	__u8 wrapped; /* the frame still begins with the headers of the tunnel: take_off() */
	__u64 outer_high, outer_low; /* who sent the outermost of these, in IPv6's form */
	__u32 limit; /* octets of the longest packet that fits, for whom is told so */
	__u32 place; /* in `return_counters`, likewise */
};

#define NO_RULE 0xffffffff

_Static_assert(sizeof(struct packet) == 184, "rules::compile::bpf::record::SIZE");
_Static_assert(__builtin_offsetof(struct packet, has) == 51, "rules::compile::bpf::record::HAS");
_Static_assert(__builtin_offsetof(struct packet, payload_len) == 60, "rules::compile::bpf::record::PAYLOAD_LEN");
_Static_assert(__builtin_offsetof(struct packet, options) == 136, "rules::compile::bpf::record::TCP_OPTIONS");
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
#define SET_OPTIONS 128 /* rules ask for the shape of TCP options */
#define SET_TELEMETRY 2048 /* some packets are told to user space */
#define SET_PROOFS 512 /* TCP packets may prove their source */
#define SET_ENGINE 64  /* the rules are tables, not a program */
#define SET_SAMPLE 4096 /* packets are sampled as they leave */
#define SET_DECAP 8192  /* tunnels of the set's peers end here */
#define SET_RETURN 16384 /* what passes to declared prefixes goes back to their owners */

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
	__u32 lines; /* bits that number the lines of IPv4 addresses; 0: there are none */
	__u32 unused;
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
	__u32 buffers; /* 1: the programs take frames in several buffers, and so has each that joins them */
	__u32 unused;
};

/* Slots of the array of programs. The rules of set n stand in slot n. */
#define SLOT_VERDICT SETS
#define SLOT_CHALLENGE (SETS + 1)
#define SLOT_TCP (SLOT_CHALLENGE + 1) /* proofs of sources, ahead of the rules */
#define SLOT_UDP (SLOT_CHALLENGE + 2) /* challenges over UDP */
#define SLOT_TUNNEL (SLOT_CHALLENGE + 3)
/* What comes behind the rules of set n: the verdict, or single rules first. */
#define SLOT_BEHIND (SLOT_CHALLENGE + 4)
#define SLOT_ENTRY (SLOT_BEHIND + SETS) /* what came out of a tunnel begins anew */
#define SLOT_RETURN (SLOT_ENTRY + 1) /* the way back of what passes */
#define SLOT_TELL (SLOT_ENTRY + 2) /* tells senders of what does not go back */
#define SLOTS (SLOT_ENTRY + 3)

#define ACTION_PASS 0
#define ACTION_DROP 1
#define ACTION_RATE_PACKETS 2
#define ACTION_RATE_BITS 3
#define ACTION_CHALLENGE 4
#define ACTION_REDIRECT 5 /* led elsewhere as its `struct target` says, in a tunnel or not */

struct rule {
	__u32 action;
	__u32 flags; /* RULE_* */
	__u64 until; /* CLOCK_MONOTONIC, ns; 0: no end */
	__u64 interval; /* of rates: 2^-16 ns a packet, or a bit */
	__u64 burst;    /* of rates: ns that may be borrowed */
	__u32 sample;   /* with RULE_SAMPLE: one in so many, before the budget */
	__u32 above;    /* of challenges: packets a second to one destination that pass unasked; 0: as the set says */
};

#define RULE_DRY 1
#define RULE_PER_SOURCE 2
#define RULE_PER_DESTINATION 4

/* How many times its rate the networks of an IPv6 source may send: `rules::limit::SOURCE_LEVELS`. */
#define HOME_TIMES 4  /* /56 */
#define SITE_TIMES 16 /* /48 */
#define RULE_AUTOMATIC 8 /* obeys the dead-man switch */
#define RULE_SAMPLE 16

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
	LEAVE_NEIGHBOUR,     /* neighbour discovery is never dropped */
	LEAVE_ADMINISTRATOR, /* nor is a session of the administrator */
	LEAVE_QUIET,	    /* a SYN to a destination that gets no more than it may: passed */
	LEAVE_PROVEN,	    /* a SYN of a source that has proven itself: passed */
	LEAVE_ECHOED,	    /* the reset that proves its source: ends here */
	LEAVE_FIRST,	    /* the first SYN of its kind: dropped */
	LEAVE_REPEATED,	    /* the same SYN again, in time: passed */
	LEAVE_CAPPED,	    /* the first SYN of its kind, where there are answers enough: dropped */
	LEAVE_EXCESSIVE,    /* a SYN of a proven source that sends too many: dropped */
	LEAVE_STRAY,	    /* TCP without a SYN, of a source that has proven nothing: passed */
	LEAVE_STRAY_DROPPED, /* likewise, where there are too many of them */
	LEAVE_TRUNCATED,    /* a DNS query answered with: ask over TCP */
	LEAVE_REDIRECTED,   /* led to another next hop */
	LEAVE_TUNNELLED,    /* likewise, in a tunnel */
	LEAVE_NO_ROUTE,     /* no way to there, or no neighbour is known: passed */
	LEAVE_TOO_BIG,      /* for the way to there: passed */
	LEAVE_NO_HEADROOM,  /* the driver leaves no room for an outer header: passed */
	LEAVE_RETURNED,	    /* to its owner, in a tunnel */
	LEAVE_DISCARDED,    /* of a prefix of which nothing goes back: dropped */
	LEAVE_UNDECLARED,   /* out of a tunnel, to a destination that nobody declared: dropped */
	LEAVE_NESTED,	    /* in more tunnels than are opened: dropped */
	LEAVE_LOOPED,	    /* out of the tunnel into which it would go: dropped */
	LEAVE_EXPIRED,	    /* no hop left for the way back: dropped */
	LEAVE_NO_WAY,	    /* no route or neighbour on the way back, or no room for an outer header: dropped */
	LEAVE_OVERSIZED,    /* too big for the way back: dropped */
	LEAVE_TOLD,	    /* too big, or no hop left: its sender was told */
	LEAVE_HANDED,	    /* likewise, and may be cut: handed to the kernel in its outer header */
	LEAVES
};

_Static_assert(sizeof(struct list) == 48, "abi::LIST");
_Static_assert(sizeof(struct set) == 184, "abi::SET");
_Static_assert(sizeof(struct rule) == 40, "abi::rule");

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

/* How sources are asked to prove themselves: one for each set, beside it. */
struct protection {
	__u32 mode;   /* MODE_* */
	__u32 above;  /* SYNs a second to one destination that pass unasked */
	__u32 box;    /* answers a second at most */
	__u32 net;    /* likewise, to one claimed /24 (IPv4) or /64 (IPv6) */
	__u32 stray;  /* STRAY_* */
	__u32 strays; /* stray packets a second to one destination that pass */
	__u16 mss4, mss6; /* of the gateway's answers */
	__u8 scale;   /* likewise */
	__u8 gateway; /* the kernel's SYN proxy stands behind it; for user space */
	__u8 unused[2];
};

#define MODE_AUTO 0    /* host for this machine's own addresses, gateway for what it forwards */
#define MODE_HOST 1    /* cookies of the kernel's listeners */
#define MODE_GATEWAY 2 /* cookies that the kernel's SYN proxy takes back */
#define MODE_RESET 3   /* answers that a real client resets */
#define MODE_FIRST 4   /* the first SYN is dropped, a real client repeats it */

#define STRAY_PASS 0
#define STRAY_COUNT 1
#define STRAY_LIMIT 2

_Static_assert(sizeof(struct protection) == 32, "protection::SIZE");

/* How a source has proven that it is one. */
struct proof {
	__u64 when; /* ns of the coarse clock */
	__u32 how;  /* PROOF_* */
	__u32 unused;
};

#define PROOF_COOKIE 0 /* brought a SYN cookie back */
#define PROOF_RESET 1  /* reset what was answered wrongly, and knew its number */
#define PROOF_REPEAT 2 /* sent the same SYN again in time: the weakest */
#define PROOF_TOLD 3   /* user space says so */
#define PROOFS 4

_Static_assert(sizeof(struct proof) == 16, "proven::VALUE");
/* Samples are of two classes, each with a budget of its own: of packets that end here, and of those that go on. */
#define CLASS_DROPPED 0
#define CLASS_PASSED 1
#define CLASSES 2
/* Octets of a frame in a sample at most. */
#define SAMPLE_MAX 128

/* What user space grants to a class, again and again: who samples and dies ends sampling. */
struct grant {
	__u32 rate; /* one in so many; 0: none */
	__u32 unused;
	__s64 credit; /* samples that may still be taken */
};

struct sample {
	__u64 time;   /* CLOCK_MONOTONIC, ns */
	__u64 digest; /* first octets of the digest of the set in force */
	__u32 rule;   /* place in `rules`, or NO_RULE */
	__u32 length; /* octets of the frame */
	__u32 rate;   /* it stands for so many */
	__u32 ifindex;
	__u16 caplen;
	__u8 where; /* enum leave */
	__u8 class;
	__u32 unused;
	__u8 frame[SAMPLE_MAX];
};
_Static_assert(sizeof(struct sample) == 168, "sampling::SAMPLE");

/* Words of `meters`: four for each class of samples, then what happens to tunnels. */
#define METER_OFFERED 0 /* packets of which one in so many is chosen */
#define METER_TAKEN 1
#define METER_OVER 2 /* chosen, but the budget was spent */
#define METER_LOST 3 /* chosen, but the ring was full */
#define METERS_OF_CLASS 4
#define METER_DECAPSULATED 8
#define METER_FOREIGN 9 /* tunnelled, but not from a peer to us, or not a tunnel that can be ended: left as it is */
#define METERS 10

/* Where a rule leads to. */
#define LEAD_PLAIN 0
#define LEAD_GRE 1
#define LEAD_IPIP 2
struct target {
	__u8 family; /* of the addresses: 4 or 6 */
	__u8 kind;   /* LEAD_* */
	__u16 unused;
	__u8 to[16]; /* next hop, or the far end of the tunnel; IPv4 in the first four octets */
	__u8 from[16]; /* our end */
};
_Static_assert(sizeof(struct target) == 36, "lead::TARGET");

/* Who gets back what passes: one for each set. */
#define RETURN_LENGTHS_MAX 8
struct return_mask {
	__u64 high, low;
	__u64 length;
};
/* One of few declared prefixes: a look into a table costs more than to compare with all of them. */
#define RETURN_FEW 8
struct return_near {
	__u64 high, low, mask_high, mask_low; /* IPv4 in the low 32 bits */
	__u32 place;
	__u32 unused;
};
struct returning {
	__u32 flags; /* RETURNING_* */
	__u32 box;   /* packets a second that tell senders their packets are too big, at most */
	__u32 net;   /* likewise, to one /24 (IPv4) or /64 (IPv6) */
	__u32 unused;
	__u32 lengths4, lengths6; /* how many of these there are */
	struct return_mask masks4[RETURN_LENGTHS_MAX], masks6[RETURN_LENGTHS_MAX]; /* the longest first */
	__u32 few4, few6; /* how many of these there are; 0: more than fit, or none */
	struct return_near near4[RETURN_FEW], near6[RETURN_FEW]; /* the longest first */
};
_Static_assert(sizeof(struct returning) == 1056, "returning::kernel::HEAD");

#define RETURNING_PASS 1 /* what comes out of tunnels for nobody that is declared goes up */
#define RETURNING_CUT 2	 /* the kernel forwards what has our address, and cuts it */

/* A declared prefix; IPv4 in the low 32 bits. */
struct return_key {
	__u64 high, low;
	__u32 length;
	__u8 family, set;
	__u16 unused;
};
_Static_assert(sizeof(struct return_key) == 24, "returning::kernel::KEY");

/* Places of declared prefixes: twice as many as a set may have, for the set before keeps its own. */
#define RETURN_PLACES 1024

struct return_path {
	struct target tunnel;
	__u8 prefix_family, prefix_length;
	__u8 via_family; /* 0: the routes say how to get to the far end */
	__u8 flags;	 /* RETURN_* */
	__u8 prefix[16]; /* for user space */
	__u8 via[16];
	__u64 remote_high, remote_low; /* the far end, in IPv6's form */
	__u32 mtu;   /* octets of the longest packet within the tunnel; 0: as the way says */
	__u32 stamp; /* changes when this is written anew */
};
_Static_assert(sizeof(struct return_path) == 96, "returning::kernel::PATH");

#define RETURN_DISCARD 1 /* nothing goes back */

/* What became of the packets to a declared prefix. */
struct return_counter {
	__u64 packets, octets; /* went back */
	__u64 dropped, dropped_octets; /* by lists, rules and challenges */
	__u64 discarded, discarded_octets;
	__u64 too_big, told, no_way, expired, looped;
	__u64 clamped; /* SYNs whose MSS was lowered */
	__u64 handed;
	__u64 sent; /* by the owner, to others */
};
_Static_assert(sizeof(struct return_counter) == 112, "returning::counted::COUNTER");

/* Whose tunnels end here, in IPv6's form (IPv4 as ::ffff:a.b.c.d), and the addresses they may be sent to. */
#define PEERS_MAX 16
#define LOCALS_MAX 32
struct wide {
	__u64 high, low;
};
struct peers {
	__u32 peers, locals;
	struct wide peer[PEERS_MAX], mask[PEERS_MAX];
	struct wide local[LOCALS_MAX];
};
_Static_assert(sizeof(struct peers) == 1032, "decap::PEERS");
