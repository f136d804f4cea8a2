/* Dynamic pointers to records of a ring buffer, one of a size that no constant gives. */
#include "kernel.h"

struct {
	__uint(type, 27);
	__uint(max_entries, 4096);
} records SEC(".maps");

SEC("lwt_seg6local") int dynptr_to_a_record(struct __sk_buff *skb)
{
	struct bpf_dynptr ptr;
	__u32 size = skb->len & 0x7f;
	__u64 word = 0x0102030405060708ULL;

	OUT(0, bpf_ringbuf_reserve_dynptr(&records, size, 0, &ptr));
	OUT(1, bpf_dynptr_size(&ptr));
	OUT(2, bpf_dynptr_write(&ptr, size - 8, &word, 8, 0));
	OUT(3, bpf_dynptr_write(&ptr, size - 7, &word, 8, 0));
	bpf_ringbuf_submit_dynptr(&ptr, 0);
	OUT(4, bpf_ringbuf_reserve_dynptr(&records, 8, 0, &ptr));
	OUT(5, bpf_dynptr_write(&ptr, 0, &word, 8, 0));
	bpf_ringbuf_discard_dynptr(&ptr, 0);
	OUT(6, bpf_ringbuf_reserve_dynptr(&records, 5000, 0, &ptr));
	OUT(7, IS_NULL(&ptr));
	bpf_ringbuf_submit_dynptr(&ptr, 0);
	OUT(8, bpf_ringbuf_reserve_dynptr(&records, 8, 1, &ptr));
	bpf_ringbuf_discard_dynptr(&ptr, 0);
	OUT(9, bpf_ringbuf_reserve_dynptr(&records, 1 << 24, 0, &ptr));
	bpf_ringbuf_discard_dynptr(&ptr, 0);
	return 0;
}
