/* Maps as before BTF: struct bpf_map_def of the kernel's samples, short and long, and iproute2's struct bpf_elf_map. No -g. */
#include "bpf.h"

struct bpf_map_def {
	__u32 type, key_size, value_size, max_entries, map_flags;
};
struct long_map_def {
	__u32 type, key_size, value_size, max_entries, map_flags, inner_map_idx, numa_node;
};
struct bpf_elf_map {
	__u32 type, size_key, size_value, max_elem, flags, id, pinning, inner_id, inner_idx;
};

struct bpf_map_def sample SEC("maps") = { .type = 2, .key_size = 4, .value_size = 8, .max_entries = 3 };
struct long_map_def longer SEC("maps") = { .type = 1, .key_size = 16, .value_size = 4, .max_entries = 5, .map_flags = 1 };
struct bpf_elf_map pinned SEC("maps") = { .type = 6, .size_key = 4, .size_value = 4, .max_elem = 1, .pinning = 2 };

SEC("lwt_seg6local") int lookups(struct __sk_buff *skb)
{
	struct in6_addr address = {};
	__u32 key = 0;

	bpf_map_lookup_elem(&sample, &key);
	bpf_map_lookup_elem(&longer, &address);
	return bpf_map_lookup_elem(&pinned, &key) ? 0 : 2;
}

char _license[] SEC("license") = "GPL";
