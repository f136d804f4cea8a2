/* End: the kernel has advanced the segment already; there is nothing left to do. */
#include "seg6.h"

SEC("lwt_seg6local") int end(struct __sk_buff *skb) { return BPF_OK; }

char LICENSE[] SEC("license") = "GPL";
