/* Add a TLV of 8 bytes (type 6) at the very end of the SRH, behind whatever TLVs, padding or HMAC it has. */
#include "fixed.h"

#define SIZE 8

SEC("lwt_seg6local") int add_tlv(struct __sk_buff *skb)
{
	u8 tlv[SIZE] = { 6, SIZE - sizeof(struct sr6_tlv), 0, 1, 2, 3, 4, 5 };
	struct ipv6_sr_hdr *srh = srh_behind_ipv6(skb);

	if (!srh)
		return BPF_DROP;
	u32 end = IPV6_HDR_LEN + ((srh->hdrlen + 1) << 3);
	if (bpf_lwt_seg6_adjust_srh(skb, end, SIZE) || bpf_lwt_seg6_store_bytes(skb, end, tlv, SIZE))
		return BPF_DROP;
	return BPF_OK;
}

char LICENSE[] SEC("license") = "GPL";
