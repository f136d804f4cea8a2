/* Tag++, without a look at what the kernel says of the write. */
#include "fixed.h"

SEC("lwt_seg6local") int tag_increment(struct __sk_buff *skb)
{
	struct ipv6_sr_hdr *srh = srh_behind_ipv6(skb);

	if (!srh)
		return BPF_DROP;
	u16 tag = bswap16(bswap16(srh->tag) + 1);
	bpf_lwt_seg6_store_bytes(skb, IPV6_HDR_LEN + offsetof(struct ipv6_sr_hdr, tag), &tag, sizeof(tag));
	return BPF_OK;
}

char LICENSE[] SEC("license") = "GPL";
