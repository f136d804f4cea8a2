/* Add a TLV of 20 bytes (type 6) to the SRH, and 4 of padding where it had none. */
#include "seg6.h"

#define SIZE 20

SEC("lwt_seg6local") int add_tlv_20(struct __sk_buff *skb)
{
	u8 tlv[SIZE + MAX_PADDING] = { 6, SIZE - sizeof(struct sr6_tlv), 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17 };

	return append_tlv(skb, tlv, SIZE) ? BPF_DROP : BPF_OK;
}

char LICENSE[] SEC("license") = "GPL";
