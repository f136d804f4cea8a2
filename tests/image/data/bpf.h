/* What the sources here need of the kernel's headers, so that their objects depend on no machine. */
#define SEC(name) __attribute__((section(name), used))
#define NOINLINE __attribute__((noinline))
#define __uint(name, value) int (*name)[value]
#define __type(name, value) value *name

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;

struct __sk_buff {
	__u32 len;
	__u32 pkt_type;
	__u32 mark;
};
struct in6_addr {
	__u8 s6_addr[16];
};

static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*bpf_trace_printk)(const char *format, __u32 size, ...) = (void *)6;
static long (*bpf_ringbuf_output)(void *ringbuf, void *data, __u64 size, __u64 flags) = (void *)130;
static long (*bpf_loop)(__u32 count, void *callback, void *context, __u64 flags) = (void *)181;
