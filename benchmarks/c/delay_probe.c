/* One packet in RATIO gets an outer IPv6 header with an SRH that has a delay-measurement TLV. */
#include "seg6.h"

#define SECOND 1000000000ull

volatile const struct in6_addr END_DM, EXIT, COLLECTOR;
volatile const u16 PORT = 8888;
volatile u32 RATIO = 100;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u32);
} packets SEC(".maps");

struct probe {
	struct ipv6_sr_hdr srh;
	struct in6_addr segments[2];
	struct {
		u8 type, len;
		u16 reserved;
		u8 version, control;
		u16 reserved_2;
		u8 formats, preferred;
		u16 reserved_3;
		u8 session[3], traffic_class;
		u32 t1_seconds, t1_nanoseconds;
		u32 others[6];
	} delay;
	struct {
		u8 type, len;
		u16 port;
		u32 address[4];
	} to;
	u8 padding[4];
};

SEC("lwt_in") int delay_probe(struct __sk_buff *skb)
{
	u32 key = 0;

	if (!is_ipv6(skb))
		return BPF_OK;
	u32 *count = bpf_map_lookup_elem(&packets, &key);
	if (!count)
		return BPF_OK;
	*count += 1;
	u32 ratio = RATIO;
	if (!ratio || *count % ratio)
		return BPF_OK;
	u64 now = bpf_ktime_get_tai_ns();
	struct probe probe = {
		.srh = { 0, sizeof(probe) / 8 - 1, SRCRT_TYPE_4, 1, 1, 0, 0 },
		.segments = { EXIT, END_DM },
		.delay = { 7, 46, 0, 1, 1, 0, 0x33, 0x30, 0, { 0, 0, 1 }, 0, bswap32((u32)(now / SECOND)), bswap32((u32)(now % SECOND)) },
		.to = { 131, 18, bswap16(PORT), { COLLECTOR.halves[0], COLLECTOR.halves[1], COLLECTOR.halves[2], COLLECTOR.halves[3] } },
		.padding = { TLV_PADN, 2 },
	};
	bpf_lwt_push_encap(skb, BPF_LWT_ENCAP_SEG6, &probe, sizeof(probe));
	return BPF_OK;
}

char LICENSE[] SEC("license") = "GPL";
