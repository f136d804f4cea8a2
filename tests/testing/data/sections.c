// Programs in sections with free names, as objects of 2018 have them: a route says their types.
//     clang -O2 -target bpf -c sections.c -o sections.o
#define SEC(name) __attribute__((section(name), used))
typedef unsigned char u8;
typedef unsigned int u32;

static int (*push_encap)(void *, u32, void *, u32) = (void *)73;
static int (*store_bytes)(void *, u32, const void *, u32) = (void *)74;
static int (*action)(void *, u32, void *, u32) = (void *)76;

// fc00::1 and fc00::2, of which fc00::2 is first.
static inline void two_segments(u8 *srh)
{
	__builtin_memset(srh, 0, 40);
	srh[1] = srh[2] = 4;
	srh[3] = srh[4] = 1;
	srh[8] = srh[24] = 0xfc;
	srh[23] = 1;
	srh[39] = 2;
}

SEC("pass") int do_pass(void *skb)
{
	return 0;
}

SEC("drop") int do_drop(void *skb)
{
	return 2;
}

SEC("alert") int do_alert(void *skb)
{
	u8 flags = 0x10;

	store_bytes(skb, 45, &flags, 1);
	return 0;
}

SEC("end_t") int do_end_t(void *skb)
{
	int table = 42;

	return action(skb, 3, &table, 4) ? 2 : 7;
}

SEC("b6_encaps") int do_b6_encaps(void *skb)
{
	u8 srh[40];

	two_segments(srh);
	return action(skb, 10, srh, 40) ? 2 : 7;
}

SEC("push_inline") int do_push_inline(void *skb)
{
	u8 srh[40];

	two_segments(srh);
	return push_encap(skb, 1, srh, 40) ? 2 : 0;
}

char _license[] SEC("license") = "GPL";
