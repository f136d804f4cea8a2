/* Tag++: count hops in the SRH's tag. */
#include "seg6.h"

SEC("lwt_seg6local") int tag_increment(struct __sk_buff *skb)
{
	u32 offset = srh_offset(skb);

	if (!offset)
		return BPF_DROP;
	struct ipv6_sr_hdr *srh = data_of(skb) + offset;
	if ((void *)(srh + 1) > end_of(skb))
		return BPF_DROP;
	u16 tag = bswap16(bswap16(srh->tag) + 1);
	if (bpf_lwt_seg6_store_bytes(skb, offset + offsetof(struct ipv6_sr_hdr, tag), &tag, sizeof(tag)))
		return BPF_DROP;
	return BPF_OK;
}

char LICENSE[] SEC("license") = "GPL";
