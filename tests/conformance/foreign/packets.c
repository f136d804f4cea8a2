/* Dynamic pointers to the packet: in a hook that reads it, and in the one that writes it. */
#include "kernel.h"

static __attribute__((always_inline)) void look(struct __sk_buff *skb, struct bpf_dynptr *ptr)
{
	__u8 buffer[8] = {}, *bytes;
	__u32 word = 0;

	OUT(0, bpf_dynptr_from_skb(skb, 0, ptr));
	OUT(1, bpf_dynptr_size(ptr));
	OUT(2, IS_READ_ONLY(ptr));
	OUT(3, bpf_dynptr_read(&word, 4, ptr, 40, 0));
	OUT(4, word);
	OUT(5, bpf_dynptr_read(&word, 4, ptr, 100000, 0));
	OUT(6, bpf_dynptr_read(&word, 4, ptr, skb->len - 3, 0));
	bytes = bpf_dynptr_slice(ptr, 6, buffer, 2);
	if (bytes)
		OUT(7, bytes[0] << 8 | bytes[1]);
	bytes = bpf_dynptr_slice(ptr, 100000, buffer, 2);
	OUT(8, bytes != NULL);
	bytes = bpf_dynptr_slice(ptr, 60, buffer, 4);
	if (bytes)
		OUT(9, (bytes == buffer) << 16 | bytes[3]);
	bytes = bpf_dynptr_slice(ptr, 60, NULL, 4);
	OUT(16, bytes != NULL);
}

SEC("lwt_out") int dynptr_to_a_packet(struct __sk_buff *skb)
{
	struct bpf_dynptr ptr;
	__u8 word = 0;

	look(skb, &ptr);
	OUT(10, bpf_dynptr_write(&ptr, 7, &word, 1, 0));
	OUT(11, bpf_dynptr_adjust(&ptr, 40, 48));
	OUT(12, bpf_dynptr_read(&word, 1, &ptr, 2, 0));
	OUT(13, word);
	OUT(14, bpf_dynptr_from_skb(skb, 1, &ptr));
	OUT(15, IS_NULL(&ptr));
	return 0;
}

SEC("lwt_xmit") int dynptr_that_writes(struct __sk_buff *skb)
{
	struct bpf_dynptr ptr;
	__u8 buffer[8] = {}, *bytes;
	__u8 limit = 99;

	look(skb, &ptr);
	OUT(10, bpf_dynptr_write(&ptr, 7, &limit, 1, 0));
	OUT(11, bpf_dynptr_write(&ptr, 100000, &limit, 1, 0));
	OUT(12, bpf_dynptr_write(&ptr, 7, &limit, 1, 128));
	bytes = bpf_dynptr_slice_rdwr(&ptr, 1, buffer, 2);
	if (bytes) {
		bytes[1] = 0x5a;
		if (bytes == buffer)
			bpf_dynptr_write(&ptr, 1, buffer, 2, 0);
	}
	return 0;
}
