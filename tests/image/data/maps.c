/* The forms of a BTF map definition. */
#include "bpf.h"

struct prefix {
	__u32 prefixlen;
	__u8 address[16];
};
struct path {
	struct in6_addr sid;
	__u32 weight;
};

struct {
	__uint(type, 1);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, 64);
} typed SEC(".maps");

struct {
	__uint(type, 6);
	__uint(key_size, 4);
	__uint(value_size, 12);
	__uint(max_entries, 2);
} sized SEC(".maps");

struct {
	__uint(type, 11);
	__type(key, struct prefix);
	__type(value, struct path);
	__uint(max_entries, 8);
	__uint(map_flags, 1);
} routes SEC(".maps");

struct {
	__uint(type, 27);
	__uint(max_entries, 4096);
} events SEC(".maps");

struct {
	__uint(type, 3);
	__type(key, __u32);
	__type(value, __u32);
	__uint(max_entries, 4);
} tails SEC(".maps");

struct {
	__uint(type, 2);
	__type(key, __u32);
	__type(value, struct in6_addr);
	__uint(max_entries, 1);
	__uint(pinning, 1);
} shared SEC(".maps");

static struct {
	__uint(type, 2);
	__type(key, __u32);
	__type(value, __u16);
	__uint(max_entries, 1);
} private SEC(".maps");

SEC("lwt_seg6local") int lookups(struct __sk_buff *skb)
{
	struct prefix prefix = { .prefixlen = 128 };
	__u32 key = 0;
	__u64 *count = bpf_map_lookup_elem(&typed, &key);
	__u16 *small = bpf_map_lookup_elem(&private, &key);

	if (count && small && bpf_map_lookup_elem(&routes, &prefix) && bpf_map_lookup_elem(&sized, &key))
		bpf_ringbuf_output(&events, &key, sizeof(key), 0);
	return bpf_map_lookup_elem(&shared, &key) ? 0 : 2;
}

char _license[] SEC("license") = "GPL";
