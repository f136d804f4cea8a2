/* Dynamic pointers to a map's value. */
#include "kernel.h"

struct value {
	__u8 data[24];
};
struct {
	__uint(type, 2);
	__type(key, __u32);
	__type(value, struct value);
	__uint(max_entries, 1);
} values SEC(".maps");

SEC("lwt_xmit") int dynptr_to_a_value(struct __sk_buff *skb)
{
	struct bpf_dynptr ptr, copy;
	__u64 word = 0x1122334455667788ULL, back = 0;
	__u32 zero = 0;
	struct value *value = bpf_map_lookup_elem(&values, &zero);
	__u8 *data;

	if (!value)
		return 2;
	OUT(0, bpf_dynptr_from_mem(value, sizeof(*value), 0, &ptr));
	OUT(1, bpf_dynptr_size(&ptr));
	OUT(2, bpf_dynptr_write(&ptr, 8, &word, 8, 0));
	OUT(3, bpf_dynptr_read(&back, 8, &ptr, 9, 0));
	OUT(4, back);
	OUT(5, bpf_dynptr_write(&ptr, 17, &word, 8, 0));
	OUT(6, bpf_dynptr_read(&back, 8, &ptr, 17, 0));
	OUT(7, bpf_dynptr_write(&ptr, 0, &word, 8, 1));
	OUT(8, bpf_dynptr_clone(&ptr, &copy));
	OUT(9, bpf_dynptr_adjust(&copy, 8, 20));
	OUT(10, bpf_dynptr_size(&copy));
	OUT(11, bpf_dynptr_read(&back, 4, &copy, 0, 0));
	OUT(12, back);
	OUT(13, bpf_dynptr_adjust(&copy, 4, 3));
	OUT(14, bpf_dynptr_adjust(&copy, 0, 13));
	OUT(15, bpf_dynptr_size(&ptr));
	data = bpf_dynptr_data(&ptr, 8, 4);
	if (data) {
		OUT(16, data[1]);
		data[1] = 9;
	}
	data = bpf_dynptr_slice(&copy, 0, NULL, 4);
	if (data)
		OUT(17, data[1]);
	OUT(18, bpf_dynptr_data(&ptr, 21, 4) != NULL);
	OUT(19, IS_NULL(&ptr) * 2 + IS_READ_ONLY(&ptr));
	data = bpf_dynptr_slice_rdwr(&ptr, 0, NULL, 8); /* the verifier takes it only where the packet may be written */
	if (data)
		data[0] = 77;
	OUT(20, value->data[0]);
	OUT(21, bpf_dynptr_read(&back, 4, &ptr, 0, 1));
	OUT(22, bpf_dynptr_from_mem(value, sizeof(*value), 1, &ptr));
	OUT(23, IS_NULL(&ptr) * 2 + IS_READ_ONLY(&ptr));
	OUT(24, bpf_dynptr_size(&ptr));
	OUT(25, bpf_dynptr_read(&back, 4, &ptr, 0, 0));
	OUT(26, bpf_dynptr_write(&ptr, 0, &word, 4, 0));
	OUT(27, bpf_dynptr_adjust(&ptr, 0, 0));
	OUT(28, bpf_dynptr_clone(&ptr, &copy));
	OUT(29, IS_NULL(&copy));
	OUT(30, bpf_dynptr_slice(&ptr, 0, NULL, 1) != NULL);
	return 0;
}
