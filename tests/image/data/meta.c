/* An object as `pybpfnf build` makes them: the section .pybpfnf lists what C's types do not say. */
#include "bpf.h"

#define SITES 2

const volatile __u32 TABLE = 254;
const volatile struct in6_addr COLLECTOR;
__u32 RATIO = 100;
__u64 internal = 1;
__u64 __pybpfnf_faults[SITES];

struct {
	__uint(type, 1);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, 16);
} sessions SEC(".maps");

SEC("lwt_seg6local/probe") int probe(struct __sk_buff *skb)
{
	__u32 key = 1;

	internal++;
	if (!bpf_map_lookup_elem(&sessions, &key)) {
		__sync_fetch_and_add(&__pybpfnf_faults[0], 1);
		return 2;
	}
	if (RATIO == 0) {
		__sync_fetch_and_add(&__pybpfnf_faults[1], 1);
		return 2;
	}
	return COLLECTOR.s6_addr[0] ? 0 : 2;
}

SEC("lwt_seg6local/plain") int plain(struct __sk_buff *skb)
{
	return TABLE == 254 ? 0 : 2;
}

char _license[] SEC("license") = "GPL";

const char _meta[] SEC(".pybpfnf") =
	"{\"counted\":true,"
	"\"maps\":{\"sessions\":{\"default\":0,\"key\":\"u32\",\"value\":\"s64\"}},"
	"\"programs\":{\"plain\":{\"doc\":\"\",\"on_fault\":2,\"type\":\"lwt_seg6local\"},"
	"\"probe\":{\"doc\":\"Probe a path.\",\"on_fault\":0,\"type\":\"lwt_xmit\"}},"
	"\"sites\":[{\"column\":5,\"file\":\"probe.py\",\"function\":\"probe\",\"line\":11,\"message\":\"sessions has no such key\"},"
	"{\"column\":8,\"file\":\"probe.py\",\"function\":\"probe\",\"line\":14,\"message\":\"division by zero\"}],"
	"\"variables\":{\"COLLECTOR\":{\"required\":true,\"role\":\"config\",\"type\":\"IPv6Address\"},"
	"\"RATIO\":{\"required\":false,\"role\":\"state\",\"type\":\"u32\"},"
	"\"TABLE\":{\"required\":false,\"role\":\"config\",\"type\":\"u32\"}},"
	"\"version\":1}";
