/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Many addresses of IPv4 in lines of a cache's size: an address is looked for in one line, so a look costs one line of
 * memory. Those that find their line full stand in the table. */
#pragma once

#include "maps.h"

#define LINE_SLOTS 16

struct line {
	__u32 slots[LINE_SLOTS]; /* 0: free */
};

struct line_table {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	/* Mapped arrays begin at a page, so lines are those of the cache; inner ones may differ in size (Linux 5.10). */
	__uint(map_flags, BPF_F_MMAPABLE | BPF_F_INNER_MAP);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct line));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, SETS * LISTS);
	__type(key, __u32);
	__array(values, struct line_table);
} lines4 SEC(".maps");

/* `bits`: as many as number the lines. `src/lists/lines.rs` finds the same line. */
static __always_inline int in_line(__u32 index, __u32 addr, __u32 bits)
{
	void *table = bpf_map_lookup_elem(&lines4, &index);
	__u32 place = addr * 0x9e3779b1u >> ((32 - bits) & 31);
	struct line *line;
	__u64 found = 0;

	if (!table)
		return 0;
	line = bpf_map_lookup_elem(table, &place);
	if (!line)
		return 0;
	/* Without a branch: which slot it is cannot be foreseen. */
#pragma unroll
	for (int i = 0; i < LINE_SLOTS; i++)
		found |= ((__u64)(line->slots[i] ^ addr) - 1) >> 63;
	return found;
}
