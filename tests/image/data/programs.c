/* Programs, subprograms and what they call: two programs in one section, one in another, one whose section says no type. */
#include "bpf.h"

static __u64 calls;

static NOINLINE int leaf(__u32 x)
{
	calls++;
	return x & 3;
}

static NOINLINE int middle(__u32 x)
{
	return leaf(x + 1) + leaf(x + 2);
}

/* Only its address is taken. */
static long add_index(__u32 index, __u64 *sum)
{
	*sum += index;
	return 0;
}

SEC("lwt_seg6local/pair") int first(struct __sk_buff *skb)
{
	return middle(skb->len) ? 0 : 2;
}

static NOINLINE SEC("lwt_seg6local/pair") int beside(__u32 x)
{
	return leaf(x) * 3;
}

SEC("lwt_seg6local/pair") int second(struct __sk_buff *skb)
{
	return beside(skb->len) + beside(skb->mark) ? 0 : 2;
}

SEC("lwt_xmit") int looping(struct __sk_buff *skb)
{
	__u64 sum = 0;

	bpf_loop(4, add_index, &sum, 0);
	return sum == 6 && middle(skb->len) ? 0 : 2;
}

SEC("prog") int untyped(struct __sk_buff *skb)
{
	return 0;
}

char _license[] SEC("license") = "Dual MIT/GPL";
