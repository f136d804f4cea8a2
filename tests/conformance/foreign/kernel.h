/* What the sources here need of the kernel's headers, beside those of tests/image/data. */
#include "../../image/data/bpf.h"

#define KFUNC extern __attribute__((section(".ksyms")))
#define NULL ((void *)0)
#define OUT(slot, value) put(slot, (__u64)(value))

struct bpf_dynptr {
	__u64 opaque[2];
} __attribute__((aligned(8)));
struct bpf_iter_num {
	__u64 opaque[1];
} __attribute__((aligned(8)));
struct bpf_timer {
	__u64 opaque[2];
} __attribute__((aligned(8)));

static long (*bpf_map_update_elem)(void *map, const void *key, const void *value, __u64 flags) = (void *)2;
static __u64 (*bpf_ktime_get_ns)(void) = (void *)5;
static long (*bpf_for_each_map_elem)(void *map, void *callback, void *context, __u64 flags) = (void *)164;
static long (*bpf_timer_init)(struct bpf_timer *timer, void *map, __u64 flags) = (void *)169;
static long (*bpf_timer_set_callback)(struct bpf_timer *timer, void *callback) = (void *)170;
static long (*bpf_timer_start)(struct bpf_timer *timer, __u64 nsecs, __u64 flags) = (void *)171;
static long (*bpf_timer_cancel)(struct bpf_timer *timer) = (void *)172;
static long (*bpf_dynptr_from_mem)(void *data, __u32 size, __u64 flags, struct bpf_dynptr *ptr) = (void *)197;
static long (*bpf_ringbuf_reserve_dynptr)(void *ringbuf, __u32 size, __u64 flags, struct bpf_dynptr *ptr) = (void *)198;
static void (*bpf_ringbuf_submit_dynptr)(struct bpf_dynptr *ptr, __u64 flags) = (void *)199;
static void (*bpf_ringbuf_discard_dynptr)(struct bpf_dynptr *ptr, __u64 flags) = (void *)200;
static long (*bpf_dynptr_read)(void *dst, __u32 len, const struct bpf_dynptr *src, __u32 offset, __u64 flags) = (void *)201;
static long (*bpf_dynptr_write)(const struct bpf_dynptr *dst, __u32 offset, void *src, __u32 len, __u64 flags) = (void *)202;
static void *(*bpf_dynptr_data)(const struct bpf_dynptr *ptr, __u32 offset, __u32 len) = (void *)203;

KFUNC int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end);
KFUNC int *bpf_iter_num_next(struct bpf_iter_num *it);
KFUNC void bpf_iter_num_destroy(struct bpf_iter_num *it);
KFUNC int bpf_dynptr_from_skb(struct __sk_buff *skb, __u64 flags, struct bpf_dynptr *ptr);
KFUNC void *bpf_dynptr_slice(const struct bpf_dynptr *ptr, __u32 offset, void *buffer, __u32 size);
KFUNC void *bpf_dynptr_slice_rdwr(const struct bpf_dynptr *ptr, __u32 offset, void *buffer, __u32 size);
KFUNC int bpf_dynptr_adjust(const struct bpf_dynptr *ptr, __u32 start, __u32 end);
/* Of what returns a bool, only the low byte is the kernel's word: on x86 the rest of r0 is what was there before. */
KFUNC __u8 bpf_dynptr_is_null(const struct bpf_dynptr *ptr);
KFUNC __u8 bpf_dynptr_is_rdonly(const struct bpf_dynptr *ptr);
#define IS_NULL(ptr) (bpf_dynptr_is_null(ptr) & opaque(1))
#define IS_READ_ONLY(ptr) (bpf_dynptr_is_rdonly(ptr) & opaque(1))
KFUNC __u32 bpf_dynptr_size(const struct bpf_dynptr *ptr);
KFUNC int bpf_dynptr_clone(const struct bpf_dynptr *ptr, struct bpf_dynptr *clone);

/* A number that clang does not know, so that it masks with it. */
static __attribute__((always_inline)) __u64 opaque(__u64 number)
{
	asm volatile("" : "+r"(number));
	return number;
}

struct {
	__uint(type, 2);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, 32);
} out SEC(".maps");

/* What a program has found: both engines must leave the same. */
static void put(__u32 slot, __u64 value)
{
	__u64 *place = bpf_map_lookup_elem(&out, &slot);

	if (place)
		*place = value;
}

char _license[] SEC("license") = "GPL";
