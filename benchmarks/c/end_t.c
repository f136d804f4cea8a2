/* End.T: look the next segment up in one table. */
#include "seg6.h"

volatile const u32 TABLE = 254;

SEC("lwt_seg6local") int end_t(struct __sk_buff *skb)
{
	int table = TABLE;

	if (bpf_lwt_seg6_action(skb, SEG6_LOCAL_ACTION_END_T, &table, sizeof(table)))
		return BPF_DROP;
	return BPF_REDIRECT;
}

char LICENSE[] SEC("license") = "GPL";
