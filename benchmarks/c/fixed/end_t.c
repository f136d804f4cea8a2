/* End.T to one table that is compiled in. */
#include "fixed.h"

SEC("lwt_seg6local") int end_t(struct __sk_buff *skb)
{
	int table = 254;

	return bpf_lwt_seg6_action(skb, SEG6_LOCAL_ACTION_END_T, &table, sizeof(table)) ? BPF_DROP : BPF_REDIRECT;
}

char LICENSE[] SEC("license") = "GPL";
