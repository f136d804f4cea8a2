/* Tail calls from a program and from a function that it calls, in all the ways in which they end. */
#include "bpf.h"
#define __array(name, value) typeof(value) *name[]

static void (*bpf_tail_call)(void *context, void *map, __u64 index) = (void *)12;

int last(struct __sk_buff *skb);
int again(struct __sk_buff *skb);

struct {
	__uint(type, 3);
	__uint(max_entries, 4);
	__uint(key_size, 4);
	__array(values, int(struct __sk_buff *));
} next SEC(".maps") = { .values = { [1] = &last, [2] = &again } };

volatile __u64 seen, kept, result;

static NOINLINE int inner(struct __sk_buff *skb, int slot)
{
	volatile int nothing = 5; /* for clang would take it for the result of every call */

	bpf_tail_call(skb, &next, slot);
	return nothing;
}

SEC("lwt_seg6local") int first(struct __sk_buff *skb)
{
	__u32 length = skb->len, sum;

	sum = inner(skb, 1);	     /* `last` gives 1 */
	sum += inner(skb, 3) * 10;   /* nothing is there: 5 */
	sum += inner(skb, 2) * 100;  /* `again` until the limit: 7 */
	result = sum;
	kept = length; /* what a function goes on in leaves its caller alone */
	return 2;
}

SEC("lwt_seg6local") int last(struct __sk_buff *skb)
{
	return 1;
}

SEC("lwt_seg6local") int again(struct __sk_buff *skb)
{
	seen++;
	bpf_tail_call(skb, &next, 2);
	return 7;
}

char _license[] SEC("license") = "GPL";
