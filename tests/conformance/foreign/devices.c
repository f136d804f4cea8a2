/* Programs for devices, XDP and traffic control, as people write them: some in sections that say their type, some not. */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
struct xdp_md {
	u32 data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex;
};
struct __sk_buff {
	u32 len, pkt_type, mark, queue_mapping, protocol, vlan_present, vlan_tci, vlan_proto, priority, ingress_ifindex, ifindex;
	u32 tc_index, cb[5], hash, tc_classid, data, data_end;
};
#define SEC(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))

static void *(*map_lookup_elem)(void *map, void *key) = (void *)1;
static int (*map_update_elem)(void *map, void *key, void *value, u64 flags) = (void *)2;
static int (*trace_printk)(const char *format, int size, ...) = (void *)6;
static int (*skb_store_bytes)(void *skb, u32 offset, const void *from, u32 size, u64 flags) = (void *)9;
static int (*l3_csum_replace)(void *skb, u32 offset, u64 from, u64 to, u64 flags) = (void *)10;
static int (*l4_csum_replace)(void *skb, u32 offset, u64 from, u64 to, u64 flags) = (void *)11;
static void (*tail_call)(void *context, void *map, u32 slot) = (void *)12;
static int (*skb_vlan_push)(void *skb, u16 protocol, u16 tci) = (void *)18;
static int (*skb_vlan_pop)(void *skb) = (void *)19;
static int (*redirect)(u32 ifindex, u64 flags) = (void *)23;
static long (*csum_diff)(void *from, u32 from_size, void *to, u32 to_size, u32 seed) = (void *)28;
static int (*xdp_adjust_head)(void *xdp, int delta) = (void *)44;
static int (*skb_adjust_room)(void *skb, int difference, u32 mode, u64 flags) = (void *)50;
static int (*redirect_map)(void *map, u32 key, u64 flags) = (void *)51;
static int (*xdp_adjust_meta)(void *xdp, int delta) = (void *)54;

enum { XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_TX, XDP_REDIRECT };
enum { TC_ACT_OK = 0, TC_ACT_SHOT = 2 };
struct ethernet {
	u8 destination[6], source[6];
	u16 type;
} __attribute__((packed));
struct ipv4 {
	u8 version, tos;
	u16 length, id, fragment;
	u8 ttl, protocol;
	u16 check;
	u32 source, destination;
};
struct ipv6 {
	u32 first;
	u16 payload_length;
	u8 next_header, hop_limit;
	u8 source[16], destination[16];
};
#define IPV4 0x0008
#define IPV6 0xdd86

#ifdef ELF_MAPS /* of iproute2 */
struct bpf_elf_map {
	u32 type, size_key, size_value, max_elem, flags, id, pinning, inner_id, inner_idx;
};
struct bpf_elf_map SEC("maps") protocols = { .type = 2, .size_key = 4, .size_value = 8, .max_elem = 256, .pinning = 2 };
struct bpf_elf_map SEC("maps") ports = { .type = 14, .size_key = 4, .size_value = 4, .max_elem = 8 };
struct bpf_elf_map SEC("maps") stages = { .type = 3, .id = 1, .size_key = 4, .size_value = 4, .max_elem = 4 };
#else /* of the kernel's samples */
struct bpf_map_def {
	u32 type, key_size, value_size, max_entries, map_flags;
};
struct bpf_map_def SEC("maps") protocols = { .type = 2, .key_size = 4, .value_size = 8, .max_entries = 256 };
struct bpf_map_def SEC("maps") ports = { .type = 14, .key_size = 4, .value_size = 4, .max_entries = 8 };
struct bpf_map_def SEC("maps") stages = { .type = 3, .key_size = 4, .value_size = 4, .max_entries = 4 };
#endif
u64 frames;
const volatile u32 most_hops = 64;

static __attribute__((noinline)) u32 seen(u32 number)
{
	u64 *count = map_lookup_elem(&protocols, &number);

	frames++;
	if (!count)
		return 0;
	__sync_fetch_and_add(count, 1);
	return *count;
}

/* What is not IP is dropped; the first bytes of what is are looked at, and counted by protocol. */
SEC("xdp_filter") int filter(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethernet *eth = data;
	struct ipv4 *ip4 = (void *)(eth + 1);
	struct ipv6 *ip6 = (void *)(eth + 1);

	if ((void *)(eth + 1) > end)
		return XDP_ABORTED;
	if (eth->type == IPV4 && (void *)(ip4 + 1) <= end)
		return seen(ip4->protocol) > 2 ? XDP_DROP : XDP_PASS;
	if (eth->type == IPV6 && (void *)(ip6 + 1) <= end)
		return ip6->hop_limit > most_hops || !seen(ip6->next_header) ? XDP_DROP : XDP_PASS;
	return XDP_DROP;
}

/* Back to where it came from, with a hop less and the checksum mended. */
SEC("xdp") int reflect(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethernet *eth = data;
	struct ipv4 *ip = (void *)(eth + 1);
	u8 keep[6];
	u32 check;

	if ((void *)(ip + 1) > end || eth->type != IPV4 || ip->ttl < 2)
		return XDP_PASS;
	__builtin_memcpy(keep, eth->destination, 6);
	__builtin_memcpy(eth->destination, eth->source, 6);
	__builtin_memcpy(eth->source, keep, 6);
	check = ip->check + 1;
	ip->check = check + (check >= 0xffff);
	ip->ttl--;
	return XDP_TX;
}

/* An outer IPv6 header, and a word of metadata for who comes after. */
SEC("xdp/tunnel") int tunnel(struct xdp_md *ctx)
{
	struct ethernet keep, *eth;
	struct ipv6 outer = { .first = 0x60, .next_header = 41, .hop_limit = 64, .source = { 0xfd, 1 }, .destination = { 0xfd, 2 } };
	void *data, *end;
	u32 *meta;

	if (xdp_adjust_meta(ctx, -4))
		return XDP_ABORTED;
	data = (void *)(long)ctx->data, end = (void *)(long)ctx->data_end, meta = (void *)(long)ctx->data_meta;
	if ((void *)(meta + 1) > data || data + sizeof(keep) > end)
		return XDP_ABORTED;
	*meta = ctx->ingress_ifindex;
	__builtin_memcpy(&keep, data, sizeof(keep));
	if (keep.type != IPV6)
		return XDP_PASS;
	outer.payload_length = __builtin_bswap16(end - data - sizeof(keep));
	if (xdp_adjust_head(ctx, -(int)sizeof(outer)))
		return XDP_DROP;
	data = (void *)(long)ctx->data, end = (void *)(long)ctx->data_end;
	eth = data;
	if (data + sizeof(keep) + sizeof(outer) > end)
		return XDP_ABORTED;
	*eth = keep;
	__builtin_memcpy(eth + 1, &outer, sizeof(outer));
	return XDP_PASS;
}

SEC("xdp") int by_port(struct xdp_md *ctx)
{
	return redirect_map(&ports, ctx->ingress_ifindex & 7, XDP_PASS);
}

SEC("xdp") int told(struct xdp_md *ctx)
{
	static const char format[] = "frame %d of %d bytes";

	trace_printk(format, sizeof(format), (int)++frames, ctx->data_end - ctx->data);
	tail_call(ctx, &stages, 1);
	return XDP_PASS;
}

SEC("1/1") int last(struct xdp_md *ctx)
{
	return frames & 1 ? XDP_DROP : XDP_PASS;
}

/* The source of TCP over IPv4 becomes another, as a NAT has it. */
SEC("classifier/ingress") int translate(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct ethernet *eth = data;
	struct ipv4 *ip = (void *)(eth + 1);
	u32 old, new = __builtin_bswap32(0xc6336409), header = sizeof(*eth);

	if ((void *)(ip + 1) > end || skb->protocol != IPV4 || ip->protocol != 6)
		return TC_ACT_OK;
	old = ip->source;
	if (l4_csum_replace(skb, header + sizeof(*ip) + 16, old, new, 0x10 | 4))
		return TC_ACT_SHOT;
	if (l3_csum_replace(skb, header + 10, old, new, 4))
		return TC_ACT_SHOT;
	if (skb_store_bytes(skb, header + 12, &new, 4, 0))
		return TC_ACT_SHOT;
	skb->mark = seen(6);
	return TC_ACT_OK;
}

SEC("tc") int retag(struct __sk_buff *skb)
{
	u32 tci = skb->vlan_tci;

	if (skb_vlan_pop(skb) || skb_vlan_push(skb, 0x0081, (tci & 0xfff) + 7))
		return TC_ACT_SHOT;
	skb->mark = skb->vlan_tci << 16 | skb->vlan_present;
	return TC_ACT_OK;
}

/* The outer IPv6 header goes. */
SEC("action") int decap(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct ipv6 *ip = data + sizeof(struct ethernet);

	if ((void *)(ip + 1) > end || skb->protocol != IPV6 || ip->next_header != 41)
		return TC_ACT_OK;
	return skb_adjust_room(skb, -(int)sizeof(*ip), 1, 0) ? TC_ACT_SHOT : TC_ACT_OK;
}

SEC("classifier") int summed(struct __sk_buff *skb)
{
	u32 words[2] = { skb->len, skb->protocol };

	skb->cb[0] = csum_diff(0, 0, words, sizeof(words), 0);
	skb->mark = (skb->cb[0] & 0xffff) + (skb->cb[0] >> 16); /* folded by kernels since 6.13 */
	skb->tc_index = skb->mark;
	return redirect(skb->ifindex, 0);
}

char _license[] SEC("license") = "GPL";
