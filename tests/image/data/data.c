/* Global variables: by symbol and by section with an addend, constants, strings. */
#include "bpf.h"

const volatile __u32 TABLE = 254;
const volatile __u16 PORT = 8888;
const volatile _Bool STRICT = 1;
const volatile struct in6_addr COLLECTOR = { { 0xfc, 0, 0, 9, [15] = 9 } };
const volatile __u32 UNSET;
__u64 total = 7;
int balance = -2;
__u32 seen;
__u32 table[4]; /* no scalar: not a variable to set */
static __u64 hidden_count;
static volatile const char names[][8] = { "drop", "pass" };

SEC("lwt_seg6local") int uses(struct __sk_buff *skb)
{
	static __u32 last;

	bpf_trace_printk("uses", 5);
	bpf_trace_printk("length %d, table %d", 20, skb->len, TABLE);
	if (STRICT && skb->len == PORT)
		hidden_count++;
	seen = last;
	last = skb->len;
	total += COLLECTOR.s6_addr[15] + UNSET;
	balance -= 1;
	table[skb->len & 3] += 1;
	return names[skb->len & 1][0] == 'd' ? 2 : 0;
}

SEC("lwt_seg6local/frugal") int frugal(struct __sk_buff *skb)
{
	return skb->len == PORT ? 2 : 0;
}

char _license[] SEC("license") = "GPL";
