/* Find a TLV (type 124, 8 bytes) among others, and note the node that it names. */
#include "seg6.h"

struct hop {
	u8 type, len;
	u16 node[2]; /* a u32 in network byte order, aligned as the TLVs are in the worst case that pays */
	u16 reserved;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u32);
} nodes SEC(".maps");

SEC("lwt_seg6local") int find_tlv(struct __sk_buff *skb)
{
	u32 offset = srh_offset(skb);
	if (!offset)
		return BPF_DROP;
	u8 *data = data_of(skb), *end = end_of(skb);
	struct ipv6_sr_hdr *srh = (void *)(data + offset);
	if ((void *)(srh + 1) > (void *)end)
		return BPF_DROP;

	u8 *here = (u8 *)(srh + 1) + (srh->first_segment + 1) * SEGMENT_LEN;
	int left = ((srh->hdrlen + 1) << 3) - (int)sizeof(*srh) - (srh->first_segment + 1) * SEGMENT_LEN;
#pragma clang loop unroll(disable)
	for (int i = 0; i < MAX_TLVS; i++) {
		struct sr6_tlv *each = (void *)here;

		if (left <= 0 || (void *)(each + 1) > (void *)end)
			return BPF_DROP;
		if (each->type == 124 && each->len == sizeof(struct hop) - sizeof(*each)) {
			u8 *node = here + sizeof(*each);
			u32 key = 0, *place;

			if (left < (int)sizeof(struct hop) || here + sizeof(struct hop) > end)
				return BPF_DROP;
			u32 value = (u32)node[0] << 24 | (u32)node[1] << 16 | (u32)node[2] << 8 | node[3];
			place = bpf_map_lookup_elem(&nodes, &key);
			if (!place)
				return BPF_DROP;
			*place = value;
			return BPF_OK;
		}
		here += sizeof(*each) + each->len;
		left -= sizeof(*each) + each->len;
	}
	return BPF_DROP;
}

char LICENSE[] SEC("license") = "GPL";
