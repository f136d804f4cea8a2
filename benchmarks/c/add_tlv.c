/* Add a TLV of 8 bytes (type 6) to the SRH. */
#include "seg6.h"

#define SIZE 8

SEC("lwt_seg6local") int add_tlv(struct __sk_buff *skb)
{
	u8 tlv[SIZE + MAX_PADDING] = { 6, SIZE - sizeof(struct sr6_tlv), 0, 1, 2, 3, 4, 5 };

	return append_tlv(skb, tlv, SIZE) ? BPF_DROP : BPF_OK;
}

char LICENSE[] SEC("license") = "GPL";
