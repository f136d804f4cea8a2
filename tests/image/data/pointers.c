/* Data that holds addresses, which only the kernel could know. */
#include "bpf.h"

static const char *volatile names[] = { "drop", "pass" };

SEC("lwt_seg6local") int named(struct __sk_buff *skb)
{
	return (__u64)names[skb->len & 1] ? 0 : 2;
}

char _license[] SEC("license") = "GPL";
