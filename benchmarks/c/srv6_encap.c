/* An outer IPv6 header with an SRH to FIRST and LAST, around IPv6 packets that have no SRH yet. */
#include "seg6.h"

volatile const struct in6_addr FIRST, LAST;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} packets SEC(".maps");

SEC("lwt_in") int srv6_encap(struct __sk_buff *skb)
{
	if (!is_ipv6(skb) || srh_offset(skb))
		return BPF_OK;
	struct {
		struct ipv6_sr_hdr srh;
		struct in6_addr segments[2];
	} header = { { 0, 4, SRCRT_TYPE_4, 1, 1, 0, 0 }, { LAST, FIRST } };
	if (bpf_lwt_push_encap(skb, BPF_LWT_ENCAP_SEG6, &header, sizeof(header)))
		return BPF_OK;
	u32 key = 0;
	u64 *count = bpf_map_lookup_elem(&packets, &key);
	if (count)
		*count += 1;
	return BPF_OK;
}

char LICENSE[] SEC("license") = "GPL";
