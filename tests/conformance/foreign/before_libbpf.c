/* Network functions as they were written before libbpf had BTF: maps as structs in a section, helpers as pointers of the
 * object's own, sections named for the function, tail calls by section name. Built by every option that a makefile of then had. */
struct __sk_buff {
	unsigned len, pkt_type, mark, queue_mapping, protocol, vlan_present, vlan_tci, vlan_proto, priority, ingress_ifindex, ifindex;
	unsigned tc_index, cb[5], hash, tc_classid, data, data_end;
};
#define SEC(name) __attribute__((section(name), used))

static void *(*map_lookup_elem)(void *map, void *key) = (void *)1;
static int (*map_update_elem)(void *map, void *key, void *value, unsigned long long flags) = (void *)2;
static int (*trace_printk)(const char *format, int size, ...) = (void *)6;
static void (*tail_call)(void *context, void *map, unsigned slot) = (void *)12;
static int (*seg6_store_bytes)(void *context, unsigned offset, void *from, unsigned size) = (void *)74;
static int (*seg6_adjust_srh)(void *context, unsigned offset, int size) = (void *)75;
static int (*seg6_action)(void *context, unsigned action, void *parameter, unsigned size) = (void *)76;

enum { OK = 0, DROP = 2, REDIRECT = 7 };
struct ipv6 {
	unsigned char first[6], next_header, hop_limit, source[16], destination[16];
};
struct srh {
	unsigned char next_header, length, type, segments_left, last_entry, flags;
	unsigned short tag;
};

#ifdef ELF_MAPS /* of iproute2 */
struct bpf_elf_map {
	unsigned type, size_key, size_value, max_elem, flags, id, pinning, inner_id, inner_idx;
};
struct bpf_elf_map SEC("maps") weights = { .type = 1, .size_key = 4, .size_value = 12, .max_elem = 4, .pinning = 2 };
struct bpf_elf_map SEC("maps") others = { .type = 3, .id = 2, .size_key = 4, .size_value = 4, .max_elem = 20 };
struct bpf_elf_map SEC("maps") more = { .type = 3, .id = 3, .size_key = 4, .size_value = 4, .max_elem = 4 };
#else /* of the kernel's samples */
struct bpf_map_def {
	unsigned type, key_size, value_size, max_entries, map_flags;
};
struct bpf_map_def SEC("maps") weights = { .type = 1, .key_size = 4, .value_size = 12, .max_entries = 4 };
#endif

struct choice {
	int last;
	unsigned first, second;
};
int counter = 41, unset;
const int limit = 5;
static volatile const unsigned step = 7;

static inline __attribute__((always_inline)) struct srh *find_srh(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct ipv6 *ip = data;
	struct srh *srh = (void *)(ip + 1);

	return data + sizeof(*ip) + sizeof(*srh) > end || ip->next_header != 43 || srh->type != 4 ? 0 : srh;
}

static __attribute__((noinline)) int counted(int by)
{
	return counter + by;
}

SEC("end") int nf_end(struct __sk_buff *skb)
{
	return OK;
}

SEC("end_t") int nf_end_t(struct __sk_buff *skb)
{
	int table = 254;

	return seg6_action(skb, 3, &table, sizeof(table)) ? DROP : REDIRECT;
}

SEC("tag_inc") int nf_tag_inc(struct __sk_buff *skb)
{
	struct srh *srh = find_srh(skb);
	unsigned short tag;

	if (!srh)
		return DROP;
	tag = __builtin_bswap16(__builtin_bswap16(srh->tag) + 1);
	return seg6_store_bytes(skb, 46, &tag, sizeof(tag)) ? DROP : OK;
}

SEC("add_tlv") int nf_add_tlv(struct __sk_buff *skb)
{
	struct srh *srh = find_srh(skb);
	unsigned char tlv[8] = { 10, 6, 1, 2, 3, 4, 5, 6 };
	int at;

	if (!srh)
		return DROP;
	at = 48 + (srh->last_entry + 1) * 16;
	if (seg6_adjust_srh(skb, at, sizeof(tlv)))
		return DROP;
	return seg6_store_bytes(skb, at, tlv, sizeof(tlv)) ? DROP : OK;
}

SEC("choose") int nf_choose(struct __sk_buff *skb)
{
	char format[] = "last %d\n";
	struct choice new = { 1, 2, 3 }, *found;
	int key = 0;

	found = map_lookup_elem(&weights, &key);
	if (!found) {
		map_update_elem(&weights, &key, &new, 0);
		found = map_lookup_elem(&weights, &key);
		if (!found)
			return DROP;
	}
	found->last++;
	trace_printk(format, sizeof(format), found->last);
	skb->mark = found->last;
	return OK;
}

SEC("variables") int nf_variables(struct __sk_buff *skb)
{
	const char *text = "abcd";
	char copy[5];

	__builtin_memcpy(copy, text, sizeof(copy));
	unset++;
	counter += step;
	skb->mark = counted(limit) + unset + copy[counter & 3];
	return OK;
}

#ifdef ELF_MAPS
SEC("entry") int nf_entry(struct __sk_buff *skb)
{
	tail_call(skb, &others, 0x11);
	return DROP;
}

SEC("2/0x11") int second(struct __sk_buff *skb)
{
	skb->mark = 70;
	tail_call(skb, &more, 2);
	return DROP;
}

SEC("3/2") int third(struct __sk_buff *skb)
{
	skb->mark += 7;
	return OK;
}
#endif
char _license[] SEC("license") = "GPL";
