/* Functions that the kernel calls back, and numbers that it counts. */
#include "kernel.h"

struct sum {
	__u64 total, calls;
};
struct {
	__uint(type, 1);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, 8);
} table SEC(".maps");
struct {
	__uint(type, 6);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, 4);
} counters SEC(".maps");

static long add_index(__u32 index, struct sum *sum)
{
	sum->total += index;
	sum->calls++;
	return index == 9;
}

static long add_entry(void *map, __u32 *key, __u64 *value, struct sum *sum)
{
	sum->total += *key * *value;
	sum->calls++;
	*value += 1;
	return 0;
}

static long inner(__u32 index, struct sum *sum)
{
	sum->total += 1;
	return 0;
}

static long outer(__u32 index, struct sum *sum)
{
	sum->calls++;
	bpf_loop(index, inner, sum, 0);
	return 0;
}

static __attribute__((always_inline)) void enter(__u32 key)
{
	__u64 value = key * 3;

	bpf_map_update_elem(&table, &key, &value, 0);
}

SEC("lwt_seg6local") int called_back(struct __sk_buff *skb)
{
	struct sum sum = {};
	struct bpf_iter_num it;
	__u64 total = 0;
	int *number;

	OUT(0, bpf_loop(20, add_index, &sum, 0));
	OUT(1, sum.total * 1000 + sum.calls);
	OUT(2, bpf_loop(5, add_index, &sum, 0));
	OUT(3, bpf_loop(0, add_index, &sum, 0));
	OUT(4, bpf_loop(1 << 24, add_index, &sum, 0));
	OUT(5, bpf_loop(1, add_index, &sum, 1));
	sum.total = sum.calls = 0;
	OUT(6, bpf_loop(6, outer, &sum, 0));
	OUT(7, sum.total * 1000 + sum.calls);
	enter(1);
	enter(2);
	enter(5);
	sum.total = sum.calls = 0;
	OUT(8, bpf_for_each_map_elem(&table, add_entry, &sum, 0));
	OUT(9, sum.total * 1000 + sum.calls);
	OUT(10, bpf_for_each_map_elem(&counters, add_entry, &sum, 0));
	OUT(11, bpf_for_each_map_elem(&counters, add_entry, &sum, 0));
	OUT(12, sum.total * 1000 + sum.calls);
	OUT(13, bpf_for_each_map_elem(&table, add_entry, &sum, 1));
	bpf_iter_num_new(&it, 3, 300);
	while ((number = bpf_iter_num_next(&it)))
		total += *number;
	bpf_iter_num_destroy(&it);
	OUT(14, total);
	OUT(15, bpf_iter_num_new(&it, 3, 2));
	OUT(16, bpf_iter_num_next(&it) != NULL);
	bpf_iter_num_destroy(&it);
	return 0;
}
