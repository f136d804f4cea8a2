/* A timer in a map's value, which starts itself anew until it has been called three times. */
#include "kernel.h"

struct entry {
	__u64 calls;
	struct bpf_timer timer;
};
struct {
	__uint(type, 2);
	__type(key, __u32);
	__type(value, struct entry);
	__uint(max_entries, 2);
} entries SEC(".maps");

static int expired(void *map, __u32 *key, struct entry *entry)
{
	entry->calls++;
	OUT(16, *key);
	OUT(17, entry->calls);
	OUT(18, bpf_timer_cancel(&entry->timer));
	if (entry->calls < 3)
		bpf_timer_start(&entry->timer, 1000000, 0);
	return 0;
}

SEC("lwt_seg6local") int timed(struct __sk_buff *skb)
{
	__u32 one = 1, zero = 0;
	struct entry *entry = bpf_map_lookup_elem(&entries, &one), *other = bpf_map_lookup_elem(&entries, &zero);

	if (!entry || !other)
		return 2;
	OUT(0, bpf_timer_start(&entry->timer, 1000000, 0));
	OUT(1, bpf_timer_set_callback(&entry->timer, expired));
	OUT(2, bpf_timer_cancel(&entry->timer));
	OUT(3, bpf_timer_init(&entry->timer, &entries, 5));
	OUT(4, bpf_timer_init(&entry->timer, &entries, 1));
	OUT(5, bpf_timer_init(&entry->timer, &entries, 1));
	OUT(6, bpf_timer_start(&entry->timer, 1000000, 0));
	OUT(7, bpf_timer_set_callback(&entry->timer, expired));
	OUT(8, bpf_timer_start(&entry->timer, 1000000, 4));
	OUT(9, bpf_timer_start(&entry->timer, 1000000, 0));
	OUT(10, bpf_timer_init(&other->timer, &entries, 7));
	OUT(11, bpf_timer_set_callback(&other->timer, expired));
	OUT(12, bpf_timer_start(&other->timer, 1ULL << 40, 0));
	OUT(13, bpf_timer_cancel(&other->timer));
	OUT(14, bpf_timer_cancel(&other->timer));
	OUT(15, bpf_timer_start(&other->timer, 1, 0));
	return 0;
}
