/* Two paths in turn by their weights. */
#include "seg6.h"

volatile const struct in6_addr PEER;

struct path {
	struct in6_addr sid;
	u32 weight, credit;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, u32);
	__type(value, struct path);
} paths SEC(".maps");

SEC("lwt_in") int weighted_round_robin(struct __sk_buff *skb)
{
	u32 first = 0, second = 1;

	if (!is_ipv6(skb))
		return BPF_OK;
	struct path *one = bpf_map_lookup_elem(&paths, &first);
	struct path *other = bpf_map_lookup_elem(&paths, &second);
	if (!one || !other)
		return BPF_OK;
	if (!one->credit && !other->credit) {
		one->credit = one->weight;
		other->credit = other->weight;
	}
	if (!one->credit)
		one = other;
	if (!one->credit)
		return BPF_OK;
	__sync_fetch_and_sub(&one->credit, 1);
	struct {
		struct ipv6_sr_hdr srh;
		struct in6_addr segments[2];
	} header = { { 0, 4, SRCRT_TYPE_4, 1, 1, 0, 0 }, { PEER, one->sid } };
	bpf_lwt_push_encap(skb, BPF_LWT_ENCAP_SEG6, &header, sizeof(header));
	return BPF_OK;
}

char LICENSE[] SEC("license") = "GPL";
