/* A kernel function, which the object does not define. */
#include "bpf.h"

extern __u32 bpf_kernel_function(__u32 x) __attribute__((section(".ksyms")));

SEC("lwt_seg6local") int calls_out(struct __sk_buff *skb)
{
	return bpf_kernel_function(skb->len);
}

char _license[] SEC("license") = "GPL";
