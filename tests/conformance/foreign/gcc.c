/* A function as GCC's BPF port builds it: a map, global data, constant data, and a function in `.text`. */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define SEC(name) __attribute__((section(name), used))

struct __sk_buff {
	u32 len, pkt_type, mark, queue_mapping, protocol, vlan_present, vlan_tci, vlan_proto, priority, ingress_ifindex, ifindex,
	    tc_index, cb[5], hash, tc_classid, data, data_end;
};

struct bpf_map_def {
	u32 type, key_size, value_size, max_entries, map_flags;
};

static void *(*const lookup)(void *map, const void *key) = (void *)1;
static long (*const store_bytes)(struct __sk_buff *skb, u32 offset, const void *from, u32 size) = (void *)74;

struct bpf_map_def SEC("maps") tags = { .type = 2, .key_size = 4, .value_size = 8, .max_entries = 16 };
u32 step = 3;
const u8 order[4] = { 3, 1, 0, 2 };

static __attribute__((noinline)) u32 counted(u32 slot)
{
	u64 *count = lookup(&tags, &slot);

	if (!count)
		return 0;
	*count += step;
	return *count;
}

SEC("lwt_seg6local/tag") int tag(struct __sk_buff *skb)
{
	u8 *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	u16 written;

	if (data + 48 > end)
		return 2;
	written = counted(order[data[47] & 3]);
	written = written << 8 | written >> 8;
	return store_bytes(skb, 46, &written, 2) ? 2 : 0;
}

char _license[] SEC("license") = "GPL";
