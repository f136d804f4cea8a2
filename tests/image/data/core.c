/* A CO-RE relocation in one program's subprogram. */
#include "bpf.h"

struct task {
	__u64 unused;
	__u32 pid;
} __attribute__((preserve_access_index));

SEC("lwt_seg6local") int portable(struct __sk_buff *skb)
{
	struct task *task = (void *)skb;

	return task->pid ? 0 : 2;
}

char _license[] SEC("license") = "GPL";
