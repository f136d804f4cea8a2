/* What a seg6local program in C needs, declared here so that no kernel header is: the context, the helpers, the headers.
 * Layouts: struct __sk_buff in include/uapi/linux/bpf.h, struct ipv6_sr_hdr in include/uapi/linux/seg6.h. */
#ifndef PYBPFNF_SEG6_H
#define PYBPFNF_SEG6_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

struct __sk_buff {
	u32 len, pkt_type, mark, queue_mapping, protocol, vlan_present, vlan_tci, vlan_proto, priority;
	u32 ingress_ifindex, ifindex, tc_index, cb[5], hash, tc_classid, data, data_end;
};

enum { BPF_OK = 0, BPF_DROP = 2, BPF_REDIRECT = 7 };
enum { BPF_MAP_TYPE_ARRAY = 2, BPF_MAP_TYPE_PERCPU_ARRAY = 6 };
enum { BPF_LWT_ENCAP_SEG6 = 0 };
enum { SEG6_LOCAL_ACTION_END_T = 3 };
enum { NEXTHDR_HOP = 0, NEXTHDR_ROUTING = 43, NEXTHDR_DEST = 60 };
enum { SRCRT_TYPE_4 = 4 };
enum { TLV_PADN = 4, TLV_HMAC = 5 };

static void *(*const bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*const bpf_lwt_push_encap)(struct __sk_buff *skb, u32 type, void *header, u32 len) = (void *)73;
static u64 (*const bpf_ktime_get_tai_ns)(void) = (void *)208;
static long (*const bpf_lwt_seg6_store_bytes)(struct __sk_buff *skb, u32 offset, const void *from, u32 len) = (void *)74;
static long (*const bpf_lwt_seg6_adjust_srh)(struct __sk_buff *skb, u32 offset, int delta) = (void *)75;
static long (*const bpf_lwt_seg6_action)(struct __sk_buff *skb, u32 action, void *param, int param_len) = (void *)76;

struct ipv6_sr_hdr {
	u8 nexthdr, hdrlen, type, segments_left, first_segment, flags;
	u16 tag;
};

struct in6_addr {
	union {
		u8 s6_addr[16];
		u32 halves[4];
		u64 words[2]; /* so that it is copied by words */
	};
};

struct sr6_tlv {
	u8 type, len;
};

#define SEC(name) __attribute__((section(name), used))
#define __uint(name, value) int (*name)[value]
#define __type(name, type) type *name
#define bswap16(x) __builtin_bswap16(x)
#define bswap32(x) __builtin_bswap32(x)
#define offsetof(type, member) __builtin_offsetof(type, member)
#define IPV6_HDR_LEN 40
#define SEGMENT_LEN 16
#define MAX_HEADERS 4 /* extension headers looked at, the SRH included */
#define MAX_TLVS 32
#define MAX_PADDING 9 /* in place of one byte, which PadN cannot be */

static inline void *data_of(struct __sk_buff *skb) { return (void *)(u64)skb->data; }
static inline void *end_of(struct __sk_buff *skb) { return (void *)(u64)skb->data_end; }

/* Whether the packet is IPv6, its whole header there. */
static inline __attribute__((always_inline)) int is_ipv6(struct __sk_buff *skb)
{
	u8 *data = data_of(skb);

	return data + IPV6_HDR_LEN <= (u8 *)end_of(skb) && data[0] >> 4 == 6;
}

/* The SRH's offset from the IPv6 header, past hop-by-hop and destination options; 0 where there is none. */
static inline __attribute__((always_inline)) u32 srh_offset(struct __sk_buff *skb)
{
	u8 *data = data_of(skb), *end = end_of(skb);
	u32 offset = IPV6_HDR_LEN;

	if (data + IPV6_HDR_LEN > end)
		return 0;
	u8 nexthdr = data[6];
	for (int i = 0; i < MAX_HEADERS; i++) {
		struct ipv6_sr_hdr *header = (void *)(data + offset);

		if ((void *)(header + 1) > (void *)end)
			return 0;
		if (nexthdr == NEXTHDR_ROUTING)
			return header->type == SRCRT_TYPE_4 ? offset : 0;
		if (nexthdr != NEXTHDR_HOP && nexthdr != NEXTHDR_DEST)
			return 0;
		nexthdr = header->nexthdr;
		offset += (header->hdrlen + 1) << 3;
	}
	return 0;
}

/* Put a TLV before the padding and the HMAC at the end of the SRH, and pad to a multiple of 8 bytes again.
 * `tlv` has MAX_PADDING bytes of room, zeros, after the TLV's `size`. */
static inline __attribute__((always_inline)) int append_tlv(struct __sk_buff *skb, u8 *tlv, u32 size)
{
	u32 offset = srh_offset(skb);
	if (!offset)
		return -1;
	u8 *data = data_of(skb), *end = end_of(skb);
	struct ipv6_sr_hdr *srh = (void *)(data + offset);
	if ((void *)(srh + 1) > (void *)end)
		return -1;

	u32 srh_end = offset + ((srh->hdrlen + 1) << 3);
	u32 here = offset + sizeof(*srh) + (srh->first_segment + 1) * SEGMENT_LEN;
	u32 place = here; /* after the last TLV that is no padding */
#pragma clang loop unroll(disable)
	for (int i = 0; i <= MAX_TLVS; i++) {
		if (here >= srh_end)
			break;
		struct sr6_tlv *each = (void *)(data + here);
		if (i == MAX_TLVS || (void *)(each + 1) > (void *)end)
			return -1;
		if (each->type == TLV_HMAC)
			break;
		here += sizeof(*each) + each->len;
		if (each->type != TLV_PADN)
			place = here;
	}
	if (here > srh_end)
		return -1;

	u32 old_padding = here - place;
	u32 padding = (old_padding - size) & 7;
	if (padding == 1)
		padding = MAX_PADDING;
	if (bpf_lwt_seg6_adjust_srh(skb, place, size + padding - old_padding))
		return -1;
	tlv[size] = TLV_PADN;
	tlv[size + 1] = padding - sizeof(struct sr6_tlv);
	return bpf_lwt_seg6_store_bytes(skb, place, tlv, size + padding);
}

#endif
