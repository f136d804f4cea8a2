/* BTF that the kernel refuses as the compiler writes it. */
#include "bpf.h"

extern __u32 kernel_function(__u32) __attribute__((section(".ksyms")));
extern const void kernel_symbol __attribute__((section(".ksyms")));

__u32 odd SEC(".data.odd-name") = 5;

/* Weak references that nothing links: a static function which no program reaches. */
static NOINLINE SEC(".text") __u32 unreached(__u32 x)
{
	return kernel_function(x) + (__u64)&kernel_symbol;
}

NOINLINE __attribute__((visibility("hidden"))) int hidden(void *, __u32 x)
{
	return x + odd;
}

SEC("lwt_seg6local") int program(struct __sk_buff *skb)
{
	return hidden(skb, skb->len) ? 0 : 2;
}

char _license[] SEC("license") = "GPL";
